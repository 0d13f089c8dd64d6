"""Cuff, oximeter, belt, thermometer, glucose meter and scale, as their profiles describe them."""

import asyncio
import struct
from collections.abc import Callable
from datetime import datetime

from simulators.bluetooth import values
from simulators.bluetooth.peripheral import INDICATE, NOTIFY, OPEN, READ, WRITE, Part, Peripheral, Security

BLOOD_PRESSURE, CUFF_PRESSURE, HEART_RATE = 0x2A35, 0x2A36, 0x2A37
PLX_SPOT, PLX_CONTINUOUS = 0x2A5E, 0x2A5F
TEMPERATURE, GLUCOSE, GLUCOSE_CONTEXT, ACCESS = 0x2A1C, 0x2A18, 0x2A34, 0x2A52
WEIGHT, COMPOSITION, BATTERY, CURRENT_TIME, DATE_TIME = 0x2A9D, 0x2A9C, 0x2A19, 0x2A2B, 0x2A08
STREAM_S = 0.1
"""Ten times as fast as a real one, so that nobody has to wait."""


def information(maker: str, model: str) -> dict[int, list[Part]]:
    """Device information and battery services."""
    return {
        0x180A: [Part(0x2A29, READ, maker.encode()), Part(0x2A24, READ, model.encode())],
        0x180F: [Part(BATTERY, READ | NOTIFY, b"\x4b")],
    }


class Memory(Peripheral):
    """A device that says stored values when it is subscribed to, and forgets them when they are confirmed, unless it is `stubborn`."""

    says: int
    """The characteristic of its values."""

    def __init__(
        self, name: str, address: str, services: dict[int, list[Part]], security: Security = OPEN, *, has_long_uuids: bool = False
    ) -> None:
        super().__init__(name, address, services, security, has_long_uuids=has_long_uuids)
        self.stored: list[bytes] = []
        self.is_stubborn = False
        self.clock: bytes = b""
        self._saying: asyncio.Task[None] | None = None

    def on_ready(self, number: int) -> None:
        """Subscribed: say it."""
        if number == self.says:
            self._saying = asyncio.get_running_loop().create_task(self._say_all())

    async def measure(self, value: bytes) -> None:
        """A new result: said at once where somebody listens, else stored."""
        if self.says in self.subscribed:
            await self.say(self.says, value)
            if not self.is_stubborn:
                return
        self.stored.append(value)

    async def _say_all(self) -> None:
        for value in list(self.stored):
            await self.say(self.says, value)
            if not self.is_stubborn:
                self.stored.remove(value)
        if self.hangs_up_after:
            await asyncio.sleep(0.05)
            await self.hang_up()

    def _set_clock(self, data: bytes) -> None:
        self.clock = data


class Cuff(Memory):
    """A blood pressure cuff; many have a date and time of their own beside the result."""

    says = BLOOD_PRESSURE

    def __init__(self, address: str, security: Security = OPEN, *, name: str = "Cuff", has_long_uuids: bool = False) -> None:
        pressure = [Part(BLOOD_PRESSURE, INDICATE), Part(0x2A49, READ, b"\0\0"), Part(DATE_TIME, READ | WRITE, bytes(7), self._set_clock)]
        super().__init__(name, address, {0x1810: pressure} | information("ACME", "Cuff 7"), security, has_long_uuids=has_long_uuids)
        self.set_time_read(None)

    def set_time_read(self, moment: datetime | None) -> None:
        """What its clock shows; None: it has none at all."""
        parts = [part for part in self.services[0x1810] if part.number != DATE_TIME]
        if moment is not None:
            parts.append(Part(DATE_TIME, READ | WRITE, values.date_time(moment), self._set_clock))
        self.services[0x1810] = parts


class Thermometer(Memory):
    """An ear thermometer."""

    says = TEMPERATURE

    def __init__(self, address: str, security: Security = OPEN) -> None:
        super().__init__("Thermo", address, {0x1809: [Part(TEMPERATURE, INDICATE)]}, security)


class Scale(Memory):
    """A scale that also measures the body's composition."""

    says = WEIGHT

    def __init__(self, address: str, security: Security = OPEN) -> None:
        services = {0x181D: [Part(WEIGHT, INDICATE)], 0x181B: [Part(COMPOSITION, INDICATE)]} | information("ACME", "Scale 3")
        super().__init__("Scale", address, services, security)


