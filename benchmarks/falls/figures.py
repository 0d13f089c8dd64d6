"""Sensitivity, specificity and false alarms of the second stage on people it has never seen, beside the classic thresholds.

Leave-subjects-out: six folds of people; trees and threshold of a fold come from the other five. Scored by the shared scorer's protocol,
trial for trial; the first stage is the wearable's.
"""

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.falls import recordings
from benchmarks.falls.examples import Examples
from benchmarks.falls.recordings import Trial
from benchmarks.falls.training import FOLDS, JUDGED, Lesson, choose_threshold, fold_of, lesson, unseen_log_odds

SCORER = recordings.FOLDER.parents[1] / "tools" / "score_falls.py"
JUDGED_AS = (JUDGED, "25hz", "4g")
REFERENCE = {
    "sisfall_waist": {"lr": (98.0, 98.3, 2.4), "hgb": (98.3, 98.9, 3.7)},
    "umafall_waist": {"hgb": (96.8, 99.2, None)},
    "umafall_chest": {"hgb": (98.2, 98.3, None)},
    "umafall_wrist": {"hgb": (96.4, 92.1, None)},
    "weda_wrist": {"hgb": (100.0, 93.3, None)},
}
"""What logistic regression (lr) and boosted trees (hgb) of 30 accelerometer features reached on other people of the same sets,
measured by us: sensitivity, specificity, %; false alarms per elder-day, estimated."""

Claims = NDArray[np.bool_]
THRESHOLDS: dict[str, Callable[[Examples], Claims]] = {
    "bourke": lambda one: one.peak_g > 3.5,
    "kangas": lambda one: (one.peak_g > 2.2) & ~(one.turn_deg <= 35),
}


def measure(_seconds: float) -> dict[str, float]:
    """Figures by name; none, and a line that says why, where the recordings or the trainer are absent."""
    reason = recordings.missing() or (None if SCORER.exists() else f"{SCORER} is not there")
    if reason:
        print(f"falls    nothing is measured: {reason}")
        return {}
    scorer = _load_scorer()
    figures: dict[str, float] = {}
    for place, groups in recordings.GROUPS.items():
        taught = lesson(place, JUDGED_AS)
        claims = claims_of_unseen(place, taught)
        for group in groups:
            for variant in JUDGED_AS:
                figures |= _figures(scorer, taught, group, variant, claims, "" if variant == JUDGED else f"_{variant}")
            for name, threshold in THRESHOLDS.items():
                figures |= _figures(scorer, taught, group, JUDGED, threshold(taught.all), f"_{name}")
            figures |= _reference(group)
    return figures


def claims_of_unseen(place: str, taught: Lesson) -> Claims:
    """Which examples are falls, by trees and thresholds made from other people."""
    log_odds, fold = unseen_log_odds(place, taught), fold_of(taught.all.person)
    claims = np.zeros(len(fold), bool)
    for number in range(FOLDS):
        threshold = choose_threshold(place, taught, log_odds, fold != number)
        claims |= (fold == number) & (log_odds >= threshold)
    return claims & taught.all.is_sent


def _figures(scorer: ModuleType, taught: Lesson, group: str, variant: str, claims: Claims, suffix: str) -> dict[str, float]:
    rows = score(scorer, taught, group, variant, claims)
    told = scorer.summarise(group, rows, 0.0)
    name = f"{'_'.join(group.split('_')[:2])}{suffix}"
    found = {f"{name}_specificity_percent": 100 * told["specificity"], f"{name}_false_alarms_per_hour": told["fa_per_hour"]}
    if told["falls"]:
        found = {f"{name}_sensitivity_percent": 100 * told["sensitivity"]} | found
    if told["day"]:
        found[f"{name}_false_alarms_per_elder_day"] = told["day"]["per_day"]
    if told["latency_p95"] is not None and not suffix:
        found[f"{name}_latency_p95_s"] = told["latency_p95"]
    return found


def score(scorer: ModuleType, taught: Lesson, group: str, variant: str, claims: Claims) -> list[dict[str, Any]]:
    """A row per trial, as `summarise` of the scorer takes them."""
    job = taught.jobs.index((group, variant))
    mine = np.flatnonzero((taught.job == job) & claims)
    times: dict[int, list[float]] = {}
    for at in mine:
        times.setdefault(int(taught.all.trial[at]), []).append(float(taught.all.decided_s[at]))
    return [_scored(scorer, trial, times.get(number, [])) for number, trial in enumerate(recordings.read(group))]


def _scored(scorer: ModuleType, trial: Trial, times: list[float]) -> dict[str, Any]:
    asked = {"lead": 0.0, "fall": trial.is_fall, "t_ref": trial.impact_s, "dur": trial.duration_s}
    about = {"activity": trial.activity, "subject": trial.person, "elder": trial.is_elder, "fall": trial.is_fall, "trial": trial.name}
    return scorer.score_trial(asked, times) | about | {"source": trial.person.partition(":")[0]}


def _reference(group: str) -> dict[str, float]:
    name = "_".join(group.split("_")[:2])
    kinds = ("sensitivity_percent", "specificity_percent", "false_alarms_per_elder_day")
    return {
        f"{name}_reference_{model}_{kind}": value
        for model, figures in REFERENCE.get(name, {}).items()
        for kind, value in zip(kinds, figures, strict=True)
        if value is not None
    }


def _load_scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_falls", SCORER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
