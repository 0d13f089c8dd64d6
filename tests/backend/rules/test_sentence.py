"""Every rule reads as one sentence in two languages, and the sentence says all that the rule does: it can be read back."""

from pathlib import Path
from typing import get_args

import pytest

from backend.rules import form
from backend.rules.kinds import AnyRule
from backend.rules.model import InternalEvent
from backend.rules.sentence import EVENTS_ZH, Language, parse, sentence
from contract.events import EventKind

FILES = sorted((Path(form.__file__).parent / "shipped_cases").glob("*.toml"))
RULES = [*form.shipped().values(), *(rule for path in FILES for rule in form.read(path, known=form.shipped()).rules.values())]


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_its_sentence(rule: AnyRule, language: Language) -> None:
    beside = {"id": rule.id, "title": rule.title, "source": rule.source, "groups": rule.groups}
    assert parse(rule.kind, sentence(rule, language), language, beside) == rule


def test_a_nurse_can_read_it() -> None:
    assert sentence(form.shipped()["spo2_low"], "zh").startswith(
        "血氧；低于 92 持续 2 分钟 → 关注（中）；低于 88 持续 1 分钟 → 紧急（高）；解除：不低于 93 持续 1 分钟；"
    )
    assert sentence(form.shipped()["bed_exit_night"], "en") == (
        "waiting for In bed after bed exit; none for 15 min -> urgent (high); time away does not count;"
        " only from 21:00 until 06:00 (time of the home)."
    )
    assert {*EventKind, *InternalEvent} == EVENTS_ZH.keys()


def test_what_is_no_sentence_is_named() -> None:
    with pytest.raises(ValueError, match="cannot read 'below ninety'"):
        parse("threshold", "SpO2; below ninety.", "en", {"id": "x", "source": "a test"})
