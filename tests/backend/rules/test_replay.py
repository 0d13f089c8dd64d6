"""Replays: what became known when, who was called and why; and that only the measurements decide the intervals."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.__main__ import main
from backend.rules import command, form
from backend.rules.model import SECOND
from backend.rules.replay import Row, replay_all

RULES = """
[[rule]]
id = "low"
kind = "threshold"
quantity = "spo2"
source = "a test"
levels = [{ name = "attention", below = 92, hold_s = 40 }, { name = "urgent", below = 88, hold_s = 20 }]
clear = { at_least = 93, hold_s = 30 }
[[rule]]
id = "fast"
kind = "threshold"
quantity = "pulse"
source = "a test"
levels = [{ name = "attention", at_least = 111 }]
[[rule]]
id = "both"
kind = "all"
source = "a test"
of = ["low.urgent", "fast.attention"]
levels = [{ name = "urgent", overlap_s = 20 }]
mutes = ["low.urgent"]
[[rule]]
id = "score"
kind = "score"
source = "a test"
table = { name = "news2", quantities_min = 2, max_age_s = 60 }
levels = [{ name = "urgent", at_least = 5 }]
clear = { below = 4 }
[[rule]]
id = "sos"
kind = "event"
event = "sos"
cancelled_by = "sos_cancelled"
source = "a test"
levels = [{ name = "emergency" }]
[[override]]
elder = 2
rule = "low"
patch = { levels = [{ name = "urgent", below = 84, hold_s = 20 }], clear = { at_least = 86 } }
why = { reason = "COPD", by = "Wang", until = 1970-01-01 }
"""
FILE = form.parse(RULES, "rules.toml")


def rows(values: str, *, every_s: int = 10, delay_s: float = 0, name: str = "spo2", start_s: float = 0) -> list[Row]:
    at = [round((start_s + every_s * number) * SECOND) for number, _ in enumerate(values.split())]
    return [Row(one + round(delay_s * SECOND), one, name, float(value)) for one, value in zip(at, values.split(), strict=True)]


def played(found: list[Row], elder: str = "1", until: int | None = None) -> list[dict[str, Any]]:
    return [one.as_json() for one in replay_all(FILE.rules, FILE.overrides, {elder: found}, until=until)]


def brief(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["rule"], one["opened_at"], one["closed_at"], str(one["levels"]), one["peak"]) for one in found]


VALUES = st.sampled_from([86.0, 88, 90, 92, 93, 97])
PULSES = st.sampled_from([80.0, 112.0, 132.0])


@settings(max_examples=300)
@given(
    spo2=st.lists(VALUES, min_size=1, max_size=25),
    pulse=st.lists(PULSES, max_size=10),
    delays=st.lists(st.sampled_from([0, 5, 90, 4000]), min_size=35, max_size=35),
)
def test_delays_of_any_kind_change_no_interval(spo2: list[float], pulse: list[float], delays: list[int]) -> None:
    at_once = rows(" ".join(map(str, spo2))) + rows(" ".join(map(str, pulse)), every_s=20, name="heart_rate")
    late = [
        Row(one.measured_at + delay * SECOND, one.measured_at, one.name, one.value) for one, delay in zip(at_once, delays, strict=False)
    ]
    end = 10_000 * SECOND
    assert brief(played(late, until=end)) == brief(played(at_once, until=end))
    assert brief(played([*late, *at_once], until=end)) == brief(played(at_once, until=end)), "twice is once"


@pytest.mark.parametrize(
    ("delay_s", "values", "paged", "why"),
    [
        (0, "86 86 86", True, "live"),
        (60, "86 86 86", True, "live"),
        (61, "86 86 86", True, "late"),
        (900, "86 86 86", True, "late"),
        (901, "86 86 86", False, "old"),
        (300, "86 86 86 95 95 95 95", False, "recovered before it was known"),
        (5000, "86 86 86 95 95 95 95", False, "old"),
    ],
)
def test_age_decides_whether_anybody_is_called(delay_s: float, values: str, paged: bool, why: str) -> None:
    found = [
        Row(round((delay_s + 20 + 10 * max(0, len(values.split()) - 3)) * SECOND), one.measured_at, one.name, one.value)
        for one in rows(values)
    ]
    [interval] = [one for one in played(found) if one["rule"] == "low"]
    assert (interval["paged"], interval["why"]) == (paged, why)


def test_old_data_that_go_on_now_call() -> None:
    backlog = [Row(2000 * SECOND, one.measured_at, one.name, one.value) for one in rows("86 " * 200)]
    [interval] = [one for one in played([*backlog, *rows("86 86", start_s=2000)]) if one["rule"] == "low"]
    assert interval["opened_at"] == "1970-01-01T00:00:20Z" and interval["known_at"] == "1970-01-01T00:33:20Z"
    assert interval["pages"][0]["why"] == "live"


def test_a_call_for_help_calls_whatever_its_age() -> None:
    [interval] = played([Row(90_000 * SECOND, 0, "sos", 1.0)])
    assert (interval["rule"], interval["paged"], interval["closed_at"]) == ("sos", True, None)


def test_two_signs_at_once_mute_the_weaker_alert() -> None:
    found = {one["rule"]: one for one in played(rows("120 " * 9, name="heart_rate") + rows("97 97 86 86 86 86 86 86 86"))}
    assert found["both"]["opened_at"] == "1970-01-01T00:01:00Z"
    assert found["both"]["paged"]


def test_an_override_ends_with_its_last_day_in_the_zone_of_the_home() -> None:
    before, after = rows("86 86 86 86"), rows("86 86 86 86", start_s=20 * 3600)
    assert [one["opened_at"] for one in played([*before, *after], elder="2") if one["rule"] == "low"] == ["1970-01-01T20:00:20Z"]


def test_several_overrides_of_one_elder_hold_each_to_its_own_end() -> None:
    text = (
        RULES
        + """
