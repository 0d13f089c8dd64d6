"""python -m backend rules test | replay | news2: what needs no database. Output is for people and for programs that read lines."""

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from backend.errors import BadInput
from backend.rules import form, news2
from backend.rules.cases import try_case
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.score import CONSCIOUSNESS, FILLED_IN
from backend.rules.model import EVENT_ALIASES, QUANTITY_ALIASES, SECOND, InternalEvent, to_us
from backend.rules.replay import Row, replay_all
from contract.events import EventKind
from contract.quantities import QUANTITIES, QuantityName

READING_COLUMNS = ("elder", "quantity", "measured_at", "value", "received_at")
HEARTBEAT = "gateway"
"""A row of this name says that the home was heard, for rules that miss its gateway."""
NAMES = frozenset([*QuantityName, *EventKind, *InternalEvent, HEARTBEAT, *FILLED_IN])
ALERTNESS = {"A": "0", "C": "1", "V": "1", "P": "1", "U": "1"}
"""Of consciousness, as NEWS2 writes it, or 0 and 1."""
SECONDS = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
INSTANTS = range(to_us(datetime(1900, 1, 1, tzinfo=UTC)), to_us(datetime(2200, 1, 1, tzinfo=UTC)))
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
    replay.add_argument("--until", help="instant at which silence is judged last; else that of the last measurement of all")
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
        outcome = try_case(case, rules, file.overrides)
        failed += bool(outcome.faults)
        faults = f": {'; '.join(map(str, outcome.faults))}" if outcome.faults else ""
        print(f"{'FAILED' if faults else 'ok'} {number} {case.rule}: {case.title}{faults}")
    print(f"{len(file.cases)} cases, {failed} failed")
    if not file.cases:
        print(f"{path} has no [[case]] block: nothing was tried")
    return 1 if failed or not file.cases else 0


def storable(path: Path) -> form.RuleFile:
    """A file whose rules may be put in force: it has some, and its own cases hold. Raises BadInput."""
    shipped = form.shipped()
    file = form.read(path, known=shipped)
    if not file.rules:
        raise BadInput(f"{path} has no [[rule]] block")
    for case in file.cases:
        for fault in try_case(case, shipped | file.rules, file.overrides).faults:
            raise BadInput(f"{path}: case {case.title} of {case.rule} fails {fault}; nothing is stored")
    return file


def replay(arguments: argparse.Namespace) -> int:
    """Print one JSON object per alert interval."""
    shipped = form.shipped()
    is_shipped = str(arguments.rules) == "shipped"
    file = form.RuleFile(shipped) if is_shipped else form.read(arguments.rules, known=shipped)
    if not file.rules:
        raise BadInput(f"{arguments.rules} has no [[rule]] block: there is nothing to play; `--rules shipped` plays the shipped rules")
    members = {member for rule in file.rules.values() if isinstance(rule, AllRule) for member in rule.members}
    rules = {member: shipped[member] for member in sorted(members) if member in shipped} | file.rules
    _say(file.notes)
    until = instant(arguments.until, "--until") if arguments.until else None
    with _opened(arguments.readings) as lines:
        rows = read_rows(lines, str(arguments.readings))
    _say(_not_believed(rows))
    _say(f"override of {one.rule} for group {one.group}: readings name no group, it is left out" for one in file.overrides if one.group)
    for interval in replay_all(rules, file.overrides, rows, until=until):
        if interval.active.rule.id in file.rules:
            print(json.dumps(interval.as_json(), ensure_ascii=False))
    return 0


def _not_believed(rows: Mapping[str, list[Row]]) -> Iterator[str]:
    """What the rules will not look at, by quantity."""
    odd = Counter(
        name for found in rows.values() for _, name, _ in {(row.measured_at, row.name, row.value) for row in found if _is_odd(row)}
    )
    for name, number in sorted(odd.items()):
        quantity = QUANTITIES[QuantityName(name)]
        yield f"{number} readings of {name} are outside {quantity.low:g} to {quantity.high:g} {quantity.unit} and are not believed"


def _is_odd(row: Row) -> bool:
    quantity = QUANTITIES.get(row.name)  # type: ignore[call-overload]
    return quantity is not None and not quantity.is_plausible(row.value)


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
            cells = {column: (record[column] or "").strip() for column in READING_COLUMNS if column in record}
            found[_needed(cells, "elder")].append(_row(cells, place))
        except ValueError as error:
            raise BadInput(f"{place}: {error}") from error
    return found


def _needed(cells: Mapping[str, str], column: str) -> str:
    if not cells[column]:
        raise ValueError(f"{column} is empty")
    return cells[column]


def _row(cells: Mapping[str, str], place: str) -> Row:
    given = _needed(cells, "quantity").lower()
    name = QUANTITY_ALIASES.get(given, EVENT_ALIASES.get(given, given))
    if name not in NAMES:
        raise BadInput(f"{place}: {given!r} is neither a quantity nor an event, see docs/contract.md")
    measured_at = instant(_needed(cells, "measured_at"), place)
    received, value = cells.get("received_at"), cells["value"]
    if not value and name in {*QuantityName, *FILLED_IN}:
        raise BadInput(f"{place}: value is empty; leave out a reading that was not taken")
    if name == CONSCIOUSNESS:
        value = ALERTNESS.get(value.upper(), value)
    return Row(instant(received, place) if received else measured_at, measured_at, name, _number(value or "1"))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is no number") from error


def instant(text: str, place: str) -> int:
    """ISO 8601, UTC where it says no zone, or seconds since 1970 (what is digits alone). Microseconds. Raises BadInput."""
    given = text.strip()
    try:
        at = round(float(given) * SECOND) if SECONDS.fullmatch(given) else _of_iso(given)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{place}: {given[:80]!r} is no instant; write 2026-03-01T03:12:00Z or seconds since 1970") from error
    if at not in INSTANTS:
        raise BadInput(f"{place}: {given[:80]!r} is not between 1900 and 2200; seconds since 1970 are no milliseconds")
    return at


def _of_iso(given: str) -> int:
    at = datetime.fromisoformat(given)
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
    """A text file, or standard input for `-`. Raises BadInput, also for what turns out not to be text while it is read."""

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

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._file is not None:
            self._file.close()
        if isinstance(error, UnicodeDecodeError | csv.Error):
            raise BadInput(f"{self._path} is not CSV in UTF-8: {error}") from error
