"""The union of kinds: a new kind is one file beside this one and one name in `Rule`."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import ScoreRule
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule

AnyRule = ThresholdRule | TrendRule | AbsenceRule | EventRule | ScoreRule | AllRule
Rule = Annotated[AnyRule, Field(discriminator="kind")]
RULE: TypeAdapter[AnyRule] = TypeAdapter(Rule)
