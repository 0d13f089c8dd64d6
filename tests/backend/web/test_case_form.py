"""Rules and cases as forms: what a form shows and gives back is what it was filled with."""

from pathlib import Path

import pytest

from backend.errors import BadInput
from backend.rules import form
from backend.rules.cases import make_feed
from backend.rules.kinds import RULE as ANY_RULE
from backend.rules.kinds import AnyRule
from backend.web import case_form, rule_form

FILES = sorted((Path(form.__file__).parent / "shipped_cases").glob("*.toml"))
RULE = """
[[rule]]
id = "low"
kind = "threshold"
source = "a test"
quantity = "spo2"
levels = [{ name = "urgent", below = 88, hold_s = 60, clear = { at_least = 90, times = 2 } }]
timing = { max_gap_s = 20 }
active = { from = "21:00", until = "06:00" }
groups = { with = ["sos", "fall"], within_s = 300 }
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_case_survives_its_form(path: Path) -> None:
    shipped = form.shipped()
    file = form.read(path, known=shipped)
    rules = shipped | file.rules
    for case in file.cases:
        rule = rules[case.rule]
        [filled] = case_form.fill([case], rule)
        fields = {f"cases.0.{key}": filled[key] for key in ("name", "start", "zone")} | {
            f"cases.0.{part}.{row}.{key}": text
            for part in ("feed", "expect")
            for row, found in enumerate(filled[part])
            for key, text in found.items()
        }
        [back] = form.parse(case_form.text_of(case_form.entered(fields), case.rule), "form", known=rules).cases
        old, new = make_feed(case, rule), make_feed(back, rule)
        assert {name: track for name, track in old.tracks.items() if track} == new.tracks
        assert (old.events, old.held, case.expect, case.start) == (new.events, new.held, back.expect, back.start)


@pytest.mark.parametrize("rule", [*form.shipped().values(), *form.parse(RULE, "a test").rules.values()], ids=lambda rule: rule.id)
def test_a_rule_survives_its_form(rule: AnyRule) -> None:
    again = ANY_RULE.validate_python(rule_form.body_of(rule_form.fill(rule)))
    assert again.model_dump() == rule.model_dump()
    assert rule_form.changes(rule, again) == {}


@pytest.mark.parametrize("at", ["nan", "inf", "-inf", "1e999", "soon"])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    case = {"name": "", "start": "", "zone": "", "feed": [{"at": at, "of": "spo2", "value": "86", "times": "", "every": ""}], "expect": []}
    with pytest.raises(BadInput, match="seconds from its begin"):
        case_form.text_of([case], "low")
