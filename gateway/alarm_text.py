"""The words of the SMS that a home sends alone: who, what, when, and whom to call back, in one message. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contract.events import EventKind

CLOCK_SET_FROM = datetime(2025, 1, 1, tzinfo=UTC)
"""An earlier time is that of a clock nobody has set: better none than a wrong one."""
HAPPENED_ZH = {EventKind.SOS: "按下求助", EventKind.FALL: "跌倒"}
HAPPENED_EN = {EventKind.SOS: "pressed SOS", EventKind.FALL: "fell"}


@dataclass(frozen=True, slots=True)
class Wording:
    """What a home's messages have in common. `place` and `call_back` may be empty."""

    language: str
    place: str
    call_back: str
    time_zone: str


def compose(wording: Wording, kind: EventKind, at: datetime) -> str:
    """The message: at most 70 UCS-2 units in Chinese, 160 septets in English, with a place of 20 characters of that language's kind."""
    time = f"{at.astimezone(ZoneInfo(wording.time_zone)):%H:%M}" if at >= CLOCK_SET_FROM else ""
    if wording.language == "zh":
        call = f"回电{wording.call_back}" if wording.call_back else ""
        return f"【家护】{wording.place}{time}{HAPPENED_ZH[kind]}，中心无应答，请马上联系或上门。{call}"
    return _english(wording.place, wording.call_back, kind, time)


def compose_plain(wording: Wording, kind: EventKind, at: datetime) -> str:
    """English in ASCII for a modem that takes nothing else; a place that has other characters is left out."""
    time = f"{at.astimezone(ZoneInfo(wording.time_zone)):%H:%M}" if at >= CLOCK_SET_FROM else ""
    return _english(wording.place if wording.place.isascii() else "", wording.call_back, kind, time)


def _english(place: str, call_back: str, kind: EventKind, time: str) -> str:
    who = f"{place}: somebody" if place else "somebody"
    when = f" at {time}" if time else ""
    call = f" Call back {call_back}" if call_back else ""
    return f"Jiahu: {who} {HAPPENED_EN[kind]}{when}. The centre does not answer. Please call or go there now.{call}"
