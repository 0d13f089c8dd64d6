"""The medical lead's pages: rules in force, drafts with their cases and back-test, approval by a second person, history, overrides."""

import asyncio
import contextlib
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from backend.config import DatabaseConfig
from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.people import accounts
from backend.people.accounts import Account
from backend.rules import drafts, form, overrides, patch
from backend.rules.drafts import Draft
from backend.rules.kinds import RULE, AnyRule
from backend.rules.patch import Override, Why
from backend.rules.sentence import sentence
from backend.web import auth, case_form, render, rule_faults, rule_form
from backend.web.auth import Now, Somebody, TheWeb
from backend.web.case_form import FormCase
from backend.web.labels import N_

router = APIRouter(prefix="/rules", include_in_schema=False)

BEAT_MAX = timedelta(seconds=60)
"""A back-test that says nothing for this long is taken for dead."""
CASES_MAX = 20_000
_running: set[asyncio.Task[None]] = set()


async def _lead(account: Somebody) -> Account:
    if not account.leads_rules:
        raise NotFound("this is a page of the medical lead")
    return account


Lead = Annotated[Account, Depends(_lead)]
"""Administrators, and whoever was made the medical lead."""


@router.get("")
async def list_rules(request: Request, web: TheWeb, who: Lead, now: Now) -> Response:
    """Rules in force, and drafts that wait for somebody."""
    async with web.pool.connection() as conn:
        await accounts.audit_view(conn, by=who.name, subject="rules", now=now)
        rows = [row | {"rule": _readable(row["body"])} for row in await drafts.rules(conn)]
        waiting = await drafts.listed(conn)
    return render.page(request, "rules.html", rules=rows, drafts=waiting, kinds=list(rule_form.HEAD), sentence=sentence)


@router.get("/overrides")
async def list_overrides(request: Request, web: TheWeb, who: Lead, now: Now, elder: str | None = None) -> Response:
    """Other numbers for single elders and teams."""
    async with web.pool.connection() as conn:
        await accounts.audit_view(conn, by=who.name, subject=f"elder:{elder}" if elder else "overrides", now=now)
        return await _overrides(request, conn, now, elder=elder or None)


async def _overrides(request: Request, conn: Connection, now: datetime, *, elder: str | None, fault: str = "") -> Response:
    known = await drafts.in_force(conn)
    found = [row | {"rule": patch.patched(known, row)} for row in await overrides.listed(conn, today=now.date(), elder_id=elder)]
    teams, elder_name = await overrides.targets(conn, elder or "")
    return render.page(
        request, "rule_overrides.html", status=422 if fault else 200, overrides=found, rules=known, elder=elder, elder_name=elder_name,
        teams=teams, fault=fault, sentence=sentence,
    )  # fmt: skip


@router.get("/overrides/new")
async def new_override(
    request: Request, web: TheWeb, who: Lead, now: Now, rule: str, elder: Annotated[str, Query(max_length=40)] = "",
    team: Annotated[str, Query(max_length=40)] = "",
) -> Response:  # fmt: skip
    """The rule's own numbers as a form, to be changed for one elder or one team."""
    async with web.pool.connection() as conn:
        chosen = (await drafts.in_force(conn)).get(rule)
        targets = await overrides.targets(conn, elder.strip())
    if chosen is None:
        raise NotFound(f"there is no rule {rule} in force")
    until = (now.date() + timedelta(days=90)).isoformat()
    given = rule_form.fill(chosen) | {"elder": elder.strip(), "team": team.strip(), "until": until, "reason": ""}
    return _override_form(request, chosen, given, changed=chosen, targets=targets)


def _override_form(
    request: Request, rule: AnyRule, given: dict[str, str], *, changed: AnyRule | None, targets: tuple[dict[str, str], str], fault: str = ""
) -> Response:
    return render.page(
        request, "rule_override.html", status=422 if fault else 200, rule=rule, changed=changed, given=defaultdict(str, given), fault=fault,
        teams=targets[0], elder_name=targets[1], **_fields(rule.kind), sentence=sentence,
    )  # fmt: skip


def _fields(kind: str) -> dict[str, Any]:
    return {
        "kind": kind, "head": rule_form.HEAD[kind], "level": rule_form.LEVEL[kind], "rest": rule_form.REST[kind],
        "level_rows": rule_form.level_rows(kind),
    }  # fmt: skip


