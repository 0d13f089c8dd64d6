"""What people do: each function checks that the person may, takes the step in the feature's store, and writes it to the trail.

The pages and the API call the same functions. Each step is one transaction; the look before it is written whatever becomes of the step.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend import monitor, visit_news
from backend.alerts import store as alerts
from backend.cases import store as cases
from backend.cases.lifecycle import Action, Disposition, State
from backend.commands import store as commands
from backend.config import PlanConfig
from backend.db.pool import Connection
from backend.dispatch import candidate_store, progress_store
from backend.dispatch import round_store as rounds
from backend.dispatch import store as dispatch
from backend.dispatch.lifecycle import DeclineReason, Outcome, SkipReason
from backend.dispatch.store import Once
from backend.errors import BadInput, IllegalMove, NotFound, Taken, WrongPin
from backend.people import accounts, photos
from backend.people.accounts import Account
from backend.records import store as records
from backend.rules.model import VisitClass
from backend.web import auth, due_list, read
from backend.web.labels import N_
from backend.web.paper import Paper, record_of

OFF_LINE = N_("The gateway is off line. Try again when it is back.")


async def take(conn: Connection, who: Account, case_id: int, *, now: datetime) -> None:
    """Take a case; who has it already, keeps it. Raises NotFound, Taken, IllegalMove."""
    await auth.open_case(conn, who, case_id, now=now)
    async with _naming_the_winner(conn):
        try:
            async with conn.transaction():
                await cases.take(conn, case_id, by=who.name, now=now)
                await monitor.on_taken(conn, case_id, now=now)
                await _audit(conn, who, "taken", f"case:{case_id}", now)
        except Taken as error:
            if error.by != who.name:  # a call or a note may have taken it a moment ago
                raise


async def begin(conn: Connection, who: Account, case_id: int, *, now: datetime) -> None:
    """Say that the work on a case has begun; taken by this, when nobody has it. Raises NotFound, IllegalMove."""
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        await begin_work(conn, who, case_id, now)


async def put_back(conn: Connection, who: Account, case_id: int, *, now: datetime) -> None:
    """Put a case back into the queue. Raises NotFound, IllegalMove."""
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        await cases.give_back(conn, case_id, by=who.name, now=now)
        await _audit(conn, who, "given_back", f"case:{case_id}", now)


async def note(conn: Connection, who: Account, case_id: int, *, text: str, now: datetime) -> None:
    """Add a remark to a case, open or closed. Raises NotFound."""
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        await cases.write_down(conn, case_id, by=who.name, action=Action.NOTED, detail={"text": text}, now=now)
        await _audit(conn, who, "noted", f"case:{case_id}", now)


async def send_doctor(conn: Connection, who: Account, case_id: int, *, visit_class: VisitClass, reason: str, now: datetime) -> int:
    """Ask for a family doctor. Returns the visit's id; an open visit of the case stands for a second request. Work on the case has begun.

    Raises NotFound, IllegalMove when the case is closed, BadInput when it is about a home without an elder.
    """
    case = await auth.open_case(conn, who, case_id, now=now)
    if case["elder_id"] is None:
        raise BadInput(N_("This home has no elder on file, so no doctor can be sent."))
    async with conn.transaction():
        held = await alerts.hold_case(conn, case_id)
        await begin_work(conn, who, case_id, now)
        visit_id = await dispatch.request(
            conn, elder_id=case["elder_id"], alert_id=held[0], visit_class=visit_class, reason=reason, by=who.name, now=now
        )
        await cases.write_down(conn, case_id, by=who.name, action=Action.DISPATCHED, detail={"visit_id": visit_id}, now=now)
        await _audit(conn, who, "dispatched", f"case:{case_id}", now, visit_id=visit_id)
    return visit_id


async def resolve(conn: Connection, who: Account, case_id: int, *, text: str, now: datetime) -> None:
    """Say that nobody needs help any more. Raises NotFound, IllegalMove."""
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        await cases.resolve(conn, case_id, by=who.name, text=text, now=now)
        await _audit(conn, who, "resolved", f"case:{case_id}", now)


async def close(conn: Connection, who: Account, case_id: int, *, disposition: Disposition, text: str, now: datetime) -> None:
    """Close a case and its alerts with a code, by all the steps that lead there: whoever closes has it, and has found it resolved.

    Raises NotFound, IllegalMove.
    """
    await auth.open_case(conn, who, case_id, now=now)
    async with conn.transaction():
        held = await alerts.hold_case(conn, case_id)
        if await cases.state_of(conn, case_id) is State.NEW:
            await cases.take(conn, case_id, by=who.name, now=now)
        if await cases.state_of(conn, case_id) is not State.RESOLVED:
            await cases.resolve(conn, case_id, by=who.name, text="", now=now)
        await cases.close(conn, case_id, by=who.name, disposition=disposition, text=text, alert_ids=held, now=now)
        for alert_id in held:
            await alerts.close(conn, alert_id, by=who.name, disposition=disposition, text="", now=now)
        await _audit(conn, who, "closed", f"case:{case_id}", now, disposition=disposition)


async def accept(
    conn: Connection, who: Account, visit_id: int, *, leaves_in: timedelta, now: datetime, once: Once | None = None
) -> None:  # fmt: skip
    """Accept an offered visit and promise when to leave; the worker makes room for it in the doctor's plan of the day.

    Who has it already, keeps it as it was accepted first. Raises NotFound, Taken, IllegalMove, BadInput.
    """
    await auth.open_visit(conn, who, visit_id, now=now)
    async with _naming_the_winner(conn), conn.transaction():
        if not await dispatch.is_first(conn, visit_id, once, step="accept", by=who.name, now=now):
            return
        if await dispatch.accept(conn, visit_id, doctor_id=_doctor_id(who), by=who.name, now=now, leaves_in=leaves_in):
            await _audit(conn, who, "accepted", f"visit:{visit_id}", now)


async def assign(
    conn: Connection, who: Account, visit_id: int, *, doctor_id: str, leaves_in: timedelta, now: datetime
) -> None:  # fmt: skip
    """Give a visit to a doctor who said yes by telephone; the worker makes room for it. Raises NotFound, IllegalMove, BadInput."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        await dispatch.assign(conn, visit_id, doctor_id=doctor_id, by=who.name, now=now, leaves_in=leaves_in)
        await _audit(conn, who, "assigned", f"visit:{visit_id}", now, doctor_id=doctor_id)


