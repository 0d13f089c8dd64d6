"""Emfit QS bed sensors (a strip under the mattress), read over HTTP from the device itself: GET /dvmstatus.htm every second or two.

    KEY=VALUE<br>\\r\\n      one line per key, then a form feed that gateway.bridges.http_poll adds when the page is whole

    SER serial number      PRES 1 somebody lies on it, 0 nobody      HR heart rate /min, 0 none      RR breath rate /min, 0 none
    ACT activity, the device's own scale      TS time, s since 1970, 0 while it has none      TS_R s since its start

/shortdvm.htm writes " ---" and " --.-" for no value: both are taken for none. With PRES=1 rates of 0 occur just after getting in.
Source: xyvyx1/ha-emfitqs and the "EMFIT Local API" note. No capture of a whole page was found: the layout is the documented one.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.edges import BedWatch

PAGE_END = b"\x0c"
PAGE_BYTES_MAX = 4096
"""The documented page has about 150 bytes."""
_PAGES = re.compile(rb"(?m)^(?=SER=)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_S_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One page. None is "no value", never 0. Rates per minute; `uptime_s` since the start of the device."""

    serial: str
    in_bed: bool | None
    heart_rate_bpm: float | None
    resp_rate_bpm: float | None
    activity: int | None
    uptime_s: int | None
    time: datetime | None


class Reader:
    """Collects the bytes of a page."""

    def __init__(self) -> None:
        self._page = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """A packet or a reason for each page that has come to its end. LENGTH, once, for one longer than PAGE_BYTES_MAX."""
        *whole, rest = data.split(PAGE_END)
        for end in whole:
            yield from self._add(end)
            yield from self.end()
        yield from self._add(rest)

    def clear(self) -> None:
        """Forget a page cut off."""
        self._page.clear()
        self._is_astray = False

    def end(self) -> Iterator[Packet | Reason]:
        """The page that ends here, if one has begun. A second serial number begins a second page."""
        if not self._is_astray:
            yield from (decode(page) for page in _PAGES.split(bytes(self._page)) if page.strip())
        self.clear()

    def _add(self, data: bytes) -> Iterator[Reason]:
        self._page += data
        if len(self._page) > PAGE_BYTES_MAX:
            del self._page[1:]
            if not self._is_astray:
                self._is_astray = True
                yield Reason.LENGTH


def reader(context: Mapping[str, str]) -> Reader:
    """A reader for a capture; the context says nothing here."""
    return Reader()


def decode(page: bytes) -> Packet | Reason:
    """Decode one page, or say TRUNCATED (its last line has no <br>) or FORMAT (no serial number, so no such page)."""
    *lines, last = page.decode("ascii", errors="replace").replace("<br>", "\n").split("\n")
    values = {key.strip().upper(): value.strip() for key, sign, value in (line.partition("=") for line in lines) if sign}
    if not values.get("SER"):
        return Reason.FORMAT
    if last.strip():
        return Reason.TRUNCATED
    in_bed = {"0": False, "1": True}.get(values.get("PRES", ""))
    return Packet(
        serial=values["SER"],
        in_bed=in_bed,
        heart_rate_bpm=_number(values.get("HR")) or None,
        resp_rate_bpm=_number(values.get("RR")) or None,
        activity=_whole(values.get("ACT")),
        uptime_s=_whole(values.get("TS_R")),
        time=_instant(_whole(values.get("TS"))),
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _whole(text: str | None) -> int | None:
    value = _number(text)
    return int(value) if value is not None and value.is_integer() else None


def _instant(seconds: int | None) -> datetime | None:
    """None for 0, which says that the device has no time yet."""
    return _EPOCH + timedelta(seconds=seconds) if seconds and seconds <= TIME_S_MAX else None


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return {
        "serial": packet.serial,
        "in_bed": packet.in_bed,
        "heart_rate_bpm": packet.heart_rate_bpm,
        "resp_rate_bpm": packet.resp_rate_bpm,
        "activity": packet.activity,
        "uptime_s": packet.uptime_s,
        "time": packet.time.isoformat() if packet.time else None,
    }


class EmfitQs:
    """Driver state: the page that is coming in, and whether somebody lay in the bed."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 10.0
    line: ClassVar[Line] = Line(bauds=())
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)
        self._bed = BedWatch()

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device is alone at its address."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing to send: asking is the work of the bridge."""
        self._reader.clear()
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            yield from [Refusal(item)] if isinstance(item, Reason) else self._outputs(item)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def _outputs(self, packet: Packet) -> Iterator[Output]:
        """An empty bed breathes nothing: its rates are not believed."""
        yield Alive()
        if packet.in_bed is None:
            yield Refusal(Reason.NO_CONTACT)
            return
        yield from self._bed.tell(packet.in_bed)
        if packet.activity is not None:
            yield Measurement(QuantityName.ACTIVITY, packet.activity)
        if not packet.in_bed:
            return
        if packet.heart_rate_bpm is packet.resp_rate_bpm is None:
            yield Refusal(Reason.SEARCHING)
        if packet.heart_rate_bpm is not None:
            yield Measurement(QuantityName.HEART_RATE, packet.heart_rate_bpm, measured_at=packet.time)
        if packet.resp_rate_bpm is not None:
            yield Measurement(QuantityName.RESPIRATION_RATE, packet.resp_rate_bpm, measured_at=packet.time)
