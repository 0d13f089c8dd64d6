"""The cases that travel with the rules all pass, and there are enough of them; what a file of cases may not say."""

import re
from pathlib import Path

import pytest

from backend.errors import BadInput
from backend.rules import form
from backend.rules.cases import every, try_case

FILES = sorted((Path(form.__file__).parent / "shipped_cases").glob("*.toml"))
RULE = '[[rule]]\nid = "low"\nkind = "threshold"\nsource = "a test"\nquantity = "spo2"\nlevels = [{ name = "urgent", below = 90 }]\n'


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_case_says_what_it_expects(path: Path) -> None:
    shipped = form.shipped()
    file = form.read(path, known=shipped)
    faults = [f"{case.title}: {fault}" for case in file.cases for fault in try_case(case, shipped | file.rules).faults]
    assert faults == []


def test_there_are_eighty_cases_and_more_and_none_without_a_name() -> None:
    cases = [case for path in FILES for case in form.read(path, known=form.shipped()).cases]
    assert len(cases) >= 80
    assert all(case.name for case in cases)


def test_a_feed_is_read_word_by_word() -> None:
    assert every("95x2 _ 86", 10) == [(0, 95), (10, 95), (30, 86)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULE + '[[case]]\nrule = "high"\nfeed = { values = "1" }\nexpect = [{ at_s = 0, verdict = "CLEAR" }]', "there is no rule high"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = "95y6" }\nexpect = [{ at_s = 0, verdict = "CLEAR" }]', "'95y6' is no value"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { at = "5-3" }\nexpect = [{ at_s = 0, verdict = "CLEAR" }]', "is no timed value of a feed"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = "1" }\nexpect = [{ at_s = 0 }]', "give verdict"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = "1" }\nexpect = []', "at least 1 item"),
        (RULE + '[[override]]\nelder = 1\nrule = "low"\npatch = { clear = { at_least = 80 } }\n'
         'why = { reason = "COPD", by = "Wang", until = 2026-12-31 }', "clear must not pass"),
        (RULE + '[[override]]\nelder = 1\nrule = "low"\npatch = { quantity = "weight" }\n'
         'why = { reason = "COPD", by = "Wang", until = 2026-12-31 }', "quantity cannot be changed"),
        (RULE + '[[override]]\nrule = "low"\npatch = { clear = { at_least = 91 } }\n'
         'why = { reason = "COPD", by = "Wang", until = 2026-12-31 }', "exactly one of elder, group"),
        ('[[rule]]\nid = "both"\nkind = "all"\nsource = "a test"\nof = ["spo2_low.attention", "glucose_low.attention"]\n'
         'levels = [{ name = "urgent" }]', "rule glucose_low has no level attention"),
        ('[[rules]]\nid = "both"', "unknown block rules"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = { glow = "1" } }\nexpect = [{ at_s = 0, level = "urgent" }]', "glow is neither"),
        (RULE + '[[case]]\nrule = "low"\nzone = "Mars/Base"\nfeed = { values = "1" }\nexpect = [{ at_s = 0, verdict = "CLEAR" }]',
         "there is no time zone Mars/Base"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = "1" }\nexpect = [{ at_s = 1e300, verdict = "CLEAR" }]', "less than or equal"),
        (RULE.replace('source', 'timing = { fresh_s = 1e300 }\nsource'), "timing.fresh_s: input should be less than"),
        (RULE + '[[case]]\nrule = "low"\nfeed = [1]\nexpect = { at_s = 0, verdict = "CLEAR" }',
         "feed: must be keys and values between { and }; expect: must be a list, between [ and ]"),
        (RULE + '[[case]]\nrule = "low"\nfeed = { values = "1" }\nexpect = [{ at_s = 0, level = "severe" }]', "there is no level severe"),
        ("a = " + "[" * 5000, "is not TOML"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused_with_one_line(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)) as refusal:
        form.parse(text, "rules.toml", known=form.shipped())
    assert "\n" not in str(refusal.value)


def test_a_case_is_tried_with_the_overrides_of_whom_it_names() -> None:
    text = (
        RULE
        + """
[[override]]
elder = 4711
rule = "low"
patch = { levels = [{ name = "urgent", below = 84 }], clear = { at_least = 86 } }
why = { reason = "COPD", by = "Wang", until = 2026-12-31 }
[[case]]
rule = "low"
elder = 4711
feed = { every_s = 10, values = "85 83" }
expect = [{ at_s = 0, stands = "none" }, { at_s = 10, stands = "urgent" }]
"""
    )
    file = form.parse(text, "rules.toml")
    [outcome] = [try_case(case, file.rules, file.overrides) for case in file.cases]
    assert outcome.faults == []


def test_a_member_of_another_file_is_noted_and_unknown() -> None:
    text = """
[[rule]]
id = "both"
kind = "all"
source = "a test"
of = ["spo2_low.attention", "elsewhere.urgent"]
levels = [{ name = "urgent" }]
[[case]]
rule = "both"
feed = { values = "90" }
expect = [{ at_s = 0, verdict = "UNKNOWN", stands = "none" }]
"""
    shipped = form.shipped()
    file = form.parse(text, "rules.toml", known=shipped)
    assert file.notes == ["rules.toml: rule both: of: there is no rule elsewhere"]
    assert try_case(file.cases[0], shipped | file.rules).faults == []


DESIGN = """
[[rule]]
levels = [{ hold_s = 60, below = 88, name = "URGENT" }, { hold_s = 120, name = "attention", below = 92 }]
clear = { hold_s = 60, at_least = 93 }
active = { until = "24:00", from = 00:30:00, zone = "Asia/Shanghai" }
source = "a test"
quantity = "spo2"
kind = "threshold"
id = "1-spo2-low"
[[case]]
rule = "1-spo2-low"
start = 2026-03-01T00:00:00
feed = { values = [95, 95, 86, 86, 86, 86, 86, 86, 86], every_s = 10 }
expect = [{ verdict = "Held", at_s = 70 }, { at_s = 80, level = "Urgent", verdict = "BREACHED" }]
[[rule]]
id = "quiet"
kind = "absence"
of = "motion"
source = "a test"
levels = [{ name = "urgent", for_s = 43200 }]
active = { from = "00:00", until = "24:00", zone = "Europe/Berlin" }
[[case]]
rule = "quiet"
start = 2026-03-28T20:00:00
feed = { every_s = 3600, values = "1 0x20" }
expect = [{ at_s = 43199, verdict = "CLEAR" }, { at_s = 43200, level = "urgent" }]
"""


def test_neither_the_order_of_levels_and_keys_nor_large_letters_matter() -> None:
    file = form.parse(DESIGN, "rules.toml")
    assert [fault for case in file.cases for fault in try_case(case, file.rules).faults] == []