async def candidates(conn: Connection, elder_id: str, *, now: datetime, habits: PlanConfig) -> list[read.Row]:
    """Doctors on duty who could visit this elder, best first, with name, telephone and the terms of the choice."""
    found = await candidate_store.candidates_for(conn, elder_id, now=now, habits=habits)
    people = await read.doctors(conn, [one.doctor_id for one in found])
    return [people[one.doctor_id] | asdict(one) | {"cost": one.terms()} for one in found]


async def called_120(conn: Connection, who: Account, visit_id: int, *, now: datetime) -> None:
    """Write down that 120 was called. Raises NotFound."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        await dispatch.called_120(conn, visit_id, by=who.name, now=now)
        await _audit(conn, who, "called_120", f"visit:{visit_id}", now)


async def give_back(
    conn: Connection, who: Account, visit_id: int, *, reason: DeclineReason, now: datetime, once: Once | None = None
) -> None:
    """An accepted visit that the doctor cannot make after all; others are asked at once. Raises NotFound, Taken, IllegalMove."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        if not await dispatch.is_first(conn, visit_id, once, step="give_back", by=who.name, now=now):
            return
        await dispatch.release(conn, visit_id, doctor_id=_doctor_id(who), reason=reason, by=who.name, now=now)
        await _audit(conn, who, "given_back", f"visit:{visit_id}", now, reason=reason)


