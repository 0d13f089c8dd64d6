"""All cases for ours, then for the peer where it can be installed; figures by `gateway case figure`."""

from collections.abc import Callable

from benchmarks.peers import cases
from benchmarks.peers.cases import Figures
from benchmarks.peers.gateways import Gateway, Jiahu, PeerMissing, ThingsBoard, install_peer
from benchmarks.peers.surroundings import CutDisk, mosquitto

Case = Callable[[Gateway, float], Figures]
LONG = 3.0
"""The longer outage takes so many times the seconds asked for: 15 s and 45 s, as a router that starts anew takes."""
CASES: dict[str, Case] = {
    "steady": cases.steady,
    "capacity": cases.capacity,
    "kill": lambda gateway, seconds: cases.killed(gateway, seconds, is_cut=False),
    "kill_offline": lambda gateway, seconds: cases.killed(gateway, seconds, is_cut=True),
    "outage": cases.outage,
    "outage_long": lambda gateway, seconds: cases.outage(gateway, LONG * seconds),
    "broker_restart": cases.broker_restart,
    "power_cut": lambda gateway, seconds: cases.power_cut(gateway, LONG * seconds),
}


def measure(seconds: float) -> dict[str, float]:
    """Every figure of both gateways. Says what it leaves out, and why."""
    figures: dict[str, float] = {}
    for gateway in _gateways():
        for name, case in _possible_cases().items():
            print(f"peers: {gateway.name} {name}", flush=True)
            figures |= {f"{gateway.name} {name} {figure}": float(value) for figure, value in case(gateway, seconds).items()}
    return figures


def _gateways() -> list[Gateway]:
    if mosquitto() is None:
        print("peers: Mosquitto is not installed: only ours is measured, with the broker from the package index")
        return [Jiahu(protocol="3.1.1")]
    try:
        return [Jiahu(), ThingsBoard(install_peer())]
    except PeerMissing as error:
        print(f"peers: only ours is measured: {error}")
        return [Jiahu()]


def _possible_cases() -> dict[str, Case]:
    if CutDisk.is_possible():
        return CASES
    print("peers: the power cut is left out: it needs root, to mount a disk of its own")
    return {name: case for name, case in CASES.items() if name != "power_cut"}
