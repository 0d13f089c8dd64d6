"""What must be true besides the counts: times, lateness, order, alarms on a full disk, damage told. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulators.faults.compare import Events, Readings
from simulators.faults.evidence import Evidence, StoredEvent
from simulators.faults.ledger import EventSent, Ledger, Outage, Sickness

RULE = "spo2_low"
BEFORE_S = 60.0
"""So far back may reach what was on its way when a network was cut; a day's outage begins hours earlier by the home's clock."""
BACK_S_MAX = 60.0
"""Data that comes later than this after a network's return answers the return of something else."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One of them: what it says, and whether it was kept."""

    text: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Return:
    """A home's network came back `at`, seconds since 1970; the first reading was stored `first_s` later, None: none was."""

    home: str
    at: float
    first_s: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon after a network came back the first reading came, and how long a day's backlog took (readings, s)."""

    returns: tuple[Return, ...]
    backlog: int
    drain_s: float

    @property
    def first_s_max(self) -> float | None:
        """The longest of all returns, seconds."""
        return max((one.first_s for one in self.returns if one.first_s is not None), default=None)


def judge(ledger: Ledger, evidence: Evidence, readings: Readings, events: Events, told: dict[str, list[str]]) -> list[Promise]:
    """All promises that this run put to the test. `told`: home -> names of the outboxes that its gateway set aside."""
    return [
        Promise(
            f"original times are kept: {readings.misdated} readings and {events.misdated} events have another",
            not readings.misdated and not events.misdated,
        ),
        *(_sickness(one, evidence) for one in ledger.sicknesses),
        *(_urgent_first(one, evidence) for one in ledger.outages if one.is_day),
        *(
            Promise(f"an alarm in {one.home} goes through while its disk is full", _is_acked_by(one.alarm, one.until_at))
            for one in ledger.full_disks
        ),
        *_damages(evidence, told),
    ]


def pace(ledger: Ledger, evidence: Evidence) -> Pace:
    """How fast homes came back."""
    received: dict[str, list[float]] = {}
    for reading in evidence.readings:
        received.setdefault(reading.home, []).append(reading.received_at)
    days = [_backlog(one, evidence) for one in ledger.outages if one.is_day]
    returns = tuple(_return(one, received.get(one.home, [])) for one in ledger.outages)
    return Pace(returns, backlog=sum(count for count, _ in days), drain_s=sum(seconds for _, seconds in days))


def _return(outage: Outage, received: Sequence[float]) -> Return:
    first_s = min((at - outage.restored_at for at in received if at >= outage.restored_at), default=None)
    return Return(outage.home, outage.restored_at, None if first_s is None or first_s > BACK_S_MAX else round(first_s, 2))


def _backlog(outage: Outage, evidence: Evidence) -> tuple[int, float]:
    """Readings that were measured before the network's return, and how much later the last of them came."""
    rows = [
        one.received_at - outage.restored_at
        for one in evidence.readings
        if one.home == outage.home
        and one.measured_at < outage.restored_at
        and outage.restored_at <= one.received_at <= outage.restored_at + BACK_S_MAX
    ]
    return len(rows), max(rows, default=0.0)


def _sickness(one: Sickness, evidence: Evidence) -> Promise:
    found = [alert for alert in evidence.alerts if alert.rule_id == RULE and alert.home == one.home]
    if one.is_late:
        is_kept = len(found) == 1 and found[0].is_late and found[0].pages == 0
        return Promise(f"low SpO2 of {one.home} in a day's outage is shown as late and pages nobody", is_kept)
    is_kept = len(found) == 1 and not found[0].is_late and found[0].pages > 0
    return Promise(f"low SpO2 of {one.home} as it happens pages", is_kept)


def _urgent_first(outage: Outage, evidence: Evidence) -> Promise:
    """What was on its way before the outage began may still wait in the backend, and is no backlog."""
    sos = stored_event(outage.sos, evidence)
    backlog = (
        one.received_at
        for one in evidence.readings
        if one.home == outage.home
        and one.received_at >= outage.restored_at
        and not outage.cut_at - BEFORE_S <= one.measured_at <= outage.cut_at
    )
    is_first = sos is not None and sos.received_at <= min(backlog, default=float("inf"))
    return Promise(f"after a day's outage of {outage.home} its SOS comes before its backlog", is_first)


def _is_acked_by(event: EventSent, at: float) -> bool:
    return event.acked_at is not None and event.acked_at <= at


def _damages(evidence: Evidence, told: dict[str, list[str]]) -> Iterator[Promise]:
    known = {(one.home, one.detail) for one in evidence.events if one.kind == "outbox_damaged" and one.alert_id is not None}
    for home, names in told.items():
        for name in names:
            yield Promise(f"{home} says that {name} was damaged, and operators see it", (home, name) in known)


def stored_event(event: EventSent | None, evidence: Evidence) -> StoredEvent | None:
    """The row of a press or fall."""
    if event is None:
        return None
    begin = f"{event.device}:{event.key}-"
    return next((row for row in evidence.events if row.home == event.home and row.event_id.startswith(begin)), None)
