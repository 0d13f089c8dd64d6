"""What a family sees of an elder: built once, for the page and the API alike, and of nothing that the elder has not consented to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from backend.db.pool import Connection
from backend.people import accounts, families
from backend.people.accounts import Account
from backend.rules import store as rules
from backend.rules import watch
from backend.rules.engine import RuleBook
from backend.rules.kinds.threshold import ThresholdLevel, ThresholdRule
from backend.web import auth, elder_read, labels, read, readers
from backend.web.model import Title, View
from backend.web.read import Row
from contract.quantities import QUANTITIES, QuantityName

ALERTS_FOR = timedelta(days=14)
VISITS_FOR = timedelta(days=180)
HEARD_WITHIN = timedelta(minutes=10)
"""Gateways say how they are every five minutes at least (gateway/config.py); silence for twice as long is worth a calm word, and the centre
has had its own by then."""
MOVES = ("motion", "bed_exit", "door_opened")
"""Signs of life (rules/signs.py) that mean that somebody moved."""
ACTIVE_WITHIN = timedelta(hours=36)
"""The hours active of a day come after it."""
NUMBERS = tuple(name for name in labels.VITALS if name is not QuantityName.BED_OCCUPIED)

Mood = Literal["called", "helping", "looked_after", "away", "unheard", "in_bed", "up", "heard"]
Standing = Literal["within", "below", "above", "unknown"]


class StateView(View):
    """How things are: when the home was heard, in bed or up, when somebody moved, hours active yesterday. None where no device says it."""

    heard_at: datetime | None
    is_heard: bool
    in_bed: bool | None
    moved_at: datetime | None
    active_h: float | None
    away_until: datetime | None


class ValueView(View):
    """A newest value and where it stands to the limits that are watched for this elder (not a diagnosis). `is_fresh`: of now."""

    quantity: QuantityName
    value: float
    at: datetime
    is_fresh: bool
    low: float | None
    high: float | None
    standing: Standing


class FamilyAlertView(View):
    """Something the centre was called for, and what was done. Without consent to visits, those are left out."""

    titles: list[Title]
    priority: str
    is_open: bool
    opened_at: datetime
    taken_at: datetime | None
    begun_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    disposition: str | None
    visit_state: str | None
    doctor_name: str | None


class FamilyVisitView(View):
    """A visit: who, when, and, with consent to findings, what was found."""

    visit_class: str
    state: str
    requested_at: datetime
    changed_at: datetime
    doctor_name: str | None
    outcome: str | None
    findings: str | None


class PromisedView(View):
    """A planned visit with its time."""

    kind: str
    promised_at: datetime
    doctor_name: str


class LetterView(View):
    """A message, newest first in a list. `is_read`: the centre has dealt with one of the family's."""

    at: datetime
    is_own: bool
    by_title: str
    text: str
    is_read: bool


class FamilyView(View):
    """An elder as one member of the family may see it. What is not consented to is None, and named nowhere else."""

    elder_id: str
    elder_name: str
    zone: str
    sees: list[str]
    mood: Mood | None
    state: StateView | None
    values: list[ValueView] | None
    alerts: list[FamilyAlertView] | None
    visits: list[FamilyVisitView] | None
    promised: list[PromisedView] | None
    letters: list[LetterView] | None


async def everybody(conn: Connection, who: Account, *, now: datetime) -> list[FamilyView]:
    """All elders of whom this account may see something; each look is written to the trail."""
    rights = (await readers.family_rights(conn, [who.name], now=now)).get(who.name, {})
    found = []
    for elder_id, sees in rights.items():
        await accounts.audit_view(conn, by=who.name, subject=f"elder:{elder_id}", now=now)
        found.append(await _view(conn, who, elder_id, sees, now))
    return found


async def one(conn: Connection, who: Account, elder_id: str, *, now: datetime) -> FamilyView:
    """One elder. Raises NotFound where the account may see nothing; the refusal is written too."""
    sees = await auth.open_for_family(conn, who, elder_id, now=now)
    return await _view(conn, who, elder_id, sees, now)


async def _view(conn: Connection, who: Account, elder_id: str, sees: frozenset[str], now: datetime) -> FamilyView:
    elder = await elder_read.elder(conn, elder_id, now=now)
    assert elder is not None, "a consent leads to it"
    latest = await elder_read.latest(conn, elder_id)
    state = await _state(conn, elder, latest, now) if "state" in sees else None
    alerts = await _alerts(conn, elder_id, now, with_visits="visits" in sees) if "alerts" in sees else None
    is_seen = "visits" in sees
    return FamilyView(
        elder_id=elder_id,
        elder_name=elder["name"],
        zone=elder["zone"],
        sees=[thing for thing in families.THINGS if thing in sees],
        mood=mood(state, alerts),
        state=state,
        values=values(latest, (await rules.load(conn, elder_id)).of_elder(elder_id), now) if "values" in sees else None,
        alerts=alerts,
        visits=await _visits(conn, elder_id, now, with_findings="findings" in sees) if is_seen else None,
        promised=[PromisedView.model_validate(row) for row in await elder_read.promised_visits(conn, elder_id, now=now)]
        if is_seen
        else None,
        letters=letters(await families.messages(conn, elder_id, reader=who.name), who.name) if "messages" in sees else None,
    )