[[override]]
elder = 2
rule = "low"
patch = { levels = [{ name = "urgent", hold_s = 30 }] }
why = { reason = "restless sleeper", by = "Wang", until = 9999-12-31 }
"""
    )
    file = form.parse(text, "rules.toml")
    played = [*rows("83 83 83 83 95 95 95 95"), *rows("87 87 87 87", start_s=20 * 3600)]
    found = [one.as_json() for one in replay_all(file.rules, file.overrides, {"2": played}) if one.active.rule.id == "low"]
    assert [(one["opened_at"], one["overrides"]) for one in found] == [
        ("1970-01-01T00:00:30Z", [1, 2]),
        ("1970-01-01T20:00:30Z", [2]),
    ]


SILENCE = """
[[rule]]
id = "quiet"
kind = "absence"
of = "motion"
source = "a test"
levels = [{ name = "urgent", for_s = 600 }]
[[rule]]
id = "fall"
kind = "event"
event = "fall"
cancelled_by = "fall_cancelled"
cancel_s = 30
source = "a test"
levels = [{ name = "emergency" }]
"""


@pytest.mark.parametrize("delay_s", [0, 5000])
def test_neither_silence_nor_a_cancel_window_ends_with_the_last_arrival(delay_s: int) -> None:
    rules = form.parse(SILENCE, "rules.toml").rules
    made = [Row((at + delay_s) * SECOND, at * SECOND, name, 1.0) for at, name in ((0, "motion"), (500, "motion"), (700, "fall"))]
    [interval] = [one.as_json() for one in replay_all(rules, [], {"1": made})]
    assert (interval["rule"], interval["opened_at"], interval["paged"]) == ("fall", "1970-01-01T00:12:10Z", True)
    assert interval["known_at"] == ("1970-01-01T00:12:10Z" if delay_s == 0 else "1970-01-01T01:35:00Z")


@pytest.mark.parametrize(("text", "at_s"), [("20260301", 20260301), ("1772334000.5", 1772334000.5), ("+60", 60), ("1970-01-02", 86400)])
def test_digits_alone_are_seconds(text: str, at_s: float) -> None:
    assert command.instant(text, "x") == round(at_s * SECOND)


CSV = """elder,quantity,measured_at,value,received_at
e1,spo2,2026-03-01T00:00:00Z,86,2026-03-01T00:00:01Z
e1,spo2,2026-03-01T00:00:10Z,86,2026-03-01T00:00:11Z
e1,spo2,1772323220,86,
e1,fall,2026-03-01T00:05:00+00:00,,2026-03-01T00:05:00Z
"""


def test_the_command_prints_a_line_of_json_per_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.toml").write_text(RULES, "utf-8")
    (tmp_path / "r.csv").write_text(CSV, "utf-8")
    assert main(["rules", "replay", "--rules", str(tmp_path / "r.toml"), "--readings", str(tmp_path / "r.csv")]) == 0
    [interval] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (interval["elder"], interval["rule"], interval["level"]) == ("e1", "low", "urgent")
    assert (interval["opened_at"], interval["closed_at"]) == ("2026-03-01T00:00:20Z", None)


NEWS2 = """
[[rule]]
id = "news2"
kind = "score"
source = "a test"
table = { name = "news2", spo2_scale = 2 }
levels = [{ name = "attention", at_least = 5 }, { name = "urgent", at_least = 7 }]
[[rule]]
id = "both"
kind = "all"
source = "a test"
of = ["news2.urgent", "spo2_low.urgent"]
levels = [{ name = "urgent" }]
"""
SIGNS = """elder,quantity,measured_at,value,received_at
e1,respiration_rate,0,22,
e1,SpO2,0,97,
e1,pulse,0,111,
e1,on_oxygen,1,1,
e1,consciousness,2,V,
e1,consciousness,3,A,
"""


def test_oxygen_and_consciousness_are_rows_too_and_only_what_changes_is_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.toml").write_text(NEWS2, "utf-8")
    (tmp_path / "r.csv").write_text(SIGNS, "utf-8")
    assert main(["rules", "replay", "--rules", str(tmp_path / "r.toml"), "--readings", str(tmp_path / "r.csv")]) == 0
    [interval] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert interval["peak"] == 2 + 3 + 2 + 2 + 3, "97 % on oxygen scores 3 by scale 2"
    assert interval["levels"] == [{"at": "1970-01-01T00:00:01Z", "level": "urgent"}]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("e1,spo2,yesterday,86,", "line 2: 'yesterday' is no instant"),
        ("e1,glow,2026-03-01T00:00:00Z,86,", "line 2: 'glow' is neither a quantity nor an event"),
        ("e1,spo2,2026-03-01T00:00:00Z,low,", "line 2: 'low' is no number"),
        ("e1,spo2,2026-03-01T00:00:00Z,,", "line 2: value is empty"),
        (",spo2,2026-03-01T00:00:00Z,86,", "line 2: elder is empty"),
        ("e1,spo2", "line 2: measured_at is empty"),
        ("e1,spo2,1772323220000,86,", "seconds since 1970 are no milliseconds"),
        ("e1,spo2,0001-01-01T00:00:00+14:00,86,", "is not between 1900 and 2200"),
        ("e1,spo2,nan,86,", "'nan' is no instant"),
        ('e1,spo2,"' + "1" * 200_000, "is not CSV in UTF-8"),
        ("e1,spo2,\udcff,86,", "is not CSV in UTF-8"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str) -> None:
    (tmp_path / "r.csv").write_text(f"{CSV.splitlines()[0]}\n{line}\n", "utf-8", "surrogateescape")
    assert main(["rules", "replay", "--rules", "shipped", "--readings", str(tmp_path / "r.csv")]) == 2
    assert says in capsys.readouterr().err


def test_the_exit_code_of_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = '[[case]]\nrule = "spo2_low"\nfeed = { values = "97" }\nexpect = [{ at_s = 0, verdict = "%s" }]\n'
    for verdict, code in (("HELD", 0), ("CLEAR", 1)):
        (tmp_path / "c.toml").write_text(case % verdict, "utf-8")
        assert main(["rules", "test", str(tmp_path / "c.toml")]) == code
    assert "FAILED 1 spo2_low: spo2_low: at 0 s expected CLEAR, found HELD" in capsys.readouterr().out
    (tmp_path / "c.toml").write_text("", "utf-8")
    assert main(["rules", "test", str(tmp_path / "c.toml")]) == 1
    assert main(["rules", "test", str(tmp_path / "nowhere.toml")]) == 2
    assert main(["rules", "replay", "--rules", str(tmp_path / "c.toml"), "--readings", "nowhere.csv"]) == 2
    assert "has no [[rule]] block" in capsys.readouterr().err


def test_news2_scores_what_is_known_and_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = "resp_rate,spo2,on_oxygen,scale2,systolic_bp,pulse,acvpu,temperature\n25,91,1,0,90,131,U,35.0\n15,97,,0,120,70,,37.0\n"
    assert command.score(io.StringIO(lines)) == 0
    whole, partial = capsys.readouterr().out.splitlines()[1:]
    assert whole.endswith("3,3,2,3,3,3,3,20,high,NEWS2")
    assert partial.endswith('0,0,,0,0,,0,0,low,"partial, without oxygen consciousness"')
