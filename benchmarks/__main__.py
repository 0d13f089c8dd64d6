"""`python -m benchmarks [PART ...]`: run all parts or the named ones, print a table, write JSON with --report.

`python -m benchmarks routing FILE...` is a command of its own: see benchmarks/routing/run.py.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import (
    accepts,
    alarms,
    back_test,
    cases,
    console,
    days,
    devices,
    dom,
    drain,
    falls,
    fuzz,
    ingest,
    kills,
    outbox,
    rules,
    storage,
)  # fmt: skip
from benchmarks.peers import run as peers
from benchmarks.routing import run as routing

Part = Callable[[float], dict[str, float]]
PARTS: dict[str, Part] = {
    "accepts": accepts.measure,
    "alarms": alarms.measure,
    "back_test": back_test.measure,
    "cases": cases.measure,
    "console": console.measure,
    "days": days.measure,
    "devices": devices.measure,
    "dom": dom.measure,
    "drain": drain.measure,
    "falls": falls.measure,
    "fuzz": fuzz.measure,
    "ingest": ingest.measure,
    "kills": kills.measure,
    "outbox": outbox.measure,
    "peers": peers.measure,
    "routing": routing.measure,
    "rules": rules.measure,
    "storage": storage.measure,
}
"""Name of a part: measure(seconds) -> figures by name, units last."""


def main(argv: list[str] | None = None) -> int:
    """Run the parts. Returns 0."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["routing"]:
        return routing.main(words[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measurements, each beside the limit of the same run.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    arguments = parser.parse_args(words)
    unknown = [name for name in arguments.part if name not in PARTS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures = {name: PARTS[name](arguments.seconds) for name in arguments.part or PARTS}
    for name, rows in figures.items():
        width = max(28, *map(len, rows))
        for figure, value in rows.items():
            print(f"{name:<8} {figure:<{width}} {value:>14,.2f}")
    if arguments.report:
        arguments.report.write_text(json.dumps({"about": about(arguments.seconds), **figures}, indent=2) + "\n", "utf-8")
    return 0


def about(seconds: float) -> dict[str, str]:
    """Where, when and how long it was measured."""
    memory_gib = psutil.virtual_memory().total / 2**30
    parts = f"{os.cpu_count()} cores ({_processor()})", f"{memory_gib:.0f} GiB", platform.system(), f"Python {platform.python_version()}"
    return {
        "machine": ", ".join(parts),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": f"{seconds:g}",
    }


def _processor() -> str:
    """Its name, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