async def _state(conn: Connection, elder: Row, latest: dict[str, Row], now: datetime) -> StateView:
    heard = [gateway["heard_at"] for gateway in elder["gateways"] if gateway["heard_at"] is not None]
    signs = await elder_read.signs_of_life(conn, elder["id"])
    away = [one["until_at"] for one in await watch.away(conn, elder["id"]) if one["from_at"] <= now < one["until_at"]]
    bed, active = latest.get(QuantityName.BED_OCCUPIED), latest.get(QuantityName.ACTIVE_DAY)
    return StateView(
        heard_at=max(heard, default=None),
        is_heard=bool(heard) and now - max(heard) <= HEARD_WITHIN,
        in_bed=bool(bed["last_value"]) if bed and is_fresh(QuantityName.BED_OCCUPIED, bed["last_at"], now) else None,
        moved_at=max((signs[name] for name in MOVES if name in signs), default=None),
        active_h=active["last_value"] if active and now - active["last_at"] <= ACTIVE_WITHIN else None,
        away_until=max(away, default=None),
    )


async def _alerts(conn: Connection, elder_id: str, now: datetime, *, with_visits: bool) -> list[FamilyAlertView]:
    """What the centre was called for, the newest first; technical trouble calls no family."""
    cases = [case for case in await read.elder_cases(conn, elder_id) if case["priority"] != "technical" and case["about"]]
    cases.sort(key=lambda case: case["opened_at"], reverse=True)
    hidden = {} if with_visits else {"visit_state": None, "doctor_name": None}
    return [
        FamilyAlertView.model_validate(
            case | hidden | {"titles": [one["title"] for one in case["about"]], "is_open": case["state"] != "closed"}
        )
        for case in cases
        if case["state"] != "closed" or case["opened_at"] > now - ALERTS_FOR
    ]


async def _visits(conn: Connection, elder_id: str, now: datetime, *, with_findings: bool) -> list[FamilyVisitView]:
    hidden = {} if with_findings else {"findings": None, "outcome": None}
    visits = await read.elder_visits(conn, elder_id)
    return [FamilyVisitView.model_validate(visit | hidden) for visit in visits if visit["changed_at"] > now - VISITS_FOR]


def mood(state: StateView | None, alerts: Sequence[FamilyAlertView] | None) -> Mood | None:
    """The first sentence of the page, as a word: what is being done comes before how things are, and silence is never "well"."""
    is_open = [alert for alert in alerts or () if alert.is_open and alert.resolved_at is None and alert.priority != "low"]
    if is_open:
        return "called" if any(alert.taken_at is None for alert in is_open) else "helping"
    if state is None:
        return None
    if state.away_until is not None:
        return "away"
    if not state.is_heard:
        return "unheard"
    return "heard" if state.in_bed is None else "in_bed" if state.in_bed else "up"


def values(latest: dict[str, Row], book: RuleBook, now: datetime) -> list[ValueView]:
    """Newest plausible values with the limits watched for this elder."""
    found = []
    for name in NUMBERS:
        row = latest.get(name)
        if row is None or not QUANTITIES[name].is_plausible(row["last_value"]):
            continue
        low, high = band(book, name)
        fresh = is_fresh(name, row["last_at"], now)
        found.append(
            ValueView(
                quantity=name, value=row["last_value"], at=row["last_at"], is_fresh=fresh, low=low, high=high,
                standing=standing(row["last_value"], book, name) if fresh else "unknown",
            )
        )  # fmt: skip
    return found


def band(book: RuleBook, quantity: QuantityName) -> tuple[float | None, float | None]:
    """Between which limits no rule of this elder's looks up: (low, high), None where nothing is watched on that side."""
    limits = list(_limits(book, quantity))
    lows = [limit.bound for limit in limits if not limit.is_upper]
    highs = [limit.bound for limit in limits if limit.is_upper]
    return max(lows, default=None), min(highs, default=None)


def standing(value: float, book: RuleBook, quantity: QuantityName) -> Standing:
    """Where a value stands by the very comparisons of the rules."""
    limits = list(_limits(book, quantity))
    passed = next((limit for limit in limits if limit.test()(value)), None)
    if passed is not None:
        return "above" if passed.is_upper else "below"
    return "within" if limits else "unknown"


def _limits(book: RuleBook, quantity: QuantityName) -> Iterable[ThresholdLevel]:
    for active in book.numbers.get(quantity, ()):
        if isinstance(active.rule, ThresholdRule):
            yield from active.rule.levels


def is_fresh(name: QuantityName, at: datetime, now: datetime) -> bool:
    """True while a value may stand for now."""
    return (now - at).total_seconds() <= labels.FRESH_S.get(name, labels.DEFAULT_FRESH_S)


def letters(rows: Sequence[Row], reader: str) -> list[LetterView]:
    """Messages as this reader sees them."""
    return [LetterView.model_validate(row | {"is_own": row["by"] == reader, "is_read": row["done_at"] is not None}) for row in rows]
