"""Cases of a rule as rows of a form and back: what comes in when, and what must be said when. Pure; kept as `[[case]]` blocks."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.errors import BadInput
from backend.rules.cases import START, Case, rows_of
from backend.rules.kinds import AnyRule
from backend.rules.kinds.absence import Hold
from backend.rules.kinds.score import CONSCIOUSNESS, OXYGEN
from backend.rules.model import known_zone
from backend.web.labels import N_
from backend.web.rule_form import EVENTS, QUANTITY

ZONE = "Asia/Shanghai"
HOLDS: tuple[Hold, ...] = ("away", "gateway_offline")
WHAT = (*QUANTITY.choices, "total", OXYGEN, CONSCIOUSNESS, *EVENTS, *HOLDS)
"""What may come in: a reading, a score's total or what people fill in for it, an event, or what holds an absence."""
VERDICTS = ("", "breached", "held", "clear", "unknown")
FEED = ("at", "of", "value", "times", "every")
EXPECT = ("at", "verdict", "stands", "level")
KEY = re.compile(r"cases\.(\d{1,3})\.(?:(name|start|zone)|(feed|expect)\.(\d{1,3})\.([a-z]+))")
CLOCK = re.compile(r"(\d{1,5}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")

FormCase = dict[str, Any]
"""One case: name, start, zone; `feed` and `expect` as lists of rows, each the text of its fields."""


def fill(cases: Iterable[Case], rule: AnyRule) -> list[FormCase]:
    """What stands in the form for these cases."""
    return [
        {
            "name": case.name or "",
            "zone": case.zone,
            "start": f"{case.start.astimezone(ZoneInfo(case.zone)):%Y-%m-%d %H:%M:%S}" if case.start != START else "",
            "feed": [
                {"at": clock(one.at_s), "of": one.of, "value": _text(one.value), "times": _short(one.times), "every": _text(one.every_s)}
                for one in rows_of(case, rule)
            ],
            "expect": [
                {"at": clock(one.at_s), "verdict": one.verdict or "", "stands": one.stands or "", "level": one.level or ""}
                for one in case.expect
            ],
        }
        for case in cases
    ]


def entered(given: Mapping[str, str]) -> list[FormCase]:
    """The cases of a form as they were entered; empty rows and cases are left out."""
    found: dict[int, FormCase] = {}
    for key, text in given.items():
        if (match := KEY.fullmatch(key)) is None:
            continue
        case = found.setdefault(int(match[1]), {"name": "", "start": "", "zone": ZONE, "feed": {}, "expect": {}})
        if match[2]:
            case[match[2]] = text.strip()
        else:
            case[match[3]].setdefault(int(match[4]), {})[match[5]] = text.strip()
    cases = [
        case | {part: _rows(case[part], names) for part, names in (("feed", FEED), ("expect", EXPECT))} for _, case in sorted(found.items())
    ]
    return [case for case in cases if case["feed"] or case["expect"] or case["name"]]


def _rows(rows: Mapping[int, dict[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
    """Rows with a time or a value, in their order, every field in them."""
    whole = [{name: row.get(name, "") for name in names} for _, row in sorted(rows.items())]
    return [row for row in whole if any(row.get(name) for name in ("at", "value", "verdict", "stands", "level"))]


def text_of(cases: Iterable[FormCase], rule_id: str) -> str:
    """The same as `[[case]]` blocks. Raises BadInput for what is no time or zone; all else is said by the blocks' own reading."""
    return "\n".join(_block(case, rule_id) for case in cases)


def _block(case: FormCase, rule_id: str) -> str:
    try:
        zone = known_zone(case["zone"] or ZONE)
        start = datetime.fromisoformat(case["start"]).replace(tzinfo=ZoneInfo(zone)) if case["start"] else None
    except ValueError as error:
        raise BadInput(N_("A case begins at a day and a time, such as 2026-03-01 21:00, in a time zone such as Asia/Shanghai.")) from error
    lines = ["[[case]]", f"rule = {_quoted(rule_id)}"]
    lines += [f"name = {_quoted(case['name'])}"] if case["name"] else []
    lines += [f"start = {start.isoformat()}"] if start else []
    lines += [f"zone = {_quoted(zone)}"] if zone != ZONE else []
    lines += [f"feed = {_feed(case['feed'])}"]
    lines += [f"held = [{', '.join(held)}]"] if (held := [_held(row) for row in case["feed"] if row["of"] in HOLDS]) else []
    lines += [f"expect = [{', '.join(map(_expectation, case['expect']))}]"]
    return "\n".join(lines) + "\n"


def _feed(rows: Sequence[Mapping[str, str]]) -> str:
    at: dict[str, list[str]] = {}
    events: dict[str, list[str]] = {}
    for row in rows:
        if row["of"] in EVENTS:
            events.setdefault(row["of"], []).append(_second(row["at"]))
        elif row["of"] not in HOLDS:
            at.setdefault(row["of"], []).append(_token(_second(row["at"]), row))
    readings = ", ".join(f"{json.dumps(name)} = {_quoted(' '.join(found))}" for name, found in at.items())
    happened = ", ".join(f"{name} = [{', '.join(found)}]" for name, found in events.items())
    return f"{{ at = {{ {readings} }}, events = {{ {happened} }} }}"


def _held(row: Mapping[str, str]) -> str:
    until = f", until_s = {_second(row['value'])}" if row["value"] else ""
    return f"{{ what = {_quoted(row['of'])}, from_s = {_second(row['at'])}{until} }}"


def _expectation(row: Mapping[str, str]) -> str:
    said = "".join(f", {key} = {_quoted(row[key])}" for key in EXPECT[1:] if row[key])
    return f"{{ at_s = {_second(row['at'])}{said} }}"


def _token(second: str, row: Mapping[str, str]) -> str:
    """`60:86x5/10`: five times 86 from second 60 on, every 10 s."""
    value = row["value"].replace(" ", "")
    many = f"x{row['times'].replace(' ', '')}/{(row['every'] or '60').replace(' ', '')}" if row["times"] not in ("", "1") else ""
    return f"{second}:{value}{many}"


def _second(text: str) -> str:
    """Seconds since the begin of the case; also hours, minutes and seconds, such as 1:30 or 1:30:00."""
    text = text.replace("：", ":")
    if match := CLOCK.fullmatch(text):
        return _short(int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3] or 0))
    try:
        second = float(text)
    except ValueError:
        second = math.nan
    if not math.isfinite(second):
        raise BadInput(N_("The times of a case are seconds from its begin, or hours and minutes such as 1:30."))
    return _short(second)


def clock(second: float) -> str:
    """Seconds up to an hour, else hours, minutes and seconds."""
    whole = int(second)
    if whole < 3600 or whole != second:
        return _short(second)
    return f"{whole // 3600}:{whole // 60 % 60:02}" + (f":{whole % 60:02}" if whole % 60 else "")


def _short(number: float) -> str:
    return f"{number:.10g}"


def _text(number: float | None) -> str:
    return "" if number is None else _short(number)


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps("".join(letter for letter in text if letter.isprintable()), ensure_ascii=False)


def what_of(rule_kind: str, given: Mapping[str, str]) -> str:
    """What a new row of a feed most likely is, by what stands in the rule's form."""
    return {
        "threshold": given.get("quantity"),
        "trend": given.get("quantity"),
        "absence": given.get("of"),
        "event": given.get("event"),
    }.get(rule_kind) or str(QUANTITY.choices[0])
