"""The closed list of quantities: what a number means, its unit, its codes, and the range outside of which it is not believed.

Codes: MDC numbers (IEEE 11073-10101, partition x 65536 + term) and LOINC as in the HL7 Personal Health Device guide; units are UCUM.
The plausible range is a filter against broken bytes, not a clinical threshold: `range_source` says where each bound comes from.
"""

from dataclasses import dataclass
from enum import StrEnum


class QuantityName(StrEnum):
    """Names on the wire and in the database."""

    HEART_RATE = "heart_rate"
    BEAT_INTERVAL = "beat_interval"
    SPO2 = "spo2"
    RESPIRATION_RATE = "respiration_rate"
    SYSTOLIC = "blood_pressure_systolic"
    DIASTOLIC = "blood_pressure_diastolic"
    MEAN_PRESSURE = "blood_pressure_mean"
    BODY_TEMPERATURE = "body_temperature"
    SKIN_TEMPERATURE = "skin_temperature"
    GLUCOSE = "glucose"
    WEIGHT = "weight"
    BED_OCCUPIED = "bed_occupied"
    MOVEMENT = "body_movement"
    BATTERY = "battery"
    PERFUSION_INDEX = "perfusion_index"
    PRESENCE = "presence"
    DISTANCE = "distance"
    ACTIVITY = "activity"
    ROOM_TEMPERATURE = "room_temperature"
    HUMIDITY = "humidity"
    ACTIVE_DAY = "active_day"
    ACTIVE_NIGHT = "active_night"


class Statistic(StrEnum):
    """How a value stands for its interval: one sample, or a summary of the fast samples after `measured_at` and before the next."""

    SAMPLE = "sample"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the list. `low` and `high` are inclusive and in `unit`; `decimals` is what a display shows."""

    name: QuantityName
    title_zh: str
    title_en: str
    unit: str
    low: float
    high: float
    decimals: int
    mdc: int | None
    loinc: str | None
    range_source: str

    def is_plausible(self, value: float) -> bool:
        """True inside the range; NaN is never plausible."""
        return self.low <= value <= self.high


_Q = QuantityName
_ROWS = (
    Quantity(
        _Q.HEART_RATE, "心率", "Heart rate", "/min", 1, 300, 0, 149530, "8867-4", "0 is unknown on every device; upper: project bound"
    ),
    Quantity(_Q.BEAT_INTERVAL, "心搏间期", "Beat interval", "s", 0.1, 64, 3, None, None, "GATT 0x2A37: u16 / 1024 s"),
    Quantity(_Q.SPO2, "血氧", "SpO2", "%", 1, 100, 0, 150456, "59408-5", "a percentage; 0 is unknown on every device"),
    Quantity(_Q.RESPIRATION_RATE, "呼吸", "Respiration", "/min", 1, 120, 0, 151562, "9279-1", "0 is unknown; upper: project bound"),
    Quantity(_Q.SYSTOLIC, "收缩压", "Systolic", "mm[Hg]", 25, 300, 0, 150021, "8480-6", "BM65: byte + 25; upper: project bound"),
    Quantity(_Q.DIASTOLIC, "舒张压", "Diastolic", "mm[Hg]", 15, 250, 0, 150022, "8462-4", "project bound"),
    Quantity(_Q.MEAN_PRESSURE, "平均压", "Mean pressure", "mm[Hg]", 15, 280, 0, 150023, "8478-0", "project bound"),
    Quantity(_Q.BODY_TEMPERATURE, "体温", "Body temperature", "Cel", 20, 45, 1, 150364, "8310-5", "project bound"),
    Quantity(_Q.SKIN_TEMPERATURE, "皮肤温度", "Skin temperature", "Cel", 5, 45, 1, None, None, "project bound"),
    Quantity(_Q.GLUCOSE, "血糖", "Glucose", "mmol/L", 0.3, 60, 1, 160184, "15074-8", "project bound"),
    Quantity(_Q.WEIGHT, "体重", "Weight", "kg", 2, 327.67, 1, 188736, "29463-7", "GATT 0x2A9D: u16 x 0.005 kg; lower: project bound"),
    Quantity(_Q.BED_OCCUPIED, "在床", "In bed", "1", 0, 1, 0, None, None, "0 out, 1 in"),
    Quantity(_Q.MOVEMENT, "体动", "Movement", "%", 0, 100, 0, None, None, "own bed mat and radar scale"),
    Quantity(_Q.BATTERY, "电量", "Battery", "%", 0, 100, 0, None, None, "GATT 0x2A19: 101 and above are invalid"),
    Quantity(_Q.PERFUSION_INDEX, "灌注指数", "Perfusion index", "%", 0.01, 30, 2, 150488, "61006-3", "Contec V7.0: to 22; 0 is no pulse"),
    Quantity(_Q.PRESENCE, "有人", "Presence", "1", 0, 1, 0, None, None, "0 nobody, 1 somebody, in a radar's view"),
    Quantity(_Q.DISTANCE, "距离", "Distance", "cm", 1, 1000, 0, None, None, "radar to person; upper: twice the farthest range sold"),
    Quantity(_Q.ACTIVITY, "活动量", "Activity", "1", 0, 65535, 0, None, None, "a bed sensor's own scale"),
    Quantity(_Q.ROOM_TEMPERATURE, "室温", "Room temperature", "Cel", -40, 85, 1, None, None, "range of the sensor chips sold"),
    Quantity(_Q.HUMIDITY, "湿度", "Humidity", "%", 0, 100, 0, None, None, "a percentage"),
    Quantity(_Q.ACTIVE_DAY, "白天活动", "Active by day", "h", 0, 16, 2, None, None, "quarters of an hour with any sign, 06:00-22:00"),
    Quantity(_Q.ACTIVE_NIGHT, "夜间活动", "Active by night", "h", 0, 5, 2, None, None, "quarters of an hour with any sign, 00:00-05:00"),
)

QUANTITIES: dict[QuantityName, Quantity] = {row.name: row for row in _ROWS}
