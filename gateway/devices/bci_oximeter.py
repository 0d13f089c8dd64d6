"""Pulse oximeters that speak the BCI 5-byte protocol: BerryMed BM1000 and very many finger clips.

    1SSSSSSS  0PPPPPPP  0HBFWWWW  0HHHHHHH  0OOOOOOO       100 packets a second, no checksum

    byte 1: bits 0-3 signal 0..8, bit 4 no signal, bit 5 probe unplugged, bit 6 beep       byte 2: pleth 1..100, 0 invalid
    byte 3: bits 0-3 bar, bit 4 no finger, bit 5 searching, bit 6 bit 7 of the pulse rate   byte 4: pulse rate bits 0-6, FF invalid
    byte 5: SpO2 %, 7F invalid

Only byte 1 has bit 7 set, so a false start is left at the next such byte and never costs the packet behind it.
The same bytes mean something else in Contec's protocol V5: which of the two a device speaks is configured.
Source: BCI Protocol V1.2 (zh2x/BCI_Protocol); values checked against atick-faisal/berry-oximeter.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Line, Measurement, Options, Output, Reason, Refusal

PACKET_BYTES = 5
_SYNC = 0x80
PULSE_INVALID = 0xFF
SPO2_INVALID = 0x7F


@dataclass(frozen=True, slots=True)
class Packet:
    """One decoded packet. None is "no value", never 0."""

    signal: int
    no_signal: bool
    probe_unplugged: bool
    beep: bool
    pleth: int | None
    bar: int
    no_finger: bool
    searching: bool
    pulse_bpm: int | None
    spo2_pct: int | None


class Reader:
    """Reader state: the bytes of a packet that has begun, and whether bytes that belong to none are passing."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Packets in a stream, in order, with SYNC once for each run of bytes that belongs to none, TRUNCATED for a packet cut off."""
        for byte in data:
            if byte & _SYNC:
                if self._part:
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

    def end(self) -> Iterator[Packet | Reason]:
        """TRUNCATED for a packet that is not whole."""
        if self._part:
            yield Reason.TRUNCATED
        self._part.clear()
        self._is_astray = False


class BciOximeter:
    """Driver state: the reader's."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 1.0
    line: ClassVar[Line] = Line(bauds=(115200, 57600, 38400, 19200, 9600, 4800))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = Reader()

    def start(self, now_s: float) -> Iterable[Output]:
        """It speaks by itself, and understands nothing."""
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
        for piece in self._reader.feed(data):
            yield from _outputs(piece) if isinstance(piece, Packet) else [Refusal(piece)]


def decode(packet: bytes) -> Packet | Reason:
    """Decode one packet of exactly 5 bytes, or say LENGTH or SYNC."""
    if len(packet) != PACKET_BYTES:
        return Reason.LENGTH
    if not packet[0] & _SYNC or any(byte & _SYNC for byte in packet[1:]):
        return Reason.SYNC
    pulse = (packet[2] & 0x40) << 1 | packet[3]
    spo2 = packet[4]
    is_blind = bool(packet[0] & 0x30 or packet[2] & 0x10)
    return Packet(
        signal=packet[0] & 0x0F,
        no_signal=bool(packet[0] & 0x10),
        probe_unplugged=bool(packet[0] & 0x20),
        beep=bool(packet[0] & 0x40),
        pleth=packet[1] or None,
        bar=packet[2] & 0x0F,
        no_finger=bool(packet[2] & 0x10),
        searching=bool(packet[2] & 0x20),
        pulse_bpm=None if is_blind or pulse in (0, PULSE_INVALID) else pulse,
        spo2_pct=None if is_blind or spo2 in (0, SPO2_INVALID) else spo2,
    )


def _outputs(packet: Packet) -> Iterator[Output]:
    if packet.probe_unplugged:
        yield Refusal(Reason.UNPLUGGED)
    elif packet.no_finger or packet.no_signal:
        yield Refusal(Reason.NO_CONTACT)
    elif packet.searching or packet.spo2_pct is packet.pulse_bpm is None:
        yield Refusal(Reason.SEARCHING)
    else:
        if packet.spo2_pct is not None:
            yield Measurement(QuantityName.SPO2, packet.spo2_pct)
        if packet.pulse_bpm is not None:
            yield Measurement(QuantityName.HEART_RATE, packet.pulse_bpm)


def reader(context: Mapping[str, str]) -> Reader:
    """Reads a stream; nothing of the context matters."""
    return Reader()


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return asdict(packet)
