"""A rule as a form and back: one list of fields per kind, from which page and reading are made. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from backend.rules.kinds import AnyRule
from backend.rules.model import SEVERITY, InternalEvent, Priority, VisitClass
from backend.web.labels import N_
from contract.events import EventKind
from contract.quantities import QUANTITIES

LEVELS_MAX = 3
COMPARISONS = ("below", "at_most", "above", "at_least")
TURNS = ("rise_at_least", "fall_at_least")

Type = Literal["text", "number", "choice", "time"]
Choices = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One input: `path` in the rule's body (`word` and `bound` stand for a comparison), what it is called, and what may stand in it."""

    path: str
    title: str
    type: Type = "number"
    choices: Choices = ()


QUANTITY = Field("quantity", N_("Quantity"), "choice", tuple(str(name) for name in QUANTITIES))
EVENTS: Choices = tuple(str(kind) for kind in (*EventKind, *InternalEvent))
PRIORITY = Field("priority", N_("Priority"), "choice", get_args(Priority))
NAME = Field("name", N_("Level"), "choice", tuple(SEVERITY))
VISIT = Field("visit", N_("Visit"), "choice", ("", *get_args(VisitClass)))
LIMIT = (
    Field("word", N_("Limit"), "choice", COMPARISONS),
    Field("bound", N_("Value")),
    Field("hold_s", N_("for s")),
    Field("times", N_("or times")),
    Field("within_s", N_("within s")),
    Field("first", N_("The first"), "choice", ("", "ask_to_remeasure")),
)
CLEAR = (
    Field("clear.word", N_("Ends when"), "choice", ("", *COMPARISONS)),
    Field("clear.bound", N_("Value")),
    Field("clear.hold_s", N_("for s")),
    Field("clear.times", N_("or times")),
)
TIMING = (
    Field("timing.max_gap_s", N_("A gap over s begins anew")),
    Field("timing.fresh_s", N_("Unknown after s without data")),
    Field("timing.late_page_s", N_("Later than s calls nobody")),
    Field("timing.cooldown_s", N_("Not again within s after closing")),
)
GROUPS = (
    Field("groups.with", N_("One case with the rules (separated by spaces)"), "text"),
    Field("groups.within_s", N_("when within s of each other")),
)
OWN_CLEAR = (
    Field("clear.word", N_("Its own end"), "choice", ("", *COMPARISONS)),
    Field("clear.bound", N_("Value of its end")),
    Field("clear.hold_s", N_("for s at its end")),
    Field("clear.times", N_("or times at its end")),
)
HOURS = (
    Field("active.from", N_("Only from"), "time"),
    Field("active.until", N_("until"), "time"),
    Field("active.zone", N_("Time zone"), "text"),
)
HEAD: dict[str, tuple[Field, ...]] = {
    "threshold": (QUANTITY,),
    "trend": (QUANTITY,),
    "absence": (Field("of", N_("Waits for"), "choice", ("gateway", *QUANTITY.choices, *EVENTS)),),
    "event": (
        Field("event", N_("Event"), "choice", EVENTS),
        Field("cancelled_by", N_("Taken back by"), "choice", ("", *EVENTS)),
        Field("cancel_s", N_("Calls nobody before s")),
    ),
    "score": (
        Field("table.name", N_("Table"), "choice", ("news2",)),
        Field("table.max_age_s", N_("Readings not older than s")),
        Field("table.quantities_min", N_("At least so many signs")),
        Field("table.spo2_scale", N_("SpO2 scale"), "choice", ("1", "2")),
        Field("table.label", N_("Called, when partial"), "text"),
    ),
    "all": (Field("of", N_("Together (rule.level, separated by spaces)"), "text"), Field("mutes", N_("Meanwhile mutes"), "text")),
}
LEVEL: dict[str, tuple[Field, ...]] = {
    "threshold": (NAME, *LIMIT, *OWN_CLEAR, PRIORITY, VISIT),
    "score": (NAME, *LIMIT[:3], *OWN_CLEAR[:3], PRIORITY, VISIT),
    "trend": (
        NAME,
        Field("turn", N_("Turn"), "choice", TURNS),
        Field("bound", N_("by at least")),
        Field("within_s", N_("within s")),
        Field("baseline", N_("against"), "choice", ("median", "mean", "min", "max", "first")),
        Field("samples_min", N_("Readings at least")),
        PRIORITY,
        VISIT,
    ),
    "absence": (
        NAME,
        Field("for_s", N_("for s")),
        Field("after", N_("after"), "choice", ("", *EVENTS)),
        Field("warn_home_s", N_("Home asked s before")),
        Field("held_while", N_("Not while"), "choice", ("", "away", "gateway_offline", "away gateway_offline")),
        PRIORITY,
        VISIT,
    ),
    "event": (NAME, PRIORITY, VISIT),
    "all": (NAME, Field("overlap_s", N_("for s")), PRIORITY, VISIT),
}
REST: dict[str, tuple[Field, ...]] = {
    "threshold": (*CLEAR, *TIMING, *HOURS, *GROUPS),
    "score": (*CLEAR[:3], *TIMING, *HOURS, *GROUPS),
    "trend": (Field("clear.change_below", N_("Ends when the change is below")), *TIMING[1:], *HOURS, *GROUPS),
    "absence": (*HOURS, *GROUPS),
    "event": (*TIMING[2:], *HOURS, *GROUPS),
    "all": (*TIMING[2:], *HOURS, *GROUPS),
}
LISTS = frozenset({"held_while", "of", "mutes", "with"})
WHOLE = frozenset({"times", "quantities_min", "spo2_scale", "samples_min"})


