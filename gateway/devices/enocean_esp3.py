"""EnOcean receivers (USB 300, TCM 310): ESP3 frames with call buttons, door contacts and room sensors that need no battery.

    55 LL LL OO TT HH DD.. PP.. CC        57600 8N1; numbers big-endian

    LL length of DD    OO length of PP (optional data)    TT 1 radio, 2 response, 4 event, 5 command, 7 remote management
    HH CRC-8 of LL LL OO TT, CC of DD PP; polynomial 07, start 0. A 55 may stand anywhere inside.

    radio     DD  RR payload SS SS SS SS FF       RR kind of telegram, SS sender, FF status
              PP  NN AA AA AA AA BB QQ            NN subtelegrams, AA destination, BB -dBm, QQ security
      RR F6   1 byte:  bits 7-5 button AI AO BI BO, bit 4 pressed, bits 3-1 second button, bit 0 second is valid     (EEP F6-02)
         D5   1 byte:  bit 0 contact 1 closed 0 open, bit 3 = 0 teach-in                                             (EEP D5-00-01)
         A5   4 bytes: by profile; bit 3 of the last = 0 teach-in, then with bit 7 = 1:
                       FFFFFFTT TTTTTMMM MMMMMMMM        function, type, manufacturer
         D2   by profile; D2-01: 04 in the low bits of the first = state of an actuator, bits 0-6 of the third its output, %
         D4   teach-in:  FF CC MM 0M TT UU RR            flags (bit 6 = 0: waits for an answer), channels, manufacturer, type, function, RR
    response  DD  RC ..                                  return code 0 ok; base id, 4 bytes; or version, 32 bytes
    event     DD  EE ..       command  DD  CC ..         08 read base id, 03 read version

Nothing is acknowledged on the air: a press can be lost, so a call button belongs into the weekly test.
Source: EnOcean Serial Protocol 3 and Equipment Profiles 2.6; frames of kipe/enocean's tests.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Enrolled, Line, Meaning, Measurement, Options, Output, Reason, Refusal
from gateway.devices.enrolled import Change, Register

SYNC = 0x55
HEAD_BYTES = 6
CONTENT_BYTES_MAX = 600
"""Longest is a remote management message of 512 bytes with its head; a longer one is a false start."""
RADIO, RESPONSE, EVENT, COMMAND = 0x01, 0x02, 0x04, 0x05
ROCKER, CONTACT, FOUR_BYTES, VARIABLE, TEACH_IN = 0xF6, 0xD5, 0xA5, 0xD2, 0xD4
PAYLOAD_BYTES = {ROCKER: 1, CONTACT: 1, FOUR_BYTES: 4, TEACH_IN: 7}
RADIO_REST_BYTES = 6
OPTIONAL_BYTES = 7
BUTTONS = ("AI", "AO", "BI", "BO")
NORMAL_MESSAGE = 0x10
OUTPUT_STATE, OUTPUT_BYTES = 0x04, 3
READ_VERSION, READ_BASE_ID = 0x03, 0x08
BASE_ID_BYTES, VERSION_BYTES = 5, 33
ASK_EVERY_S = 60.0
TEMPERATURE_SPANS = MappingProxyType(
    {f"A5-02-{kind:02X}": (-40 + 10 * (kind - 0x01), 40) for kind in range(0x01, 0x0C)}
    | {f"A5-02-{kind:02X}": (-60 + 10 * (kind - 0x10), 80) for kind in range(0x10, 0x1C)}
)
"""Coldest and width, degrees Celsius, by profile; 255 is the coldest."""
HUMIDITY_SPANS = MappingProxyType({"A5-04-01": (0, 40), "A5-04-02": (-20, 80)})
"""The same of sensors that tell the humidity too; 0 is the coldest, 250 the warmest."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame that passed both checksums. `eep` is the sender's profile where it is known."""

    type: int
    data: bytes
    optional: bytes
    eep: str = ""

    @property
    def rorg(self) -> int:
        """Kind of a radio telegram."""
        return self.data[0]

    @property
    def payload(self) -> bytes:
        """Of a radio telegram."""
        return self.data[1 : -RADIO_REST_BYTES + 1]

    @property
    def sender(self) -> str:
        """Address of a radio telegram's sender, 8 hexadecimal digits."""
        return self.data[-5:-1].hex()


def checksum(content: bytes | bytearray) -> int:
    """CRC-8, polynomial 0x07, start 0."""
    crc = 0
    for byte in content:
        crc = _CRC_OF_BYTE[crc ^ byte]
    return crc


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1) ^ (0x107 if byte & 0x80 else 0)
    return byte


_CRC_OF_BYTE = bytes(map(_crc_of, range(256)))


