"""Night and day activity of real homes, through the gateway's count and the shipped rules: how often each would ask for attention.

The recordings (TIHM, Palermo et al., Sci Data 2023: homes of people with dementia) are not part of the project; see
../shared/data/vitals/README.txt. Their clocks are taken for the homes' own.
"""

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.rules import form
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import Verdict, to_us
from contract.quantities import QuantityName
from gateway.daily import DailyActivity, Told

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "vitals" / "tihm_activity.csv.gz"
STEP = timedelta(minutes=30)
DAYS_PER_MONTH = 30


@pytest.fixture(scope="module")
def homes() -> list[list[Told]]:
    """What each home would have told."""
    if not RECORDED.exists():
        pytest.skip(f"no recordings at {RECORDED}")
    seen: dict[str, list[datetime]] = defaultdict(list)
    with gzip.open(RECORDED, "rt") as file:
        for row in csv.DictReader(file):
            seen[row["patient_id"]].append(datetime.fromisoformat(row["date_time"]).replace(tzinfo=UTC))
    return [_told(sorted(times)) for times in seen.values()]


def _told(times: list[datetime]) -> list[Told]:
    watch, now, told = DailyActivity(times[0]), times[0], list[Told]()
    for at in times:
        while at - now > STEP:
            now += STEP
            told += watch.tick(now)
        told += watch.note(at)
        now = at
    return told


@pytest.mark.parametrize(
    ("rule_id", "quantity", "per_month"),
    [("night_activity_up", QuantityName.ACTIVE_NIGHT, (0.2, 1.0)), ("day_activity_down", QuantityName.ACTIVE_DAY, (0.5, 2.0))],
)
def test_a_home_is_brought_to_attention_as_often_as_the_rule_says(
    homes: list[list[Told]], rule_id: str, quantity: QuantityName, per_month: tuple[float, float]
) -> None:
    rule = form.shipped()[rule_id]
    assert isinstance(rule, TrendRule)
    days, breaches = 0, 0
    for told in homes:
        machine = rule.machine()
        for one in told:
            if one.quantity is quantity:
                machine.step(to_us(one.at), one.hours)
                days += machine.verdict is not Verdict.UNKNOWN
                breaches += machine.breaches is not None
    rate = breaches / days * DAYS_PER_MONTH
    print(f"{rule_id}: {breaches} days of {days} in {len(homes)} homes, {rate:.2f} a month and person")
    assert days > 1000
    assert per_month[0] < rate < per_month[1]
