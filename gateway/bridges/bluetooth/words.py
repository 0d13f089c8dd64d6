"""The lines that the radio and its driver say to each other: JSON objects, one in each line. No I/O, no clock.

radio to driver   {"device": ID, "characteristic": "2a35", "value": HEX, "n": 7}    a value; n: wants to hear when it is on disk
                  {"device": ID, "state": "visited", ...}                           what became of a device, see State
                  {"stranger": ADDRESS, "name": ..., "services": [...]}             a health device that nobody enrolled
                  (an empty line)                                                   the radio works
driver to radio   {"stored": 7}                                                     value n is on disk, or refused for good
                  {"device": ID, "time": "2026-03-01T11:12:00"}                     the home's time, for the device's clock
                  {"enrol": ID, "address": ..., "passkey": ...}   {"dismiss": ID}   from the console
"""

import json
from enum import StrEnum
from typing import Any

LINE_BYTES_MAX = 2048
"""A value has at most 512 bytes, twice as many digits."""


class State(StrEnum):
    """What became of a device. All from BOND_LOST on need somebody who pairs it again, and hold until PAIRED."""

    VISITED = "visited"
    LEFT = "left"
    CLOCK = "clock"
    """It has a clock and wants to know the time."""
    PAIRED = "paired"
    BOND_LOST = "bond_lost"
    PASSKEY_NEEDED = "passkey_needed"
    NOT_AUTHENTICATED = "not_authenticated"
    """A passkey is configured, and the device paired without asking for it."""
    PAIRING_REFUSED = "pairing_refused"


TROUBLES = frozenset({State.BOND_LOST, State.PASSKEY_NEEDED, State.NOT_AUTHENTICATED, State.PAIRING_REFUSED})


def line(**words: Any) -> bytes:
    """One line with its end; a word that is None is left out."""
    return json.dumps({name: word for name, word in words.items() if word is not None}, separators=(",", ":")).encode() + b"\n"


def read(text: str | bytes) -> dict[str, Any] | None:
    """One line without its end; None for what is no JSON object."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
