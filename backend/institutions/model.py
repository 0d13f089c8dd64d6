"""An institution as a file or a form gives it."""

from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from backend.institutions import hours
from backend.people.model import Id, Phone, Shape

Kind = Literal["integrated", "care_home", "hospital", "health_centre", "clinic", "day_care", "nursing"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`integrated` has both licences, medical and care (两证齐全的医养结合机构); `nursing` comes to the home."""


class Institution(Shape):
    """One row. Degrees are WGS 84; `hours` as in hours.py, empty when not known; `nursing_beds` are among `beds`."""

    id: Id
    kind: Kind
    name: str = Field(min_length=1, max_length=100)
    address: str = Field(default="", max_length=200)
    phone: Phone | Literal[""] = ""
    latitude: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    longitude: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    hours: str = Field(default="", max_length=200)
    beds: int | None = Field(default=None, ge=0, le=100_000)
    nursing_beds: int | None = Field(default=None, ge=0)
    is_active: bool = True

    @field_validator("hours")
    @classmethod
    def _readable(cls, text: str) -> str:
        hours.read(text)
        return text.strip()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give latitude and longitude, or neither")
        if self.nursing_beds is not None and self.nursing_beds > (self.beds or 0):
            raise ValueError("nursing_beds are among beds, and cannot be more")
        return self
