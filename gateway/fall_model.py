"""Small decision trees that tell a fall from its features: how they are kept in `fall_model.json`, read, and walked. No numpy.

    {"about": {...}, "features": [names], "trunk": {"threshold": log-odds, "trees": [[feature, at, low, high, value], ...]}, "wrist": ...}

    A tree is five columns. Node i of n goes to node low[i] where the feature is at most `at[i]`, else to high[i]; a negative node ~k is
    the leaf with value[k]. The values of all trees add up to log-odds.

`make train-fall` writes the file from recordings (docs/falls.md names them); the same recordings give the same file.
"""

import json
import math
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from gateway.fall_features import Features

FILE = "fall_model.json"
LOG_ODDS_MAX = 30.0

Tree = tuple[Sequence[int], Sequence[float], Sequence[int], Sequence[int], Sequence[float]]


class FallModel:
    """The trees of one place on the body. `names` are the features they ask for, by number."""

    def __init__(self, names: Sequence[str], threshold: float, trees: Sequence[Tree]) -> None:
        self._names = tuple(names)
        self._threshold = threshold
        self._trees = [
            (array("B", feature), array("d", at), array("h", low), array("h", high), array("d", value))
            for feature, at, low, high, value in trees
        ]

    def confidence(self, features: Features) -> float:
        """0..1, 0.5 at the threshold that confirms: it orders candidates, it is not a probability of a fall at home.

        Raises KeyError when the file asks for a feature that there is none of: file and program are not of one version.
        """
        above = self.log_odds([features[name] for name in self._names]) - self._threshold
        return 1 / (1 + math.exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, above))))

    def log_odds(self, values: Sequence[float]) -> float:
        """Sum over the trees, for values in the order of the names."""
        total = 0.0
        for feature, at, low, high, value in self._trees:
            node = 0 if feature else -1
            while node >= 0:
                node = low[node] if values[feature[node]] <= at[node] else high[node]
            total += value[~node]
        return total


@cache
def shipped(name: str) -> FallModel:
    """The trees `name` (trunk, wrist) of the file beside this one. Read once, and only in a home that has a wearable."""
    known = json.loads(files("gateway").joinpath(FILE).read_text("utf-8"))
    return FallModel(known["features"], known[name]["threshold"], known[name]["trees"])
