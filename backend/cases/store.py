"""Cases in the database: which case an alert belongs to, who has it, and a history that nobody edits. The caller owns the transaction.

Locks are taken in one order everywhere: alert, then case, then visit. Which case a new alert joins is decided under a lock of its home, so
that two gateways of one elder cannot open two cases at once.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.cases import duty, escalation, rest
from backend.cases.escalation import Step
from backend.cases.lifecycle import NEXT, Action, Disposition, Move, State
from backend.cases.model import Case, Escalated
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.errors import IllegalMove, NotFound, Taken
from backend.rules.model import RANK
from contract.status import HEARTBEAT_S

SYSTEM = "system"
"""`by` of what no person did."""

RELATED = timedelta(seconds=300)
"""Alerts of one home within this time are one episode, so one case: our own choice. A rule's own `groups` says otherwise."""
OUTAGE_MIN = 10
OUTAGE_WITHIN = timedelta(seconds=HEARTBEAT_S + 15)
"""So many gateways silent within so short a time are one trouble, not ten: ten alarms are a flood (ISA-18.2). Those which die
at once were last heard up to a heartbeat apart, and are found silent as far apart; the rest is for the ticks that look for them."""
OUTAGE_GROWS = timedelta(seconds=300)
"""A gateway that falls silent this long after the last one belongs to the same outage."""

COLUMNS = "id, elder_id, gateway_id, is_group, priority, state, taken_by, waiting_since, next_step, rests_until"
ALERT = """
SELECT a.id, a.case_id, a.elder_id, a.gateway_id, coalesce(a.elder_id, 'gateway:' || a.gateway_id) AS subject, a.rule_id, a.priority,
       a.state, a.opened_at, coalesce(r.body ->> 'kind' = 'absence' AND r.body ->> 'of' = 'gateway', false) AS is_silent_gateway,
       r.body -> 'groups' AS groups
FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.id = %(id)s
"""
HOLD_HOME = "SELECT pg_advisory_xact_lock(hashtextextended('case:' || %(subject)s, 0))"
OUTAGE_KEY = "every home"
CASE_OF = "SELECT case_id AS id FROM alert WHERE id = %(id)s"
PRIORITY_OF = "SELECT c.id, c.priority FROM alert a JOIN care_case c ON c.id = a.case_id WHERE a.id = %(id)s"
RELATED_CASE = """
SELECT c.id FROM care_case c JOIN alert a ON a.case_id = c.id
WHERE coalesce(c.elder_id, 'gateway:' || c.gateway_id) = %(subject)s AND c.state <> 'closed'
    AND (c.priority = 'technical') = %(is_technical)s
    AND (%(is_technical)s OR (
        %(at)s BETWEEN a.opened_at - %(within)s AND a.last_at + %(within)s
        AND (%(rules)s::text[] IS NULL OR a.rule_id = ANY(%(rules)s::text[]))
    ))
ORDER BY c.id DESC LIMIT 1
"""
OUTAGE_CASE = """
SELECT c.id FROM care_case c
WHERE c.is_group AND c.state <> 'closed' AND EXISTS (SELECT FROM alert a WHERE a.case_id = c.id AND a.known_at > %(since)s)
ORDER BY c.id DESC LIMIT 1
"""
SILENT_TOGETHER = """
SELECT a.id, a.case_id FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version JOIN care_case c ON c.id = a.case_id
WHERE a.changed_at > %(since)s AND a.known_at > %(since)s AND a.state <> 'closed' AND a.priority = 'technical'
    AND r.body ->> 'kind' = 'absence' AND r.body ->> 'of' = 'gateway' AND NOT c.is_group AND c.state = 'new'
ORDER BY a.id FOR NO KEY UPDATE OF a SKIP LOCKED
"""
OPEN = """
INSERT INTO care_case (elder_id, gateway_id, is_group, priority, opened_at, known_at, changed_at, waiting_since, next_step, next_at)
VALUES (%(elder_id)s, %(gateway_id)s, %(is_group)s, %(priority)s, %(at)s, %(now)s, %(now)s, %(now)s, %(next_step)s, %(next_at)s)
RETURNING id
"""
ATTACH = "UPDATE alert SET case_id = %(case_id)s WHERE id = ANY(%(alert_ids)s)"
LOCK = f"SELECT {COLUMNS} FROM care_case WHERE id = %(id)s FOR NO KEY UPDATE"
MEMBERS = "SELECT id, priority FROM alert WHERE case_id = %(id)s AND state <> 'closed' ORDER BY id"
WORST = """
SELECT priority FROM alert WHERE case_id = %(id)s AND state <> 'closed'
ORDER BY array_position(ARRAY['high', 'medium', 'low', 'technical'], priority) LIMIT 1
"""
LEAD = (
    "SELECT min(other.id) AS id FROM alert a JOIN alert other ON other.case_id = a.case_id AND other.state <> 'closed' WHERE a.id = %(id)s"
)
MOVE = """
UPDATE care_case SET state = %(state)s, next_step = %(next_step)s, next_at = %(next_at)s, changed_at = %(now)s, version = version + 1,
    waiting_since = CASE WHEN %(state)s = 'new' THEN %(now)s ELSE waiting_since END,
    asked = CASE WHEN %(state)s = 'new' THEN '{}' ELSE asked END,
    taken_by = CASE %(state)s WHEN 'new' THEN NULL WHEN 'taken' THEN %(by)s ELSE taken_by END,
    taken_at = CASE %(state)s WHEN 'new' THEN NULL WHEN 'taken' THEN %(now)s ELSE taken_at END,
    begun_at = CASE %(state)s WHEN 'new' THEN NULL WHEN 'in_hand' THEN coalesce(begun_at, %(now)s) ELSE begun_at END,
    resolved_at = CASE %(state)s WHEN 'resolved' THEN %(now)s WHEN 'closed' THEN resolved_at END,
    closed_by = CASE %(state)s WHEN 'closed' THEN %(by)s END, closed_at = CASE %(state)s WHEN 'closed' THEN %(now)s::timestamptz END,
    disposition = %(disposition)s
WHERE id = %(id)s
"""
TOUCH = "UPDATE care_case SET changed_at = %(now)s, version = version + 1 WHERE id = %(id)s"
SET_PRIORITY = """
UPDATE care_case SET priority = %(priority)s, next_step = %(next_step)s, next_at = %(next_at)s, changed_at = %(now)s, version = version + 1
WHERE id = %(id)s
"""
HOLDER = "UPDATE care_case SET taken_by = %(by)s, changed_at = %(now)s, version = version + 1 WHERE id = %(id)s"
REST = """
UPDATE care_case SET rests_until = %(until)s, next_step = %(next_step)s, next_at = %(next_at)s, changed_at = %(now)s, version = version + 1,
    waiting_since = CASE WHEN %(until)s::timestamptz IS NULL AND state = 'new' THEN %(now)s ELSE waiting_since END
WHERE id = %(id)s
"""
TAKE_DUE = f"""
SELECT {COLUMNS}, asked FROM care_case WHERE next_at <= %(now)s ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
ESCALATE = """
UPDATE care_case SET next_step = %(next_step)s, next_at = %(next_at)s, asked = %(asked)s, changed_at = %(now)s, version = version + 1,
    flagged_at = CASE WHEN %(is_flag)s THEN coalesce(flagged_at, %(now)s) ELSE flagged_at END
