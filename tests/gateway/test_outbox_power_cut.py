"""The power fails at any write of the outbox: what it said to be accepted is there, and nothing else.

A process leads an outbox's life in a home's box; it is killed, and a second one goes on. Then the power is cut after each of many
operations of its disk, and what that leaves is opened by the real outbox. JIAHU_POWER_CUTS is how many cuts to try per life; `all` cuts
after each operation (a minute per life; with kills an hour). JIAHU_POWER_CUT_LIVES lives are led, from the seed JIAHU_POWER_CUT_SEED on.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import StoreBroken
from gateway.outbox import Outbox, Reading
from simulators.home_box import HomeBox, HomeBoxError, build
from simulators.home_box.operations import Kind, Operation, read_log
from simulators.home_box.power_cut import Disk
from tests.gateway.home import NOW
from tests.gateway.outbox_life import DEVICE, PLACE, held, open_outbox, put_event

CUTS = os.environ.get("JIAHU_POWER_CUTS", "150")
SEED = int(os.environ.get("JIAHU_POWER_CUT_SEED", secrets.randbelow(2**31)))
LIVES = int(os.environ.get("JIAHU_POWER_CUT_LIVES", 1))
ACTS = 90
ACTS_AFTER_KILL = 2
KILLS = 4 if CUTS != "all" else 1_000
CUTS_AFTER_KILL = "20" if CUTS != "all" else CUTS
FIRST_SYNCS = 12
SECOND_LIFE_FIRST = 1_000_000
FAST_DISK = Path("/dev/shm")
RARE = frozenset(Kind) - {Kind.WRITING, Kind.SYNCED}


@dataclass(frozen=True, slots=True)
class Step:
    """One act: from `begun` on what it adds may be there; from `done` on, both in bytes of the log, the outbox holds exactly `held`."""

    begun: int
    adds: list[str]
    done: int
    log_id: str
    held: dict[str, int]


@dataclass(frozen=True, slots=True)
class FirstLife:
    """A life led to its end, to be killed at any moment of it."""

    seed: int
    said: list[dict[str, Any]]
    operations: list[Operation]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(tmp_path_factory.mktemp("box"))
    except HomeBoxError as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: it is the model that forgets, so a real disk would only be slow."""
    with tempfile.TemporaryDirectory(dir=FAST_DISK if FAST_DISK.is_dir() else tmp_path) as fast:
        yield Path(fast)