async def decline(conn: Connection, who: Account, visit_id: int, *, reason: DeclineReason, now: datetime, once: Once | None = None) -> None:
    """Decline an offered visit. Raises NotFound, IllegalMove."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        if not await dispatch.is_first(conn, visit_id, once, step="decline", by=who.name, now=now):
            return
        await dispatch.decline(conn, visit_id, doctor_id=_doctor_id(who), reason=reason, by=who.name, now=now)
        await _audit(conn, who, "declined", f"visit:{visit_id}", now)


async def depart(conn: Connection, who: Account, visit_id: int, *, now: datetime, once: Once | None = None) -> None:
    """Say that the doctor is on the way; home and family hear it. Raises NotFound, Taken, IllegalMove."""
    visit = await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        if not await dispatch.is_first(conn, visit_id, once, step="depart", by=who.name, now=now):
            return
        way_s = await dispatch.depart(conn, visit_id, doctor_id=_doctor_id(who), by=who.name, now=now)
        await visit_news.coming(
            conn, visit_id=visit_id, elder_id=visit["elder_id"], alert_id=visit["alert_id"], doctor=visit["doctor_name"], way_s=way_s,
            now=now,
        )  # fmt: skip
        await _audit(conn, who, "departed", f"visit:{visit_id}", now)


async def arrive(conn: Connection, who: Account, visit_id: int, *, now: datetime, once: Once | None = None) -> None:
    """Say that the doctor is at the home. Raises NotFound, Taken, IllegalMove."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        if not await dispatch.is_first(conn, visit_id, once, step="arrive", by=who.name, now=now):
            return
        await dispatch.arrive(conn, visit_id, doctor_id=_doctor_id(who), by=who.name, now=now)
        await _audit(conn, who, "arrived", f"visit:{visit_id}", now)


async def finish(
    conn: Connection, who: Account, visit_id: int, *, findings: str, outcome: Outcome, now: datetime, once: Once | None = None,
    paper: Paper | None = None,
) -> None:  # fmt: skip
    """End a visit with what was found; `paper`: the forms filled in, to be signed.

    What was due is off the due list, what follows is on it. Raises NotFound, Taken, IllegalMove, WrongPin, BadInput for an answer that
    cannot be.
    """
    visit = await auth.open_visit(conn, who, visit_id, now=now)
    record = None
    if paper is not None:
        if not await accounts.check_pin(conn, who.name, paper.pin, now=now):
            raise WrongPin(N_("This PIN is not right; after five wrong ones it is locked for a minute."))
        record = await record_of(conn, visit, paper, findings=findings, now=now)
    async with conn.transaction():
        await progress_store.lock_dues_of(conn, visit_id)
        if not await dispatch.is_first(conn, visit_id, once, step="finish", by=who.name, now=now):
            return
        await dispatch.finish(conn, visit_id, doctor_id=_doctor_id(who), findings=findings, outcome=outcome, by=who.name, now=now)
        await rounds.finish(conn, visit_id, outcome, now=now)
        if record is not None:
            await records.save(conn, record, by=who.name, now=now)
        if record is not None and outcome is not Outcome.NOT_MET:
            on = now.astimezone(ZoneInfo(visit["zone"])).date()
            await due_list.settle(conn, record, on=on, by=who.name, now=now)
        await _audit(conn, who, "finished", f"visit:{visit_id}", now, outcome=outcome, signed=record is not None)


async def begin_stop(conn: Connection, who: Account, due_id: int, *, now: datetime, once: Once | None = None) -> None:
    """Set out to a stop of the plan: it becomes a visit that is on the way. Raises NotFound, Taken, IllegalMove."""
    async with _naming_the_winner(conn), conn.transaction():
        begun = await rounds.begin(conn, due_id, doctor_id=_doctor_id(who), by=who.name, now=now)
        if begun.is_new:
            await _audit(conn, who, "began", f"visit:{begun.visit_id}", now, due_id=due_id)
        await depart(conn, who, begun.visit_id, now=now, once=once)


async def visit_of_stop(conn: Connection, who: Account, due_id: int) -> int:
    """The visit that a stop of the plan has become. Raises IllegalMove before it has begun."""
    visit_id = await rounds.own_visit(conn, due_id, _doctor_id(who))
    if visit_id is None:
        raise IllegalMove(f"the planned visit {due_id} has not begun")
    return visit_id


async def skip_stop(conn: Connection, who: Account, due_id: int, *, reason: SkipReason, now: datetime) -> None:
    """Leave out a stop of the plan today; it goes back to the due list. Raises NotFound, Taken, IllegalMove."""
    async with _naming_the_winner(conn), conn.transaction():
        await rounds.skip(conn, due_id, doctor_id=_doctor_id(who), reason=reason, by=who.name, now=now)
        await _audit(conn, who, "skipped", f"due:{due_id}", now, reason=reason)


