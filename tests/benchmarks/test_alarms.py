"""A press, a hold and a back-fill of a few homes; `python -m benchmarks alarms` takes hundreds, and silences too."""

import pytest

from benchmarks import alarms
from simulators.servers import BrokerKind, installed_brokers

pytestmark = pytest.mark.system


@pytest.mark.skipif(BrokerKind.MOSQUITTO not in installed_brokers(), reason="needs Mosquitto: apt install mosquitto")
def test_alarms_are_there_in_time_and_a_return_of_homes_calls_nobody_for_what_is_old() -> None:
    with alarms.chain(12) as backend:
        found = alarms.urgent(backend, [0, 1, 2]) | alarms.held(backend, [3, 4])
        found |= alarms.backfill(backend, [5, 6, 7, 8], [9, 10, 11], alone_s=0.5)
    assert found["urgent_max_ms"] < 5_000 and found["held_max_ms"] < 5_000, "bounds for a machine that does other things too"
    assert (found["backfill_pages"], found["backfill_alerts_of_an_elder_and_rule_max"]) == (0, 1)
    assert (found["backfill_calls_for_help"], found["backfill_calls_for_help_not_a_work_item"]) == (6, 0)
