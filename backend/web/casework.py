"""What operators do around a case: calls, rests, shifts, hand-over, channels. As `steps.py`: may they, do it, write it down."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from backend.cases import calls, duty, rest
from backend.cases import store as cases
from backend.cases.calls import Result
from backend.cases.lifecycle import Action
from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.notify import outbox
from backend.notify.webpush import NoSubscription, Subscription
from backend.people import accounts
from backend.people.accounts import Account
from backend.web import auth, steps
from backend.web.labels import N_


async def begin_call(conn: Connection, who: Account, case_id: int, person_id: str, *, now: datetime) -> int:
    """Somebody of the plan is being called: the work on the case has begun. Returns the call. Raises NotFound, IllegalMove."""
    case = await auth.open_case(conn, who, case_id, now=now)
    person = next((one for one in await calls.plan(conn, case["elder_id"]) if one.id == person_id), None)
    if person is None:
        raise NotFound(f"{person_id} is not in the plan of case {case_id}")
    async with conn.transaction():
        await steps.begin_work(conn, who, case_id, now)
        call_id = await calls.begin(conn, case_id, person, by=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="called", subject=f"case:{case_id}", now=now, detail={"person": person_id})
    return call_id


async def end_call(conn: Connection, who: Account, case_id: int, call_id: int, result: Result, *, now: datetime) -> None:
    """How a call ended, to the second. Raises NotFound."""
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        done = await calls.end(conn, case_id, call_id, result=result, now=now)
        detail = {"person": done["person"], "name": done["name"], "called_at": done["called_at"].isoformat(), "result": result}
        await cases.write_down(conn, case_id, by=who.name, action=Action.CALLED, detail=detail, now=now)


async def let_rest(conn: Connection, who: Account, *, subject: str, now: datetime, **what: Any) -> None:
    """Shelve, or write down that a home is under maintenance or its elder away. Raises BadInput, NotFound."""
    if not subject.startswith("gateway:"):
        await auth.open_elder(conn, who, subject, now=now)
    if what["ends_at"] <= now:
        raise BadInput(N_("The end has passed already."))
    async with conn.transaction():
        rest_id = await rest.add(conn, subject=subject, by=who.name, now=now, **what)
        await _look_again(conn, subject, now=now)
        detail = {"rest": rest_id, "kind": what["kind"], "rule_id": what.get("rule_id"), "until": what["ends_at"].isoformat()}
        await accounts.audit(conn, by=who.name, action="rested", subject=f"elder:{subject}", now=now, detail=detail)


async def end_rest(conn: Connection, who: Account, rest_id: int, *, now: datetime) -> None:
    """Arm again before the time. Raises NotFound."""
    async with conn.transaction():
        subject = await rest.end(conn, rest_id, by=who.name, now=now)
        await _look_again(conn, subject, now=now)
        await accounts.audit(conn, by=who.name, action="rearmed", subject=f"elder:{subject}", now=now, detail={"rest": rest_id})


async def hand_over(conn: Connection, who: Account, *, to_name: str, note: str, now: datetime) -> list[int]:
    """Give all one has to the next shift, with a note. Returns the cases. Raises BadInput for oneself or nobody."""
    others = {one["name"] for one in await accounts.everybody(conn) if one["role"] in auth.CENTRE and one["is_active"]} - {who.name}
    if to_name not in others:
        raise BadInput(N_("Choose who takes over."))
    async with conn.transaction():
        case_ids = await duty.hand_over(conn, from_name=who.name, to_name=to_name, note=note, now=now)
        detail = {"to": to_name, "cases": case_ids}
        await accounts.audit(conn, by=who.name, action="handed_over", subject="", now=now, detail=detail)
    return case_ids


async def read_note(conn: Connection, who: Account, note_id: int, *, now: datetime) -> None:
    """The next shift has read the note. Raises NotFound."""
    await duty.read(conn, note_id, name=who.name, now=now)


async def plan_duty(conn: Connection, who: Account, *, name: str, part: str, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Put somebody on duty. Raises BadInput."""
    async with conn.transaction():
        await duty.add(conn, name=name, part=part, starts_at=starts_at, ends_at=ends_at)
        detail = {"name": name, "part": part, "from": starts_at.isoformat(), "to": ends_at.isoformat()}
        await accounts.audit(conn, by=who.name, action="duty_planned", subject="", now=now, detail=detail)


