"""What is measured of a gateway: speed, overload, and loss by kill -9, outage and power cut. Each returns figures by name, units last.

Loss counts what had been accepted GRACE_S before the fault: the peer's sensor broker had acknowledged it; our serial line, which cannot
acknowledge, had carried it. An SOS is ours only once the gateway has acknowledged it, and then no grace is given.
"""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.peers.bench import Bench
from benchmarks.peers.gateways import Gateway
from benchmarks.peers.ledger import percentile
from benchmarks.peers.load import Phase

Figures = dict[str, float]

RATE = 300.0
LADDER = (500, 700, 1_000, 1_400, 2_000, 2_800, 4_000, 5_600, 8_000, 11_000, 16_000)
"""Messages a second, offered one after the other until one is too much."""
P99_MAX_S = 1.0
PAUSE_S = 1.5
GRACE_S = 0.05
SETTLE_S = 5.0
"""The peer says nothing of when its connectors are ready; both are given as long."""
QUIET_S = 8.0
RETURN_S = 130.0
"""The peer doubles its wait between attempts to connect, up to two minutes."""
VALUES = 3


def steady(gateway: Gateway, seconds: float, rate: float = RATE, settle_s: float = SETTLE_S) -> Figures:
    """A load far below the limit: latency, processor time, memory."""
    with Bench(gateway, [Phase(rate=rate, seconds=seconds)], settle_s=settle_s) as bench:
        bench.begin()
        bench.watch(lambda: False, seconds)
        bench.drain(QUIET_S, RETURN_S)
        latencies_s = bench.ledger.latencies_s()
        figures = {
            "p50_ms": percentile(latencies_s, 0.5) * 1000,
            "p99_ms": percentile(latencies_s, 0.99) * 1000,
            "cpu_ms_per_message": bench.cpu_s * 1000 / max(bench.ledger.received, 1),
            "rss_idle_mib": bench.memory.idle_mib,
            "rss_peak_mib": bench.memory.peak_mib,
            "lost": len(bench.ledger.lost()),
            "duplicates": bench.ledger.duplicates,
        }
        return figures | _events(bench) | {"line_lost": bench.end_load()}


def _events(bench: Bench) -> Figures:
    """How long an SOS took to the cloud, and to its acknowledgement at the device."""
    if bench.events is None:
        return {}
    events = bench.events
    waits_s = np.sort((events.accepted_s - events.sent_s)[events.accepted_s > 0])
    return {
        "sos_p99_ms": percentile(events.latencies_s(), 0.99) * 1000,
        "sos_acknowledged_p99_ms": percentile(waits_s, 0.99) * 1000,
        "sos_lost": len(events.lost()),
    }


class Step(NamedTuple):
    """A step of the ladder: its rate and the numbers of its messages."""

    rate: float
    first: int
    last: int


def capacity(gateway: Gateway, seconds: float) -> Figures:
    """Up the ladder for as long as 99 % arrive within a second, then twice the highest rate that did."""
    highest = _highest(gateway, max(seconds / 3, 2.0))
    if not highest:
        return {"sustained_per_s": 0.0}
    return {"sustained_per_s": highest} | _overload(gateway, 2 * highest, seconds)


def _highest(gateway: Gateway, step_s: float) -> float:
    phases = [phase for rate in LADDER for phase in (Phase(rate=rate, seconds=step_s), Phase(rate=0, seconds=PAUSE_S))]
    highest = 0.0
    with Bench(gateway, phases, settle_s=SETTLE_S) as bench:
        begin_s = bench.begin()
        for number, step in enumerate(_steps(phases)):
            end_s = begin_s + (number + 1) * (step_s + PAUSE_S)
            bench.watch(lambda: False, end_s - time.monotonic())
            if percentile(bench.ledger.latencies_s(step.first, step.last), 0.99) > P99_MAX_S:
                break
            highest = step.rate
        bench.stop_load()
    return highest


def _steps(phases: Sequence[Phase]) -> list[Step]:
    ends = np.cumsum([0] + [phase.count for phase in phases]).tolist()
    return [Step(phase.rate, first, last) for phase, (first, last) in zip(phases, pairwise(ends), strict=True) if phase.rate]


def _overload(gateway: Gateway, rate: float, seconds: float) -> Figures:
    with Bench(gateway, [Phase(rate=rate, seconds=seconds)], settle_s=SETTLE_S) as bench:
        begin_s = bench.begin()
        bench.watch(lambda: False, seconds)
        received_s = bench.ledger.received_s
        came = np.count_nonzero((received_s > 0) & (received_s <= begin_s + seconds))
        figures = {
            "overload_offered_per_s": rate,
            "overload_received_per_s": came / seconds,
            "overload_rss_growth_mib": bench.memory.peak_mib - bench.memory.idle_mib,
        }
        bench.drain(QUIET_S, RETURN_S)
        return figures | {f"overload_{name}": value for name, value in _events(bench).items()}


