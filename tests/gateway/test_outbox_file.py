"""The outbox's file when the disk is full or broken: events go on, as little as possible is given up, nothing is hidden."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.events import EventKind
from gateway.errors import BadInput, StoreBroken
from gateway.outbox import Outbox
from gateway.outbox_file import WRITES_UNTIL_ROOM
from tests.gateway.home import ROWS_MAX, OpenOutbox, directly, event_sequences, fill, put_event, readings, sequences


def test_a_file_that_cannot_grow_sheds_readings_and_still_takes_an_event(open_outbox: OpenOutbox) -> None:
    outbox = open_outbox()
    fill(outbox, 20_000)
    outbox._file.connection.execute("PRAGMA max_page_count = 1")  # the size there is: to SQLite, a full disk
    outbox._file._reserve.unlink()
    fill(outbox, 20_000)
    assert put_event(outbox, "w:1", EventKind.SOS, is_urgent=True)
    held = sequences(outbox)
    assert outbox.shed > 0 and held == list(range(held[0], 40_001))
    assert event_sequences(outbox) == [40_001]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


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


def test_on_a_full_disk_nothing_gives_way_that_need_not(small_disk: Path) -> None:
    outbox = Outbox(small_disk / "o.sqlite", ROWS_MAX)
    outbox.open()
    fill(outbox, 5000)
    outbox.forget_readings(1, 4900)
    fill_up(small_disk)
    outbox.append_readings(readings(500, first=5000))
    assert put_event(outbox, "w:1", EventKind.SOS, is_urgent=True)
    assert (outbox.shed, sequences(outbox)) == (0, list(range(4901, 5501)))
    outbox.close()


def test_once_there_is_room_again_the_file_may_grow_again(small_disk: Path) -> None:
    outbox = Outbox(small_disk / "o.sqlite", ROWS_MAX)
    outbox.open()
    fill_up(small_disk)
    fill(outbox, 100_000)
    shed = outbox.shed
    assert shed > 0
    (small_disk / "other").unlink()
    for number in range(WRITES_UNTIL_ROOM):
        put_event(outbox, f"w:{number}")
    assert (small_disk / "o.sqlite.reserve").exists()
    fill(outbox, 20_000)
    assert outbox.shed == shed
    outbox.close()


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
    fill(first, 20_000)
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


@pytest.mark.parametrize("damage", [overwrite, truncate])
def test_events_that_can_still_be_read_in_a_damaged_file_are_sent_all_the_same(
    damage: Callable[[Path], None], open_outbox: OpenOutbox, tmp_path: Path
) -> None:
    first = open_outbox()
    names = [f"w:{number}" for number in range(20)]
    for name in names[:10]:
        put_event(first, name, EventKind.SOS, is_urgent=True)
    fill(first, 20_000)
    for name in names[10:]:
        put_event(first, name, EventKind.BED_EXIT)
    first.close()
    damage(tmp_path / "outbox.sqlite")
    second = open_outbox()
    rescued = second.events(count_max=100)
    assert second.damaged is not None and len(rescued) == second.waiting >= 10
    assert [one.is_urgent for one in rescued[:10]] == [True] * 10
    assert not put_event(second, names[0])


def test_two_gateways_cannot_use_one_file(open_outbox: OpenOutbox, tmp_path: Path) -> None:
    first = open_outbox()
    with pytest.raises(BadInput, match=r"another gateway is using .*outbox\.sqlite"):
        open_outbox()
    first.close()
    open_outbox()
