"""The rules in force, sorted by what they look at, with the overrides of each elder. Pure: built once per change, asked for every batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.rules import patch
from backend.rules.kinds import AnyRule
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.score import SIGN_OF, ScoreRule
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import AnyEvent, Level
from contract.quantities import QuantityName

DEFAULT_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Active:
    """A rule with the version that an alert will remember, and the overrides in it, the group's first."""

    rule: AnyRule
    version: int
    overrides: tuple[int, ...] = ()

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


@dataclass(frozen=True, slots=True)
class Patch:
    """An override in force: its number, and what it changes."""

    id: int
    rule_id: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Home:
    """What the rules know of an elder beside readings: overrides (the group's before the elder's own), and the time zone."""

    patches: tuple[Patch, ...] = ()
    zone: str = DEFAULT_ZONE


class RuleBook:
    """All active rules, by what they look at. `of_elder` gives the same with an elder's overrides in it."""

    def __init__(self, actives: Iterable[Active], homes: Mapping[str, Home] | None = None) -> None:
        self.by_id: dict[str, Active] = {}
        self.numbers: dict[QuantityName, list[Active]] = defaultdict(list)
        self.scores: dict[QuantityName, list[Active]] = defaultdict(list)
        self.events: dict[AnyEvent, list[Active]] = defaultdict(list)
        self.cancels: dict[AnyEvent, list[Active]] = defaultdict(list)
        self.absences: list[Active] = []
        self.signs: dict[str, set[str]] = defaultdict(set)
        """Events, and quantities that say yes or no, that absence rules wait for: under which names they are remembered."""
        self.alls: dict[str, list[Active]] = defaultdict(list)
        self._homes = homes or {}
        self._books: dict[str, RuleBook] = {}
        for active in actives:
            self._add(active)

    def _add(self, active: Active) -> None:
        rule = active.rule
        self.by_id[rule.id] = active
        if isinstance(rule, ThresholdRule | TrendRule):
            self.numbers[rule.quantity].append(active)
        elif isinstance(rule, ScoreRule):
            for quantity in SIGN_OF:
                self.scores[quantity].append(active)
        elif isinstance(rule, AbsenceRule):
            self.absences.append(active)
            for sign in rule.signs:
                self.signs[sign].add(rule.of if sign != rule.after else sign)
        elif isinstance(rule, AllRule):
            for member in sorted(rule.members):
                self.alls[member].append(active)
        else:
            self.events[rule.event].append(active)
            if rule.cancelled_by is not None:
                self.cancels[rule.cancelled_by].append(active)

    def of_elder(self, elder_id: str | None) -> "RuleBook":
        """The rules as they are for one elder; for most that is this very book."""
        home = self._homes.get(elder_id or "")
        if home is None or not home.patches:
            return self
        if elder_id not in self._books:
            self._books[elder_id or ""] = RuleBook([_patched(active, home) for active in self.by_id.values()])
        return self._books[elder_id or ""]

    def zone(self, elder_id: str | None) -> str:
        """The time zone of an elder's home."""
        home = self._homes.get(elder_id or "")
        return home.zone if home else DEFAULT_ZONE


def _patched(active: Active, home: Home) -> Active:
    """A rule with the overrides of a home. One that no longer fits its rule is left out: the rule itself is the safer one."""
    rule, used = active.rule, []
    for one in home.patches:
        if one.rule_id != rule.id:
            continue
        try:
            rule = patch.apply(rule, one.body)
        except ValueError:
            continue
        used.append(one.id)
    return Active(rule, active.version, tuple(used))
