"""Nonin oximeters OEM III and their like that stream: data formats 2, 7 and 8.

    Format 2, 75 frames a second, 25 make a packet:    01 SS PP FF KK
    Format 7, the same with a longer pleth:            SS PP PP FF KK
       KK sum of the bytes before it, modulo 256       PP pleth       FF by number of the frame, below
       SS bit 7 always 1, 6 sensor disconnected, 5 artifact, 4 out of track, 3 sensor alarm (finger out), 2 red, 1 green, 0 frame 1
       FF of frame 1-2 heart rate, 3 SpO2, 4 revision, 8 status (bit 5 good signal, bit 0 low battery), 9 SpO2-D, 10 SpO2 fast,
          11 SpO2 of the beat, 14-15 heart rate E, 16 SpO2 E, 17 SpO2 E-D, 20-21 heart rate D, 22-23 heart rate E-D
    Format 8, once a second:    1RTLMAHH  0HHHHHHH  0OOOOOOO  0RGRNRRB
       T out of track, L low and M medium perfusion, A artifact, H heart rate (9 bits), O SpO2, G good signal, N no sensor, B low battery
A heart rate is (high byte & 3) << 7 | low byte & 7F. Missing: heart rate 511, SpO2 127; 0 is none either.
E are averages over 8 beats, D the values for a display, which stand for 10 s after the finger is out with nothing but the sensor alarm set.
Rules get the plain values only. Without a checksum (format 8) the four bits 7 are the frame.

Commands, and format 13, stand in nonin_spot.py.
Source: "9560 Bluetooth Specification" 6470-000-01 in mattjlewis/NoninPulseOx; a packet stated in pez-globo/pufferfish-software.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar

from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Command, Line, Options, Output, Reader, Reason, Refusal
from gateway.devices.nonin_spot import Packet, outputs, rate_of, record_cutter, select_format, spo2_of

FRAME_BYTES = 5
PACKET_FRAMES = 25
FORMAT_8_BYTES = 4
_PERFUSION = {0x00: None, 0x02: "green", 0x04: "red", 0x06: "yellow"}


# -- formats 2 and 7 ---------------------------------------------------------------------------------------------------------------------


class PacketReader:
    """Reader state: the bytes of a frame that has begun, and the frames of a packet that has begun with frame 1.

    A packet counts only with its 25 frames one right behind the other: a float byte has no name but its place.
    """

    def __init__(self, *, is_wide: bool) -> None:
        self._is_wide = is_wide
        self._part = bytearray()
        self._frames: list[bytes] = []
        self._frames_heard = self._alone = 0
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Packets in order; CHECKSUM for a frame that is damaged, SYNC for other stray bytes, TRUNCATED for a packet with a gap."""
        for byte in data:
            self._part.append(byte)
            while len(self._part) >= FRAME_BYTES:
                yield from self._judge()

    def end(self) -> Iterator[Packet | Reason]:
        """The status of one frame alone, for an installer who looks at it; else TRUNCATED for what is not whole."""
        if self._frames_heard == 1 and self._alone and not self._part:
            yield Packet(_status([self._alone]))
        elif self._part or self._frames:
            yield Reason.TRUNCATED
        self._part.clear()
        self._frames.clear()

    def _judge(self) -> Iterator[Packet | Reason]:
        frame = bytes(self._part[:FRAME_BYTES])
        status = frame[0 if self._is_wide else 1]
        is_framed = status & 0x80 and (self._is_wide or frame[0] == 0x01)
        if is_framed and sum(frame[:-1]) & 0xFF == frame[-1]:
            self._is_astray = False
            del self._part[:FRAME_BYTES]
            yield from self._add(frame, is_first=bool(status & 0x01))
            return
        del self._part[0]
        self._frames.clear()
        if not self._is_astray:
            yield Reason.CHECKSUM if is_framed else Reason.SYNC
        self._is_astray = True

    def _add(self, frame: bytes, *, is_first: bool) -> Iterator[Packet | Reason]:
        self._frames_heard += 1
        self._alone = frame[0 if self._is_wide else 1]
        if is_first and self._frames:
            yield Reason.TRUNCATED
            self._frames.clear()
        if is_first or self._frames:
            self._frames.append(frame)
        if len(self._frames) == PACKET_FRAMES:
            yield Packet(_packet(self._frames, is_wide=self._is_wide))
            self._frames.clear()


