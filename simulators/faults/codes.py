"""The number of a frame, hidden in the values it carries: so a stored reading can be traced to the frame it came from.

Each quantity says the number modulo another prime; together they name it. All values lie where the shipped rules are calm
(`backend/rules/defaults.toml`): heart rate 60..100, SpO2 95..99, respiration 13..19. A sick wearable says an SpO2 of 80..84 instead, which
leaves the number readable.
"""

from dataclasses import dataclass

SICK_SPO2_LESS = 15
"""What a sick wearable's SpO2 is lower by: a multiple of its modulus, so that the number stays what it is."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One quantity of a frame: the value for number n is base + step * (n modulo modulus)."""

    quantity: str
    modulus: int
    base: float
    step: float = 1.0

    def value(self, number: int) -> float:
        """The value in the frame with this number."""
        return round(self.base + self.step * (number % self.modulus), 2)

    def rest(self, value: float) -> int:
        """The number modulo `modulus`, from a value; stored values are rounded to 32 bits."""
        return round((value - self.base) / self.step) % self.modulus


Code = tuple[Digit, ...]

HEART_RATE = Digit("heart_rate", 41, 60)
SPO2 = Digit("spo2", 5, 95)
SKIN_TEMPERATURE = Digit("skin_temperature", 3499, 10, 0.01)
RESPIRATION_RATE = Digit("respiration_rate", 7, 13)
MOVEMENT = Digit("body_movement", 101, 0)
OCCUPIED = Digit("bed_occupied", 1, 1)

WEARABLE = "wearable-1"
BED_MAT = "bed-mat-1"
CODES: dict[str, Code] = {
    WEARABLE: (HEART_RATE, SPO2, SKIN_TEMPERATURE),
    BED_MAT: (HEART_RATE, MOVEMENT, RESPIRATION_RATE, OCCUPIED),
}
"""Device: its quantities, in the order in which their rests name a frame. The products of the moduli, 717 295 and 28 987, are how many
frames of a run can be told apart."""


def rests(device: str, number: int) -> tuple[int, ...]:
    """What a frame says of its number."""
    return tuple(number % digit.modulus for digit in CODES[device])


def values(device: str, number: int, *, is_sick: bool = False) -> dict[str, float]:
    """Quantity: value of one frame, as they must be stored."""
    found = {digit.quantity: digit.value(number) for digit in CODES[device]}
    if is_sick:
        found[SPO2.quantity] -= SICK_SPO2_LESS
    return found
