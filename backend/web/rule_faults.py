"""What is wrong with a rule, an override or a case, in the language of whoever wrote it. The rules themselves speak English."""

import re
from typing import Any

from pydantic import ValidationError

from backend.rules.cases import Fault
from backend.web import labels
from backend.web.case_form import clock
from backend.web.labels import N_
from backend.web.language import Translator
from backend.web.rule_form import HEAD, LEVEL, REST

TITLES = {one.path: one.title for fields in (*HEAD.values(), *REST.values(), *LEVEL.values()) for one in fields} | {
    **dict.fromkeys(("below", "at_most", "above", "at_least"), N_("Limit")),
    **dict.fromkeys(("rise_at_least", "fall_at_least"), N_("by at least")),
    "id": N_("Short name (a-z, 0-9, _, -)"), "title.zh": N_("Name in Chinese"), "title.en": N_("Name in English"), "source": N_("Source"),
    "levels": N_("Levels, from mild to grave"), "why.reason": N_("Reason"), "reason": N_("Reason"), "until": N_("Last day"),
    "expect": N_("What must be said"), "feed": N_("What comes in"),
}  # fmt: skip
KINDS = {
    "missing": N_("must be filled in"),
    "float_parsing": N_("must be a number"),
    "float_type": N_("must be a number"),
    "int_parsing": N_("must be a whole number"),
    "int_type": N_("must be a whole number"),
    "int_from_float": N_("must be a whole number"),
    "greater_than": N_("must be above %(gt)s"),
    "greater_than_equal": N_("must be %(ge)s or more"),
    "less_than": N_("must be below %(lt)s"),
    "less_than_equal": N_("must be %(le)s or less"),
    "string_too_short": N_("must have at least %(min_length)s characters"),
    "string_too_long": N_("must have at most %(max_length)s characters"),
    "string_pattern_mismatch": N_("must be small letters, digits, _ and -, a letter or digit first"),
    "too_short": N_("at least %(min_length)s is needed"),
    "too_long": N_("at most %(max_length)s are possible"),
    "literal_error": N_("is none of the possible words"),
    "enum": N_("is none of the possible words"),
    "time_parsing": N_("must be a time such as 21:00"),
    "time_type": N_("must be a time such as 21:00"),
    "date_parsing": N_("must be a day"),
    "date_from_datetime_parsing": N_("must be a day"),
    "extra_forbidden": N_("does not belong here"),
}
SAID = [
    (re.compile(pattern), message)
    for pattern, message in (
        (r"give exactly one of below, at_most, above, at_least", N_("give a limit: a word such as below, and its value")),
        (r"give exactly one of rise_at_least, fall_at_least", N_("say by how much it must have risen or fallen")),
        (r"times \(2 or more\) and within_s belong together", N_("times (2 or more) and their time belong together")),
        (r"give hold_s, for a steady.*", N_("give a hold, for a steady signal, or times, for single measurements; not both")),
        (r"first needs times.*", N_("with one reading there is nothing to confirm: give times (2 or more) and their time")),
        (r"all levels of one rule must look.*", N_("all levels of one rule must look the same way")),
        (r"clear must look the other way.*", N_("the way back must look the other way than the levels, or the alert could never end")),
        (r"clear must not pass a value.*\((?P<level>\w+)\)", N_("the way back must not pass a value that breaches a level (%(level)s)")),
        (r"levels stand from mild to grave.*", N_("levels stand from mild to grave, each name once, times growing")),
        (r"(?P<grave>\w+) must not have a milder limit than (?P<level>\w+).*",
         N_("%(grave)s must not have a milder limit than %(level)s, unless it needs a longer hold or more times")),
        (r"(?P<name>\w+): give hold_s or times for the way back.*", N_("give a hold or times for the way back, not both")),
        (r"(?P<value>\S+) is no \w+: values from (?P<low>\S+) to (?P<high>\S+) .*",
         N_("%(value)s cannot be measured: values from %(low)s to %(high)s are believed")),
        (r"clear\.change_below must not be above.*", N_("the way back must not be above the smallest change that breaches")),
        (r"a NEWS2 total is 0 to 20 points", N_("a NEWS2 total is 0 to 20 points")),
        (r"'(?P<name>.*)' is no member.*", N_("%(name)s is no member: write rule.level, such as spo2_low.attention")),
        (r"a member stands once", N_("a member stands once")),
        (r"only what is in `of` can be muted", N_("only what it is made of can be muted")),
        (r"of: there is no rule (?P<name>\S+)", N_("there is no rule %(name)s")),
        (r"of: rule (?P<name>\S+) has no level (?P<level>\S+)", N_("rule %(name)s has no level %(level)s")),
        (r"of: (?P<name>\S+) is itself made of others.*", N_("%(name)s is itself made of others; name those")),
        (r"all levels of one rule have the same after.*", N_("all levels of one rule wait for the same event and are held by the same")),
        (r"warn_home_s must be shorter.*", N_("the home must be asked less long before than the silence lasts")),
        (r"cancel_s needs cancelled_by.*", N_("a time in which nobody is called needs an event that takes it back")),
        (r"there is no time zone (?P<name>[^:]+):.*", N_("there is no time zone %(name)s")),
        (r"from and until are the same.*", N_("from and until are the same: leave both empty for a rule that always speaks")),
        (r"give verdict .*", N_("say what must be said: a verdict or a level")),
        (r"'(?P<name>.*)' is no (?:timed )?value of a feed.*", N_("%(name)s is no value: give a time, a number, and how often")),
        (r"a feed lies between second.*", N_("a case is at most ten years long")),
        (r"a feed has at most (?P<n>\d+) values", N_("at most %(n)s values are possible")),
        (r"a case begins between.*", N_("a case begins between 1900 and 2200")),
        (r"give exactly one of elder, group", N_("give an elder or a team, and not both")),
        (r"there is no such elder or team", N_("there is no such elder or team")),
        (r"the last day is over already", N_("the last day is over already")),
        (r"there is no rule (?P<name>\S+)", N_("there is no rule %(name)s")),
    )
]  # fmt: skip


