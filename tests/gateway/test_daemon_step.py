"""How much the daemon takes in one step, whatever waits."""

from pathlib import Path

from gateway.bridges.serial_port import READ_BYTES_MAX, Chunk
from gateway.daemon import QUEUE_MAX, STEP_BYTES_MAX, Daemon
from tests.gateway.home import BRIDGE_PORT, config


def flooded(folder: Path) -> Daemon:
    """Its queue is as full as its ports can make it."""
    daemon = Daemon(config(folder))
    for _ in range(QUEUE_MAX):
        daemon._chunks.put_nowait(Chunk(str(BRIDGE_PORT["path"]), bytes(READ_BYTES_MAX)))
    return daemon


def test_a_flood_is_taken_in_short_steps_so_that_a_press_need_not_wait_for_all_of_it(tmp_path: Path) -> None:
    assert sum(len(chunk.data) for chunk in flooded(tmp_path)._next_chunks()) == STEP_BYTES_MAX


def test_what_is_left_of_a_flood_comes_with_the_next_steps(tmp_path: Path) -> None:
    daemon = flooded(tmp_path)
    steps = [len([*daemon._next_chunks()]) for _ in range(QUEUE_MAX * READ_BYTES_MAX // STEP_BYTES_MAX)]
    assert sum(steps) == QUEUE_MAX


def test_a_quiet_line_gives_what_there_is(tmp_path: Path) -> None:
    daemon = Daemon(config(tmp_path))
    daemon._chunks.put(Chunk(str(BRIDGE_PORT["path"]), b"few"))
    assert [chunk.data for chunk in daemon._next_chunks()] == [b"few"]