def lead_life(command: Sequence[str], box: HomeBox, *, lines_max: int | None = None) -> list[dict[str, Any]]:
    """What a life said; after `lines_max` lines it is killed, in the middle of whatever it does then, if it has not ended before."""
    said = []
    with subprocess.Popen(command, env=os.environ | box.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(json.loads(line))
            if len(said) == lines_max:
                process.kill()
    assert process.returncode in ([0] if lines_max is None else [0, -signal.SIGKILL])
    return said


def steps(said: list[dict[str, Any]]) -> Iterator[Step]:
    """Acts that were not done, for a kill, are one with the opening after it."""
    begun: list[dict[str, Any]] = []
    for line in said:
        if "begun" in line:
            begun.append(line)
        else:
            adds = [name for one in begun for name in one["adds"]]
            yield Step(adds=adds, **({"begun": begun[0]["begun"]} | line))
            begun = []


def chosen(operations: list[Operation], random: np.random.Generator, cuts: str = CUTS) -> set[int]:
    """After how many operations to cut: half around the rare ones, the rest by chance."""
    if cuts == "all":
        return set(range(len(operations) + 1))
    rare = [index + after for index, one in enumerate(operations) if one.kind in RARE and not one.path.endswith("-shm") for after in (0, 1)]
    many = random.permutation(len(operations) + 1)
    return set(random.permutation(rare)[: int(cuts) // 2]) | set(many[: int(cuts) // 2])


def check(found: Outbox, story: list[Step], position: int) -> None:
    """What a cut at this length of the log left, against what the outbox had said by then."""
    done = [step for step in story if step.done <= position]
    going_on = next((step for step in story if step.begun <= position < step.done), None)
    was, log_id = (done[-1].held, done[-1].log_id) if done else ({}, found.log_id)
    now = held(found)
    may_be_gone = was.keys() - going_on.held.keys() if going_on else set()
    assert found.damaged is None
    assert found.log_id == log_id
    assert was.keys() - now.keys() <= may_be_gone, "accepted, and lost"
    assert now.keys() - was.keys() <= set(going_on.adds if going_on else ()), "never appended, or forgotten for good"
    assert {name: now[name] for name in now.keys() & was.keys()} == {name: was[name] for name in now.keys() & was.keys()}
    used = [sequence for step in done for sequence in step.held.values()]
    check_next(found, max(used, default=0), [name for step in done for name in step.held if name.startswith("w:")][-3:])


def check_next(found: Outbox, used_max: int, events: list[str]) -> None:
    """Life goes on: no sequence is used again, and a device that repeats an event is not believed."""
    assert [put_event(found, name) for name in events] == [False] * len(events)
    before = held(found)
    found.append_readings([Reading(DEVICE, "heart_rate", "sample", NOW, 0.0)])
    assert held(found)["r0"] > max([used_max, *before.values()])


def command(folder: Path, library: Path, *numbers: int) -> list[str]:
    """A life on `folder/disk`: seed, first number, acts."""
    place = [str(folder / "disk"), str(folder / "box"), str(library)]
    return [sys.executable, "-m", "tests.gateway.outbox_life", *place, *map(str, numbers)]


def new_box(folder: Path, library: Path) -> HomeBox:
    """Around an empty disk, with another place beside it where each cut is laid out."""
    for name in ("disk", "left"):
        (folder / name).mkdir(parents=True)
    return HomeBox(folder / "disk", folder / "box", library=library)


def check_cut(disk: Disk, left: Path, story: list[Step], position: int, random: np.random.Generator) -> None:
    """Cut the power of a disk, open what is left, and compare."""
    disk.cut_power(random).write_to(left)
    found = open_outbox(left / PLACE)
    try:
        check(found, story, position)
    finally:
        found.close()


def check_cuts(folder: Path, library: Path, seed: int) -> int:
    """Lead a life, then cut its power at the chosen moments. Returns how many."""
    random = np.random.default_rng(seed)
    box = new_box(folder, library)
    disk = Disk(folder / "disk")
    said = lead_life(command(folder, library, seed, 1, ACTS), box, lines_max=int(random.integers(1, 2 * ACTS)))
    box.limit_room(None)
    said += lead_life(command(folder, library, seed + 1, SECOND_LIFE_FIRST, ACTS), box)
    story, operations = list(steps(said)), read_log(box.log)
    cuts = chosen(operations, random)
    for index in range(len(operations) + 1):
        if index in cuts:
            with where(f"seed {seed}, power cut after {index} of {len(operations)} operations"):
                check_cut(disk, folder / "left", story, operations[index - 1].end if index else 0, random)
        if index < len(operations):
            disk.apply(operations[index])
    return len(cuts)


def check_cuts_after_kill(folder: Path, library: Path, first: FirstLife, kill_at: int) -> int:
    """Kill a life after so many operations; what it did not sync is seen by the next one. Then cut the power of that one."""
    box = new_box(folder, library)
    disk, random = Disk(folder / "disk"), np.random.default_rng(first.seed + kill_at)
    for operation in first.operations[:kill_at]:
        disk.apply(operation)
    killed_at = first.operations[kill_at - 1].end
    disk.kill().write_to(folder / "disk")
    disk.adopt(folder / "disk")
    said = [line for line in first.said if max(line.get("begun", 0), line.get("done", 0)) <= killed_at]
    said += [
        {key: value + killed_at if key in ("begun", "done") else value for key, value in line.items()}
        for line in lead_life(command(folder, library, first.seed, SECOND_LIFE_FIRST, ACTS_AFTER_KILL), box)
    ]
    story, operations = list(steps(said)), read_log(box.log)
    cuts = chosen(operations, random, CUTS_AFTER_KILL)
    for index in range(len(operations) + 1):
        if index in cuts:
            with where(f"seed {first.seed}, killed after {kill_at} operations, power cut {index} of {len(operations)} later"):
                check_cut(disk, folder / "left", story, killed_at + (operations[index - 1].end if index else 0), random)
        if index < len(operations):
            disk.apply(operations[index])
    return len(cuts)


def kills(operations: list[Operation], random: np.random.Generator) -> list[int]:
    """Just before a sync, when most is at stake: in the first moments of the file, and later."""
    before_sync = [index for index, one in enumerate(operations) if one.kind in (Kind.SYNCED, Kind.SYNCED_FOLDER) and index]
    some = (before_sync[:FIRST_SYNCS], before_sync[FIRST_SYNCS:])
    return [int(kill) for part in some for kill in random.permutation(part)[: KILLS // 2]]


@contextmanager
def where(place: str) -> Iterator[None]:
    """Names the place in what is raised."""
    try:
        yield
    except (AssertionError, StoreBroken) as error:
        raise AssertionError(f"{place}: {error}") from error


@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES), ids=lambda seed: "a life")
def test_a_power_cut_at_any_write_loses_nothing_that_was_accepted(folder: Path, library: Path, seed: int) -> None:
    print(f"seed {seed}")
    assert check_cuts(folder, library, seed) > 0


@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES), ids=lambda seed: "a life")
def test_what_a_killed_gateway_had_not_synced_is_safe_once_the_next_one_shows_it(folder: Path, library: Path, seed: int) -> None:
    print(f"seed {seed}")
    box = new_box(folder / "first", library)
    said = lead_life(command(folder / "first", library, seed, 1, ACTS), box)
    first = FirstLife(seed, said, read_log(box.log))
    for kill_at in kills(first.operations, np.random.default_rng(seed)):
        assert check_cuts_after_kill(folder / str(kill_at), library, first, kill_at) > 0
