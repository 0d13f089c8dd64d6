"""Three kills of ingest and worker in a stream; `python -m benchmarks kills` does a hundred."""

import pytest

from benchmarks import kills
from simulators.servers import BrokerKind, installed_brokers

pytestmark = pytest.mark.system


@pytest.mark.skipif(BrokerKind.MOSQUITTO not in installed_brokers(), reason="needs Mosquitto: apt install mosquitto")
def test_what_rules_say_of_a_stream_is_the_same_whoever_is_killed_in_it() -> None:
    found = kills.compare(kills=3, seed=7)
    assert found["kills"] == 3 and found["episodes"] >= 4
    assert (found["episodes_differ"], found["alerts_differ"], found["calls_for_help_without_alert"]) == (0, 0, 0)
