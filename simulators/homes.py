"""`python -m simulators homes SCENARIO`: the pseudo terminals of a scenario's homes and its time line, for gateways that run elsewhere."""

import argparse
import signal
import sys
import tempfile
import threading
from datetime import datetime
from pathlib import Path

from simulators.fleet import Fleet, HomeError
from simulators.scenario import ScenarioError, Step, find_scenario, load_scenario


def main(argv: list[str]) -> int:
    """Run the subcommand until interrupted. Returns the exit code; a bad scenario is one line on stderr and 1."""
    arguments = _parser().parse_args(argv)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        fleet = Fleet(load_scenario(find_scenario(arguments.scenario)), arguments.run_dir or Path(tempfile.mkdtemp(prefix="jiahu-homes-")))
        fleet.start()
    except (ScenarioError, OSError) as error:
        print(f"homes: {error}", file=sys.stderr)
        return 1
    try:
        _print_ports(fleet)
        fleet.play(stopping, _print_step)
        stopping.wait()
    finally:
        fleet.stop()
    return 0


def _print_ports(fleet: Fleet) -> None:
    for name, home in fleet.homes.items():
        wearable = "C firmware" if home.is_firmware else "Python wearable"
        print(f"{name}  {wearable}  " + "  ".join(f"{port}: {link}" for port, link in home.links.items()))
    print("steps follow; Ctrl-C ends", flush=True)


def _print_step(step: Step, outcome: datetime | HomeError) -> None:
    when = f"not done: {outcome}" if isinstance(outcome, HomeError) else outcome.isoformat(timespec="milliseconds")
    print(f"{step.at_s:7.1f} s  {step.home}  {step.action.do}  {when}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators homes", description="Only the homes of a scenario, on pseudo terminals.")
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario file, or the name of a shipped one: demo_street")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="where to put the ports; default: a new folder for temporary files")
    return parser
