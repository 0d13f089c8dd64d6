"""The gateway's memory on disk: what was accepted is there after any restart, nothing is forgotten early, no sequence is used twice."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import EventKind
from gateway.outbox import REPEATS_FOR_S, SEEN_MAX, Outbox, from_ms, to_ms
from tests.gateway.home import NOW, ROWS_MAX, OpenOutbox, directly, event_sequences, put_event, readings, seconds, sequences

# -- accepting ---------------------------------------------------------------------------------------------------------------------------


def test_readings_come_back_oldest_first_and_as_they_were(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    accepted = readings(5)
    outbox.append_readings(accepted[:3])
    outbox.append_readings(accepted[3:])
    entries = outbox.readings(after=0, count_max=100)
    assert [entry.reading for entry in entries] == accepted
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]


def test_readings_can_be_asked_for_in_parts(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(5))
    assert [entry.sequence for entry in outbox.readings(after=1, count_max=2)] == [2, 3]


@given(st.integers(0, 253_000_000_000_000))
def test_times_keep_their_milliseconds(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


def test_an_event_comes_back_with_its_body_and_time(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_event("w:1", NOW + seconds(0.25), "wearable-1", '{"a": "跌倒"}', is_urgent=True)
    [entry] = outbox.events(count_max=10)
    assert (entry.sequence, entry.is_urgent, entry.at, entry.device, entry.body) == (
        1,
        True,
        NOW + seconds(0.25),
        "wearable-1",
        '{"a": "跌倒"}',
    )


def test_urgent_events_come_before_all_others_and_each_kind_oldest_first(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    for number, kind in enumerate([EventKind.BED_EXIT, EventKind.SOS, EventKind.BED_ENTRY, EventKind.FALL]):
        put_event(outbox, f"w:{number}", kind, is_urgent=number % 2 == 1)
    assert event_sequences(outbox) == [2, 4, 1, 3]
    assert [entry.sequence for entry in outbox.events(count_max=1)] == [2]


def test_the_same_event_again_changes_nothing(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    assert [put_event(outbox, "w:1"), put_event(outbox, "w:1"), put_event(outbox, "w:2")] == [True, False, True]
    assert event_sequences(outbox) == [1, 2]


def test_the_same_event_is_known_after_it_was_stored_and_the_gateway_restarted(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    put_event(outbox, "w:1")
    outbox.forget_event(1)
    outbox.close()
    assert put_event(open_outbox(), "w:1") is False


def test_of_very_many_events_the_oldest_names_are_forgotten(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox()
    put_event(outbox, "w:first")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {SEEN_MAX - 1}) SELECT 'w:' || i FROM n"
    directly(tmp_path / "outbox.sqlite", f"INSERT INTO seen (event_id) {numbers}")
    assert put_event(outbox, "w:first") is False
    put_event(outbox, "w:last")
    assert put_event(outbox, "w:first") is True


def test_what_was_accepted_is_in_the_files_when_the_power_fails(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "home" / "outbox.sqlite")
    outbox.append_readings(readings(1))
    put_event(outbox, "w:1")
    shutil.copytree(tmp_path / "home", tmp_path / "after")
    found = open_outbox(tmp_path / "after" / "outbox.sqlite")
    assert (sequences(found), event_sequences(found), found.waiting) == ([1], [2], 2)
    assert found.damaged is None


# -- forgetting --------------------------------------------------------------------------------------------------------------------------


def test_only_the_named_readings_are_forgotten(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(6))
    outbox.forget_readings(2, 4)
    assert (sequences(outbox), outbox.waiting) == ([1, 5, 6], 3)
    outbox.forget_readings(2, 4)
    outbox.forget_readings(6, 5)
    assert (sequences(outbox), outbox.waiting) == ([1, 5, 6], 3)


def test_an_event_among_stored_readings_is_not_forgotten_with_them(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(2))
    put_event(outbox, "w:1")
    outbox.append_readings(readings(2, first=2))
    outbox.forget_readings(1, 5)
    assert (sequences(outbox), event_sequences(outbox), outbox.waiting) == ([], [3], 1)


def test_a_reading_is_not_forgotten_as_an_event(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(1))
    outbox.forget_event(1)
    assert sequences(outbox) == [1]


def test_the_floor_is_the_oldest_sequence_held_or_else_the_next_one(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    floors = [outbox.floor()]
    outbox.append_readings(readings(3))
    put_event(outbox, "w:1")
    floors.append(outbox.floor())
    for last in (2, 3):
        outbox.forget_readings(1, last)
        floors.append(outbox.floor())
    outbox.forget_event(4)
    floors.append(outbox.floor())
    assert floors == [1, 1, 3, 4, 5]


def test_the_oldest_instant_is_that_of_the_oldest_entry(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    assert outbox.oldest_at() is None
    outbox.append_readings(readings(3))
    outbox.forget_readings(1, 1)
    assert outbox.oldest_at() == NOW + seconds(1)


def test_sequences_are_not_used_again_after_everything_was_forgotten_and_the_gateway_restarted(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(3))
    put_event(outbox, "w:1")
    outbox.forget_readings(1, 3)
    outbox.forget_event(4)
    outbox.close()
    again = open_outbox()
    again.append_readings(readings(1))
    assert (sequences(again), again.floor()) == ([5], 5)


def test_a_log_keeps_its_name_and_each_file_has_its_own(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    first = open_outbox()
    first.close()
    assert open_outbox().log_id == first.log_id
    assert open_outbox(tmp_path / "other.sqlite").log_id != first.log_id


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("readings"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("event"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("forget"), st.integers(1, 30), st.integers(0, 10)),
        st.tuples(st.just("forget_event"), st.integers(1, 30), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """What an outbox is meant to do, without a disk."""

    def __init__(self) -> None:
        self.held: dict[int, bool] = {}
        self.last = 0
        self.seen: set[int] = set()

    def add(self, *, is_event: bool) -> None:
        self.last += 1
        self.held[self.last] = is_event

    def forget(self, first: int, last: int, *, is_event: bool) -> None:
        self.held = {one: kind for one, kind in self.held.items() if kind is not is_event or not first <= one <= last}


@settings(max_examples=25)
@given(STEPS)
def test_any_order_of_steps_loses_nothing_and_uses_no_sequence_twice(steps: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        outbox, model = Outbox(Path(folder) / "o.sqlite", ROWS_MAX), Model()
        outbox.open()
        for what, number, span in steps:
            if what == "readings":
                outbox.append_readings(readings(number))
                for _ in range(number):
                    model.add(is_event=False)
            elif what == "event" and put_event(outbox, f"w:{number}"):
                assert number not in model.seen
                model.seen.add(number)
                model.add(is_event=True)
            elif what == "forget":
                outbox.forget_readings(number, number + span)
                model.forget(number, number + span, is_event=False)
            elif what == "forget_event":
                outbox.forget_event(number)
                model.forget(number, number, is_event=True)
            elif what == "reopen":
                outbox.close()
                outbox.open()
        held = (sequences(outbox), sorted(event_sequences(outbox)), outbox.waiting, outbox.floor())
        outbox.close()
    expected = [[one for one, kind in model.held.items() if kind is is_event] for is_event in (False, True)]
    assert held == (*expected, len(model.held), min(model.held, default=model.last + 1))


# -- limits ------------------------------------------------------------------------------------------------------------------------------


def test_beyond_the_limit_the_oldest_readings_give_way_and_never_an_event(
    open_outbox: OpenOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = open_outbox(rows_max=1000)
    put_event(outbox, "w:1")
    for first in range(0, 2000, 50):
        outbox.append_readings(readings(50, first=first))
    held = sequences(outbox)
    assert len(held) < 1000 and held == list(range(held[0], 2002))
    assert (event_sequences(outbox), outbox.shed) == ([1], 2000 - len(held))
    assert outbox.waiting == len(held) + 1
    assert "the oldest 50 readings gave way" in caplog.text


def test_one_batch_far_beyond_the_limit_is_cut_to_it(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox(rows_max=1000)
    outbox.append_readings(readings(5000))
    assert (len(sequences(outbox)), outbox.waiting, outbox.shed) == (1000, 1000, 4000)


# -- the same event again, and clocks that jump --------------------------------------------------------------------------------------------


def press(outbox: Outbox, event_id: str, *, uptime_s: float) -> bool:
    """The same press each time; its name has the date that the clock said."""
    return outbox.append_event(event_id, NOW, "wearable-1", "{}", is_urgent=True, key="w:1-1", uptime_s=uptime_s)


def test_a_press_repeated_over_a_restart_and_a_step_of_the_clock_is_one_event(open_outbox: OpenOutbox) -> None:
    first = open_outbox()
    first.set_clock("boot-a", seconds(0))
    assert press(first, "w:1-1-20260301", uptime_s=1000)
    first.close()
    second = open_outbox()
    second.set_clock("boot-a", timedelta(days=-20_000))
    assert not press(second, "w:1-1-19710101", uptime_s=1170)
    assert len(event_sequences(second)) == 1


def test_a_press_repeated_after_the_machine_started_again_is_one_event(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.set_clock("boot-a", seconds(0))
    assert press(outbox, "w:1-1-20260301", uptime_s=90_000)
    outbox.set_clock("boot-b", timedelta(days=-20_000))
    assert not press(outbox, "w:1-1-19710101", uptime_s=30)


@pytest.mark.parametrize("uptime_s", [1000 + REPEATS_FOR_S + 1, 90_000.0])
def test_the_same_key_much_later_is_another_event(uptime_s: float, open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.set_clock("boot-a", seconds(0))
    assert press(outbox, "w:1-1-20260301", uptime_s=1000)
    assert press(outbox, "w:1-1-20260302", uptime_s=uptime_s)


def test_a_clock_set_right_moves_all_that_waits_since_the_machine_started(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.set_clock("boot-a", seconds(0))
    outbox.append_readings(readings(1))
    outbox.set_clock("boot-b", timedelta(days=-365))
    outbox.append_readings([replace(one, at=one.at - timedelta(days=365)) for one in readings(1)])
    outbox.set_clock("boot-b", seconds(10))
    outbox.append_readings(readings(1))
    outbox.close()
    again = open_outbox()
    again.set_clock("boot-b", seconds(20))
    times = [entry.reading.at - NOW for entry in again.readings(after=0, count_max=10)]
    assert times == [seconds(0), timedelta(seconds=20), timedelta(seconds=10)]
    assert again.oldest_at() == NOW


def test_a_clock_set_right_does_not_move_what_has_the_time_of_a_device(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    outbox.set_clock("boot-a", seconds(0))
    outbox.append_readings([replace(readings(1)[0], is_history=True), *readings(1)])
    outbox.set_clock("boot-a", seconds(600))
    outbox.append_readings([replace(readings(1)[0], is_history=True)])
    held = [(one.reading.is_history, one.reading.at - NOW) for one in outbox.readings(after=0, count_max=10)]
    assert held == [(True, seconds(0)), (False, seconds(600)), (True, seconds(0))]


def test_a_clock_that_is_steered_moves_nothing(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    for drift_s in range(10):
        outbox.set_clock("boot-a", seconds(drift_s))
        outbox.append_readings(readings(1))
    assert {entry.reading.at for entry in outbox.readings(after=0, count_max=10)} == {NOW}


def test_a_file_of_the_first_version_is_taken_over(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    directly(tmp_path / "outbox.sqlite", *FIRST_VERSION)
    outbox = open_outbox()
    outbox.set_clock("boot-a", timedelta(days=1))
    assert (sequences(outbox), event_sequences(outbox), outbox.log_id) == ([1], [2], "0123456789abcdef")
    assert not put_event(outbox, "w:1")
    assert outbox.oldest_at() == NOW
    assert not outbox.readings(after=0, count_max=1)[0].reading.is_history


def test_a_file_of_the_second_version_is_taken_over(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    first = open_outbox()
    first.append_readings(readings(1))
    first.close()
    directly(tmp_path / "outbox.sqlite", "ALTER TABLE entry DROP COLUMN is_history", "PRAGMA user_version = 1")
    outbox = open_outbox()
    outbox.append_readings([replace(readings(1)[0], is_history=True)])
    assert [one.reading.is_history for one in outbox.readings(after=0, count_max=10)] == [False, True]


FIRST_VERSION = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "INSERT INTO meta VALUES ('log_id', '0123456789abcdef')",
    """CREATE TABLE entry (sequence INTEGER PRIMARY KEY AUTOINCREMENT, is_event INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    device TEXT NOT NULL, quantity TEXT, statistic TEXT, value REAL, body TEXT)""",
    "CREATE INDEX entry_event ON entry (sequence) WHERE is_event",
    f"INSERT INTO entry (is_event, at_ms, device, quantity, statistic, value) VALUES (0, {to_ms(NOW)}, 'w', 'heart_rate', 'sample', 70)",
    f"INSERT INTO entry (is_event, at_ms, device, body) VALUES (1, {to_ms(NOW)}, 'w', '{{}}')",
    "CREATE TABLE seen (number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE)",
    "INSERT INTO seen (event_id) VALUES ('w:1')",
)
