"""A rule file: `[[rule]]`, `[[override]]` and `[[case]]` blocks in TOML, read and checked, with one line that says what is wrong."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.errors import BadInput
from backend.rules import patch
from backend.rules.cases import Case, fault_of_feed
from backend.rules.kinds import RULE, AnyRule
from backend.rules.kinds.all import AllRule
from backend.rules.patch import Override

DEFAULTS = Path(__file__).parent / "defaults.toml"
BLOCKS = frozenset({"rule", "override", "case"})


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What a file says. `rules` by id, in its order."""

    rules: dict[str, AnyRule]
    overrides: list[Override] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is odd but may be meant, such as a member that is kept in another file."""
    text: str = ""
    """As it was written."""

    def cases_of(self, rule_id: str) -> str:
        """The `[[case]]` blocks of a rule, as text."""
        blocks = (block.split("[[rule]]")[0].split("[[override]]")[0] for block in self.text.split("[[case]]")[1:])
        own = re.compile(rf"""^\s*rule\s*=\s*["']{re.escape(rule_id)}["']""", re.MULTILINE)
        return "\n".join(f"[[case]]{block.rstrip()}\n" for block in blocks if own.search(block))


def read(path: Path, *, known: Mapping[str, AnyRule] | None = None) -> RuleFile:
    """Read a file. `known`: rules that overrides, cases and rules of kind `all` may name beside its own. Raises BadInput."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    return parse(text, str(path), known=known)


def parse(text: str, name: str, *, known: Mapping[str, AnyRule] | None = None, of: str | None = None) -> RuleFile:
    """The same of a text that a person may know as `name`. `of`: the rule of cases that name none."""
    try:
        blocks = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not TOML: {error}") from error
    if strange := blocks.keys() - BLOCKS:
        raise BadInput(f"{name}: unknown block {', '.join(sorted(strange))}; a rule file has [[rule]], [[override]] and [[case]] blocks")
    rules = [_read(RULE.validate_python, name, "rule", block) for block in _blocks(blocks, "rule", name)]
    if len({rule.id for rule in rules}) != len(rules):
        raise BadInput(f"{name}: two rules have the same id")
    file = RuleFile(
        {rule.id: rule for rule in rules},
        [_read(Override.model_validate, name, "override", block) for block in _blocks(blocks, "override", name)],
        [_read(Case.model_validate, name, "case", _named(block, of)) for block in _blocks(blocks, "case", name)],
        text=text,
    )
    _check(file, name, dict(known or {}) | file.rules)
    return file


def rules_of(path: Path) -> list[AnyRule]:
    """The rules of a file that must have some. Raises BadInput naming the rule and the key."""
    found = list(read(path, known={} if path == DEFAULTS else shipped()).rules.values())
    if not found:
        raise BadInput(f"{path} has no [[rule]] block")
    return found


def shipped() -> dict[str, AnyRule]:
    """The rules of DEFAULTS by id."""
    return read(DEFAULTS).rules


def shipped_cases(rule_id: str) -> str:
    """The shipped `[[case]]` blocks of a rule, as text."""
    texts = (path.read_text("utf-8") for path in sorted((DEFAULTS.parent / "shipped_cases").glob("*.toml")))
    return "\n".join(filter(None, (RuleFile({}, text=text).cases_of(rule_id) for text in texts)))


def _blocks(blocks: Mapping[str, Any], kind: str, name: str) -> list[Any]:
    found = blocks.get(kind, [])
    if not isinstance(found, list):
        raise BadInput(f"{name} has no [[{kind}]] block: write it with two brackets")
    return found


def _named(block: Any, rule_id: str | None) -> Any:
    return {"rule": rule_id} | block if rule_id is not None and isinstance(block, dict) else block


def _read(validate: Any, name: str, kind: str, block: Any) -> Any:
    try:
        return validate(block)
    except ValidationError as error:
        key = "id" if kind == "rule" else "name" if kind == "case" else "rule"
        title = block.get(key, block.get("rule", f"without {key}")) if isinstance(block, dict) else "not a table"
        raise BadInput(f"{name}: {kind} {title}: {explain(error, whole='together')}") from error


def _check(file: RuleFile, name: str, known: Mapping[str, AnyRule]) -> None:
    """What one block alone cannot know."""
    for rule in file.rules.values():
        if isinstance(rule, AllRule):
            for member_fault in faults_of_members(rule, known):
                raise BadInput(f"{name}: rule {rule.id}: {member_fault}")
            file.notes.extend(f"{name}: rule {rule.id}: {note}" for note in missing_members(rule, known))
    for one in file.overrides:
        if one.rule not in known:
            raise BadInput(f"{name}: override of {one.elder or one.group}: there is no rule {one.rule}")
        before = [other for other in file.overrides[: file.overrides.index(one)] if _is_of(other, one) and other.why.until >= one.why.until]
        for patches in ([one], [*before, one]):
            try:
                patch.apply_all(known[one.rule], patches)
            except ValidationError as error:
                raise BadInput(
                    f"{name}: override of {one.rule} for {one.elder or one.group}: {explain(error, whole='together')}"
                ) from error
    for case in file.cases:
        if case.rule not in known:
            raise BadInput(f"{name}: case {case.title}: there is no rule {case.rule}")
        if (fault := fault_of_feed(case, known[case.rule])) is not None:
            raise BadInput(f"{name}: case {case.title}: {fault}")


def _is_of(one: Override, other: Override) -> bool:
    return (one.rule, one.elder, one.group) == (other.rule, other.elder, other.group)


def missing_members(rule: AllRule, known: Mapping[str, AnyRule]) -> list[str]:
    """Members of a rule of kind `all` that nobody has: it then says UNKNOWN."""
    return [f"of: there is no rule {member}" for member in sorted(rule.members) if member not in known]


def faults_of_members(rule: AllRule, known: Mapping[str, AnyRule]) -> Iterable[str]:
    """What is wrong with the members of a rule of kind `all`."""
    for member in rule.of:
        rule_id, _, level = member.partition(".")
        if rule_id not in known:
            continue
        if isinstance(known[rule_id], AllRule):
            yield f"of: {rule_id} is itself made of others; name those"
        elif level not in [one.name for one in known[rule_id].levels]:
            yield f"of: rule {rule_id} has no level {level}"
