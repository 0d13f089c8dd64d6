"""Stands in for rtl_433 as a child process: prints the lines that a file gains, as the receiver prints what it hears.

    python -m simulators.instruments.rtl433 FILE

A line `die` ends it with code 3, as a receiver does whose stick is pulled out; started again, it goes on behind that line. Without FILE it
cannot even start. `press` makes lines of a pendant's press.
"""

import json
import sys
import time
from pathlib import Path

POLL_S = 0.02
TIMES = 5
DIED = 3
DEATH = "die\n"


def press(model: str, number: str | int, code: str) -> str:
    """The lines of one press: what rtl_433 prints for a sender that it knows only by its code."""
    return TIMES * (json.dumps({"model": model, "id": number, "code": code}) + "\n")


def door(number: str, *, is_open: bool) -> str:
    """The lines of an X10 contact that opens or closes."""
    event = "DS10A DOOR/WINDOW " + ("OPEN" if is_open else "CLOSED")
    said = {"model": "X10-Security", "id": number, "code": "05" if is_open else "85", "event": event, "battery_ok": 1}
    return TIMES * (json.dumps(said) + "\n")


def main(argv: list[str]) -> int:
    """Print what the file gains until it says `die`."""
    path = Path(argv[0])
    if not path.exists():
        return DIED
    with path.open(encoding="utf-8") as air:
        air.seek(path.read_text("utf-8").rfind(DEATH) + len(DEATH) if DEATH in path.read_text("utf-8") else 0)
        while True:
            line = air.readline()
            if line.strip() == "die":
                return DIED
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
