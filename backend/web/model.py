"""What the API and the live stream say, as JSON. Times are ISO 8601 in UTC; codes are the ones of the tables."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from backend.web.read import Row


class View(BaseModel):
    """Base of all answers: frozen; a row's other columns are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Title(View):
    """A rule's name for people."""

    zh: str
    en: str


class AlertView(View):
    """One alert: the condition of one rule. What people do is done to its case; `visit_*` is the newest visit asked for in its name."""

    id: int
    version: int
    elder_id: str | None
    elder_name: str | None
    gateway_id: str | None
    rule_id: str
    title: Title
    priority: str
    level: str
    state: str
    condition: str
    opened_at: datetime
    known_at: datetime
    changed_at: datetime
    last_at: datetime
    count: int
    evidence: dict[str, Any]
    case_id: int | None
    case_state: str | None
    taken_by: str | None
    taken_title: str | None
    taken_at: datetime | None
    closed_at: datetime | None
    disposition: str | None
    visit_id: int | None
    visit_state: str | None
    visit_rounds: int | None
    doctor_name: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `read.alerts`."""
        return cls.model_validate(row | {"title": row["rule"]["title"]})


class AboutView(View):
    """How many alerts of one rule a case has."""

    rule_id: str
    title: Title
    alerts: int


class CaseView(View):
    """One case: what people work on. `alert_id` is its most pressing alert, None when all were moved to a group item.

    `is_group`: many homes at once, and neither elder nor gateway is named. `next_step` at `next_at` is what happens when nobody acts.
    """

    id: int
    version: int
    elder_id: str | None
    elder_name: str | None
    gateway_id: str | None
    is_group: bool
    is_muted: bool
    priority: str
    state: str
    opened_at: datetime
    known_at: datetime
    changed_at: datetime
    waiting_since: datetime
    taken_by: str | None
    taken_title: str | None
    taken_at: datetime | None
    begun_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    disposition: str | None
    next_step: str | None
    next_at: datetime | None
    flagged_at: datetime | None
    rests_until: datetime | None
    asked: list[str]
    alert_id: int | None
    condition: str | None
    about: list[AboutView]
    alerts_open: int
    alerts_total: int
    visit_id: int | None
    visit_state: str | None
    visit_rounds: int | None
    doctor_name: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `read.cases`."""
        return cls.model_validate(row)


class OfferView(View):
    """An offer nobody answered yet; it stays open when others are asked too, at `widens_at`.

    `way_s`: expected travel time in seconds. `cost`: why this doctor, in seconds: `way`, `not_own`, `displaced`.
    """

    doctor_id: str
    doctor_name: str
    why: str
    offered_at: datetime
    widens_at: datetime
    way_s: int | None
    cost: dict[str, float]


class VisitView(View):
    """One visit. `rounds` counts how often all doctors on duty were asked in vain, `rung` how far the search has widened (0 to 3).

    `depart_by`: when the doctor promised to leave. `called_120_at`: when somebody called 120 for this elder.
    """

    id: int
    version: int
    elder_id: str
    elder_name: str
    alert_id: int | None
    visit_class: str
    reason: str
    state: str
    doctor_id: str | None
    doctor_name: str | None
    requested_at: datetime
    changed_at: datetime
    next_at: datetime | None
    rounds: int
    rung: int
    depart_by: datetime | None
    called_120_at: datetime | None
    offers: list[OfferView]
    findings: str | None
    outcome: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `read.visits`."""
        return cls.model_validate(row)


class CandidateView(View):
    """A doctor on duty who could make a visit. `cost`: the terms of the choice in seconds, as in an offer."""

    doctor_id: str
    doctor_name: str
    doctor_phone: str
    why: str
    way_s: float | None
    open_visits: int
    cost: dict[str, float]

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `steps.candidates`."""
        return cls.model_validate(row)


class PulseView(View):
    """How the whole system is. `readings_per_minute` is None until it has been watched for some seconds."""

    at: datetime
    homes_online: int
    homes_total: int
    readings_per_minute: int | None
    last_received_at: datetime | None
    open_cases: dict[str, int]


class SeriesColumns(View):
    """One device's buckets: four columns of one length, oldest first. `at` is the bucket's begin in unix seconds."""

    device_id: str
    at: list[int]
    mean: list[float | None]
    min: list[float]
    max: list[float]


class SeriesView(View):
    """A quantity of one elder between two instants, in buckets of `step_s` seconds; `unit` is UCUM."""

    elder_id: str
    quantity: str
    unit: str
    from_at: datetime
    to_at: datetime
    step_s: int
    devices: list[SeriesColumns]