def words_of(error: Exception, say: Translator) -> str:
    """All faults in one line."""
    cause = error if isinstance(error, ValidationError) else error.__cause__
    if isinstance(cause, ValidationError):
        return "; ".join(_fault(fault, say) for fault in cause.errors())
    return _sentence(str(error), say)


def _fault(fault: Any, say: Translator) -> str:
    loc = fault["loc"][1:] if fault["loc"][:1] and fault["loc"][0] in HEAD else fault["loc"]  # the union of kinds names the kind first
    where = [part for part in loc if part not in ("levels", "feed") or part == loc[-1]]
    row = next((f" {part + 1}" for part in where if isinstance(part, int)), "")
    path = ".".join(str(part) for part in where if not isinstance(part, int))
    title = TITLES.get(path) or TITLES.get(path.rpartition(".")[2])
    name = f"{say(title) if title else path}{row}"
    return say(N_("%(what)s: %(fault)s"), what=name, fault=_kind(fault, say)) if name else _kind(fault, say)


def _kind(fault: Any, say: Translator) -> str:
    if fault["type"] in KINDS:
        return say(KINDS[fault["type"]], **(fault.get("ctx") or {}))
    return _sentence(fault["msg"].removeprefix("Value error, "), say)


def _sentence(text: str, say: Translator) -> str:
    for pattern, message in SAID:
        if match := pattern.fullmatch(text):
            values = {
                key: say(labels.LEVEL.get(value, value)) if key in ("level", "grave") else value for key, value in match.groupdict().items()
            }
            return say(message, **values)
    return say(text)


def of_case(fault: Fault, language: str, say: Translator) -> str:
    """What a case expected and what was found instead."""
    wanted, found = fault.expect, fault.found
    expected = [labels.rule_word(word, language, say) for word in (wanted.verdict, wanted.level) if word]
    expected += [say(N_("%(level)s stands"), level=labels.rule_word(wanted.stands, language, say))] if wanted.stands else []
    seen = [labels.rule_word(word, language, say) for word in (found.verdict, found.breaches) if word]
    seen += [say(N_("%(level)s stands"), level=labels.rule_word(found.level or "none", language, say))]
    between = say(N_(", "))
    return say(
        N_("at %(at)s expected: %(expected)s; found: %(found)s"),
        at=clock_words(wanted.at_s),
        expected=between.join(expected),
        found=between.join(seen),
    )


def clock_words(second: float) -> str:
    """When in a case, as its form says it."""
    return clock(second) if ":" in clock(second) else f"{clock(second)} s"
