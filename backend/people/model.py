"""People as an import file gives them: teams, doctors, shifts, elders with contacts and contract, homes, accounts."""

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Phone = Annotated[str, Field(pattern=r"^[0-9+ -]{3,20}$")]


class Shape(BaseModel):
    """Base of every table: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Area(Shape):
    """A district, street or community; `parent` is the larger one it lies in."""

    id: Id
    name: str = Field(min_length=1)
    parent: Id | None = None


class Team(Shape):
    """A family-doctor team, where it starts from, and the one that helps when nobody of it is on duty."""

    id: Id
    name: str = Field(min_length=1)
    phone: Phone | Literal[""] = ""
    fallback: Id | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    areas: list[Id] = Field(default_factory=list)


class Doctor(Shape):
    """A member of a team ("1+1+1+X"). Only a `gp` is offered visits, and a team without one is refused."""

    id: Id
    team: Id
    name: str = Field(min_length=1)
    phone: Phone | Literal[""] = ""
    role: Literal["gp", "nurse", "public_health", "specialist"] = "gp"


class Shift(Shape):
    """When a doctor is on duty."""

    doctor: Id
    starts_at: AwareDatetime
    ends_at: AwareDatetime

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("a shift must end after it starts")
        return self


class Contact(Shape):
    """Somebody to call, in the order of the list."""

    name: str = Field(min_length=1)
    relation: str = Field(min_length=1)
    phone: Phone
    has_key: bool = False
    notify_channel: Literal["log", "webhook", "email", "service"] | None = None
    notify_address: str = ""


class Contract(Shape):
    """The signed team and the elder's own doctor in it, with both dates included.

    家庭医生签约 runs at least a year (规范签约管理意见); the table `contract` checks the same.
    """

    team: Id
    doctor: Id
    signed_on: date
    ends_on: date

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.ends_on < _a_year_after(self.signed_on) - timedelta(days=1):
            raise ValueError("a contract runs at least one year")
        return self


def _a_year_after(day: date) -> date:
    """The same day of the next year; 28 February for the 29th, as PostgreSQL adds a year."""
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if is_leap_day else day.day)


class Ability(Shape):
    """How able an elder is, and when that was assessed: the five levels of GB/T 42195-2022."""

    level: Literal["intact", "mild", "moderate", "severe", "total"]
    on: date


class Elder(Shape):
    """One elder with everything an operator needs to see. `photo`: a picture's file, beside the import file."""

    id: Id
    name: str = Field(min_length=1)
    pinyin: str = ""
    sex: Literal["female", "male", "unknown"] = "unknown"
    born_on: date | None = None
    phone: Phone | Literal[""] = ""
    address: str = Field(min_length=1)
    access_note: str = ""
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    conditions: list[str] = Field(default_factory=list)
    drugs: list[str] = Field(default_factory=list)
    allergies: list[str] = Field(default_factory=list)
    ability: Ability | None = None
    photo: str | None = None
    zone: str = "Asia/Shanghai"
    area: Id | None = None
    gateways: list[Id] = Field(default_factory=list)
    contacts: list[Contact] = Field(default_factory=list, max_length=20)
    contract: Contract | None = None


class Follows(Shape):
    """An elder whom a member of the family may follow: through which contact, and what the elder has consented to, until when: without
    `ends_on`, a year from loading.
    """

    elder: Id
    contact: str = Field(min_length=1)
    sees: list[Literal["state", "values", "alerts", "visits", "findings", "messages"]] = Field(min_length=1)
    consented_to: str = Field(min_length=1)
    ends_on: date | None = None


class Account(Shape):
    """Somebody who signs in. `password` is hashed on import and never stored. `follows`: for the role `family` only.

    `edits_rules`: the medical lead, who writes and approves rules beside the administrators; without it, as it was.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")
    role: Literal["operator", "doctor", "admin", "family"]
    title: str = Field(min_length=1)
    password: str = Field(min_length=8)
    doctor: Id | None = None
    language: Literal["zh", "en"] = "zh"
    edits_rules: bool | None = None
    follows: list[Follows] = Field(default_factory=list)

    @model_validator(mode="after")
    def _only_families_follow(self) -> Self:
        if self.follows and self.role != "family":
            raise ValueError("only an account of the role family follows elders")
        return self


class PeopleFile(Shape):
    """The whole file. Loading it again changes what differs and repeats nothing."""

    area: list[Area] = Field(default_factory=list)
    team: list[Team] = Field(default_factory=list)
    doctor: list[Doctor] = Field(default_factory=list)
    shift: list[Shift] = Field(default_factory=list)
    elder: list[Elder] = Field(default_factory=list)
    account: list[Account] = Field(default_factory=list)