WHERE id = %(id)s
"""
RESTS = "SELECT c.rests_until IS NOT NULL AS rests FROM alert a JOIN care_case c ON c.id = a.case_id WHERE a.id = %(id)s"
STEP = "INSERT INTO case_step (case_id, at, by, action, detail) VALUES (%(id)s, %(now)s, %(by)s, %(action)s, %(detail)s)"


# -- what the rules bring ------------------------------------------------------------------------------------------------------------------


async def follow(conn: Connection, alert_id: int, *, now: datetime, is_news: bool = False) -> int:
    """Bring the case of an alert up to date after any change of the alert, whose row the caller holds. Returns the case's id.

    A new alert joins the related case of its home or opens one. A case is as urgent as the worst of its alerts. It waits for somebody again
    when it becomes more urgent, or `is_news`: what it is about has happened anew. When all its alerts have ended by themselves, so has it.
    """
    alert = await (await conn.execute(ALERT, {"id": alert_id})).fetchone()
    assert alert is not None, "the caller holds the alert"
    if alert["case_id"] is None:
        return await _join(conn, alert, now=now)
    case = await _lock(conn, alert["case_id"])
    if case.state is not State.CLOSED:
        await _settle(conn, case, now=now, is_news=is_news)
    return case.id


async def rests(conn: Connection, alert_id: int) -> bool:
    """True while the case of this alert rests: then nobody is called."""
    row = await (await conn.execute(RESTS, {"id": alert_id})).fetchone()
    return bool(row and row["rests"])


async def look_again(conn: Connection, case_id: int, *, now: datetime) -> None:
    """Make a case fit what rests, after a rest of its home has begun, ended or run out."""
    case = await _lock(conn, case_id)
    if case.state is not State.CLOSED:
        await _settle(conn, case, now=now)


async def lead(conn: Connection, alert_id: int) -> int:
    """The first open alert of this alert's case: what is asked for once per case, such as a visit, is asked for in its name."""
    row = await (await conn.execute(LEAD, {"id": alert_id})).fetchone()
    return int(row["id"]) if row and row["id"] is not None else alert_id