def seal(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """Bytes of a frame on the line."""
    head = len(data).to_bytes(2, "big") + bytes((len(optional), kind))
    return bytes((SYNC,)) + head + bytes((checksum(head),)) + data + optional + bytes((checksum(data + optional),))


def command(code: int) -> bytes:
    """A command without arguments, such as READ_BASE_ID."""
    return seal(COMMAND, bytes((code,)))


def reader(context: Mapping[str, str]) -> Cutter[Packet]:
    """Finds frames in a stream. `eep` is the profile of the sender: every radio telegram is read with it."""
    eep = context.get("eep", "")
    return Cutter((bytes((SYNC,)),), lambda buffer: _look(buffer, eep))


def _look(buffer: bytearray, eep: str) -> tuple[int, Packet | Reason] | Reason | None:
    if len(buffer) < HEAD_BYTES:
        return None
    if checksum(buffer[1:5]) != buffer[5]:
        return Reason.HEADER_CHECKSUM
    data_end = HEAD_BYTES + int.from_bytes(buffer[1:3], "big")
    optional_end = data_end + buffer[3]
    if optional_end - HEAD_BYTES > CONTENT_BYTES_MAX:
        return Reason.LENGTH
    if len(buffer) <= optional_end:
        return None
    if checksum(buffer[HEAD_BYTES:optional_end]) != buffer[optional_end]:
        return Reason.DATA_CHECKSUM
    packet = Packet(buffer[4], bytes(buffer[HEAD_BYTES:data_end]), bytes(buffer[data_end:optional_end]), eep)
    return optional_end + 1, packet if _is_whole(packet) else Reason.FORMAT


def _is_whole(packet: Packet) -> bool:
    """A checksum says nothing about a sender that builds frames too short for their type."""
    if packet.type == RADIO:
        wanted = PAYLOAD_BYTES.get(packet.data[0]) if packet.data else None
        payload_bytes = len(packet.data) - RADIO_REST_BYTES
        return payload_bytes == wanted if wanted is not None else payload_bytes >= 0
    return bool(packet.data)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    shown: dict[str, JSON] = {
        "packet_type": packet.type,
        "data_length": len(packet.data),
        "optional_length": len(packet.optional),
    }
    if packet.type == RADIO:
        return shown | _describe_radio(packet)
    if packet.type == RESPONSE:
        return shown | _describe_response(packet.data)
    if packet.type == EVENT:
        return shown | {"event": packet.data[0]}
    if packet.type == COMMAND:
        return shown | {"direction": "to_device", "command": packet.data[0]}
    return shown


def _describe_radio(packet: Packet) -> dict[str, JSON]:
    shown: dict[str, JSON] = {"rorg": f"{packet.rorg:02x}", "sender": packet.sender, "status": packet.data[-1]}
    if len(packet.optional) >= OPTIONAL_BYTES - 1:
        shown |= {"subtelegrams": packet.optional[0], "destination": packet.optional[1:5].hex(), "dbm": -packet.optional[5]}
    if packet.rorg == ROCKER:
        return shown | _describe_rocker(packet)
    if packet.rorg == CONTACT:
        contact = _contact(packet)
        return shown | {"contact": contact, "teach_in": contact is None}
    if packet.rorg == FOUR_BYTES:
        return shown | (_describe_learning(packet.payload) if _is_teach_in(packet) else dict(_climate(packet)))
    if packet.rorg == VARIABLE:
        return shown | _describe_output(packet)
    return shown | _describe_teach_in(packet.payload) if packet.rorg == TEACH_IN else shown


def _describe_rocker(packet: Packet) -> dict[str, JSON]:
    button, keys = _button(packet), packet.payload[0]
    second = BUTTONS[keys >> 1 & 0x03] if button is not None and keys & 0x01 and keys >> 1 & 0x07 < len(BUTTONS) else None
    return {"pressed": _is_pressed(packet), "button": button, "second_button": second}


def _describe_learning(payload: bytes) -> dict[str, JSON]:
    """Teach-in of a four-byte sensor: with its profile where bit 7 of the last byte says so."""
    if not payload[3] & 0x80:
        return {"teach_in": True, "teach_in_eep": None}
    function, kind = payload[0] >> 2, (payload[0] & 0x03) << 5 | payload[1] >> 3
    return {"teach_in": True, "teach_in_eep": f"A5-{function:02X}-{kind:02X}", "manufacturer": (payload[1] & 0x07) << 8 | payload[2]}


def _describe_teach_in(payload: bytes) -> dict[str, JSON]:
    flags, _channels, maker_low, maker_high, kind, function, rorg = payload
    return {
        "teach_in_eep": f"{rorg:02X}-{function:02X}-{kind:02X}",
        "manufacturer": (maker_high & 0x07) << 8 | maker_low,
        "response_expected": not flags & 0x40,
    }


def _describe_output(packet: Packet) -> dict[str, JSON]:
    payload = packet.payload
    if packet.eep.upper()[:5] not in ("", "D2-01") or len(payload) != OUTPUT_BYTES or payload[0] & 0x0F != OUTPUT_STATE:
        return {}
    output = payload[2] & 0x7F
    return {"output_pct": output if output <= 100 else None}


def _describe_response(data: bytes) -> dict[str, JSON]:
    shown: dict[str, JSON] = {"return_code": data[0]}
    if data[0] == 0 and len(data) == BASE_ID_BYTES:
        shown["base_id"] = data[1:].hex()
    if data[0] == 0 and len(data) == VERSION_BYTES:
        shown["version"] = ".".join(map(str, data[1:5]))
        shown["description"] = data[17:].split(b"\0")[0].decode("ascii", "replace")
    return shown


def _is_pressed(packet: Packet) -> bool:
    """With profile F6-05-01 (water) 11 is the alarm; with all others bit 4."""
    return packet.payload[0] == 0x11 if packet.eep.upper().startswith("F6-05") else bool(packet.payload[0] & 0x10)


def _button(packet: Packet) -> str | None:
    """None for a release, and for a message that only tells how many buttons are pressed."""
    first = packet.payload[0] >> 5
    is_rocker = packet.eep.upper()[:5] in ("", "F6-02")
    return BUTTONS[first] if is_rocker and _is_pressed(packet) and packet.data[-1] & NORMAL_MESSAGE and first < len(BUTTONS) else None


def _contact(packet: Packet) -> str | None:
    if not packet.payload[0] & 0x08:
        return None
    return "closed" if packet.payload[0] & 0x01 else "open"


def _is_teach_in(packet: Packet) -> bool:
    return not packet.payload[-1] & 0x08


def _climate(packet: Packet) -> dict[str, float]:
    """Temperature in degrees Celsius and relative humidity in percent, by profile; motion as 0 or 1."""
    profile, (_, high, low, last) = packet.eep.upper(), packet.payload
    if (span := TEMPERATURE_SPANS.get(profile)) is not None:
        coldest, width = span
        return {"temperature_c": round(coldest + width * (255 - low) / 255, 1)}
    if profile in HUMIDITY_SPANS and high <= 250 and low <= 250:
        coldest, width = HUMIDITY_SPANS[profile]
        temperature = {"temperature_c": round(coldest + width * low / 250, 1)} if last & 0x02 else {}
        return {"humidity_pct": round(high / 2.5, 1)} | temperature
    return {}


class EnoceanEsp3:
    """Driver state: a frame that has begun, the home's devices, and when the receiver was last asked for its version."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 2 * ASK_EVERY_S + 10
    line: ClassVar[Line] = Line((57_600,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        """Raises ValueError, for the installer, for a room sensor without a profile that is known here."""
        self._register = Register(options.enrolled)
        for one in options.enrolled:
            if one.meaning is Meaning.CLIMATE and one.eep.upper() not in (*TEMPERATURE_SPANS, *HUMIDITY_SPANS):
                raise ValueError(f"{one.id} needs the eep of a room sensor, such as A5-02-05 or A5-04-01; it stands on its label")
        self._reader = reader({})
        self._asked_s = 0.0

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask who is there; a frame that was cut off will not be completed."""
        self._reader = reader({})
        self._asked_s = now_s
        return [Command(command(READ_BASE_ID)), Command(command(READ_VERSION))]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data, now_s):
            yield from self._outputs(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a frame whose rest does not come, and ask each minute whether the receiver still lives."""
        for item in self._reader.overdue(now_s):
            yield from self._outputs(item, now_s)
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            yield Command(command(READ_VERSION))

    def _outputs(self, item: Packet | Reason, now_s: float) -> Iterator[Output]:
        if isinstance(item, Reason):
            yield Refusal(item)
            return
        yield Alive()
        if item.type != RADIO:
            return
        device = self._register.find(item.sender)
        if item.rorg == TEACH_IN or (item.rorg in (CONTACT, FOUR_BYTES) and not item.payload[-1] & 0x08):
            yield Refusal(Reason.TEACH_IN, detail=item.sender)
        elif device is None:
            yield Refusal(Reason.STRANGER, detail=item.sender)
        else:
            yield Alive(device.id)
            yield from self._told(Packet(item.type, item.data, item.optional, device.eep), device, now_s)

    def _told(self, packet: Packet, device: Enrolled, now_s: float) -> Iterator[Output]:
        if packet.rorg == ROCKER:
            change = Change.BEGINS if _is_pressed(packet) else Change.ENDS
            yield from self._register.change(device, change, "", now_s)
        elif packet.rorg == CONTACT:
            change = Change.BEGINS if _contact(packet) == "open" else Change.ENDS
            yield from self._register.change(device, change, "", now_s)
        elif packet.rorg == FOUR_BYTES and device.meaning is Meaning.MOTION and device.eep.upper().startswith("A5-07"):
            is_moving = packet.payload[3] & 0x80 if device.eep.upper() != "A5-07-01" else packet.payload[2] >= 128
            yield from self._register.change(device, Change.BEGINS if is_moving else Change.ENDS, "", now_s)
        elif packet.rorg == FOUR_BYTES:
            names = {"temperature_c": QuantityName.ROOM_TEMPERATURE, "humidity_pct": QuantityName.HUMIDITY}
            for name, value in _climate(packet).items():
                yield Measurement(names[name], value, member=device.id)
