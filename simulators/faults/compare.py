"""What was sent against what is stored, frame by frame and event by event. Pure: the same ledger and rows give the same result."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulators.faults import codes
from simulators.faults.evidence import Evidence, StoredAlert, StoredEvent, StoredReading
from simulators.faults.ledger import EventSent, FrameSent, Ledger
from simulators.faults.tails import Tails, deaths
from simulators.faults.trace import HomeTime, Traced, trace

VALUE_OFF_MAX = 0.005
"""Stored values have 32 bits; the finest step of ours is 0.01."""
CALLS = ("sos", "fall")
_CALL_ID = re.compile(r"(?P<device>[a-z0-9-]+):(?P<key>[0-9a-f]{4}-\d+)-\d{8}")


@dataclass(slots=True)
class Readings:
    """Counts of single readings. `sent` is what had to arrive: `written` less the five after it that nobody promised to keep."""

    written: int = 0
    unheard: int = 0
    tail: int = 0
    shed: int = 0
    set_aside: int = 0
    sent: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    unknown: int = 0
    misdated: int = 0
    tail_ms_max: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Events:
    """Counts of presses and falls. `alerts`: stored once, linked to one alert whose history counts it once."""

    sent: int = 0
    alerts: int = 0
    lost: int = 0
    duplicated: int = 0
    unknown: int = 0
    misdated: int = 0
    examples: list[str] = field(default_factory=list)


EXAMPLES_MAX = 20


def compare_readings(ledger: Ledger, evidence: Evidence) -> Readings:
    """Find every reading of every frame."""
    result = Readings()
    frames: dict[tuple[str, str], list[FrameSent]] = defaultdict(list)
    for frame in ledger.frames:
        frames[frame.home, frame.device].append(frame)
    stored: dict[tuple[str, str], list[StoredReading]] = defaultdict(list)
    for reading in evidence.readings:
        stored[reading.home, reading.device].append(reading)
    sheds = {home: _Sheds(ledger, home) for home, _ in frames}
    for place in sorted(frames.keys() | stored.keys()):
        if place[1] not in codes.CODES or place not in frames:
            result.unknown += len(stored[place])
            continue
        _compare_device(place, frames[place], stored[place], ledger, sheds[place[0]], result)
    result.sent = result.written - result.unheard - result.tail - result.shed - result.set_aside
    result.lost = result.sent - result.stored
    return result


def _compare_device(
    place: tuple[str, str],
    frames: Sequence[FrameSent],
    stored: Sequence[StoredReading],
    ledger: Ledger,
    sheds: "_Sheds",
    result: Readings,
) -> None:
    home, device = place
    time = HomeTime(ledger.clocks.get(home, []))
    by_number = {frame.number: frame for frame in frames}
    traced = trace(device, by_number, stored, time)
    _judge_found(traced, by_number, time, result)
    aside = _set_aside(ledger, place, by_number, time)
    seen = sorted({by_number[number].written_at for number, _ in traced.found})
    tails = Tails(seen, deaths([end for end in ledger.ends if end.home == home], ledger.ports.get(home, [])))
    for frame in frames:
        missing = [digit.quantity for digit in codes.CODES[device] if (frame.number, digit.quantity) not in traced.found]
        result.written += len(codes.CODES[device])
        result.stored += len(codes.CODES[device]) - len(missing)
        for quantity in missing:
            if not frame.is_heard:
                result.unheard += 1
            elif (frame.number, quantity) in aside:
                result.set_aside += 1
            elif sheds.take(frame.written_at):
                result.shed += 1
            elif tails.excuse(frame.written_at):
                result.tail += 1
            else:
                _say(result.examples, f"lost: {home} {device} frame {frame.number} {quantity}, written at {frame.written_at:.3f}")
    result.tail_ms_max = max(result.tail_ms_max, round(tails.longest_s * 1000))


def _judge_found(traced: Traced, frames: dict[int, FrameSent], time: HomeTime, result: Readings) -> None:
    result.unknown += len(traced.unknown)
    for reading in traced.unknown:
        _say(result.examples, f"unknown: {reading}")
    for (number, quantity), readings in traced.found.items():
        frame = frames[number]
        result.duplicated += len(readings) - 1
        if len(readings) > 1:
            _say(result.examples, f"doubled: frame {number}, written at {frame.written_at:.3f}: {readings}")
        wanted = codes.values(frame.device, number, is_sick=frame.is_sick)[quantity]
        for reading in readings:
            if abs(reading.value - wanted) > VALUE_OFF_MAX:
                result.unknown += 1
                _say(result.examples, f"altered: frame {number} said {wanted}: {reading}")
            elif not time.is_kept(reading.measured_at, frame.written_at, reading.received_at):
                result.misdated += 1
                _say(result.examples, f"misdated: frame {number}, written at {frame.written_at:.3f}: {reading}")


def _set_aside(ledger: Ledger, place: tuple[str, str], frames: dict[int, FrameSent], time: HomeTime) -> set[tuple[int, str]]:
    """Which readings of a device stood in outboxes when those were damaged."""
    found: set[tuple[int, str]] = set()
    for damage in ledger.damages:
        if damage.home == place[0]:
            found |= trace(place[1], frames, [one for one in damage.waiting if one.device == place[1]], time).found.keys()
    return found


class _Sheds:
    """What a home's gateway said it gave up on full disks: so many readings at most, and none that were written after it."""

    def __init__(self, ledger: Ledger, home: str) -> None:
        self._left = [[disk.until_at, disk.shed] for disk in ledger.full_disks if disk.home == home]

    def take(self, written_at: float) -> bool:
        """May a missing reading have been one of them? It is then counted as such."""
        for one in self._left:
            if written_at <= one[0] and one[1] > 0:
                one[1] -= 1
                return True
        return False