async def cancel_duty(conn: Connection, who: Account, *, name: str, part: str, starts_at: datetime, now: datetime) -> None:
    """Take a shift out of the plan."""
    async with conn.transaction():
        await duty.remove(conn, name=name, part=part, starts_at=starts_at)
        detail = {"name": name, "part": part, "from": starts_at.isoformat()}
        await accounts.audit(conn, by=who.name, action="duty_cancelled", subject="", now=now, detail=detail)


async def set_route(
    conn: Connection,
    who: Account,
    *,
    person: str,
    channel: str,
    address: str,
    priorities: Sequence[str],
    quiet: tuple[time, time] | None,
    consented_to: str,
    now: datetime,
) -> None:
    """Let a person be told by a channel, with the words consented to. Raises BadInput, NotFound for somebody else's."""
    await _may_change(conn, who, person, now=now)
    if not priorities:
        raise BadInput(N_("Choose at least one priority."))
    async with conn.transaction():
        route_id = await outbox.add_route(
            conn, person=person, now=now, channel=channel, address=address, priorities=list(priorities), quiet_spares_high=True,
            quiet_from=quiet[0] if quiet else None, quiet_to=quiet[1] if quiet else None, consented_to=consented_to,
        )  # fmt: skip
        await accounts.audit(conn, by=who.name, action="route_set", subject="", now=now, detail={"person": person, "route": route_id})


async def ring_here(conn: Connection, who: Account, subscription: str, *, allowed: Sequence[str], now: datetime) -> None:
    """Let this browser be rung for this person, and for nobody else who used it before; their own route stays as it is.

    Raises BadInput for a subscription that is none.
    """
    person = f"account:{who.name}"
    address = _browser(subscription, allowed)
    async with conn.transaction():
        await outbox.forget(conn, channel="push", address=address, now=now, but=person)
        if not any((route["channel"], route["address"]) == ("push", address) for route in await outbox.routes(conn, person)):
            await outbox.add_route(
                conn, person=person, now=now, channel="push", address=address, priorities=["high", "medium", "low"],
                quiet_spares_high=True, quiet_from=None, quiet_to=None, consented_to="switched on in the browser",
            )  # fmt: skip
        await accounts.audit(conn, by=who.name, action="push_on", subject="", now=now)


async def ring_no_more(conn: Connection, who: Account, subscription: str, *, allowed: Sequence[str], now: datetime) -> None:
    """This browser rings no more, for whoever it rang. Raises BadInput for a subscription that is none."""
    address = _browser(subscription, allowed)
    async with conn.transaction():
        await outbox.forget(conn, channel="push", address=address, now=now)
        await accounts.audit(conn, by=who.name, action="push_off", subject="", now=now)


def _browser(subscription: str, allowed: Sequence[str]) -> str:
    try:
        return Subscription.read(subscription, tuple(allowed)).text()
    except NoSubscription as error:
        raise BadInput(N_("This browser's push service is not one that the centre sends to.")) from error


async def withdraw_route(conn: Connection, who: Account, *, person: str, route_id: int, now: datetime) -> None:
    """Consent is withdrawn."""
    await _may_change(conn, who, person, now=now)
    async with conn.transaction():
        await outbox.withdraw(conn, person=person, route_id=route_id, now=now)
        await accounts.audit(conn, by=who.name, action="route_withdrawn", subject="", now=now, detail={"person": person, "route": route_id})


async def _may_change(conn: Connection, who: Account, person: str, *, now: datetime) -> None:
    """One's own channels; those of an elder's contacts for operators; those of other accounts for administrators."""
    kind, _, rest_of = person.partition(":")
    if kind == "contact" and who.role in auth.CENTRE:
        await auth.open_elder(conn, who, rest_of.partition(":")[0], now=now)
    elif kind != "account" or (rest_of != who.name and who.role != "admin"):
        raise NotFound(f"there is no person {person}")


async def _look_again(conn: Connection, subject: str, *, now: datetime) -> None:
    for case_id in await rest.open_cases(conn, subject):
        await cases.look_again(conn, case_id, now=now)


async def find_message(conn: Connection, key: str) -> dict[str, Any] | None:
    """What a message was about; None for an unknown key."""
    return await outbox.find(conn, key)


async def receiver(conn: Connection, message: dict[str, Any]) -> Account | None:
    """The account a message went to; None for a contact, or one that is no longer in use."""
    kind, _, name = message["person"].partition(":")
    return await accounts.find(conn, name) if kind == "account" else None


async def confirm_message(conn: Connection, key: str, *, now: datetime) -> None:
    """Whoever got the message says so: once. Its case shows who and when."""
    await outbox.read(conn, key, now=now)