@router.post("/overrides")
async def add_override(request: Request, web: TheWeb, who: Lead, now: Now) -> Response:
    """Put an override in force: what differs from the rule, field by field."""
    given = await _given(request)
    rule_id, elder, team = (given.get(name, "").strip() for name in ("id", "elder", "team"))
    async with web.pool.connection() as conn:
        rule = (await drafts.in_force(conn)).get(rule_id)
        if rule is None:
            raise NotFound(f"there is no rule {rule_id} in force")
        changed: AnyRule | None = None
        try:
            changed = _changed(rule, given)
            body = rule_form.changes(rule, changed)
            if not body:
                raise BadInput(N_("Nothing differs from the rule itself."))
            why = Why.model_validate({"reason": given.get("reason", "").strip(), "by": who.name, "until": given.get("until", "")})
            override = Override(elder=elder or None, group=team or None, rule=rule_id, patch=body, why=why)
            async with conn.transaction():
                number = await overrides.add(conn, override, rule, now=now)
                await accounts.audit(
                    conn, by=who.name, action="rule_override", subject=f"rule:{rule_id}", now=now, detail={"override": number}
                )
        except (ValueError, BadInput) as error:
            fault, targets = rule_faults.words_of(error, auth.say_of(request)), await overrides.targets(conn, elder)
            return _override_form(request, rule, given, changed=changed, targets=targets, fault=fault)
    return _go(f"/rules/overrides?elder={elder}" if elder else "/rules/overrides")


def _changed(rule: AnyRule, given: dict[str, str]) -> AnyRule:
    """The rule with what stands in the form. Raises ValidationError, a ValueError."""
    body = rule_form.body_of(given | {"id": rule.id, "kind": rule.kind, "title.zh": rule.title.zh, "title.en": rule.title.en})
    return RULE.validate_python(body | {"source": rule.source})


@router.post("/overrides/{override_id}/end")
async def end_override(web: TheWeb, who: Lead, now: Now, override_id: int) -> Response:
    """End one before its day."""
    async with web.pool.connection() as conn, conn.transaction():
        await overrides.end(conn, override_id, by=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="rule_override_ended", subject=f"override:{override_id}", now=now)
    return _go("/rules/overrides")


@router.get("/drafts/new")
async def new_draft(request: Request, web: TheWeb, who: Lead, kind: str = "threshold", rule: str = "", version: int = 0) -> Response:
    """An empty form, or one filled with a version of a rule: to change it, or to go back to it."""
    given: dict[str, str] = {"kind": kind, "active.zone": "home"}
    cases: list[FormCase] = []
    chosen: AnyRule | None = None
    if rule:
        async with web.pool.connection() as conn:
            versions, known = await drafts.history(conn, rule), await drafts.in_force(conn)
        row = next((one for one in versions if version in (0, one["version"])), None)
        if row is None:
            raise NotFound(f"there is no rule {rule}")
        chosen = RULE.validate_python(row["body"])
        given = rule_form.fill(chosen)
        cases = case_form.fill(drafts.cases_of(row["cases"] or form.shipped_cases(rule), chosen, known), chosen)
    if given["kind"] not in rule_form.HEAD:
        raise NotFound(f"there is no kind {given['kind']}")
    return _form(request, given, cases=cases, reason="", draft=None, rule=chosen)


def _form(
    request: Request, given: dict[str, str], *, cases: list[FormCase], reason: str, draft: Draft | None, fault: str = "",
    is_retirement: bool = False, **more: Any,
) -> Response:  # fmt: skip
    kind = given["kind"]
    return render.page(
        request, "rule_draft.html", status=422 if fault else 200, given=defaultdict(str, given), **_fields(kind), cases=cases,
        case_form=case_form, what=case_form.what_of(kind, given), reason=reason, draft=draft, fault=fault, is_retirement=is_retirement,
        **({"outcomes": [], "test": None, "rule": None} | more), sentence=sentence, of_case=rule_faults.of_case,
    )  # fmt: skip


