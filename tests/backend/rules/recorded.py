"""Real recordings beside the project, where there are any, as series for the rules that look at them."""

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backend.rules import form
from backend.rules.model import SECOND
from backend.rules.track import Point
from contract.quantities import QUANTITIES, QuantityName

VITALS = Path(__file__).resolve().parents[4] / "shared" / "data" / "vitals"
"""See README.txt there: PhysioNet/CinC Challenge 2012."""
QUANTITY_OF = {
    "HR": QuantityName.HEART_RATE,
    "RespRate": QuantityName.RESPIRATION_RATE,
    "Temp": QuantityName.BODY_TEMPERATURE,
    "NISysABP": QuantityName.SYSTOLIC,
    "NIDiasABP": QuantityName.DIASTOLIC,
}
STAYS = 40


def recordings(seed: int) -> Iterator[tuple[Any, list[Point], list[list[Point]]]]:
    """A shipped rule, one stay's series for it, and the same in batches that came in any order, some of them twice."""
    path = VITALS / "icu2012_vitals.csv.gz"
    if not path.exists():
        pytest.skip(f"no recordings at {path}")
    dice = random.Random(seed)
    rules = [rule for rule in form.shipped().values() if rule.kind == "threshold"]
    for (_, quantity), found in _series(path).items():
        points = sorted(found)
        arriving = [*points, *dice.choices(points, k=len(points) // 4)]
        dice.shuffle(arriving)
        edges = sorted({0, len(arriving), *(dice.randrange(len(arriving)) for _ in range(len(arriving) // 3))})
        for rule in rules:
            if rule.quantity == quantity:
                yield rule, points, [arriving[begin:end] for begin, end in pairwise(edges)]


def _series(path: Path) -> dict[tuple[str, QuantityName], set[Point]]:
    series: dict[tuple[str, QuantityName], set[Point]] = defaultdict(set)
    stays: set[str] = set()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            stays.add(row["record_id"])
            if len(stays) > STAYS:
                break
            quantity = QUANTITY_OF.get(row["param"])
            if quantity is not None and QUANTITIES[quantity].is_plausible(float(row["value"])):
                series[row["record_id"], quantity].add((int(row["minute"]) * 60 * SECOND, float(row["value"])))
    return series
