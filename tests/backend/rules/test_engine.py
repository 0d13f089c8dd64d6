"""A rule in force: its levels by name and by rank."""

import pytest

from backend.rules import store as rules
from backend.rules.engine import Active


@pytest.fixture
def spo2_low() -> Active:
    [rule] = [rule for rule in rules.read_file(rules.DEFAULTS) if rule.id == "spo2_low"]
    return Active(rule, 3)


def test_levels_rank_from_mild_to_grave(spo2_low: Active) -> None:
    assert [spo2_low.rank(name) for name in ("attention", "urgent")] == [0, 1]


def test_a_level_that_only_an_older_version_had_ranks_below_all(spo2_low: Active) -> None:
    assert spo2_low.rank("emergency") == -1


def test_a_level_is_found_by_its_name(spo2_low: Active) -> None:
    assert spo2_low.level("urgent").priority == "high"
    with pytest.raises(KeyError):
        spo2_low.level("emergency")