async def _given(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


@router.post("/drafts")
async def begin_draft(request: Request, web: TheWeb, who: Lead, now: Now) -> Response:
    """Begin a draft."""
    given = await _given(request)
    cases, reason = case_form.entered(given), given.get("reason", "").strip()
    if given.get("kind") not in rule_form.HEAD:
        raise NotFound("there is no such kind")
    async with web.pool.connection() as conn:
        try:
            async with conn.transaction():
                draft_id = await drafts.begin(
                    conn, rule_form.body_of(given), cases=_text(cases, given), reason=_why(reason), by=who.name, now=now
                )
                await accounts.audit(conn, by=who.name, action="rule_draft", subject=f"draft:{draft_id}", now=now)
            return _go(f"/rules/drafts/{draft_id}")
        except BadInput as error:
            fault = rule_faults.words_of(error, auth.say_of(request))
    return _form(request, given, cases=cases, reason=reason, draft=None, fault=fault)


def _why(reason: str) -> str:
    if len(reason) < 2:
        raise BadInput(N_("Say why."))
    return reason[:400]


def _text(cases: list[FormCase], given: dict[str, str]) -> str:
    text = case_form.text_of(cases, given.get("id", ""))
    if len(text) > CASES_MAX:
        raise BadInput(N_("These are too many cases: leave some out."))
    return text


@router.post("/sentence")
async def say_it(request: Request, web: TheWeb, who: Lead) -> Response:
    """What stands in the form as a sentence in both languages, or what is wrong with it."""
    given = await _given(request)
    async with web.pool.connection() as conn:
        try:
            rule: AnyRule | None = await drafts.check(conn, rule_form.body_of(given))
            fault = ""
        except BadInput as error:
            rule, fault = None, rule_faults.words_of(error, auth.say_of(request))
    return render.page(request, "rule_sentence.html", rule=rule, fault=fault, sentence=sentence)


@router.get("/drafts/{draft_id}")
async def show_draft(request: Request, web: TheWeb, who: Lead, now: Now, draft_id: int) -> Response:
    """A draft: its form, its sentence, its cases, its back-test, and what may be done with it. Whoever sees the back-test has seen it."""
    async with web.pool.connection() as conn, conn.transaction():
        await drafts.see(conn, draft_id, by=who.name)
        draft = await drafts.find(conn, draft_id)
        return await _draft(request, conn, draft, now)


async def _draft(request: Request, conn: Connection, draft: Draft, now: datetime, *, fault: str = "", **entered: Any) -> Response:
    rule = draft.rule
    try:
        outcomes = await drafts.tried(conn, rule, draft.cases)
    except BadInput as error:
        outcomes, fault = [], fault or rule_faults.words_of(error, auth.say_of(request))
    cases = entered["cases"] if "cases" in entered else case_form.fill((one.case for one in outcomes), rule)
    test = await drafts.last_test(conn, draft.id)
    given = entered.get("given") or rule_form.fill(rule)
    return _form(
        request, given, cases=cases, reason=entered.get("reason", draft.reason), draft=draft, fault=fault, outcomes=outcomes,
        test=_living(test, now), rule=rule, is_retirement=draft.is_retirement,
    )  # fmt: skip


def _living(test: dict[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    if test is None or test["state"] in ("done", "failed"):
        return test
    heard_at = test["beat_at"] or test["asked_at"]
    return test | {"state": "failed", "fault": "it stopped without a word"} if now - heard_at > BEAT_MAX else test


@router.post("/drafts/{draft_id}")
async def change_draft(request: Request, web: TheWeb, who: Lead, now: Now, draft_id: int) -> Response:
    """Change a draft; what was tried with other numbers is forgotten."""
    given = await _given(request)
    cases, reason = case_form.entered(given), given.get("reason", "").strip()
    async with web.pool.connection() as conn:
        try:
            async with conn.transaction():
                body = rule_form.body_of(given)
                await drafts.change(conn, draft_id, body, cases=_text(cases, given), reason=_why(reason), by=who.name)
                await accounts.audit(conn, by=who.name, action="rule_draft_changed", subject=f"draft:{draft_id}", now=now)
            return _go(f"/rules/drafts/{draft_id}")
        except BadInput as error:
            async with conn.transaction():
                draft = await drafts.find(conn, draft_id)
                fault = rule_faults.words_of(error, auth.say_of(request))
                return await _draft(request, conn, draft, now, fault=fault, given=given, cases=cases, reason=reason)


@router.post("/drafts/{draft_id}/back-test")
async def back_test(web: TheWeb, who: Lead, now: Now, draft_id: int) -> Response:
    """Run it on the centre's last days, in a process of its own."""
    async with web.pool.connection() as conn, conn.transaction():
        number = await drafts.ask_test(conn, draft_id, by=who.name, now=now)
    task = asyncio.create_task(_run_back_test(web.config.database, number))
    _running.add(task)
    task.add_done_callback(_running.discard)
    return _go(f"/rules/drafts/{draft_id}#back-test")


async def _run_back_test(database: DatabaseConfig, number: int) -> None:
    command = (sys.executable, "-m", "backend.back_test", str(number))
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        await child.communicate(database.model_dump_json().encode())
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        raise


@router.get("/drafts/{draft_id}/progress")
async def progress(request: Request, web: TheWeb, who: Lead, now: Now, draft_id: int) -> Response:
    """How far the back-test is; once it is done the page loads itself anew."""
    async with web.pool.connection() as conn, conn.transaction():
        test = _living(await drafts.last_test(conn, draft_id), now)
    answer = render.page(request, "rule_progress.html", test=test, draft_id=draft_id)
    if test is None or test["state"] in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/drafts/{draft_id}/{step}")
async def take_step(web: TheWeb, who: Lead, now: Now, draft_id: int, step: str, why: Annotated[str, Form(max_length=400)] = "") -> Response:
    """Submit, approve (by a second person), refuse with a word why, or withdraw."""
    async with web.pool.connection() as conn, conn.transaction():
        if step == "submit":
            await drafts.submit(conn, draft_id, now=now)
        elif step == "approve":
            draft = await drafts.find(conn, draft_id)
            version = await drafts.approve(conn, draft_id, by=who.name, now=now)
            detail = {"version": version, "author": draft.author}
            await accounts.audit(conn, by=who.name, action="rule_approved", subject=f"rule:{draft.rule_id}", now=now, detail=detail)
            return _go(f"/rules/{draft.rule_id}")
        elif step == "refuse":
            await drafts.refuse(conn, draft_id, why=why.strip() or "?")
        elif step == "withdraw":
            await drafts.withdraw(conn, draft_id)
        else:
            raise NotFound(f"there is no step {step}")
        await accounts.audit(conn, by=who.name, action=f"rule_draft_{step}", subject=f"draft:{draft_id}", now=now)
    return _go("/rules" if step == "withdraw" else f"/rules/drafts/{draft_id}")


@router.get("/{rule_id}")
async def show_rule(request: Request, web: TheWeb, who: Lead, rule_id: str) -> Response:
    """A rule: what it says, its cases, and every version of it."""
    async with web.pool.connection() as conn:
        versions = [row | {"rule": _readable(row["body"])} for row in await drafts.history(conn, rule_id)]
        if not versions:
            raise NotFound(f"there is no rule {rule_id}")
        rule = versions[0]["rule"]
        cases = versions[0]["cases"] or form.shipped_cases(rule_id)
        outcomes = await drafts.tried(conn, rule, cases) if rule is not None and cases else []
    return render.page(
        request, "rule.html", versions=versions, rule=rule, outcomes=outcomes, sentence=sentence, of_case=rule_faults.of_case
    )


@router.post("/{rule_id}/retire")
async def retire(web: TheWeb, who: Lead, now: Now, rule_id: str, why: Annotated[str, Form(min_length=2, max_length=400)]) -> Response:
    """Begin a draft that switches the rule off; it needs a second person as any other."""
    async with web.pool.connection() as conn, conn.transaction():
        known = await drafts.in_force(conn)
        if rule_id not in known:
            raise NotFound(f"there is no rule {rule_id} in force")
        body = known[rule_id].model_dump(mode="json", exclude_none=True)
        draft_id = await drafts.begin(conn, body, cases="", reason=why, by=who.name, now=now, is_retirement=True)
        await accounts.audit(conn, by=who.name, action="rule_draft", subject=f"draft:{draft_id}", now=now)
    return _go(f"/rules/drafts/{draft_id}")


def _readable(body: dict[str, Any]) -> AnyRule | None:
    try:
        return RULE.validate_python(body)
    except ValueError:
        return None


def _go(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)
