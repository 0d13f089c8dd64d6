"""Glucose meters: stored results 0x2A18 (notified on request), and the request itself, the record access control point 0x2A52.

    2A18  FF NN NN [base time 7 ] [OO OO] [GG GG TL] [QQ QQ]
          FF flags: bit 0 OO, 1 GG TL, 2 mol/L instead of kg/L, 3 QQ, 4 a context (0x2A34) follows
          NN sequence    OO minutes to add to the base time, signed    GG concentration, SFLOAT (ieee11073.py)
          TL low four bits: sample type (10 control solution), high four: where from     QQ sensor status
    2A52  CC OO [operand]
          CC 1 report, 2 delete, 3 abort, 4 count, 5 the count (u16), 6 response (request, code: 1 done, 6 no record)
          OO 0 null, 1 all, 2 up to, 3 from, 4 within, 5 first, 6 last      operand of 2..4: 01 sequence, u16 (two of them for 4)

The base time is always there. Control solution is never the person's blood, and DOUBT names what the meter itself does not trust.
Source: Bluetooth SIG Glucose Service 1.0.1, Glucose Measurement and Record Access Control Point.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt import glucose_context
from gateway.devices.gatt.glucose_context import Context
from gateway.devices.gatt.ieee11073 import Number, read_sfloat
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

HAS_OFFSET, HAS_VALUE, IN_MOLES, HAS_STATUS, CONTEXT_FOLLOWS = 0x01, 0x02, 0x04, 0x08, 0x10
CONTROL_SOLUTION = 10
DOUBT = 0x0002 | 0x0004 | 0x0008 | 0x0010 | 0x0080 | 0x0100 | 0x0200 | 0x0400
"""Sensor malfunction, sample too small, strip wrongly inserted, wrong strip, too hot, too cold, strip pulled out, general fault.

Left out: battery low (0), result above (5) or below (6) what the meter can tell, which is a finding, and time fault (11)."""
MG_DL_PER_MMOL_L = 18.0156
"""Molar mass of glucose, 180.156 g/mol."""
MMOL_DECIMALS = 2
NEW_WITHIN_S = 300.0
"""A meter tells every result out of its memory, also the one just made. As young as its clock may be wrong (gateway.history) it is new."""
OPERATIONS = {1: "report", 2: "delete", 3: "abort", 4: "count", 5: "count", 6: "response"}
OPERATORS = {0: "null", 1: "all", 2: "less_or_equal", 3: "greater_or_equal", 4: "within_range", 5: "first", 6: "last"}
REPORT, DELETE, ABORT, COUNT, COUNTED, RESPONSE = range(1, 7)
UP_TO, FROM, WITHIN = 2, 3, 4
FILTERS = {1: "sequence", 2: "time"}
SUCCESS = 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One stored result. `unit` is mg_dl or mmol_l, as the meter said it; `time` the base time, without the offset."""

    sequence: int
    time: datetime | None
    time_offset_min: int | None
    glucose: float | None
    unit: str | None
    sample_type: int | None
    sample_location: int | None
    status: int | None
    context_follows: bool

    @property
    def measured_at(self) -> datetime | None:
        """Base time and offset."""
        if self.time is None:
            return None
        try:
            return self.time + timedelta(minutes=self.time_offset_min or 0)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Access:
    """One step of the talk about stored records. `minimum` and `maximum` are sequence numbers."""

    operation: int
    operator: int
    filter: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    count: int | None = None
    request: int | None = None
    code: int | None = None


def decode(value: bytes) -> Packet | Reason:
    """Decode 0x2A18, or say TRUNCATED or LENGTH."""
    return parsed(value, _packet)


def decode_access(value: bytes) -> Access | Reason:
    """Decode 0x2A52, or say TRUNCATED, LENGTH or FORMAT."""
    return parsed(value, _access)


def report_all() -> bytes:
    """Value to write to 0x2A52: send all records."""
    return bytes((REPORT, 1))


def report_last() -> bytes:
    """Value to write to 0x2A52: send the newest record."""
    return bytes((REPORT, 6))


def report_from(sequence: int) -> bytes:
    """Value to write to 0x2A52: send the records from this sequence number on."""
    return bytes((REPORT, FROM, 1)) + sequence.to_bytes(2, "little")


def abort() -> bytes:
    """Value to write to 0x2A52: send no more."""
    return bytes((ABORT, 0))