def level_rows(kind: str) -> int:
    """How many levels the form of a kind offers."""
    return 1 if kind == "event" else LEVELS_MAX


def fill(rule: AnyRule) -> dict[str, str]:
    """What stands in the fields of a rule's form, by path; levels as levels.0.name and so on."""
    body = rule.model_dump(mode="json", exclude_none=True)
    found = {path: body_text for path, body_text in _flat(body).items()}
    for row, level in enumerate(body["levels"]):
        found |= {f"levels.{row}.{path}": text for path, text in _flat(level).items()}
    return found | {"id": rule.id, "kind": rule.kind, "title.zh": rule.title.zh, "title.en": rule.title.en, "source": rule.source}


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if key == "levels":
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            found[prefix + key] = " ".join(map(str, value))
        else:
            found[prefix + key] = f"{value:.10g}" if isinstance(value, float) else str(value)
    for word in COMPARISONS:
        if word in table:
            found |= {f"{prefix}word": word, f"{prefix}bound": f"{table[word]:.10g}"}
    for turn in TURNS:
        if turn in table:
            found |= {"turn": turn, "bound": f"{table[turn]:.10g}"}
    return found


def body_of(given: Mapping[str, str]) -> dict[str, Any]:
    """The body of a rule from what was entered. Empty fields are left out. What is no number stays text, and is refused by the rule."""
    kind = given.get("kind", "")
    body: dict[str, Any] = {"id": given.get("id", "").strip(), "kind": kind, "source": given.get("source", "").strip()}
    body["title"] = {"zh": given.get("title.zh", "").strip(), "en": given.get("title.en", "").strip()}
    for one in (*HEAD.get(kind, ()), *REST.get(kind, ())):
        _put(body, one, given.get(one.path, ""))
    body["levels"] = []
    for row in range(level_rows(kind)):
        if given.get(f"levels.{row}.name"):
            level: dict[str, Any] = {}
            for one in LEVEL.get(kind, ()):
                _put(level, one, given.get(f"levels.{row}.{one.path}", ""))
            if "clear" in level:
                level["clear"] = _compared(level["clear"])
            body["levels"].append(_compared({key: value for key, value in level.items() if value != {}}))
    if isinstance(body.get("clear"), dict):
        body["clear"] = _compared(body["clear"])
    if body.get("active", {}).keys() == {"zone"}:
        del body["active"]
    for key in ("clear", "timing", "active"):
        if body.get(key) == {}:
            del body[key]
    return body


def changes(old: AnyRule, new: AnyRule) -> dict[str, Any]:
    """What an override must change, key by key, so that `old` becomes `new`; empty where they are the same."""
    before, after = (rule.model_dump(mode="json") for rule in (old, new))
    found = _changes(before, {key: value for key, value in after.items() if key not in ("levels", "title", "source")})
    if before["levels"] != after["levels"]:
        by_name = {level["name"]: level for level in before["levels"]}
        found["levels"] = [{"name": level["name"]} | _changes(by_name.get(level["name"], {}), level) for level in after["levels"]]
    return found


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in new.items():
        if value == old.get(key) or (value is None and key in (*COMPARISONS, *TURNS)):
            continue
        found[key] = _changes(old.get(key) or {}, value) if isinstance(value, dict) else value
    return found


def _put(table: dict[str, Any], one: Field, text: str) -> None:
    text = text.strip()
    if not text:
        return
    *path, key = one.path.split(".")
    for step in path:
        table = table.setdefault(step, {})
    is_list = key in LISTS and not (key == "of" and one.type == "choice")
    if is_list:
        table[key] = text.replace("、", " ").replace(",", " ").split()
    elif one.type == "number" or key in WHOLE:
        table[key] = _number(text, whole=key in WHOLE)
    else:
        table[key] = text


def _number(text: str, *, whole: bool) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if whole and number.is_integer() else number


def _compared(table: dict[str, Any]) -> dict[str, Any]:
    """`word` and `bound` as the comparison they stand for; `turn` as a change."""
    rest = {key: value for key, value in table.items() if key not in ("word", "bound", "turn")}
    if "turn" in table:
        return rest | ({table["turn"]: table["bound"]} if "bound" in table else {})
    if "word" in table and "bound" in table:
        return rest | {table["word"]: table["bound"]}
    return rest if "word" not in table or rest else {}
