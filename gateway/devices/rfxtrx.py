"""RFXtrx433 receivers: pendants, door contacts and smoke alarms at 433 MHz, in binary packets.

    LL TT UU NN content..       38400 8N1, no checksum

    LL number of bytes that follow, 4..40    TT type    UU subtype    NN sequence

    20 Security1   08 20 UU NN II II II SS RB      II id, SS status (bit 7 tamper), R signal 0..15, B battery 0..9
       status 00 normal, 01 normal delayed, 02 alarm, 03 alarm delayed, 04 motion, 05 no motion, 06 PANIC, 07 end of panic, 16 battery low
    11 Lighting2   0B 11 UU NN II II II II KK CC LV RX      KK unit, CC 0 off, 1 on, 2 level, 3 all off, 4 all on, 5 all level
    13 Lighting4   09 13 UU NN CC CC CC PP PP RX            CC code of a PT2262 or EV1527 sender, address and button in one
    01 answer of the receiver       00 command to it: 0D 00 00 NN CC 00.. with CC 00 reset, 02 status, 07 start

There is no start byte: a packet is believed with the length that its type has, so a false start costs little.
Neither is there authentication: the id of a pendant can be sent by anybody.
Source: facts in Danielhiversen/pyRFXtrx, RFXtrx/lowlevel.py and tests.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.enrolled import Change, Register

LENGTH_MIN, LENGTH_MAX = 4, 40
TO_DEVICE, ANSWER, LIGHTING2, LIGHTING4, SECURITY1 = 0x00, 0x01, 0x11, 0x13, 0x20
# fmt: off
LENGTHS = MappingProxyType({
    TO_DEVICE: (0x0D,), ANSWER: (0x0D, 0x14), 0x10: (0x07,), LIGHTING2: (0x0B,), 0x12: (0x08,), LIGHTING4: (0x09,), 0x14: (0x0A,),
    0x15: (0x0B,), 0x19: (0x09,), 0x1A: (0x0C,), SECURITY1: (0x08,), 0x4E: (0x0A,), 0x52: (0x0A,), 0x53: (0x09,), 0x55: (0x0B,),
    0x56: (0x10,), 0x57: (0x09,), 0x5B: (0x13,), 0x60: (0x11, 0x15),
})
# fmt: on
"""Lengths that packets of a type have in the source's tests; types that are not here have changed theirs, or were not seen."""
TYPES = frozenset({*range(0x00, 0x04), *range(0x10, 0x22), 0x28, 0x30, *range(0x40, 0x43), *range(0x4E, 0x62), *range(0x70, 0x80)})
"""Types of packets there are. The length of the next packet is none of them, so one stray byte is known for what it is at once."""
STATUS = MappingProxyType(
    {
        0x00: "normal",
        0x01: "normal_delayed",
        0x02: "alarm",
        0x03: "alarm_delayed",
        0x04: "motion",
        0x05: "no_motion",
        0x06: "panic",
        0x07: "end_panic",
        0x08: "ir",
        0x09: "arm_away",
        0x0A: "arm_away_delayed",
        0x0B: "arm_home",
        0x0C: "arm_home_delayed",
        0x0D: "disarm",
        0x14: "dark",
        0x15: "light",
        0x16: "battery_low",
        0x17: "pairing",
    }
)
BEGINS = frozenset({"alarm", "alarm_delayed", "motion", "panic"})
ENDS = frozenset({"normal", "normal_delayed", "no_motion", "end_panic"})
BATTERY_LOW = "battery_low"
ON, ALL_ON = 1, 4
TAMPER = 0x80
BATTERY_STEP_PERCENT = 10
BATTERY_LEVEL_MAX = 9
RESET, ASK_STATUS, START = 0, 2, 7
RESET_WAIT_S = 0.5
ASK_AGAIN_S = 1.0
"""Until the first answer: the pause after the reset runs from when the receiver has read it, so the first question may come too soon."""
ASK_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `id`, `status`, `battery` and `rssi` only of Security1; `change` and `address` where a frame can be a press."""

    type: int
    subtype: int
    sequence: int
    content: bytes
    id: str = ""
    status: str | None = None
    is_tampered: bool = False
    battery: int | None = None
    rssi: int | None = None
    address: str = ""
    change: Change | None = None


def command(code: int, sequence: int) -> bytes:
    """Packet to the receiver: RESET, ASK_STATUS or START."""
    return bytes((0x0D, TO_DEVICE, 0x00, sequence & 0xFF, code)) + bytes(9)


def reader(context: Mapping[str, str]) -> Cutter[Packet]:
    """Finds packets in a stream."""
    return Cutter(tuple(bytes((length,)) for length in range(LENGTH_MIN, LENGTH_MAX + 1)), _look)


def _look(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    if len(buffer) < 2:
        return None
    length, kind = buffer[0], buffer[1]
    if kind not in TYPES:
        return Reason.UNKNOWN_TYPE
    if kind in LENGTHS and length not in LENGTHS[kind]:
        return Reason.LENGTH
    if len(buffer) <= length:
        return None
    return length + 1, decode(bytes(buffer[: length + 1]))


def decode(packet: bytes) -> Packet | Reason:
    """Decode one packet of exactly the bytes that its first byte tells, or say LENGTH."""
    if len(packet) < LENGTH_MIN or packet[0] != len(packet) - 1 or packet[0] not in LENGTHS.get(packet[1], (packet[0],)):
        return Reason.LENGTH
    kind, subtype, sequence, content = packet[1], packet[2], packet[3], packet[4:]
    if kind == SECURITY1:
        return _security1(subtype, sequence, content)
    if kind == LIGHTING2:
        change = Change.BEGINS if content[5] in (ON, ALL_ON) else Change.ENDS
        return Packet(kind, subtype, sequence, content, address=f"lighting2/{content[:4].hex()}/{content[4]}", change=change)
    if kind == LIGHTING4:
        return Packet(kind, subtype, sequence, content, address=f"lighting4/{content[:3].hex()}", change=Change.BEGINS)
    return Packet(kind, subtype, sequence, content)


def _security1(subtype: int, sequence: int, content: bytes) -> Packet:
    status = STATUS.get(content[3] & ~TAMPER)
    return Packet(
        SECURITY1,
        subtype,
        sequence,
        content,
        id=content[:3].hex(),
        status=status,
        is_tampered=bool(content[3] & TAMPER),
        battery=content[4] & 0x0F,
        rssi=content[4] >> 4,
        address=f"security1/{content[:3].hex()}",
        change=Change.BEGINS if status in BEGINS else Change.ENDS if status in ENDS else None,
    )


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    if packet.type != SECURITY1:
        direction: dict[str, JSON] = {"direction": "to_device"} if packet.type == TO_DEVICE else {}
        return {"packet": "other", "type": f"{packet.type:02x}", "subtype": packet.subtype, "sequence": packet.sequence, **direction}
    return {
        "packet": "security1",
        "subtype": packet.subtype,
        "sequence": packet.sequence,
        "id": packet.id,
        "status": packet.status,
        "tamper": packet.is_tampered,
        "battery": packet.battery,
        "rssi": packet.rssi,
    }


class Rfxtrx:
    """Driver state: a packet that has begun, the home's devices, and how far the start of the receiver has come."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 2 * ASK_EVERY_S + 10
    line: ClassVar[Line] = Line((38_400,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._register = Register(options.enrolled)
        self._reader = reader({})
        self._sequence = 0
        self._ask_at_s: float | None = None
        self._is_started = False

    def start(self, now_s: float) -> Iterable[Output]:
        """Reset; the receiver hears nothing for half a second after it."""
        self._reader = reader({})
        self._is_started = False
        self._ask_at_s = now_s + RESET_WAIT_S
        return [self._command(RESET)]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data, now_s):
            yield from self._outputs(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a packet whose rest does not come; ask for the state after the reset until it is told, then each minute."""
        for item in self._reader.overdue(now_s):
            yield from self._outputs(item, now_s)
        if self._ask_at_s is not None and now_s >= self._ask_at_s:
            self._ask_at_s = now_s + (ASK_EVERY_S if self._is_started else ASK_AGAIN_S)
            yield self._command(ASK_STATUS)

    def _command(self, code: int) -> Command:
        self._sequence += 1
        return Command(command(code, 0 if code == RESET else self._sequence))

    def _outputs(self, item: Packet | Reason, now_s: float) -> Iterator[Output]:
        if isinstance(item, Reason):
            yield Refusal(item)
            return
        yield Alive()
        if item.type == ANSWER and not self._is_started:
            self._is_started = True
            self._ask_at_s = now_s + ASK_EVERY_S
            yield self._command(START)
        if not item.address:
            return
        device = self._register.find(item.address, item.id)
        if device is None:
            yield Refusal(Reason.STRANGER, detail=item.address)
            return
        yield Alive(device.id)
        if item.change is not None:
            yield from self._register.change(device, item.change, "", now_s)
        if item.battery is not None and item.battery <= BATTERY_LEVEL_MAX:
            yield Measurement(QuantityName.BATTERY, (item.battery + 1) * BATTERY_STEP_PERCENT, member=device.id)
        yield from self._register.battery(device, item.status == BATTERY_LOW or None)
