"""The gateway's memory on disk: what was accepted is there after any restart, nothing is forgotten early, no sequence is used twice."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import EventKind
from gateway.errors import StoreBroken
from gateway.outbox import SEEN_MAX, Outbox, from_ms, to_ms
from tests.gateway.home import NOW, put_event, readings, seconds

ROWS_MAX = 5_000_000
OpenOutbox = Callable[..., Outbox]


@pytest.fixture
def open_outbox(tmp_path: Path) -> Iterator[OpenOutbox]:
    """Opens outboxes on one file, or another; all are closed after the test."""
    opened: list[Outbox] = []

    def open_one(path: Path = tmp_path / "outbox.sqlite", rows_max: int = ROWS_MAX) -> Outbox:
        opened.append(Outbox(path, rows_max))
        opened[-1].open()
        return opened[-1]

    yield open_one
    for outbox in opened:
        outbox.close()


def sequences(outbox: Outbox) -> list[int]:
    return [entry.sequence for entry in outbox.readings(after=0, count_max=ROWS_MAX)]


def event_sequences(outbox: Outbox) -> list[int]:
    return [entry.sequence for entry in outbox.events(count_max=ROWS_MAX)]


def directly(path: Path, *statements: str) -> None:
    """What another program, or a broken disk, does to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


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


@settings(max_examples=25, deadline=None)
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


def fill(outbox: Outbox, count: int) -> None:
    for first in range(0, count, 500):
        outbox.append_readings(readings(500, first=first))


def test_a_file_that_cannot_grow_sheds_readings_and_still_takes_an_event(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 5000)
    outbox._open_db.execute("PRAGMA max_page_count = 1")  # the size there is: to SQLite, a full disk
    fill(outbox, 5000)
    assert put_event(outbox, "w:1", EventKind.SOS, is_urgent=True)
    held = sequences(outbox)
    assert outbox.shed > 0 and held == list(range(held[0], 10_001))
    assert event_sequences(outbox) == [10_001]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(disk: Path) -> None:
    """Some other program takes all the room that is left."""
    with (disk / "other").open("ab", buffering=0) as other, pytest.raises(OSError):
        while True:
            other.write(bytes(4096))


def test_on_a_full_disk_readings_give_way_and_every_event_is_taken(small_disk: Path) -> None:
    outbox = Outbox(small_disk / "o.sqlite", ROWS_MAX)
    outbox.open()
    fill(outbox, 20_000)
    fill_up(small_disk)
    fill(outbox, 100_000)
    assert [put_event(outbox, f"w:{number}", EventKind.SOS, is_urgent=True) for number in range(20)] == [True] * 20
    held = sequences(outbox)
    assert outbox.shed > 0 and held == list(range(held[0], 120_001))
    assert len(event_sequences(outbox)) == 20 and outbox.damaged is None
    outbox.close()


def test_a_gateway_can_be_restarted_on_a_full_disk(small_disk: Path) -> None:
    outbox = Outbox(small_disk / "o.sqlite", ROWS_MAX)
    outbox.open()
    fill(outbox, 20_000)
    outbox.close()
    fill_up(small_disk)
    again = Outbox(small_disk / "o.sqlite", ROWS_MAX)
    again.open()
    assert put_event(again, "w:1", EventKind.SOS, is_urgent=True)
    assert (again.log_id, again.damaged, event_sequences(again)) == (outbox.log_id, None, [20_001])
    again.close()


# -- damage ------------------------------------------------------------------------------------------------------------------------------


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(20_000))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 100)


def replace_by_text(path: Path) -> None:
    path.write_text("this is not a database\n" * 1000)


def lose_its_name(path: Path) -> None:
    directly(path, "UPDATE meta SET value = 'zz'")


@pytest.mark.parametrize("damage", [overwrite, truncate, replace_by_text, lose_its_name])
def test_a_damaged_file_is_set_aside_and_a_new_log_begun(
    damage: Callable[[Path], None], open_outbox: OpenOutbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox.sqlite"
    first = open_outbox()
    fill(first, 5000)
    first.close()
    damage(path)
    broken = path.read_bytes()
    second = open_outbox()
    assert second.damaged is not None and second.damaged.read_bytes() == broken
    assert second.log_id != first.log_id
    second.append_readings(readings(1))
    assert (sequences(second), second.waiting) == ([1], 1)
    assert "was damaged and set aside as" in caplog.text


def test_a_file_damaged_while_it_is_open_is_set_aside_too(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox()
    fill(outbox, 60_000)  # more than SQLite keeps in memory
    directly(tmp_path / "outbox.sqlite", "PRAGMA wal_checkpoint(TRUNCATE)")
    log_id = outbox.log_id
    overwrite(tmp_path / "outbox.sqlite")
    assert outbox.readings(after=0, count_max=60_000) == []
    assert outbox.damaged is not None and outbox.log_id != log_id
    assert put_event(outbox, "w:1")


def test_a_broken_letter_hides_no_other_row(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox()
    outbox.append_readings(readings(3))
    directly(tmp_path / "outbox.sqlite", "UPDATE entry SET device = CAST(x'77ff' AS TEXT), at_ms = 1 << 62 WHERE sequence = 2")
    assert [entry.reading.device for entry in outbox.readings(after=0, count_max=10)] == ["wearable-1", "w\ufffd", "wearable-1"]


@pytest.mark.parametrize("path", ["", "file/outbox.sqlite"])
def test_a_place_that_cannot_hold_a_file_is_said_and_nothing_is_moved(path: str, open_outbox: OpenOutbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreBroken, match=r"cannot use the outbox .* Check the disk, its free room and its rights"):
        open_outbox(tmp_path / path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_file_locked_by_another_program_is_not_taken_for_damaged(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    outbox = open_outbox()
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBroken, match="locked"):
            outbox.append_readings(readings(1))
    assert outbox.damaged is None
    outbox.append_readings(readings(1))
    assert sequences(outbox) == [1]