async def _join(conn: Connection, alert: dict[str, Any], *, now: datetime) -> int:
    for subject in [OUTAGE_KEY] * alert["is_silent_gateway"] + [alert["subject"]]:
        await conn.execute(HOLD_HOME, {"subject": subject})
    case_id = await _outage(conn, alert, now=now) if alert["is_silent_gateway"] else None
    if case_id is None:
        case_id = await _related(conn, alert)
    if case_id is None:
        return await _open(conn, alert, [alert["id"]], is_group=False, now=now)
    case = await _lock(conn, case_id)
    if case.state is State.CLOSED:  # closed between the two questions
        return await _open(conn, alert, [alert["id"]], is_group=False, now=now)
    await conn.execute(ATTACH, {"case_id": case_id, "alert_ids": [alert["id"]]})
    if case.is_group:  # one line for each of a thousand homes would say nothing
        await conn.execute(TOUCH, {"id": case_id, "now": now})
    else:
        await _step(conn, case_id, by=SYSTEM, action=Action.JOINED, now=now, detail={"alert_id": alert["id"]})
        await _settle(conn, case, now=now)
    return case_id


async def _related(conn: Connection, alert: dict[str, Any]) -> int | None:
    groups = alert["groups"] or {}
    values = {
        "subject": alert["subject"],
        "is_technical": alert["priority"] == "technical",
        "at": alert["opened_at"],
        "within": timedelta(seconds=groups["within_s"]) if "within_s" in groups else RELATED,
        "rules": [*groups["with"], alert["rule_id"]] if "with" in groups else None,
    }
    row = await (await conn.execute(RELATED_CASE, values)).fetchone()
    return row["id"] if row else None


async def _outage(conn: Connection, alert: dict[str, Any], *, now: datetime) -> int | None:
    """The group item that a silent gateway belongs to, made when it is the one too many; None when this is one home's own trouble."""
    row = await (await conn.execute(OUTAGE_CASE, {"since": now - OUTAGE_GROWS})).fetchone()
    if row is not None:
        return int(row["id"])
    together = await (await conn.execute(SILENT_TOGETHER, {"since": now - OUTAGE_WITHIN})).fetchall()
    if len(together) + 1 < OUTAGE_MIN:
        return None
    case_id = await _open(conn, alert, [row["id"] for row in together], is_group=True, now=now)
    for emptied in sorted({row["case_id"] for row in together}):
        case = await _lock(conn, emptied)
        if case.state is not State.CLOSED:
            await _settle(conn, case, now=now, detail={"merged_into": case_id})
    return case_id


async def _open(conn: Connection, alert: dict[str, Any], alert_ids: Sequence[int], *, is_group: bool, now: datetime) -> int:
    timer = escalation.begin(State.NEW, alert["priority"], now)
    home = {"elder_id": None, "gateway_id": None} if is_group else {"elder_id": alert["elder_id"], "gateway_id": alert["gateway_id"]}
    values = home | {"is_group": is_group, "priority": alert["priority"], "at": alert["opened_at"], "now": now}
    row = await (await conn.execute(OPEN, values | {"next_step": timer.step, "next_at": timer.at})).fetchone()
    assert row is not None
    await conn.execute(ATTACH, {"case_id": row["id"], "alert_ids": alert_ids})
    await _step(conn, row["id"], by=SYSTEM, action=Action.OPENED, now=now, detail={"priority": alert["priority"]})
    if not is_group:
        await _let_rest(conn, await _lock(conn, row["id"]), now=now)
    return int(row["id"])


async def _settle(conn: Connection, case: Case, *, now: datetime, is_news: bool = False, detail: dict[str, Any] | None = None) -> None:
    """Make a locked, open case fit its alerts."""
    worst = await (await conn.execute(WORST, {"id": case.id})).fetchone()
    if worst is None:
        code = Disposition.TECHNICAL
        await _move(
            conn,
            case,
            Move.WITHDRAW,
            by=SYSTEM,
            action=Action.CLOSED,
            now=now,
            disposition=code,
            detail={"disposition": code} | (detail or {}),
        )
        return
    if await _let_rest(conn, case, now=now):
        return
    is_worse = RANK[worst["priority"]] < RANK[case.priority]  # type: ignore[index]
    if worst["priority"] != case.priority:
        await _set_priority(conn, case, worst["priority"], now=now)
    if is_worse:
        await _step(conn, case.id, by=SYSTEM, action=Action.RAISED, now=now, detail={"priority": worst["priority"]})
    if (is_news or is_worse or case.state is State.RESOLVED) and case.state is not State.NEW:
        raised = Case(**{name: getattr(case, name) for name in Case.__slots__} | {"priority": worst["priority"]})
        await _move(conn, raised, Move.REOPEN, by=SYSTEM, action=Action.REOPENED, now=now, detail={"priority": worst["priority"]})