async def keep_note(conn: Connection, who: Account, visit_id: int, *, text: str, now: datetime, once: Once | None = None) -> None:
    """Keep with a visit what a doctor who was asked has written, whoever makes it now. Raises NotFound."""
    async with conn.transaction():
        if await dispatch.is_first(conn, visit_id, once, step="note", by=who.name, now=now):
            await dispatch.note(conn, visit_id, doctor_id=_doctor_id(who), text=text, by=who.name, now=now)
            await _audit(conn, who, "noted", f"visit:{visit_id}", now)


async def cancel(conn: Connection, who: Account, visit_id: int, *, reason: str, now: datetime) -> None:
    """Call a visit off. Raises NotFound, IllegalMove once the doctor is at the home."""
    await auth.open_visit(conn, who, visit_id, now=now)
    async with conn.transaction():
        await dispatch.cancel(conn, visit_id, by=who.name, reason=reason, now=now)
        await _audit(conn, who, "cancelled", f"visit:{visit_id}", now)


async def live_view(conn: Connection, who: Account, elder_id: str, *, case_id: int | None, now: datetime) -> None:
    """Ask an elder's home for raw values for five minutes. Raises NotFound, BadInput when no gateway of it is on line."""
    await auth.open_elder(conn, who, elder_id, now=now)
    if case_id is not None and (await auth.open_case(conn, who, case_id, now=now))["elder_id"] != elder_id:
        raise NotFound(f"case {case_id} is not about {elder_id}")
    async with conn.transaction():
        until = await commands.live_view(conn, elder_id=elder_id, now=now)
        if until is None:
            raise BadInput(OFF_LINE)
        if case_id is not None:
            await cases.write_down(conn, case_id, by=who.name, action=Action.WATCHED, detail={"until": until.isoformat()}, now=now)
        await _audit(conn, who, "watched_live", f"elder:{elder_id}", now)


async def set_photo(conn: Connection, who: Account, elder_id: str, image: bytes, *, now: datetime) -> None:
    """Keep another picture of an elder; an empty one: none. Raises NotFound, BadInput."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        if image:
            await photos.put(conn, elder_id, image, by=who.name, now=now)
        else:
            await photos.remove(conn, elder_id)
        await _audit(conn, who, "photo_set" if image else "photo_removed", f"elder:{elder_id}", now)


async def enrol(conn: Connection, who: Account, gateway_id: str, *, device: str, address: str, passkey: str | None, now: datetime) -> None:
    """Have a home listen to a Bluetooth device. Raises BadInput when its gateway is not on line."""
    async with conn.transaction():
        if not await commands.enrol(conn, gateway_id, device=device, address=address, passkey=passkey, now=now):
            raise BadInput(OFF_LINE)
        await _audit(conn, who, "enrolled", f"gateway:{gateway_id}", now, device=device, address=address)


async def dismiss(conn: Connection, who: Account, gateway_id: str, *, device: str, now: datetime) -> None:
    """Have a home forget a Bluetooth device. Raises BadInput when its gateway is not on line."""
    async with conn.transaction():
        if not await commands.dismiss(conn, gateway_id, device=device, now=now):
            raise BadInput(OFF_LINE)
        await _audit(conn, who, "dismissed", f"gateway:{gateway_id}", now, device=device)


@asynccontextmanager
async def _naming_the_winner(conn: Connection) -> AsyncIterator[None]:
    """Taken with the name that people know instead of an id."""
    try:
        yield
    except Taken as error:
        raise Taken(await read.person(conn, error.by)) from error


def _doctor_id(who: Account) -> str:
    assert who.doctor_id is not None, "only a doctor's route leads here"
    return who.doctor_id


async def begin_work(conn: Connection, who: Account, case_id: int, now: datetime) -> None:
    """Whoever acts on a case that nobody has, takes it: then the home hears so, as ever."""
    is_new = await cases.state_of(conn, case_id) is State.NEW
    await cases.begin(conn, case_id, by=who.name, now=now)
    if is_new:
        await monitor.on_taken(conn, case_id, now=now)


async def _audit(conn: Connection, who: Account, action: str, subject: str, now: datetime, **detail: object) -> None:
    await accounts.audit(conn, by=who.name, action=action, subject=subject, now=now, detail=detail | ({"way": who.way} if who.way else {}))
