"""`python -m benchmarks [PART ...]`: run all parts or the named ones, print a table, write JSON with --report."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import devices, fuzz, ingest, outbox

Part = Callable[[float], dict[str, float]]
PARTS: dict[str, Part] = {"devices": devices.measure, "fuzz": fuzz.measure, "ingest": ingest.measure, "outbox": outbox.measure}
"""Name of a part: measure(seconds) -> figures by name, units last."""


def main(argv: list[str] | None = None) -> int:
    """Run the parts. Returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measurements, each beside the limit of the same run.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.part if name not in PARTS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures = {name: PARTS[name](arguments.seconds) for name in arguments.part or PARTS}
    for name, rows in figures.items():
        for figure, value in rows.items():
            print(f"{name:<8} {figure:<28} {value:>14,.2f}")
    if arguments.report:
        arguments.report.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
