"""Back-tests pass over what is calm, and find the very episodes of a machine that looks at everything."""

import random

import pytest

from backend import back_test
from backend.rules import form
from backend.rules.model import SECOND
from backend.rules.tell import Feed, episodes
from contract.quantities import QuantityName as Q

SIGNS = ((Q.SPO2, 96, 1), (Q.HEART_RATE, 80, 8), (Q.RESPIRATION_RATE, 16, 2), (Q.BODY_TEMPERATURE, 36.6, 0.2))


def days(seed: int) -> back_test.Columns:
    """Signs that are measured now and then, well and ill, in stretches that do not fit each other."""
    dice, columns = random.Random(seed), {}
    for name, middle, spread in SIGNS:
        segments = []
        for number in range(10):
            count, start = dice.choice([60, 200, 400]), (number * 7 * 3600 + dice.randrange(3600)) * SECOND
            shift = {Q.SPO2: -8, Q.HEART_RATE: 45}.get(name, 0) if dice.random() < 0.3 else 0
            values = [float(round(dice.gauss(middle + shift, spread))) for _ in range(count)]
            segments.append((start, [60_000 * row for row in range(count)], values))
        columns[str(name)] = [segments]
    return columns


@pytest.mark.parametrize("rule_id", ["news2_partial", "heart_rate_high", "spo2_low", "systolic_above_target"])
def test_what_is_passed_over_changes_nothing(rule_id: str) -> None:
    rule = form.shipped()[rule_id]
    for seed in range(6):
        columns = days(seed)
        tracks = {
            name: sorted({point for one in found for part in one for point in back_test._points(part)}) for name, found in columns.items()
        }
        quick = back_test._episodes(rule, {rule_id: rule}, columns, {}, now=10**18, zone="UTC")
        assert quick == episodes(rule, {rule_id: rule}, Feed(tracks), now=10**18, home_zone="UTC")
