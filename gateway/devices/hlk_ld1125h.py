"""HLK-LD1125H, a 24 GHz presence radar that speaks lines of text.

    mov, dis=1.23[, str=61.93]      115200 8N1, some lines a second, each ended by CR LF: somebody moves, 1.23 m away
    occ, dis=0.85[, str=...]        somebody is there and still; str is the strength of the echo, in test mode only
    rmax is 6.00                    a setting: the answer to get_all is one such line for each

It has no checksum, so a line counts only if all of it is as above. While nobody is there it says nothing: that it still works is seen by
asking for its settings, and only an answer makes silence mean an empty room.
Source: texts of firmware RKB1125H BW1800M 20230412 V4.1 in dm5tt/LD1125H_ReverseEngineering; ekerstens/esphome_components.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.lines import LineReader

LINE_BYTES_MAX = 80
ASK_S = 10.0
"""Silent for so long: empty room or dead radar, so it is asked."""
GET_ALL = b"get_all\r\n"
CM_PER_M = 100
_PERSON = re.compile(r"(mov|occ), dis=(\d{1,2}\.\d\d)(?:, str=(\d{1,6}\.\d\d))?")
_SETTING = re.compile(r"[a-z0-9_]{2,12} is \d{1,6}(?:\.\d{1,4})?")


@dataclass(frozen=True, slots=True)
class Packet:
    """One line. `kind` is moving, still or setting; None is "no value", never 0."""

    kind: str
    distance_cm: float | None = None
    strength: float | None = None


def decode(line: str) -> Packet | Reason:
    """Decode one line without its end, or say FORMAT."""
    if person := _PERSON.fullmatch(line):
        word, distance, strength = person.groups()
        kind = "moving" if word == "mov" else "still"
        return Packet(kind, round(float(distance) * CM_PER_M) or None, float(strength) if strength else None)
    return Packet("setting") if _SETTING.fullmatch(line) else Reason.FORMAT


def reader(context: Mapping[str, str]) -> LineReader[Packet]:
    """Reads a stream; nothing of the context matters."""
    return LineReader(decode, line_bytes_max=LINE_BYTES_MAX)


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return asdict(packet)


class HlkLd1125h:
    """Driver state: the line that has begun, since when nobody was reported, and whether an answer would mean an empty room."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 2 * ASK_S + 5
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)
        self._quiet_since_s = 0.0
        self._may_be_empty = False

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask at once, for a sign of life."""
        self._reader = reader({})
        self._quiet_since_s, self._may_be_empty = now_s, False
        return [Command(GET_ALL)]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            yield from [Refusal(item)] if isinstance(item, Reason) else self._outputs(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Ask after each ASK_S of silence."""
        if now_s - self._quiet_since_s >= ASK_S:
            self._quiet_since_s, self._may_be_empty = now_s, True
            yield Command(GET_ALL)

    def _outputs(self, packet: Packet, now_s: float) -> Iterator[Output]:
        """The first line of an answer that silence made us ask for means an empty room."""
        was_empty, self._may_be_empty = self._may_be_empty, False
        if packet.kind == "setting":
            yield Measurement(QuantityName.PRESENCE, 0) if was_empty else Alive()
            return
        self._quiet_since_s = now_s
        yield Measurement(QuantityName.PRESENCE, 1)
        if packet.distance_cm is not None:
            yield Measurement(QuantityName.DISTANCE, packet.distance_cm)
