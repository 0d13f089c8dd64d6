"""python -m backend rules test | replay | news2: what needs no database. Output is for people and for programs that read lines."""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from backend.errors import BadInput
from backend.rules import form, news2
from backend.rules.cases import try_case
from backend.rules.model import EVENT_ALIASES, QUANTITY_ALIASES, SECOND, InternalEvent, to_us
from backend.rules.replay import Row, replay_all
from contract.events import EventKind
from contract.quantities import QuantityName

READING_COLUMNS = ("elder", "quantity", "measured_at", "value", "received_at")
NAMES = frozenset([*QuantityName, *EventKind, *InternalEvent])
NEWS2_COLUMNS = {
    "resp_rate": "respiration",
    "spo2": "spo2",
    "systolic_bp": "systolic",
    "pulse": "pulse",
    "temperature": "temperature",
}
NEWS2_POINTS = {
    "s_resp": "respiration",
    "s_spo2": "spo2",
    "s_oxygen": "oxygen",
    "s_sbp": "systolic",
    "s_pulse": "pulse",
    "s_consc": "consciousness",
    "s_temp": "temperature",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `rules`."""
    parser.add_argument("--config", type=Path, help="backend TOML file, see deploy/backend.example.toml; `store` needs it")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = actions.add_parser("test", help="run the [[case]] blocks of a rule file; exit code 1 when one fails")
    test.add_argument("file", type=Path)
    replay = actions.add_parser("replay", help="play recorded readings to the rules of a file; prints alert intervals as JSON lines")
    replay.add_argument("--rules", type=Path, required=True, help="rule file; `shipped` takes the rules as shipped")
    replay.add_argument(
        "--readings", type=Path, required=True, help=f"CSV with columns {','.join(READING_COLUMNS)}; - reads standard input"
    )
    replay.add_argument("--until", help="instant at which silence is judged last; else that of the last arrival")
    scores = actions.add_parser("news2", help="score a CSV of signs by NEWS2; prints it with the points, the total and the risk")
    scores.add_argument("file", nargs="?", type=Path, default=Path("-"))
    store = actions.add_parser("store", help="store the rules of a TOML file as new versions, in force at once")
    store.add_argument("file", type=Path)


def run(arguments: argparse.Namespace) -> int:
    """Run one of the actions that need no database. Returns the exit code. Raises BadInput."""
    if arguments.action == "test":
        return test(arguments.file)
    if arguments.action == "replay":
        return replay(arguments)
    with _opened(arguments.file) as lines:
        return score(lines)


def test(path: Path) -> int:
    """One line per case: `ok` or `FAILED` with what was expected and what was found. Returns 1 when one failed, or there is none."""
    shipped = form.shipped()
    file = form.read(path, known=shipped)
    rules = shipped | file.rules
    _say(file.notes)
    failed = 0
    for number, case in enumerate(file.cases, start=1):
        outcome = try_case(case, rules)
        failed += bool(outcome.faults)
        faults = f": {'; '.join(outcome.faults)}" if outcome.faults else ""
        print(f"{'FAILED' if faults else 'ok'} {number} {case.rule}: {case.title}{faults}")
    print(f"{len(file.cases)} cases, {failed} failed")
    if not file.cases:
        print(f"{path} has no [[case]] block: nothing was tried")
    return 1 if failed or not file.cases else 0


def replay(arguments: argparse.Namespace) -> int:
    """Print one JSON object per alert interval."""
    shipped = form.shipped()
    is_shipped = str(arguments.rules) == "shipped"
    file = form.RuleFile(shipped) if is_shipped else form.read(arguments.rules, known=shipped)
    _say(file.notes)
    until = instant(arguments.until, "--until") if arguments.until else None
    with _opened(arguments.readings) as lines:
        rows = read_rows(lines, str(arguments.readings))
    for interval in replay_all(file.rules, file.overrides, rows, until=until):
        print(json.dumps(interval.as_json(), ensure_ascii=False))
    return 0


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def read_rows(lines: Iterable[str], name: str) -> dict[str, list[Row]]:
    """Rows by elder. Raises BadInput naming the line. A row without received_at arrived when it was measured."""
    table = csv.DictReader(lines)
    missing = [column for column in READING_COLUMNS[:4] if column not in (table.fieldnames or [])]
    if missing:
        raise BadInput(f"{name}: no column {', '.join(missing)}; the first line must name {','.join(READING_COLUMNS)}")
    found: dict[str, list[Row]] = defaultdict(list)
    for record in table:
        place = f"{name}, line {table.line_num}"
        try:
            found[record["elder"]].append(_row(record, place))
        except (TypeError, ValueError) as error:
            raise BadInput(f"{place}: {error}") from error
    return found


def _row(record: dict[str, Any], place: str) -> Row:
    given = record["quantity"].strip()
    name = QUANTITY_ALIASES.get(given, EVENT_ALIASES.get(given, given))
    if name not in NAMES:
        raise BadInput(f"{place}: {given!r} is neither a quantity nor an event, see docs/contract.md")
    measured_at = instant(record["measured_at"], place)
    received = (record.get("received_at") or "").strip()
    value = (record["value"] or "").strip()
    if not value and name in set(QuantityName):
        raise BadInput(f"{place}: value is empty; leave out a reading that was not taken")
    return Row(instant(received, place) if received else measured_at, measured_at, name, float(value or 1))


def instant(text: str, place: str) -> int:
    """ISO 8601, UTC where it says no zone, or seconds since 1970. Microseconds. Raises BadInput."""
    given = text.strip()
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        try:
            return round(float(given) * SECOND)
        except (ValueError, OverflowError) as error:
            raise BadInput(f"{place}: {given!r} is no instant; write 2026-03-01T03:12:00Z or seconds since 1970") from error
    return to_us(at if at.tzinfo else at.replace(tzinfo=UTC))


def score(lines: Iterable[str]) -> int:
    """Print each row with points, total, risk and label. An empty cell is unknown: then the label says partial."""
    table = csv.DictReader(lines)
    columns = list(table.fieldnames or [])
    if not set(NEWS2_COLUMNS) & set(columns):
        raise BadInput(f"no column of NEWS2: name some of {', '.join([*NEWS2_COLUMNS, 'on_oxygen', 'scale2', 'acvpu'])}")
    inputs = [name for name in columns if name in {*NEWS2_COLUMNS, "on_oxygen", "scale2", "acvpu"}]
    out = csv.DictWriter(sys.stdout, [*inputs, *NEWS2_POINTS, "total", "risk", "label"], lineterminator="\n")
    out.writeheader()
    for record in table:
        try:
            out.writerow({name: record[name] for name in inputs} | _scored(record))
        except (TypeError, ValueError) as error:
            raise BadInput(f"line {table.line_num}: {error}") from error
    return 0


def _scored(record: dict[str, Any]) -> dict[str, Any]:
    cell = {name: (value or "").strip() for name, value in record.items() if isinstance(value, str)}
    signs: dict[Any, float] = {sign: float(cell[name]) for name, sign in NEWS2_COLUMNS.items() if cell.get(name)}
    on_oxygen = _yes(cell["on_oxygen"]) if cell.get("on_oxygen") else None
    scale = 2 if cell.get("scale2") and _yes(cell["scale2"]) else 1
    found = news2.score(signs, on_oxygen=on_oxygen, consciousness=cell.get("acvpu") or None, scale=scale)
    points: dict[str, Any] = {name: found.points.get(sign, "") for name, sign in NEWS2_POINTS.items()}  # type: ignore[call-overload]
    return points | {
        "total": found.total,
        "risk": found.risk,
        "label": f"partial, without {' '.join(found.missing)}" if found.missing else "NEWS2",
    }


def _yes(word: str) -> bool:
    known = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "oxygen": True, "air": False}
    if word.lower() not in known:
        raise ValueError(f"{word!r} is neither 0 nor 1")
    return known[word.lower()]


class _opened:
    """A text file, or standard input for `-`. Raises BadInput."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Iterator[str]:
        if str(self._path) == "-":
            return iter(sys.stdin)
        try:
            self._file = self._path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise BadInput(f"cannot read {self._path}: {error.strerror}") from error
        return iter(self._file)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
