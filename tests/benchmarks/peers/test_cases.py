"""Our gateway on the bench, for seconds only: that it is really measured, and loses nothing. Speed is judged by `make bench`."""

import pytest

from benchmarks.peers import cases
from benchmarks.peers.gateways import Jiahu
from benchmarks.peers.surroundings import CutDisk, mosquitto

pytestmark = pytest.mark.system

SETTLE_S = 0.5


@pytest.fixture(scope="module")
def ours() -> Jiahu:
    return Jiahu(protocol="5" if mosquitto() else "3.1.1")


def test_a_steady_load_arrives_whole(ours: Jiahu) -> None:
    figures = cases.steady(ours, 2, rate=100, settle_s=SETTLE_S)
    assert figures["lost"] == figures["sos_lost"] == 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] < cases.QUIET_S * 1000
    assert figures["rss_idle_mib"] > 10


def test_a_killed_gateway_loses_nothing_that_it_had_accepted(ours: Jiahu) -> None:
    figures = cases.killed(ours, 2, is_cut=True, settle_s=SETTLE_S)
    assert figures["accepted"] > 0
    assert figures["sos_accepted"] > 0
    assert figures["sos_lost"] == 0


def test_an_outage_loses_nothing_and_urgent_events_come_out_of_it_first(ours: Jiahu) -> None:
    figures = cases.outage(ours, 3, settle_s=SETTLE_S)
    assert figures["lost"] == figures["sos_lost"] == 0
    assert figures["accepted"] > 2 * cases.RATE  # all of 3 s, unless others keep the load from its beat
    assert figures["drain_readings_per_s"] > 0


@pytest.mark.skipif(not CutDisk.is_possible(), reason="a disk of its own needs root")
def test_a_power_cut_leaves_what_was_acknowledged(ours: Jiahu) -> None:
    figures = cases.power_cut(ours, 2, settle_s=SETTLE_S)
    assert figures["sos_accepted"] > 0
    assert figures["sos_lost"] == 0
