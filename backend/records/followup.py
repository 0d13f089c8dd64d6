"""What follows from a follow-up of 高血压 or 2型糖尿病: satisfied or not, refer or not, and the next date. Pure.

    | found                                                                | do                          | next            |
    |----------------------------------------------------------------------|-----------------------------|-----------------|
    | satisfied                                                            | go on                       | routine         |
    | not satisfied for the first time, or a drug reaction                 | adjust the drugs            | in two weeks    |
    | not satisfied twice running, reaction hard to control, complication  | refer, follow up actively   | in two weeks    |
    | emergency                                                            | treat, refer                | in two weeks    |

Source: 国家基本公共卫生服务规范（第三版）, 高血压患者健康管理 and 2型糖尿病患者健康管理, 分类干预.
It advises a doctor, who decides.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

TWO_WEEKS = timedelta(days=14)
ROUTINE = timedelta(days=91)
"""规范: at least four face-to-face follow-ups a year, by quarter."""

SYSTOLIC_EMERGENCY, DIASTOLIC_EMERGENCY = 180, 110
"""规范: at or above, mmHg. One collection of test questions prints 100 for the second; the others have 110."""
SYSTOLIC_TARGET, DIASTOLIC_TARGET = 140, 90
SYSTOLIC_TARGET_ELDER = 150
ELDER_YEARS = 65
"""规范: controlled below 140/90 mmHg; from 65 years below 150/90."""
GLUCOSE_HIGH, GLUCOSE_LOW = 16.7, 3.9
"""规范: an emergency at or above, or at or below, mmol/L."""
GLUCOSE_TARGET = 7.0
"""规范: fasting glucose below it is satisfied, mmol/L."""
FEVER = 39.0
"""规范, diabetes: an emergency above, °C."""
FAST_PULSE = 100
"""规范, diabetes: an emergency when it stays above, /min."""


class Condition(StrEnum):
    """The diseases that have a follow-up of their own."""

    HYPERTENSION = "hypertension"
    DIABETES = "diabetes"


class Control(StrEnum):
    """The class of one follow-up, mildest first."""

    SATISFIED = "satisfied"
    FIRST_NOT = "first_not"
    SECOND_NOT = "second_not"
    EMERGENCY = "emergency"


class Reason(StrEnum):
    """Why a class was chosen."""

    PRESSURE_EMERGENCY = "pressure_emergency"
    GLUCOSE_EMERGENCY = "glucose_emergency"
    DANGER_SIGN = "danger_sign"
    FEVER = "fever"
    FAST_PULSE = "fast_pulse"
    PRESSURE_HIGH = "pressure_high"
    GLUCOSE_HIGH = "glucose_high"
    DRUG_REACTION = "drug_reaction"
    REACTION_HARD = "reaction_hard"
    COMPLICATION = "complication"


_EMERGENCIES = frozenset({Reason.PRESSURE_EMERGENCY, Reason.GLUCOSE_EMERGENCY, Reason.DANGER_SIGN, Reason.FEVER, Reason.FAST_PULSE})
_REFERRALS = frozenset({Reason.REACTION_HARD, Reason.COMPLICATION})


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured and seen; None was not measured. mmHg, mmol/L fasting, /min, °C."""

    age_years: int | None
    systolic: float | None = None
    diastolic: float | None = None
    glucose: float | None = None
    pulse: float | None = None
    temperature: float | None = None
    danger_signs: Collection[str] = ()
    drug_reaction: bool = False
    reaction_hard: bool = False
    complication: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """The class, why, whether to refer, and when to come again."""

    control: Control
    reasons: tuple[Reason, ...]
    refer: bool
    next_on: date


class NotMeasured(ValueError):
    """A follow-up without its own measurement has no class; `quantity` says what is missing."""

    def __init__(self, quantity: str) -> None:
        super().__init__(f"without {quantity} this follow-up has no result")
        self.quantity = quantity


def judge(condition: Condition, found: Found, *, previous: Control | None, on: date) -> Advice:
    """The advice for one disease; `previous` is the class of the follow-up before, None for the first. Raises NotMeasured."""
    reasons = (_hypertension if condition is Condition.HYPERTENSION else _diabetes)(found)
    control = _control(reasons, previous)
    refer = control in (Control.SECOND_NOT, Control.EMERGENCY)
    return Advice(control, tuple(reasons), refer, on + (ROUTINE if control is Control.SATISFIED else TWO_WEEKS))


def joint(advices: Sequence[Advice]) -> Advice:
    """One plan for an elder with several diseases: the gravest class, all reasons, the earliest date, so that nobody comes twice."""
    gravest = max(advices, key=lambda one: list(Control).index(one.control))
    reasons = tuple(dict.fromkeys(reason for one in advices for reason in one.reasons))
    return Advice(gravest.control, reasons, any(one.refer for one in advices), min(one.next_on for one in advices))


def _control(reasons: Collection[Reason], previous: Control | None) -> Control:
    if _EMERGENCIES.intersection(reasons):
        return Control.EMERGENCY
    if not reasons:
        return Control.SATISFIED
    is_again = previous is not None and previous is not Control.SATISFIED
    return Control.SECOND_NOT if is_again or _REFERRALS.intersection(reasons) else Control.FIRST_NOT


def _hypertension(found: Found) -> list[Reason]:
    if found.systolic is None or found.diastolic is None:
        raise NotMeasured("blood pressure")
    target = SYSTOLIC_TARGET if found.age_years is not None and found.age_years < ELDER_YEARS else SYSTOLIC_TARGET_ELDER
    is_high = found.systolic >= target or found.diastolic >= DIASTOLIC_TARGET
    return _listed([
        (Reason.PRESSURE_EMERGENCY, _is_pressure_emergency(found)),
        (Reason.DANGER_SIGN, bool(found.danger_signs)),
        (Reason.PRESSURE_HIGH, is_high),
        *_treatment(found),
    ])  # fmt: skip


def _diabetes(found: Found) -> list[Reason]:
    if found.glucose is None:
        raise NotMeasured("fasting glucose")
    return _listed([
        (Reason.GLUCOSE_EMERGENCY, found.glucose >= GLUCOSE_HIGH or found.glucose <= GLUCOSE_LOW),
        (Reason.PRESSURE_EMERGENCY, _is_pressure_emergency(found)),
        (Reason.DANGER_SIGN, bool(found.danger_signs)),
        (Reason.FEVER, found.temperature is not None and found.temperature > FEVER),
        (Reason.FAST_PULSE, found.pulse is not None and found.pulse > FAST_PULSE),
        (Reason.GLUCOSE_HIGH, found.glucose >= GLUCOSE_TARGET),
        *_treatment(found),
    ])  # fmt: skip


def _is_pressure_emergency(found: Found) -> bool:
    systolic, diastolic = found.systolic, found.diastolic
    return (systolic is not None and systolic >= SYSTOLIC_EMERGENCY) or (diastolic is not None and diastolic >= DIASTOLIC_EMERGENCY)


def _treatment(found: Found) -> list[tuple[Reason, bool]]:
    return [
        (Reason.DRUG_REACTION, found.drug_reaction),
        (Reason.REACTION_HARD, found.reaction_hard),
        (Reason.COMPLICATION, found.complication),
    ]


def _listed(signs: Sequence[tuple[Reason, bool]]) -> list[Reason]:
    return [reason for reason, is_so in signs if is_so]