def compare_events(ledger: Ledger, evidence: Evidence) -> Events:
    """Find every press and fall, and what the alerts' histories make of them."""
    result = Events()
    stored: dict[tuple[str, str, str, str], list[StoredEvent]] = defaultdict(list)
    for one in evidence.events:
        if one.kind in CALLS:
            found = _CALL_ID.fullmatch(one.event_id)
            stored[one.home, one.device, one.kind, found["key"] if found else one.event_id].append(one)
    alerts = {alert.id: alert for alert in evidence.alerts}
    linked = Counter(one.alert_id for one in evidence.events if one.kind in CALLS)
    for event in ledger.events:
        rows = stored.pop((event.home, event.device, event.kind, event.key), [])
        _judge_event(event, rows, alerts, HomeTime(ledger.clocks.get(event.home, [])), result)
    for rows in stored.values():
        result.unknown += len(rows)
        _say(result.examples, f"unknown: {rows}")
    _judge_counts(evidence.alerts, linked, result)
    return result


def _judge_event(event: EventSent, rows: Sequence[StoredEvent], alerts: dict[int, StoredAlert], time: HomeTime, result: Events) -> None:
    result.sent += 1
    is_linked = any(row.alert_id in alerts and alerts[row.alert_id].rule_id == event.kind for row in rows if row.alert_id is not None)
    if not is_linked:
        result.lost += 1
        _say(result.examples, f"{'lost' if not rows else 'without an alert'}: {event}")
        return
    result.duplicated += len(rows) - 1
    result.alerts += len(rows) == 1
    if len(rows) > 1:
        _say(result.examples, f"doubled: {event}: {rows}")
    if not time.is_kept(rows[0].at, event.happened_at, rows[0].received_at, event.acked_at):
        result.misdated += 1
        _say(result.examples, f"misdated: {event}: {rows[0]}")


def _judge_counts(alerts: Sequence[StoredAlert], linked: Counter[int | None], result: Events) -> None:
    for alert in alerts:
        if alert.rule_id not in CALLS:
            continue
        excess = max(alert.count, alert.steps) - linked[alert.id]
        want = linked[alert.id] - min(alert.count, alert.steps)
        result.duplicated += max(0, excess)
        result.lost += max(0, want)
        if excess > 0 or want > 0:
            _say(result.examples, f"alert {alert.id} counts {alert.count} in {alert.steps} steps for {linked[alert.id]} events")


def _say(examples: list[str], text: str) -> None:
    if len(examples) < EXAMPLES_MAX:
        examples.append(text)
