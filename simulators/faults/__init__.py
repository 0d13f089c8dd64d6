"""`python -m simulators faults`: the proof that no event or reading a gateway accepted is lost or counted twice.

Real processes, faults from a seed, and at the end a comparison of what was sent with what is in the database. Exit code 0: everything that
was promised was kept; 1: it was not, or it took too long; 2: the harness could not run.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from simulators.child_process import ServerError
from simulators.faults.plan import BOXED, WORDS, Kind
from simulators.faults.report import Outcome, as_json, as_table
from simulators.faults.run import Run, Stopped
from simulators.keeper import ProgramError, stop_on_signals
from simulators.servers import Database

EXIT_LOST = 1
EXIT_CANNOT = 2


def main(argv: Sequence[str], *, before_comparison: Callable[[str], None] | None = None) -> int:
    """Run the harness. Returns the exit code. `before_comparison` gets the database's address when all is quiet: for trying the harness."""
    wanted = _parser().parse_args(argv)
    stopping = threading.Event()
    if threading.current_thread() is threading.main_thread():
        stop_on_signals(stopping)
    folder = Path(tempfile.mkdtemp(prefix="jiahu-faults-"))
    database = Database(binaries=wanted.binaries, preload=wanted.preload)
    run = Run(folder, database, seed=wanted.seed, homes=wanted.homes, stopping=stopping)
    code = EXIT_LOST
    try:
        outcome = run.play(wanted.seconds, wanted.only or list(Kind), before_comparison)
        code = _tell(outcome, wanted.report)
    except (ProgramError, ServerError, OSError) as error:
        is_late = isinstance(error, TimeoutError)
        print(f"faults: {error}; seed {wanted.seed}", file=sys.stderr)
        code = EXIT_LOST if is_late else EXIT_CANNOT
    except Stopped:
        print("faults: stopped before the end, nothing is proved", file=sys.stderr)
        code = EXIT_CANNOT
    finally:
        run.stop()
        _clear_up(folder, is_kept=wanted.keep or code == EXIT_LOST)
    return code


def _tell(outcome: Outcome, file: Path | None) -> int:
    print(f"\n{as_table(outcome)}", flush=True)
    if file is not None:
        file.write_text(json.dumps(as_json(outcome), ensure_ascii=False, indent=2) + "\n", "utf-8")
    return EXIT_LOST if outcome.failures else 0


def _clear_up(folder: Path, *, is_kept: bool) -> None:
    if is_kept:
        print(f"logs and outboxes stay in {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    kinds = "\n".join(f"  {kind:<20} {WORDS[kind]}{' (needs a C compiler)' if kind in BOXED else ''}" for kind in Kind)
    parser = argparse.ArgumentParser(
        prog="python -m simulators faults",
        description="Break everything that can break, and prove that nothing was lost.",
        epilog=f"faults:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="chooses schedule, targets and parameters; default: 1")
    parser.add_argument("--seconds", type=_seconds, default=60.0, help="how long faults are injected; default: 60")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--homes", type=int, choices=range(1, 13), default=4, metavar="N", help="1..12 homes; default: 4")
    parser.add_argument("--only", type=Kind, nargs="+", metavar="KIND", help="only these faults; default: all")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs and outboxes; it is kept when something was lost")
    parser.add_argument("--binaries", type=Path, metavar="DIR", help="directory of initdb and postgres; default: the embedded ones")
    parser.add_argument("--preload", default="", metavar="LIBRARY", help="library that PostgreSQL loads at start, such as timescaledb")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 86_400:
        raise ValueError("from a second to a day")
    return seconds
