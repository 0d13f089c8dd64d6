"""The trees as they are shipped, and how they are walked."""

import json
from pathlib import Path

import pytest

from gateway import fall_model
from gateway.fall import DETECTORS
from gateway.fall_features import features
from gateway.fall_model import FallModel, shipped

FILE = Path(fall_model.__file__).with_name(fall_model.FILE)
STUMP = ([0], [2.0], [~0], [~1], [-1.5, 1.5])


def test_the_file_is_small_names_its_recordings_and_asks_for_features_there_are() -> None:
    known = json.loads(FILE.read_text("utf-8"))
    assert FILE.stat().st_size < 200_000
    assert {"sisfall_waist_100hz", "umafall_chest_20hz"} <= set(known["about"]["recordings"]["trunk"])
    assert known["features"] == list(features([(0.0, 0.0, 1.0)] * 275, 50, 150))
    assert {detector.model for detector in DETECTORS.values()} == known.keys() - {"about", "features"}


@pytest.mark.parametrize(("value", "log_odds"), [(1.9, -3.0), (2.0, -3.0), (2.1, 3.0)])
def test_a_value_at_the_limit_goes_low_and_the_trees_add_up(value: float, log_odds: float) -> None:
    model = FallModel(["peak"], 0.0, [STUMP, STUMP])
    assert model.log_odds([value]) == pytest.approx(log_odds)
    assert (model.confidence({"peak": value}) >= 0.5) == (log_odds > 0)


def test_a_tree_of_one_leaf_is_that_leaf() -> None:
    assert FallModel(["peak"], 0.0, [([], [], [], [], [0.25])]).log_odds([9.0]) == 0.25


def test_confidence_is_one_half_at_the_threshold_and_never_overflows() -> None:
    leaf = FallModel(["peak"], 0.25, [([], [], [], [], [0.25])])
    assert leaf.confidence({"peak": 1.0}) == 0.5
    assert 0 < FallModel(["peak"], 1e9, [STUMP]).confidence({"peak": 1.0}) < 1e-9


def test_a_feature_that_there_is_none_of_is_said() -> None:
    with pytest.raises(KeyError, match="unheard_of"):
        FallModel(["unheard_of"], 0.0, [STUMP]).confidence({"peak": 1.0})


def test_the_shipped_trees_are_read_once() -> None:
    assert shipped("trunk") is shipped("trunk")
