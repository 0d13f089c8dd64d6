"""What a radar of breath and pulse may be believed. The real pairs are charts of intensive care: ../shared/data/vitals/README.txt."""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.chest import RATIO_MIN, ChestWatch
from gateway.devices.driver import Reason, Signal

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "vitals" / "icu2012_vitals.csv.gz"
PRESENCE, MOVEMENT = QuantityName.PRESENCE, QuantityName.MOVEMENT
BREATH, PULSE = QuantityName.RESPIRATION_RATE, QuantityName.HEART_RATE
Told = tuple[float, QuantityName, float]

HERE = [(0.0, PRESENCE, 1.0), (10.0, BREATH, 14.0)]


def watched(told: list[Told], until_s: float) -> list[tuple[float, Signal]]:
    """Signals of a radar that says its distance every 5 s and else what is `told`, with the second they came."""
    watch, signals, waiting = ChestWatch(), list[tuple[float, Signal]](), sorted(told, key=lambda one: one[0])
    for second in range(round(until_s) + 1):
        while waiting and waiting[0][0] <= second:
            at_s, quantity, value = waiting.pop(0)
            watch.take(quantity, value, at_s)
        if second % 5 == 0:
            watch.take(QuantityName.DISTANCE, 120, float(second))
        signals += [(float(second), signal) for signal in watch.tick(float(second))]
    return signals


def test_somebody_there_whose_chest_is_not_seen_for_a_minute_is_told_once() -> None:
    [(at_s, signal)] = watched(HERE, 200)
    assert (at_s, signal.kind, signal.age_s) == (70.0, EventKind.CHEST_STILL, 60.0)


def test_after_a_breath_it_may_be_told_again() -> None:
    assert [at_s for at_s, _ in watched([*HERE, (100.0, BREATH, 13.0)], 300)] == [70.0, 160.0]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([(0.0, PRESENCE, 1.0)], id="no breath was ever seen here"),
        pytest.param([*HERE, (30.0, PRESENCE, 0.0)], id="nobody is there"),
        pytest.param([*HERE, (30.0, PRESENCE, 0.0), (40.0, PRESENCE, 1.0)], id="somebody came back and was not seen breathing yet"),
        pytest.param([*HERE, *((20.0 + 30 * step, MOVEMENT, 60.0) for step in range(10))], id="who moves hides the chest"),
        pytest.param([(0.0, BREATH, 14.0)], id="presence is not known"),
    ],
)
def test_what_is_no_still_chest(told: list[Told]) -> None:
    assert watched(told, 300) == []


def test_a_radar_that_falls_silent_says_nothing_of_a_chest() -> None:
    watch = ChestWatch()
    for at_s, quantity, value in HERE:
        watch.take(quantity, value, at_s)
    assert [signal for second in range(10, 400) for signal in watch.tick(float(second))] == []


@pytest.mark.parametrize(("pulse", "reason"), [(16, Reason.IMPLAUSIBLE), (14, Reason.IMPLAUSIBLE), (17, None), (60, None)])
def test_a_pulse_that_is_the_breath_seen_twice_is_not_believed(pulse: int, reason: Reason | None) -> None:
    watch = ChestWatch()
    watch.take(BREATH, 14, 0.0)
    assert watch.take(PULSE, pulse, 5.0) == reason
    assert watch.take(PULSE, pulse, 31.0) is None


def test_of_the_pairs_of_sick_people_fewer_than_one_in_a_thousand_would_be_refused() -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recordings at {RECORDED}")
    charted: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    with gzip.open(RECORDED, "rt") as file:
        for row in csv.DictReader(file):
            if row["param"] in ("HR", "RespRate"):
                charted[row["record_id"], row["minute"]][row["param"]] = float(row["value"])
    pairs = [(both["HR"], both["RespRate"]) for both in charted.values() if len(both) == 2 and both["RespRate"] > 0 and both["HR"] > 0]
    refused = sum(pulse <= RATIO_MIN * breath for pulse, breath in pairs)
    print(f"{refused} of {len(pairs)} charted pairs would be refused")
    assert len(pairs) > 10_000
    assert refused < len(pairs) / 1000