async def _let_rest(conn: Connection, case: Case, *, now: datetime) -> bool:
    """Let a locked case rest while all its alerts do, and wake it when they do not. True while it rests."""
    until = None if case.is_group else await rest.until(conn, case.id, now=now)
    if until == case.rests_until:
        return until is not None
    timer = escalation.Timer(Step.REARM, until) if until else escalation.begin(case.state, case.priority, now)
    await conn.execute(REST, {"id": case.id, "until": until, "next_step": timer.step, "next_at": timer.at, "now": now})
    if until is None or case.rests_until is None:
        detail = {"until": until.isoformat()} if until else {"priority": case.priority}
        await _step(conn, case.id, by=SYSTEM, action=Action.RESTED if until else Action.REARMED, now=now, detail=detail)
    return until is not None


async def _set_priority(conn: Connection, case: Case, priority: str, *, now: datetime) -> None:
    timer = escalation.begin(case.state, priority, now)
    values = {"id": case.id, "priority": priority, "next_step": timer.step, "next_at": timer.at, "now": now}
    await conn.execute(SET_PRIORITY, values)


# -- what people do ------------------------------------------------------------------------------------------------------------------------


async def take(conn: Connection, case_id: int, *, by: str, now: datetime) -> None:
    """Take a case. Exactly one person wins. Raises Taken (by whom), NotFound, or IllegalMove when it is closed."""
    case = await _lock(conn, case_id)
    if case.state not in (State.NEW, State.CLOSED):
        assert case.taken_by is not None
        raise Taken(case.taken_by)
    await _move(conn, case, Move.TAKE, by=by, action=Action.TAKEN, now=now)


async def begin(conn: Connection, case_id: int, *, by: str, now: datetime) -> None:
    """Somebody acts: whoever acts on a case that nobody has, takes it. Raises NotFound, or IllegalMove when it is closed."""
    case = await _lock(conn, case_id)
    if case.state is State.NEW:
        await _move(conn, case, Move.TAKE, by=by, action=Action.TAKEN, now=now)
        case = await _lock(conn, case_id)
    if case.state is not State.IN_HAND:
        await _move(conn, case, Move.BEGIN, by=by, action=Action.BEGUN, now=now)


async def resolve(conn: Connection, case_id: int, *, by: str, text: str, now: datetime) -> None:
    """Say that nobody needs help any more; the code is still owed. Raises NotFound, or IllegalMove unless somebody has the case."""
    case = await _lock(conn, case_id)
    await _move(conn, case, Move.RESOLVE, by=by, action=Action.RESOLVED, now=now, detail={"text": text} if text else {})


async def close(
    conn: Connection, case_id: int, *, by: str, disposition: Disposition, text: str, alert_ids: Sequence[int], now: datetime
) -> None:
    """Close a resolved case with a code. `alert_ids`: its open alerts, which the caller holds and closes with it.

    Raises NotFound, or IllegalMove: not resolved, or an alert has come that whoever closes cannot have seen.
    """
    case = await _lock(conn, case_id)
    there_are = [row["id"] for row in await (await conn.execute(MEMBERS, {"id": case_id})).fetchall()]
    if set(there_are) - set(alert_ids):
        raise IllegalMove(f"something new has just come to case {case_id}; look at it first")
    detail = {"disposition": disposition} | ({"text": text} if text else {})
    await _move(conn, case, Move.CLOSE, by=by, action=Action.CLOSED, now=now, disposition=disposition, detail=detail)


async def give_back(conn: Connection, case_id: int, *, by: str, now: datetime) -> None:
    """Let somebody else take it. Raises NotFound, IllegalMove."""
    await _move(conn, await _lock(conn, case_id), Move.GIVE_BACK, by=by, action=Action.GIVEN_BACK, now=now)


