"""Grows the trees of the second stage, chooses their thresholds, and writes `gateway/fall_model.json`. Same recordings, same file.

LightGBM (Ke 2017) grows them: extremely randomised splits (Geurts 2006), a share of features and rows per tree. Small, so that one person's
way to fall is not learned by heart. Nothing of it is needed to run them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.falls import recordings
from benchmarks.falls.examples import Examples, Floats, collect, names
from gateway import fall_model
from gateway.fall_model import Tree

FILE = Path(fall_model.__file__).with_name(fall_model.FILE)
LEARNED = ("50hz", "disturbed1", "disturbed2", "disturbed3", "disturbed4")
LARGE_GROUPS = {"sisfall_waist_100hz": LEARNED[:3]}
"""So large that two disturbed copies are enough, and it does not outweigh the others."""
JUDGED = "50hz"
FOLDS = 6
SEED = 1
COMMON = {
    "objective": "binary",
    "extra_trees": True,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 3.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
    "seed": SEED,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Of the trees for one place: `specificity` is the least share of other trials without alarm that the threshold keeps."""

    trees: int
    leaves: int
    rate: float
    specificity: float


RECIPES = {"trunk": Recipe(250, 8, 0.1, 0.998), "wrist": Recipe(300, 12, 0.06, 0.965)}


@dataclass(frozen=True, slots=True)
class Lesson:
    """All examples of one place, joined, with the key of each."""

    jobs: list[tuple[str, str]]
    all: Examples
    job: NDArray[np.int64]


def lesson(place: str, judged: Sequence[str] = (JUDGED,), groups: Sequence[str] | None = None) -> Lesson:
    """Examples of all groups of a place: those that are learned from, and the variants that are judged beside them."""
    chosen = groups or recordings.GROUPS[place]
    jobs = [(group, variant) for group in chosen for variant in dict.fromkeys((*LARGE_GROUPS.get(group, LEARNED), *judged))]
    found = collect(jobs)
    parts = [found[job] for job in jobs]
    joined = Examples(*(np.concatenate([getattr(part, field) for part in parts]) for field in Examples.__dataclass_fields__))
    return Lesson(jobs, joined, np.repeat(np.arange(len(jobs)), [len(part.label) for part in parts]))


def is_learned(taught: Lesson) -> NDArray[np.bool_]:
    """Which examples may be learned from: those of a variant that only judges are not, nor those that are neither fall nor none."""
    learned = [variant in LARGE_GROUPS.get(group, LEARNED) for group, variant in taught.jobs]
    return np.array(learned)[taught.job] & (taught.all.label >= 0)


def fold_of(persons: NDArray[np.str_]) -> NDArray[np.int64]:
    """A fold for each example, the same for all of one person."""
    everybody = sorted(set(persons.tolist()))
    order = np.random.default_rng(SEED).permutation(len(everybody))
    folds = {everybody[place]: number % FOLDS for number, place in enumerate(order)}
    return np.array([folds[person] for person in persons.tolist()])


def grow(place: str, values: Floats, label: NDArray[np.int64]) -> list[Tree]:
    """The trees for these examples."""
    recipe = RECIPES[place]
    settings = COMMON | {"num_leaves": recipe.leaves, "learning_rate": recipe.rate}
    grown = lightgbm.train(settings, lightgbm.Dataset(values, label), recipe.trees)
    return [_tree(one["tree_structure"]) for one in grown.dump_model()["tree_info"]]


def _tree(root: dict[str, object]) -> Tree:
    feature, at, low, high, value = [], [], [], [], []  # type: list[int], list[float], list[int], list[int], list[float]

    def add(node: dict[str, object]) -> int:
        if "leaf_value" in node:
            value.append(round(float(node["leaf_value"]), 4))
            return ~(len(value) - 1)
        number = len(feature)
        feature.append(int(node["split_feature"]))
        at.append(float(f"{node['threshold']:.5g}"))
        low.append(0)
        high.append(0)
        low[number] = add(node["left_child"])
        high[number] = add(node["right_child"])
        return number

    add(root)
    return feature, at, low, high, value


def walk(trees: list[Tree], values: Floats) -> Floats:
    """Log-odds of each row by the rounded trees, exactly as the gateway adds them up."""
    total = np.zeros(len(values))
    for feature, at, low, high, value in trees:
        columns = [np.array(part) for part in (feature, at, low, high, value)]
        node = np.full(len(values), 0 if feature else -1)
        while (inner := np.flatnonzero(node >= 0)).size:
            here = node[inner]
            goes_low = values[inner, columns[0][here]] <= columns[1][here]
            node[inner] = np.where(goes_low, columns[2][here], columns[3][here])
        total += columns[4][~node]
    return total


def unseen_log_odds(place: str, taught: Lesson) -> Floats:
    """Log-odds of every example by trees that have learned from other people only."""
    fold, usable = fold_of(taught.all.person), is_learned(taught)
    found = np.zeros(len(fold))
    for number in range(FOLDS):
        learn = usable & (fold != number)
        found[fold == number] = walk(grow(place, taught.all.values[learn], taught.all.label[learn]), taught.all.values[fold == number])
    return found


def choose_threshold(place: str, taught: Lesson, log_odds: Floats, among: NDArray[np.bool_] | None = None) -> float:
    """The lowest threshold at which the share of other trials without alarm is as the recipe asks, over all groups, `among` these examples.

    `log_odds` are of people unseen. Rounded up to a tenth.
    """
    is_judged = np.array([variant == JUDGED for _, variant in taught.jobs])[taught.job] & taught.all.is_sent
    if among is not None:
        is_judged &= among
    worst: dict[tuple[int, int], float] = {}
    for at in np.flatnonzero(is_judged & (taught.all.label == 0)):
        key = int(taught.job[at]), int(taught.all.trial[at])
        worst[key] = max(worst.get(key, -np.inf), float(log_odds[at]))
    allowed = int((1 - RECIPES[place].specificity) * _other_trials(taught))
    ordered = sorted(worst.values(), reverse=True)
    return float(np.ceil(10 * ordered[allowed]) / 10) if allowed < len(ordered) else 0.0


def _other_trials(taught: Lesson) -> int:
    groups = dict.fromkeys(group for group, _ in taught.jobs)
    return sum(not trial.is_fall for group in groups for trial in recordings.read(group))


def train() -> dict[str, object]:
    """What is written into the file."""
    learned: dict[str, object] = {}
    for place in recordings.GROUPS:
        taught = lesson(place)
        threshold = choose_threshold(place, taught, unseen_log_odds(place, taught))
        usable = is_learned(taught)
        learned[place] = {"threshold": threshold, "trees": grow(place, taught.all.values[usable], taught.all.label[usable])}
    about = {"recordings": recordings.GROUPS, "made_by": "make train-fall", "meaning": "gateway/fall_model.py"}
    return {"about": about, "features": names(), **learned}


def main() -> int:
    """Train and write. Returns 0; 1 where the recordings are absent."""
    if reason := recordings.missing():
        print(f"Nothing is trained: {reason}")
        return 1
    FILE.write_text(
        json.dumps(train(), separators=(",", ":")).replace('"trees":[', '"trees":[\n').replace("]],[[", "]],\n[[") + "\n", "utf-8"
    )
    print(f"{FILE} has {FILE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
