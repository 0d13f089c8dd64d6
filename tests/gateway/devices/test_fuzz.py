"""Every driver under damage and noise: nothing raises, nothing grows, and what no whole frame says is never said.

JIAHU_FUZZ_FRAMES sets how many frames are damaged; `python -m benchmarks.fuzz` does the same for hours.
"""

import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import Target, run, targets
from contract.quantities import QUANTITIES, QuantityName
from gateway.bridges.serial_port import Chunk
from gateway.config import RADIO
from gateway.devices import DRIVERS
from gateway.devices.driver import Options
from gateway.harvest import Harvest
from gateway.pipeline import Pipeline
from tests.gateway.home import NOW, config, seconds

FRAMES = int(os.environ.get("JIAHU_FUZZ_FRAMES", "3000"))
"""Of each target."""
FLOOD_BYTES = 100_000
KEPT_BYTES_MAX = 100_000
"""A page of Emfit or a line of JSON may be 64 kB long before it is given up."""
PATH = "/ports/device"


def label(target: Target) -> str:
    return "-".join((target.name, *target.options.settings.values()))


@pytest.mark.parametrize("target", targets(), ids=label)
def test_damage_never_makes_a_value(target: Target) -> None:
    seed = random.randrange(1_000_000)
    tallies = run(FRAMES, seed, chosen=[target])
    assert [(one.false_values, one.impossible) for one in tallies.values()] == [(0, 0)], f"seed {seed}"


def serial_types() -> list[str]:
    """Bluetooth has no port of its own: its values are damaged in test_bluetooth.py."""
    return [name for name, driver in DRIVERS.items() if not driver.is_framed and name != RADIO]


def path_of(name: str) -> str:
    """Where a device of this type is reached: those without a line are no serial devices."""
    if DRIVERS[name].line.bauds:
        return PATH
    return {"emfit_qs": "http://127.0.0.1:1/", "rtl433_json": "exec:true", "zigbee2mqtt": "mqtt://127.0.0.1:1/#"}[name]


@pytest.mark.parametrize("name", serial_types())
@settings(max_examples=25)
@given(said=st.lists(st.tuples(st.binary(max_size=300), st.floats(0, 100)), max_size=6))
def test_no_bytes_at_all_can_stop_the_pipeline_or_get_an_implausible_value_through(name: str, said: list[tuple[bytes, float]]) -> None:
    device: dict[str, Any] = {"id": "device-1", "type": name}
    path = path_of(name)
    pipeline = Pipeline(config(port=[{"path": path, "device": [device]}]), now_s=0.0)
    harvest, passed_s = Harvest(), 0.0
    for piece, wait_s in said:
        passed_s += wait_s
        pipeline.feed(Chunk(path, piece), harvest, now=NOW + seconds(passed_s), now_s=passed_s)
        pipeline.tick(harvest, now=NOW + seconds(passed_s), now_s=passed_s)
    assert all(QUANTITIES[QuantityName(one.quantity)].is_plausible(one.value) for one in harvest.readings if one.statistic != "mean")
    pipeline.status()


@pytest.mark.parametrize("target", targets(), ids=label)
@pytest.mark.parametrize("length", [1, 2, 3, 6, 8, 40])
def test_a_flood_of_beginnings_fills_no_memory(target: Target, length: int) -> None:
    driver = DRIVERS[target.name](Options(target.options.settings, target.options.enrolled))
    beginning = target.frames[0][:length]
    for _ in range(FLOOD_BYTES // len(beginning) // 100):
        list(driver.feed(beginning * 100, 0.0))
    assert kept_bytes(driver) < KEPT_BYTES_MAX


def kept_bytes(thing: object, depth: int = 6) -> int:
    """Bytes and characters that an object holds, as far as its attributes and collections show."""
    if isinstance(thing, bytes | bytearray | str):
        return len(thing)
    if depth == 0 or thing is None or isinstance(thing, int | float | type):
        return 0
    if isinstance(thing, dict):
        return sum(kept_bytes(one, depth - 1) for pair in thing.items() for one in pair)
    if isinstance(thing, list | tuple | set | frozenset):
        return sum(8 + kept_bytes(one, depth - 1) for one in thing)
    names = [*getattr(thing, "__dict__", ()), *(name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))]
    return sum(kept_bytes(getattr(thing, name, None), depth - 1) for name in names)
