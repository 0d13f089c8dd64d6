"""Visits that are due by a date: their kinds, and the rows of an import file."""

import csv
import io
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from backend.config import explain
from backend.errors import BadInput

Role = Literal["gp", "nurse", "public_health", "specialist"]
Part = Literal["any", "morning", "afternoon"]


class Kind(StrEnum):
    """What a due visit is for."""

    ELDER_CHECKUP = "elder_checkup"
    HYPERTENSION_FOLLOWUP = "hypertension_followup"
    DIABETES_FOLLOWUP = "diabetes_followup"
    HOME_BED_ROUND = "home_bed_round"
    TWO_WEEK_CHECK = "two_week_check"
    OTHER = "other"


def _words(value: object) -> object:
    return tuple(value.split("+")) if isinstance(value, str) else value


class DueVisit(BaseModel):
    """One row of an import: `roles` is one role or two joined by `+`, `gap_*` how much later the second starts, in minutes.

    Without `lasts_min` it takes as long as its kind does by `[plan.lasts_min]` when it is planned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    elder: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    kind: Kind
    opens_on: date
    due_on: date
    part: Part = "any"
    lasts_min: int | None = Field(default=None, ge=5, le=240)
    roles: Annotated[tuple[Role, ...], BeforeValidator(_words)] = Field(default=("gp",), min_length=1, max_length=2)
    gap_min_min: int = Field(default=0, ge=-240, le=240)
    gap_max_min: int = Field(default=0, ge=-240, le=240)
    note: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.due_on < self.opens_on:
            raise ValueError("due_on must not be before opens_on")
        if self.gap_max_min < self.gap_min_min:
            raise ValueError("gap_max_min must not be below gap_min_min")
        return self

    def columns(self) -> dict[str, object]:
        """The table's values."""
        return self.model_dump(exclude={"elder", "roles"}) | {"elder_id": self.elder, "roles": list(self.roles)}


def read_csv(text: str, name: str) -> list[DueVisit]:
    """Rows of a CSV with a head. Raises BadInput with the line and what is wrong in it."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if not {"elder", "kind", "opens_on", "due_on"} <= set(rows.fieldnames or ()):
        raise BadInput(
            f"{name}: the first line must name the columns elder,kind,opens_on,due_on and may name {', '.join(DueVisit.model_fields)}"
        )
    found = []
    for row in rows:
        if None in row:
            raise BadInput(f"{name}, line {rows.line_num}: more values than columns")
        try:
            found.append(DueVisit.model_validate({key: value.strip() for key, value in row.items() if key and value and value.strip()}))
        except ValidationError as error:
            raise BadInput(f"{name}, line {rows.line_num}: {explain(error)}") from error
    return found