async def hand_over(conn: Connection, case_id: int, *, to: str, by: str, now: datetime) -> None:
    """Give a case that somebody has to another person, whatever its state. Raises NotFound, or IllegalMove when nobody has it."""
    case = await _lock(conn, case_id)
    if case.state in (State.NEW, State.CLOSED):
        raise IllegalMove(f"case {case_id} is {case.state}; only what somebody has can be handed over")
    await conn.execute(HOLDER, {"id": case_id, "by": to, "now": now})
    await _step(conn, case_id, by=by, action=Action.HANDED_OVER, now=now, detail={"to": to})


async def write_down(conn: Connection, case_id: int, *, by: str, action: Action, detail: dict[str, Any], now: datetime) -> None:
    """Add a line to the history that moves nothing: a note, a call, a visit asked for. Raises NotFound."""
    await _lock(conn, case_id)
    await conn.execute(TOUCH, {"id": case_id, "now": now})
    await _step(conn, case_id, by=by, action=action, now=now, detail=detail)


async def dispatched(conn: Connection, alert_id: int, *, visit_id: int, by: str, now: datetime) -> None:
    """Write into the history of an alert's case that a visit was asked for. A visit that a person asks for begins the work on the case."""
    row = await (await conn.execute(CASE_OF, {"id": alert_id})).fetchone()
    assert row is not None and row["id"] is not None, "every open alert has a case"
    await write_down(conn, row["id"], by=by, action=Action.DISPATCHED, detail={"visit_id": visit_id}, now=now)


async def of_alert(conn: Connection, alert_id: int) -> tuple[int, str] | None:
    """The case of an alert and its priority; None for an alert that has none."""
    row = await (await conn.execute(PRIORITY_OF, {"id": alert_id})).fetchone()
    return None if row is None else (int(row["id"]), str(row["priority"]))


async def state_of(conn: Connection, case_id: int) -> State:
    """The state, its row locked. Raises NotFound."""
    return (await _lock(conn, case_id)).state


# -- what the clock brings -----------------------------------------------------------------------------------------------------------------


async def escalate_due(conn: Connection, *, now: datetime) -> Escalated | None:
    """Do the next step of one case whose timer has run out, and set its next timer. None when nothing is due.

    Safe with any number of workers: the step, its line in the history, whom it tells and the next timer are one transaction, so that a
    killed worker leaves the timer as it was.
    """
    row = await (await conn.execute(TAKE_DUE, {"now": now})).fetchone()
    if row is None:
        return None
    asked = row.pop("asked")
    case = Case(**(row | {"state": State(row["state"])}))
    if case.next_step == Step.REARM:
        await _settle(conn, case, now=now)
        return Escalated(case, Step.REARM, [], is_flag=False)
    rung = escalation.rung_of(case.state, case.priority, case.next_step or "")
    told = duty.people(await duty.on_duty(conn, now=now), rung.tells, holder=case.taken_by, asked=asked)
    timer = escalation.after(case.state, case.priority, rung.step, now=now)
    values = {"id": case.id, "next_step": timer.step, "next_at": timer.at, "asked": sorted({*asked, *told}), "is_flag": rung.is_flag}
    await conn.execute(ESCALATE, values | {"now": now})
    detail = {"step": rung.step, "told": told} | ({"flag": True} if rung.is_flag else {})
    await _step(conn, case.id, by=SYSTEM, action=Action.ESCALATED, now=now, detail=detail)
    return Escalated(case, rung.step, told, rung.is_flag)


# -- rows ----------------------------------------------------------------------------------------------------------------------------------


async def _lock(conn: Connection, case_id: int) -> Case:
    row = await (await conn.execute(LOCK, {"id": case_id})).fetchone()
    if row is None:
        raise NotFound(f"there is no case {case_id}")
    return Case(**(row | {"state": State(row["state"])}))


async def _move(
    conn: Connection, case: Case, move: Move, *, by: str, action: Action, now: datetime, disposition: Disposition | None = None,
    detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Take a step that the table allows, and begin the ladder of the new state."""
    state = NEXT.get((case.state, move))
    if state is None:
        raise IllegalMove(f"case {case.id} is {case.state}; the step '{move}' is not allowed there")
    timer = escalation.begin(state, case.priority, now) if state is not State.CLOSED else None
    values = {"id": case.id, "state": state, "by": by, "now": now, "disposition": disposition}
    await conn.execute(MOVE, values | {"next_step": timer.step if timer else None, "next_at": timer.at if timer else None})
    await _step(conn, case.id, by=by, action=action, now=now, detail=detail or {})


async def _step(conn: Connection, case_id: int, *, by: str, action: Action, now: datetime, detail: dict[str, Any]) -> None:
    await conn.execute(STEP, {"id": case_id, "by": by, "action": action, "now": now, "detail": json.dumps(detail, ensure_ascii=False)})
    await hint(conn, LIVE_CHANNEL)
