"""What a glucose meter knows beside a result: 0x2A34, notified after the result 0x2A18 with the same sequence number.

    FF NN NN [EE] [CI CC CC] [ML] [TH] [XX XX XI] [MI MM MM] [HH HH]

    FF flags: bit 0 CI CC, 1 ML, 2 TH, 3 XX XI, 4 MI MM, 5 MM is litres (else kg), 6 HH, 7 EE      NN sequence      EE more flags, unused
    CI carbohydrate of 1 breakfast, 2 lunch, 3 dinner, 4 snack, 5 drink, 6 supper, 7 brunch      CC kg, SFLOAT
    ML 1 before a meal, 2 after it, 3 fasting, 4 casual, 5 bedtime
    TH low four bits: tester 1 self, 2 professional, 3 laboratory; high: health 1 minor, 2 major issues, 3 menses, 4 stress, 5 none
    XX exercise, s; FFFF longer      XI its intensity, %      MI insulin 1 rapid, 2 short, 3 intermediate, 4 long, 5 mixed
    MM how much of it, SFLOAT        HH HbA1c, %, SFLOAT

It becomes no reading of its own; `python -m gateway decode` shows it.
Source: Bluetooth SIG Glucose Service 1.0.1, Glucose Measurement Context.
"""

from dataclasses import dataclass

from gateway.devices.driver import JSON, Reason
from gateway.devices.gatt.ieee11073 import read_sfloat
from gateway.devices.gatt.value import Fields, parsed

HAS_CARBOHYDRATE, HAS_MEAL, HAS_TESTER, HAS_EXERCISE, HAS_MEDICATION, IN_LITRES, HAS_HBA1C, HAS_MORE = (1 << bit for bit in range(8))
CARBOHYDRATES = dict(enumerate(("breakfast", "lunch", "dinner", "snack", "drink", "supper", "brunch"), start=1))
MEALS = dict(enumerate(("before_meal", "after_meal", "fasting", "casual", "bedtime"), start=1))
TESTERS = {1: "self", 2: "professional", 3: "laboratory"}
HEALTH = dict(enumerate(("minor_issues", "major_issues", "menses", "stress", "none"), start=1))
INSULINS = dict(enumerate(("rapid", "short", "intermediate", "long", "mixed"), start=1))


@dataclass(frozen=True, slots=True)
class Context:
    """Beside the result `sequence`; None is what the meter does not tell. `medication` in kg or, if `in_litres`, in l."""

    sequence: int
    carbohydrate: str | None
    carbohydrate_kg: float | None
    meal: str | None
    tester: str | None
    health: str | None
    exercise_s: int | None
    exercise_pct: int | None
    insulin: str | None
    medication: float | None
    in_litres: bool
    hba1c_pct: float | None


def decode(value: bytes) -> Context | Reason:
    """Decode 0x2A34, or say TRUNCATED or LENGTH."""
    return parsed(value, _context)


def _context(fields: Fields) -> Context:
    flags = fields.u8()
    sequence = fields.u16()
    if flags & HAS_MORE:
        fields.u8()
    carbohydrate = (fields.u8(), read_sfloat(fields).value) if flags & HAS_CARBOHYDRATE else (0, None)
    meal = fields.u8() if flags & HAS_MEAL else 0
    tester = fields.u8() if flags & HAS_TESTER else 0
    exercise = (fields.u16(), fields.u8()) if flags & HAS_EXERCISE else (None, None)
    medication = (fields.u8(), read_sfloat(fields).value) if flags & HAS_MEDICATION else (0, None)
    return Context(
        sequence=sequence,
        carbohydrate=CARBOHYDRATES.get(carbohydrate[0]),
        carbohydrate_kg=carbohydrate[1],
        meal=MEALS.get(meal),
        tester=TESTERS.get(tester & 0x0F),
        health=HEALTH.get(tester >> 4),
        exercise_s=exercise[0],
        exercise_pct=exercise[1],
        insulin=INSULINS.get(medication[0]),
        medication=medication[1],
        in_litres=bool(flags & IN_LITRES),
        hba1c_pct=read_sfloat(fields).value if flags & HAS_HBA1C else None,
    )


def describe(context: Context) -> dict[str, JSON]:
    """Every field that is told."""
    fields: dict[str, JSON] = {
        "sequence": context.sequence,
        "carbohydrate": context.carbohydrate,
        "carbohydrate_kg": context.carbohydrate_kg,
        "meal": context.meal,
        "tester": context.tester,
        "health": context.health,
        "exercise_s": context.exercise_s,
        "exercise_pct": context.exercise_pct,
        "insulin": context.insulin,
        "medication_l" if context.in_litres else "medication_kg": context.medication,
        "hba1c_pct": context.hba1c_pct,
    }
    return {name: one for name, one in fields.items() if one is not None}
