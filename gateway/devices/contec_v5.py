"""Contec oximeters CMS50D+ of the older kind: vendor protocol V5.0A.

    1SSSSSSS  0PPPPPPP  0HXEBBBB  0RRRRRRR  0OOOOOOO      60 packets a second, no checksum

    byte 1: bits 0-3 signal 0..8, 4 searching too long (or finger out), 5 SpO2 falling, 6 beep    byte 2: pleth 0..127
    byte 3: bits 0-3 bar, 4 probe error, 5 searching, 6 bit 7 of the pulse rate                   byte 4: pulse rate /min, bits 0-6
    byte 5: SpO2 %

    1111000H  1RRRRRRR  0OOOOOOO      one recorded second, after F5 F5 was sent

Only byte 1 of a live packet has bit 7 set. Pulse FF or 0, SpO2 7F or 0: no value. 19200 baud with odd or no parity by firmware; the
document says 4800 with odd parity. What is recorded has no date, so there is no place for it in anybody's history: it is not asked for.
A live packet cut off after F0 or F1 looks like a recorded point until the byte behind it comes, which then is no F0 or F1.
The bytes of BCI oximeters look the same and mean something else: which of the two a device speaks is configured.
Source: vendor PDF "protocol V5.0A" in nonspecialist/cms-p; recorded points as in atbrask/CMS50Dplus.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Line, Measurement, Options, Output, Reason, Refusal

PACKET_BYTES = 5
POINT_BYTES = 3
_SYNC = 0x80
_POINT_STARTS = (0xF0, 0xF1)
PULSE_NONE, SPO2_NONE = (0, 0xFF), (0, 0x7F)


@dataclass(frozen=True, slots=True)
class Packet:
    """One live packet. None is "no value", never 0."""

    signal: int
    searching_too_long: bool
    spo2_dropping: bool
    beep: bool
    pleth: int
    bar: int
    probe_error: bool
    searching: bool
    pulse_bpm: int | None
    spo2_pct: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """One recorded second."""

    pulse_bpm: int | None
    spo2_pct: int | None


class Reader:
    """Reader state: the bytes of a packet that has begun, and whether bytes that belong to none are passing."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Point | Reason]:
        """Packets in order, TRUNCATED for a packet cut off, SYNC once for each run of bytes that belongs to none."""
        for byte in data:
            yield from self._settle_point(byte)
            if byte & _SYNC:
                if self._part and not self._may_be_point():
                    yield Reason.TRUNCATED
                    self._part.clear()
            elif not self._part:
                if not self._is_astray:
                    yield Reason.SYNC
                self._is_astray = True
                continue
            self._is_astray = False
            self._part.append(byte)
            if len(self._part) == PACKET_BYTES:
                yield decode(bytes(self._part))
                self._part.clear()

    def end(self) -> Iterator[Packet | Point | Reason]:
        """A recorded point that nothing follows; TRUNCATED for a packet that is not whole."""
        if self._is_point():
            yield decode_point(bytes(self._part))
        elif self._part:
            yield Reason.TRUNCATED
        self._part.clear()
        self._is_astray = False

    def _may_be_point(self) -> bool:
        return len(self._part) == 1 and self._part[0] in _POINT_STARTS

    def _is_point(self) -> bool:
        return len(self._part) == POINT_BYTES and bool(self._part[1] & _SYNC)

    def _settle_point(self, byte: int) -> Iterator[Packet | Point | Reason]:
        """Three bytes that look like a point are one if a point follows; else a live packet began at the second of them."""
        if self._is_point() and byte in _POINT_STARTS:
            yield decode_point(bytes(self._part))
            self._part.clear()
        elif self._is_point() or (len(self._part) == 2 and self._part[1] & byte & _SYNC):
            yield Reason.TRUNCATED
            del self._part[0]


def decode(packet: bytes) -> Packet | Reason:
    """Decode one live packet of exactly 5 bytes, or say LENGTH or SYNC."""
    if len(packet) != PACKET_BYTES:
        return Reason.LENGTH
    if not packet[0] & _SYNC or any(byte & _SYNC for byte in packet[1:]):
        return Reason.SYNC
    pulse = (packet[2] & 0x40) << 1 | packet[3]
    spo2 = packet[4]
    is_blind = bool(packet[2] & 0x10)
    return Packet(
        signal=packet[0] & 0x0F,
        searching_too_long=bool(packet[0] & 0x10),
        spo2_dropping=bool(packet[0] & 0x20),
        beep=bool(packet[0] & 0x40),
        pleth=packet[1],
        bar=packet[2] & 0x0F,
        probe_error=is_blind,
        searching=bool(packet[2] & 0x20),
        pulse_bpm=None if is_blind or pulse in PULSE_NONE else pulse,
        spo2_pct=None if is_blind or spo2 in SPO2_NONE else spo2,
    )


def decode_point(point: bytes) -> Point | Reason:
    """Decode one recorded second of exactly 3 bytes, or say LENGTH or SYNC."""
    if len(point) != POINT_BYTES:
        return Reason.LENGTH
    if point[0] not in _POINT_STARTS or not point[1] & _SYNC or point[2] & _SYNC:
        return Reason.SYNC
    pulse = (point[0] & 1) << 7 | point[1] & 0x7F
    return Point(None if pulse in PULSE_NONE else pulse, None if point[2] in SPO2_NONE else point[2])


def reader(context: Mapping[str, str]) -> Reader:
    """Reads a stream; nothing of the context matters."""
    return Reader()


def describe(packet: Packet | Point) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return {"kind": "recorded", **asdict(packet)} if isinstance(packet, Point) else asdict(packet)


class ContecV5:
    """Driver state: the reader's."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 1.0
    line: ClassVar[Line] = Line(bauds=(19200, 4800), parities=("O", "N"))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = Reader()

    def start(self, now_s: float) -> Iterable[Output]:
        """It speaks by itself."""
        self._reader = Reader()
        return []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            if isinstance(item, Reason):
                yield Refusal(item)
            elif isinstance(item, Point):
                yield Alive()
            else:
                yield from _outputs(item)


def _outputs(packet: Packet) -> Iterator[Output]:
    if packet.probe_error:
        yield Refusal(Reason.NO_CONTACT)
    elif packet.searching or packet.searching_too_long or packet.spo2_pct is packet.pulse_bpm is None:
        yield Refusal(Reason.SEARCHING)
    else:
        if packet.spo2_pct is not None:
            yield Measurement(QuantityName.SPO2, packet.spo2_pct)
        if packet.pulse_bpm is not None:
            yield Measurement(QuantityName.HEART_RATE, packet.pulse_bpm)