def killed(gateway: Gateway, seconds: float, *, is_cut: bool, settle_s: float = SETTLE_S) -> Figures:
    """`kill -9` under load, with the cloud there or away since the load began; then a new start, the cloud there."""
    with Bench(gateway, [Phase(rate=RATE, seconds=seconds + 5)], can_cut=is_cut, settle_s=settle_s) as bench:
        if bench.network:
            bench.network.cut()
        bench.begin()
        bench.watch(lambda: False, seconds)
        fault_s = time.monotonic()
        bench.process.kill()
        bench.stop_load()
        if bench.network:
            bench.network.restore()
        bench.start()
        bench.drain(QUIET_S, RETURN_S)
        return _loss(bench, fault_s)


def _loss(bench: Bench, fault_s: float) -> Figures:
    """`tail_ms`: how long before the fault the oldest lost message was accepted."""
    lost_s = bench.ledger.lost(fault_s)
    figures: Figures = {
        "accepted": float(np.count_nonzero((bench.ledger.accepted_s > 0) & (bench.ledger.accepted_s < fault_s - GRACE_S))),
        "lost": len(bench.ledger.lost(fault_s - GRACE_S)),
        "tail_ms": (fault_s - lost_s.min()) * 1000 if len(lost_s) else 0.0,
        "duplicates": bench.ledger.duplicates,
    }
    if bench.events is not None:
        figures |= {"sos_accepted": bench.events.accepted, "sos_lost": len(bench.events.lost(fault_s))}
    return figures


def outage(gateway: Gateway, seconds: float, settle_s: float = SETTLE_S) -> Figures:
    """The network is away while the load runs: what is lost, how soon and how fast the rest comes, and what memory it leaves behind."""
    with Bench(gateway, [Phase(rate=RATE, seconds=seconds)], can_cut=True, settle_s=settle_s) as bench:
        assert bench.network is not None
        bench.network.cut()
        bench.begin()
        bench.watch(lambda: False, seconds + 0.5)
        back_s = time.monotonic()
        bench.network.restore()
        bench.watch(lambda: bench.ledger.received > 0, RETURN_S)
        bench.drain(QUIET_S, RETURN_S)
        figures = _return(bench, back_s)
        bench.watch(lambda: False, settle_s)
        return figures | {
            "rss_growth_peak_mib": bench.memory.peak_mib - bench.memory.idle_mib,
            "rss_growth_after_mib": bench.process.rss_mib - bench.memory.idle_mib,
            "line_lost": bench.end_load(),
        }


def broker_restart(gateway: Gateway, seconds: float, settle_s: float = SETTLE_S) -> Figures:
    """The cloud's broker ends and starts anew under load; gateway and cloud find it again, in whatever order."""
    with Bench(gateway, [Phase(rate=RATE, seconds=2 * seconds)], settle_s=settle_s) as bench:
        begin_s = bench.begin()
        bench.watch(lambda: False, seconds / 2)
        bench.broker.stop()
        before = bench.ledger.received
        bench.watch(lambda: False, seconds / 2)
        back_s = time.monotonic()
        bench.broker.start()
        bench.watch(lambda: bench.ledger.received > before, RETURN_S)
        first_s = time.monotonic() - back_s
        bench.watch(lambda: False, begin_s + 2 * seconds - time.monotonic())
        bench.drain(QUIET_S, RETURN_S)
        return {
            "first_s": first_s,
            "accepted": bench.ledger.accepted,
            "lost": len(bench.ledger.lost()),
            "duplicates": bench.ledger.duplicates,
        }


def _return(bench: Bench, back_s: float) -> Figures:
    received_s = bench.ledger.received_s[bench.ledger.received_s > 0]
    figures: Figures = {"accepted": bench.ledger.accepted, "lost": len(bench.ledger.lost()), "duplicates": bench.ledger.duplicates}
    if not len(received_s):
        return figures
    first_s, span_s = received_s.min() - back_s, max(received_s.max() - received_s.min(), 0.001)
    figures |= {"first_s": first_s, "drain_readings_per_s": len(received_s) * VALUES / span_s}
    if bench.events is not None and bench.events.received:
        figures |= {"sos_last_s": bench.events.received_s.max() - back_s, "sos_lost": len(bench.events.lost())}
    return figures


def power_cut(gateway: Gateway, seconds: float, settle_s: float = SETTLE_S) -> Figures:
    """The power fails while the network is away: what is on the disk then is all there is."""
    with Bench(gateway, [Phase(rate=RATE, seconds=seconds + 5)], can_cut=True, disk=True, settle_s=settle_s) as bench:
        assert bench.network is not None and bench.disk is not None
        bench.network.cut()
        bench.begin()
        bench.watch(lambda: False, seconds)
        fault_s = time.monotonic()
        left = bench.disk.copy()
        bench.process.kill()
        bench.stop_load()
        bench.disk.become(left)
        bench.network.restore()
        bench.start()
        bench.drain(QUIET_S, RETURN_S)
        return _loss(bench, fault_s)
