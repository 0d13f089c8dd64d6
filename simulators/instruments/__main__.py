"""`python -m simulators instruments FOLDER [TYPE ...]`: simulated devices under FOLDER/TYPE, until interrupted."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from simulators.instruments import INSTRUMENTS
from simulators.instruments.bench import Bench


def main(argv: list[str]) -> int:
    """Keep the devices going. Returns 0 when interrupted or terminated."""
    what = "Simulated serial devices, each on a pseudo terminal."
    parser = argparse.ArgumentParser(prog="python -m simulators instruments", description=what)
    parser.add_argument("folder", type=Path, help="where their ports appear")
    parser.add_argument("type", nargs="*", help=f"of {', '.join(INSTRUMENTS)}; default: all")
    arguments = parser.parse_args(argv)
    if unknown := [name for name in arguments.type if name not in INSTRUMENTS]:
        parser.error(f"no device is called {unknown[0]}; there are {', '.join(INSTRUMENTS)}")
    with Bench() as bench:
        for name in arguments.type or INSTRUMENTS:
            print(bench.attach(arguments.folder / name, INSTRUMENTS[name]()).link, flush=True)
        _wait()
    return 0


def _wait() -> None:
    """Until somebody says so; the threads of the bench go on meanwhile."""
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    is_over.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