class Stream(Peripheral):
    """A device that says a value again and again for as long as it is subscribed to."""

    def __init__(self, name: str, address: str, services: dict[int, list[Part]], says: int, value: Callable[[], bytes]) -> None:
        super().__init__(name, address, services)
        self._says, self._value = says, value
        self._saying: asyncio.Task[None] | None = None

    def on_ready(self, number: int) -> None:
        """Begin."""
        if number == self._says:
            self._saying = asyncio.get_running_loop().create_task(self._stream())

    async def _stream(self) -> None:
        while self._says in self.subscribed:
            await self.say(self._says, self._value())
            await asyncio.sleep(STREAM_S)


class Belt(Stream):
    """A heart rate belt with beat intervals. `bpm` 0: off the body."""

    def __init__(self, address: str, bpm: int = 72) -> None:
        self.bpm = bpm
        services = {0x180D: [Part(HEART_RATE, NOTIFY), Part(0x2A38, READ, b"\x01")]} | information("ACME", "Belt 1")
        super().__init__("Belt", address, services, HEART_RATE, lambda: values.heart_rate(self.bpm, [60 / self.bpm] if self.bpm else []))


class Oximeter(Stream):
    """A finger oximeter: continuous values, and stored spot checks behind an access point."""

    def __init__(self, address: str, spo2: float = 97, pulse: float = 72) -> None:
        self.spo2, self.pulse = spo2, pulse
        self.stored: list[bytes] = []
        plx = [Part(PLX_SPOT, INDICATE), Part(PLX_CONTINUOUS, NOTIFY), Part(ACCESS, WRITE | INDICATE, on_write=self._on_access)]
        services = {0x1822: plx} | information("ACME", "Oxi 2")
        super().__init__("Oxi", address, services, PLX_CONTINUOUS, lambda: values.plx_continuous(self.spo2, self.pulse))
        self._telling: asyncio.Task[None] | None = None

    def _on_access(self, request: bytes) -> None:
        self._telling = asyncio.get_running_loop().create_task(self._tell(request))

    async def _tell(self, request: bytes) -> None:
        if request != b"\x01\x01":
            await self.say(ACCESS, bytes((6, 0, request[0], 2)))
            return
        for value in self.stored:
            await self.say(PLX_SPOT, value)
        await self.say(ACCESS, b"\x06\x00\x01" + (b"\x01" if self.stored else b"\x06"))


class GlucoseMeter(Peripheral):
    """A glucose meter: it says its records only on request, and wants its clock set. `records`: sequence -> value of 0x2A18."""

    def __init__(self, address: str, security: Security = OPEN) -> None:
        self.records: dict[int, bytes] = {}
        self.contexts: dict[int, bytes] = {}
        self.requests: list[bytes] = []
        self.clock: bytes = b""
        meter = [
            Part(GLUCOSE, NOTIFY),
            Part(GLUCOSE_CONTEXT, NOTIFY),
            Part(0x2A51, READ, b"\0\0"),
            Part(ACCESS, WRITE | INDICATE, on_write=self._on_access),
        ]
        clock = [Part(CURRENT_TIME, READ | WRITE | NOTIFY, bytes(10), self._set_clock)]
        super().__init__("Meter", address, {0x1808: meter, 0x1805: clock} | information("ACME", "Meter 5"), security)
        self._telling: asyncio.Task[None] | None = None

    def _set_clock(self, data: bytes) -> None:
        self.clock = data

    def _on_access(self, request: bytes) -> None:
        self.requests.append(request)
        self._telling = asyncio.get_running_loop().create_task(self._tell(request))

    async def _tell(self, request: bytes) -> None:
        operation, operator = request[:2]
        chosen = sorted(self.records)
        if operation == 1 and operator == 3:
            (first,) = struct.unpack("<H", request[3:5])
            chosen = [one for one in chosen if one >= first]
        elif operation == 1 and operator == 6:
            chosen = chosen[-1:]
        elif operation != 1 or operator != 1:
            await self.say(ACCESS, bytes((6, 0, operation, 2)))
            return
        for one in chosen:
            await self.say(GLUCOSE, self.records[one])
            if one in self.contexts:
                await self.say(GLUCOSE_CONTEXT, self.contexts[one])
        await self.say(ACCESS, b"\x06\x00\x01" + (b"\x01" if chosen else b"\x06"))
