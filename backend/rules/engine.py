"""The rules in force, sorted by what they look at. Pure: built once per change of the rules, asked for every batch."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.model import AnyEvent, Level
from contract.quantities import QuantityName

AnyRule = ThresholdRule | EventRule | AbsenceRule


@dataclass(frozen=True, slots=True)
class Active:
    """A rule with the version that an alert will remember."""

    rule: AnyRule
    version: int

    def level(self, name: str) -> Level:
        """The level of that name. Raises KeyError for one the rule does not have."""
        for level in self.rule.levels:
            if level.name == name:
                return level
        raise KeyError(name)

    def rank(self, name: str) -> int:
        """Position of a level among the rule's, the mildest 0; -1 for one that an older version had and this one has not."""
        names: list[str] = [level.name for level in self.rule.levels]
        return names.index(name) if name in names else -1


class RuleBook:
    """All active rules, by what they look at."""

    def __init__(self, actives: Iterable[Active]) -> None:
        self.by_id: dict[str, Active] = {}
        self.thresholds: dict[QuantityName, list[Active]] = defaultdict(list)
        self.events: dict[AnyEvent, list[Active]] = defaultdict(list)
        self.cancels: dict[AnyEvent, list[Active]] = defaultdict(list)
        self.absences: list[Active] = []
        for active in actives:
            self._add(active)

    def _add(self, active: Active) -> None:
        rule = active.rule
        self.by_id[rule.id] = active
        if isinstance(rule, ThresholdRule):
            self.thresholds[rule.quantity].append(active)
        elif isinstance(rule, AbsenceRule):
            self.absences.append(active)
        else:
            self.events[rule.event].append(active)
            if rule.cancelled_by is not None:
                self.cancels[rule.cancelled_by].append(active)