def _status(statuses: list[int]) -> dict[str, JSON]:
    every = 0
    for status in statuses:
        every |= status
    colours = [colour for status in statuses if (colour := _PERFUSION[status & 0x06])]
    return {
        "artifact": bool(every & 0x20),
        "out_of_track": bool(every & 0x10),
        "sensor_alarm": bool(every & 0x08),
        "sensor_disconnected": bool(every & 0x40),
        "perfusion": colours[-1] if colours else None,
    }


def _packet(frames: list[bytes], *, is_wide: bool) -> dict[str, JSON]:
    floats = {number: frame[3] for number, frame in enumerate(frames, start=1)}
    status = _status([frame[0 if is_wide else 1] for frame in frames])
    spo2 = {number: spo2_of(floats[number]) for number in (3, 9, 10, 11, 16, 17)}
    rate = {number: rate_of(floats[number], floats[number + 1]) for number in (1, 14, 20, 22)}
    return {
        "pulse_bpm": rate[1],
        "spo2_pct": spo2[3],
        "revision": floats[4],
        "spo2_display_pct": spo2[9],
        "spo2_fast_pct": spo2[10],
        "spo2_beat_pct": spo2[11],
        "pulse_ext_bpm": rate[14],
        "spo2_ext_pct": spo2[16],
        "spo2_ext_display_pct": spo2[17],
        "pulse_display_bpm": rate[20],
        "pulse_ext_display_bpm": rate[22],
        "high_quality": bool(floats[8] & 0x20),
        "low_battery": bool(floats[8] & 0x01),
        **status,
    }


# -- format 8 ----------------------------------------------------------------------------------------------------------------------------


class SecondReader:
    """Reader state: the bytes of a frame of format 8 that has begun, and whether bytes that belong to none are passing."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Frames in order, TRUNCATED for one cut off, SYNC once for each run of bytes that belongs to none."""
        for byte in data:
            if byte & 0x80 and self._part:
                yield Reason.TRUNCATED
                self._part.clear()
            elif not byte & 0x80 and not self._part:
                if not self._is_astray:
                    yield Reason.SYNC
                self._is_astray = True
                continue
            self._is_astray = False
            self._part.append(byte)
            if len(self._part) == FORMAT_8_BYTES:
                yield Packet(_second(*self._part))
                self._part.clear()

    def end(self) -> Iterator[Packet | Reason]:
        """TRUNCATED for a frame that is not whole."""
        if self._part:
            yield Reason.TRUNCATED
        self._part.clear()


def _second(flags: int, rate_low: int, spo2: int, status: int) -> dict[str, JSON]:
    colour = {0x00: "green", 0x10: "red", 0x08: "yellow", 0x18: "red"}[flags & 0x18]
    return {
        "pulse_bpm": rate_of(flags, rate_low),
        "spo2_pct": spo2_of(spo2),
        "out_of_track": bool(flags & 0x20),
        "artifact": bool(flags & 0x04),
        "perfusion": colour,
        "high_quality": bool(status & 0x20),
        "sensor_disconnected": bool(status & 0x08),
        "sensor_alarm": False,
        "low_battery": bool(status & 0x01),
    }


READERS: dict[str, Callable[[], Reader[Packet]]] = {
    "2": lambda: PacketReader(is_wide=False),
    "7": lambda: PacketReader(is_wide=True),
    "8": SecondReader,
    "13": record_cutter,
}


def reader(context: Mapping[str, str]) -> Reader[Packet]:
    """Reads a stream of the `format` in the context; without one, records of format 13 and commands. Raises ValueError for another."""
    number = context.get("format", "13")
    if number not in READERS:
        raise ValueError(f"format is 2, 7, 8 or 13, not {number!r}")
    return READERS[number]()


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return dict(packet.fields)


# -- drivers -----------------------------------------------------------------------------------------------------------------------------


class NoninSerial:
    """An oximeter that streams, in `settings.format` 2 (default), 7 or 8. Driver state: the reader's."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 2.0
    line: ClassVar[Line] = Line(bauds=(9600,))
    settings: ClassVar[frozenset[str]] = frozenset({"format"})

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._format = options.settings.get("format", "2")
        if self._format not in ("2", "7", "8"):
            raise ValueError(f"format is 2, 7 or 8, not {self._format!r}; for 13 the type is nonin_spot")
        self._reader = READERS[self._format]()

    def start(self, now_s: float) -> Iterable[Output]:
        """Select the format: the oximeter listens to this for 5 s."""
        self._reader = READERS[self._format]()
        return [Command(select_format(int(self._format)))]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            yield from [Refusal(item)] if isinstance(item, Reason) else outputs(item.fields)