def _packet(fields: Fields) -> Packet:
    flags = fields.u8()
    sequence, time = fields.u16(), date_time(fields)
    offset = fields.s16() if flags & HAS_OFFSET else None
    concentration, sample = (read_sfloat(fields), fields.u8()) if flags & HAS_VALUE else (None, None)
    return Packet(
        sequence=sequence,
        time=time,
        time_offset_min=offset,
        glucose=None if concentration is None else _scaled(concentration, flags),
        unit=None if concentration is None else "mmol_l" if flags & IN_MOLES else "mg_dl",
        sample_type=None if sample is None else sample & 0x0F,
        sample_location=None if sample is None else sample >> 4,
        status=fields.u16() if flags & HAS_STATUS else None,
        context_follows=bool(flags & CONTEXT_FOLLOWS),
    )


def _scaled(concentration: Number, flags: int) -> float | None:
    """mol/L to mmol/L, kg/L to mg/dL; 0 is none."""
    return concentration.shifted(3 if flags & IN_MOLES else 5) or None


def _access(fields: Fields) -> Access | Reason:
    operation, operator = fields.u8(), fields.u8()
    if operation == COUNTED:
        return Access(operation, operator, count=fields.u16())
    if operation == RESPONSE:
        return Access(operation, operator, request=fields.u8(), code=fields.u8())
    if operation not in OPERATIONS or operator not in OPERATORS:
        return Reason.FORMAT
    if operator not in (UP_TO, FROM, WITHIN):
        return Access(operation, operator)
    return _filtered(fields, operation, operator)


def _filtered(fields: Fields, operation: int, operator: int) -> Access | Reason:
    if fields.u8() != 1:
        return Reason.UNKNOWN_TYPE  # by time: no meter of ours is asked so
    first = fields.u16()
    maximum = fields.u16() if operator == WITHIN else first if operator == UP_TO else None
    return Access(operation, operator, FILTERS[1], None if operator == UP_TO else first, maximum)


def measurements(packet: Packet | Access | Context) -> Iterator[Output]:
    """The person's glucose in mmol/L out of the meter's memory, with its time; nothing of a context and of the talk about records."""
    if not isinstance(packet, Packet):
        return
    if packet.sample_type == CONTROL_SOLUTION:
        yield Refusal(Reason.NOT_THE_PERSON)
    elif packet.glucose is None or (packet.status or 0) & DOUBT:
        yield Refusal(Reason.UNRELIABLE)
    else:
        mmol_l = packet.glucose if packet.unit == "mmol_l" else round(packet.glucose / MG_DL_PER_MMOL_L, MMOL_DECIMALS)
        yield Measurement(QuantityName.GLUCOSE, mmol_l, measured_at=packet.measured_at, is_history=True, new_within_s=NEW_WITHIN_S)


def reader(context: Mapping[str, str]) -> ValueReader[Packet | Access | Context]:
    """Reads one value of `characteristic` 2a18, 2a34 or 2a52."""
    return reader_of({"2a18": decode, "2a34": glucose_context.decode, "2a52": decode_access}, context)


def describe(packet: Packet | Access | Context) -> dict[str, JSON]:
    """The keys of the vectors."""
    if isinstance(packet, Context):
        return glucose_context.describe(packet)
    return _describe_access(packet) if isinstance(packet, Access) else _describe_record(packet)


def _describe_record(packet: Packet) -> dict[str, JSON]:
    glucose: dict[str, JSON] = {f"glucose_{packet.unit}": packet.glucose} if packet.unit else {}
    return {
        "sequence": packet.sequence,
        "time": clock_of(packet.time),
        "time_offset_min": packet.time_offset_min,
        **glucose,
        "sample_type": packet.sample_type,
        "sample_location": packet.sample_location,
        "status": packet.status,
        "context_follows": packet.context_follows,
    }


def _describe_access(step: Access) -> dict[str, JSON]:
    shown: dict[str, JSON] = {"operation": OPERATIONS[step.operation]}
    if step.operation == COUNTED:
        return shown | {"count": step.count}
    if step.operation == RESPONSE:
        return shown | {"request": step.request, "code": step.code, "ok": step.code == SUCCESS}
    shown |= {"direction": "to_device", "operator": OPERATORS[step.operator]}
    bounds = {"filter": step.filter, "minimum": step.minimum, "maximum": step.maximum}
    return shown | {name: bound for name, bound in bounds.items() if bound is not None}
