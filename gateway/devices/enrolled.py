"""What receivers share: which radio devices belong to this home, what each of them means here, and when a frame is news.

A radio receiver hears the neighbours too, and the model that a frame names is often wrong: a pendant may come out as a smoke alarm. So a
device is enrolled by the address that was heard at installation, and its meaning stands in the configuration. What is not enrolled is
counted as STRANGER and changes nothing.

One press is many frames: 4 to 10 at 433 MHz, up to 3 subtelegrams with EnOcean, and as many as a held button lasts. AGAIN says, for each
meaning, which frame is an event again.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from contract.events import EventKind
from gateway.devices.driver import Enrolled, Meaning, Output, Signal


class Change(StrEnum):
    """What a frame says: pressed, opened, moved, alarm; or released, closed, still, all clear."""

    BEGINS = "begins"
    ENDS = "ends"


REPEAT_S = 2.0
"""Frames of one press follow each other within this time; a held button goes on sending, and is one press."""
STILL_MOVING_S = 60.0
"""Somebody who goes about in a room trips a motion detector every few seconds: one event a minute says it as well."""
NEW_ALARM_S = 600.0
"""Some alarms never say that they have ended: after so long a silence the next frame is a new one."""

_MOMENTARY = {Meaning.SOS: EventKind.SOS, Meaning.BUTTON: EventKind.BUTTON}
_BEGINNINGS = {Meaning.SMOKE: EventKind.SMOKE, Meaning.GAS: EventKind.GAS, Meaning.WATER: EventKind.WATER}
_DOOR = {Change.BEGINS: EventKind.DOOR_OPENED, Change.ENDS: EventKind.DOOR_CLOSED}


class Register:
    """State of a receiver's devices: when each was last heard, and in which state."""

    def __init__(self, enrolled: Sequence[Enrolled]) -> None:
        """Raises ValueError, for the installer, where two devices have the same address."""
        self._by_address = {one.address.lower(): one for one in enrolled}
        if len(self._by_address) < len(enrolled):
            raise ValueError("two enrolled devices have the same address; a radio device has one meaning")
        self._heard: dict[tuple[str, str], float] = {}
        self._states: dict[str, tuple[Change, float]] = {}
        self._weak: set[str] = set()

    def find(self, *addresses: str) -> Enrolled | None:
        """The device with the first of these addresses that is enrolled, whatever their case."""
        return next((found for address in addresses if (found := self._by_address.get(address.lower()))), None)

    def change(self, device: Enrolled, change: Change, code: str, now_s: float) -> Iterator[Output]:
        """The event of this frame, if it is news. `code` tells buttons of one device apart."""
        if device.meaning in _MOMENTARY:
            if change is Change.BEGINS and self._is_new_press(device.id, code, now_s):
                yield Signal(_MOMENTARY[device.meaning], "", member=device.id)
        elif device.meaning is Meaning.MOTION:
            if change is Change.BEGINS and self._is_due(device.id, now_s):
                yield Signal(EventKind.MOTION, "", member=device.id)
        elif device.meaning is not Meaning.CLIMATE:
            yield from self._change_state(device, change, now_s)

    def battery(self, device: Enrolled, is_low: bool | None) -> Iterator[Output]:
        """One event when a device first says that its battery is low; it may say so again after it was well."""
        if is_low is None:
            return
        if not is_low:
            self._weak.discard(device.id)
        elif device.id not in self._weak:
            self._weak.add(device.id)
            yield Signal(EventKind.BATTERY_LOW, "", member=device.id)

    def _is_new_press(self, device_id: str, code: str, now_s: float) -> bool:
        before_s = self._heard.get((device_id, code))
        self._heard[device_id, code] = now_s
        return before_s is None or now_s - before_s > REPEAT_S

    def _is_due(self, device_id: str, now_s: float) -> bool:
        before_s = self._heard.get((device_id, ""))
        if before_s is not None and now_s - before_s < STILL_MOVING_S:
            return False
        self._heard[device_id, ""] = now_s
        return True

    def _change_state(self, device: Enrolled, change: Change, now_s: float) -> Iterator[Output]:
        before, before_s = self._states.get(device.id, (None, now_s))
        self._states[device.id] = (change, now_s)
        if device.meaning is Meaning.DOOR:
            if change is not before:
                yield Signal(_DOOR[change], "", member=device.id)
        elif change is Change.ENDS:
            if before is Change.BEGINS:
                yield Signal(EventKind.ALARM_ENDED, "", detail=device.meaning, member=device.id)
        elif before is not Change.BEGINS or now_s - before_s > NEW_ALARM_S:
            yield Signal(_BEGINNINGS[device.meaning], "", member=device.id)
