"""Overrides: other numbers for one elder or one group, field by field, with a reason, a name and an end."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from backend.rules.kinds import RULE, AnyRule
from backend.rules.model import RuleShape

FIXED = ("id", "kind", "title", "source", "quantity", "of", "event", "table.name")
"""What an override cannot change: it would be another rule."""
LAST_DAY = date(9998, 12, 31)
"""What is said to hold longer ends here: no calendar goes on for ever."""
COMPARISONS = frozenset({"below", "at_most", "above", "at_least"})


def as_name(given: Any) -> Any:
    """A number that names an elder or a group, as text."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


class Why(RuleShape):
    """`until` is the last day on which it holds."""

    reason: str = Field(min_length=2, max_length=400)
    by: str = Field(min_length=1, max_length=80)
    until: date


class Override(RuleShape):
    """Of one elder, or of one group; the elder's own goes over the group's."""

    elder: str | None = None
    group: str | None = None
    rule: str
    patch: dict[str, Any] = Field(min_length=1)
    why: Why

    @field_validator("elder", "group", mode="before")
    @classmethod
    def _numbers_are_names(cls, given: Any) -> Any:
        return as_name(given)

    @field_validator("patch")
    @classmethod
    def _no_other_rule(cls, patch: dict[str, Any]) -> dict[str, Any]:
        if fixed := [key for key in patch if key in FIXED and key != "of"]:
            raise ValueError(f"{', '.join(fixed)} cannot be changed by an override: that would be another rule")
        return patch

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.elder is None) == (self.group is None):
            raise ValueError("give exactly one of elder, group")
        return self


def ends_at(until: date, home_zone: str) -> datetime:
    """The end of an override's last day in the home's zone."""
    day = min(until, LAST_DAY) + timedelta(days=1)
    return datetime.combine(day, time(), tzinfo=ZoneInfo(home_zone)).astimezone(UTC)


def apply(rule: AnyRule, patch: Mapping[str, Any]) -> AnyRule:
    """The rule with other numbers. Raises ValidationError (a ValueError) where they contradict each other.

    Tables are patched key by key. Of `levels` those named stay, each patched over the level of that name; the others fall away. Where a
    limit is given another word (`at_most` for `below`), the old word falls away.
    """
    return RULE.validate_python(_merged(rule.model_dump(mode="json", exclude_unset=True, exclude_none=True), patch))


def apply_all(rule: AnyRule, overrides: Iterable[Override]) -> AnyRule:
    """The rule with several overrides, each over those before it. Raises as `apply`."""
    for one in overrides:
        rule = apply(rule, one.patch)
    return rule


def patched(known: Mapping[str, AnyRule], row: Mapping[str, Any]) -> AnyRule | None:
    """The rule as it is with a stored override (`rule_id`, `patch`); None where they no longer fit, or the rule is gone."""
    try:
        return apply(known[row["rule_id"]], row["patch"]) if row["rule_id"] in known else None
    except ValueError:
        return None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in old.items() if not (key in COMPARISONS and COMPARISONS & new.keys())}
    if "name" in old and COMPARISONS & new.keys() and "clear" in kept and "clear" not in new:
        kept.pop("clear")  # a level's own way back belongs to its old limit
    for key, value in new.items():
        if key == "levels" and isinstance(value, list):
            by_name = {level["name"]: level for level in old.get("levels", [])}
            kept[key] = [_merged(by_name.get(str(one.get("name")), {}), one) if isinstance(one, dict) else one for one in value]
        elif isinstance(value, Mapping) and isinstance(kept.get(key), Mapping):
            kept[key] = _merged(kept[key], value)
        else:
            kept[key] = value
    return kept
