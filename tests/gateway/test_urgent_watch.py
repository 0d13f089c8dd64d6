"""Which calls are due: after the wait, not before, not when taken back or answered, and soon after a restart."""

from datetime import datetime

import pytest

from contract.events import EventKind
from gateway.outbox import EventEntry
from gateway.stored_event import StoredEvent
from gateway.urgent_watch import AGE_SANE_MAX_S, START_GRACE_S, Look, UrgentWatch
from tests.gateway.home import NOW, seconds

SOS, FALL = EventKind.SOS, EventKind.FALL


def entry(sequence: int, kind: EventKind = SOS, *, device: str = "wearable-1", at: datetime = NOW) -> EventEntry:
    body = StoredEvent(event_id=f"{device}:{sequence}", kind=kind).model_dump_json()
    return EventEntry(sequence, True, at, device, body)


def look(watch: UrgentWatch, *entries: EventEntry, after_s: float, clock_s: float | None = None) -> Look:
    return watch.look(entries, now=NOW + seconds(after_s if clock_s is None else clock_s), now_s=1000 + after_s)


def due(seen: Look) -> list[str]:
    return [one.event_id for one in seen.due]


@pytest.fixture
def watch() -> UrgentWatch:
    """One that has begun with nothing."""
    started = UrgentWatch(60)
    look(started, after_s=0)
    return started


@pytest.mark.parametrize("kind", [SOS, FALL])
def test_a_call_is_due_once_it_has_waited_its_time(watch: UrgentWatch, kind: EventKind) -> None:
    assert due(look(watch, entry(1, kind), after_s=1)) == []
    assert due(look(watch, entry(1, kind), after_s=60.9)) == []
    assert due(look(watch, entry(1, kind), after_s=61)) == ["wearable-1:1"]


def test_a_clock_that_is_set_meanwhile_changes_nothing(watch: UrgentWatch) -> None:
    look(watch, entry(1), after_s=1)
    assert due(look(watch, entry(1), after_s=30, clock_s=86_400)) == []
    assert due(look(watch, entry(1), after_s=61, clock_s=-86_400)) == ["wearable-1:1"]


@pytest.mark.parametrize("kind", [EventKind.BED_EXIT, EventKind.SOS_CANCELLED, EventKind.FALL_CANCELLED])
def test_other_events_call_nobody(watch: UrgentWatch, kind: EventKind) -> None:
    assert look(watch, entry(1, kind), after_s=1).unanswered == frozenset()


def test_what_has_left_the_outbox_is_answered(watch: UrgentWatch) -> None:
    assert look(watch, entry(1), after_s=1).unanswered == {"wearable-1:1"}
    assert look(watch, after_s=2).unanswered == frozenset()
    assert watch.is_idle


@pytest.mark.parametrize(
    ("entries", "is_taken_back"),
    [
        ([entry(1), entry(2, EventKind.SOS_CANCELLED)], True),
        ([entry(1), entry(2, EventKind.FALL_CANCELLED)], False),
        ([entry(1), entry(2, EventKind.SOS_CANCELLED, device="wearable-2")], False),
        ([entry(2, EventKind.SOS_CANCELLED), entry(3)], False),
    ],
)
def test_a_call_is_taken_back_by_its_own_device_after_it(watch: UrgentWatch, entries: list[EventEntry], is_taken_back: bool) -> None:
    for after_s in (1, 2):
        assert bool(look(watch, *entries, after_s=after_s).taken_back) is is_taken_back
    assert bool(due(look(watch, *entries, after_s=100))) is not is_taken_back


def test_a_call_taken_back_stays_so_when_only_that_was_answered(watch: UrgentWatch) -> None:
    look(watch, entry(1), entry(2, EventKind.SOS_CANCELLED), after_s=1)
    assert due(look(watch, entry(1), after_s=100)) == []


@pytest.mark.parametrize(
    ("age_s", "due_after_s"),
    [(30, 30), (600, START_GRACE_S), (0, 60), (-5, 60), (AGE_SANE_MAX_S + 1, 60), (55, START_GRACE_S)],
)
def test_after_a_restart_the_clock_says_how_long_it_has_waited_where_that_is_sane(age_s: float, due_after_s: float) -> None:
    watch, call = UrgentWatch(60), entry(1, at=NOW - seconds(age_s))
    assert due(look(watch, call, after_s=0)) == []
    assert due(look(watch, call, after_s=due_after_s - 0.1)) == []
    assert due(look(watch, call, after_s=due_after_s)) == ["wearable-1:1"]


def test_a_call_that_the_backend_cannot_read_still_waits(watch: UrgentWatch) -> None:
    look(watch, entry(1), entry(2, FALL), after_s=1)
    watch.refuse(SOS)
    assert look(watch, entry(2, FALL), after_s=2).unanswered == {"wearable-1:1", "wearable-1:2"}
    assert due(look(watch, after_s=61)) == ["wearable-1:1"]


def test_a_refusal_counts_for_the_call_that_left_with_it_and_for_no_later_one(watch: UrgentWatch) -> None:
    watch.refuse(SOS)
    look(watch, after_s=1)
    look(watch, entry(1), after_s=2)
    assert look(watch, after_s=3).unanswered == frozenset()


def test_an_entry_that_cannot_be_read_is_passed_over(watch: UrgentWatch) -> None:
    broken = EventEntry(1, True, NOW, "wearable-1", "{")
    assert look(watch, broken, entry(2), after_s=1).unanswered == {"wearable-1:2"}
