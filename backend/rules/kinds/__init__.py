"""The union of kinds: a new kind is one file beside this one and one name in `Rule`."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.threshold import ThresholdRule

Rule = Annotated[ThresholdRule | EventRule | AbsenceRule, Field(discriminator="kind")]
RULE: TypeAdapter[ThresholdRule | EventRule | AbsenceRule] = TypeAdapter(Rule)
