"""One connection to one device, from encryption to its end: what it has, its clock, its values, its stored records.

    encrypt -> services -> read its clock -> subscribe -> set its clock -> battery, maker, model -> stored records -> stay

Without a bond and a passkey the first step is left out: then it is paired with when it asks, or refuses something until it is.

Every step has its limit of time. An indication is confirmed only when the value is on disk: a cuff then forgets it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic
from bumble.gatt_client import CharacteristicProxy, Client

from gateway.bridges.bluetooth.controller import SERVICES, short
from gateway.bridges.bluetooth.security import Limits, Security
from gateway.bridges.bluetooth.words import State
from gateway.devices.gatt import glucose, housekeeping

logger = logging.getLogger(__name__)

T = TypeVar("T")

GENERIC_ACCESS = UUID.from_16_bits(0x1800)

GLUCOSE, ACCESS, COMPOSITION, WEIGHT, CURRENT_TIME, DATE_TIME = "2a18", "2a52", "2a9c", "2a9d", "2a2b", "2a08"
VALUES = frozenset({"2a37", "2a5f", "2a5e", "2a35", "2a36", "2a1c", "2a1e", GLUCOSE, "2a34", WEIGHT, COMPOSITION, "2a19"})
"""Characteristics whose values are passed on."""
READ_ONCE = ("2a19", "2a29", "2a24")
"""Battery, maker and model."""
OTHER_SERVICES = frozenset({"180f", "180a", "1805"})
NEEDS_SECURITY = frozenset(
    {
        att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR,
        att.ATT_INSUFFICIENT_AUTHORIZATION_ERROR,
        att.ATT_INSUFFICIENT_ENCRYPTION_KEY_SIZE_ERROR,
        att.ATT_INSUFFICIENT_ENCRYPTION_ERROR,
    }
)
NOTIFY, INDICATE = (1).to_bytes(2, "little"), (2).to_bytes(2, "little")
LONG_MTU = 185
"""Asked for only by scales that measure the body's composition: up to 30 bytes; all others fit into the 23 that every device has."""
WRITABLE = Characteristic.Properties.WRITE
READABLE = Characteristic.Properties.READ
NOTIFYING, INDICATING = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
EARLY_MAX = 100
"""Values that come before it is known what they are: a bonded device goes on where it stopped, as soon as the link is encrypted."""
UNSUPPORTED = frozenset({2, 3, 4, 5, 9})
"""Answers of the record access control point: the operation, operator or operand is not known to this device."""
SUCCESS, NONE_FOUND = 1, 6
PROCEDURE_RUNS = 0x80


class Speaker(Protocol):
    """Passes lines on to the driver."""

    def tell(self, **words: Any) -> None:
        """One line."""
        ...

    async def tell_and_wait(self, **words: Any) -> None:
        """One line, and return when what it says is on disk. Raises TimeoutError."""
        ...


class QuickClient(Client):
    """bumble's GATT client, but every value comes to us, and it is we who confirm."""

    def __init__(self, connection: Connection, take: Callable[[int, bytes, bool], None]) -> None:
        super().__init__(connection)
        self._take = take

    def on_att_handle_value_notification(self, notification: att.ATT_Handle_Value_Notification) -> None:
        """Called by bumble."""
        self._take(notification.attribute_handle, notification.attribute_value, False)

    def on_att_handle_value_indication(self, indication: att.ATT_Handle_Value_Indication) -> None:
        """Called by bumble."""
        self._take(indication.attribute_handle, indication.attribute_value, True)

    def confirm(self) -> None:
        """The device may send its next indication, and forget this one."""
        self.send_confirmation(att.ATT_Handle_Value_Confirmation())


@dataclass(slots=True)
class Found:
    """What the device has: characteristics by their numbers, and one group for each service with stored records."""

    by_handle: dict[int, str] = field(default_factory=dict)
    by_name: dict[str, list[CharacteristicProxy[bytes]]] = field(default_factory=dict)
    records: list[tuple[CharacteristicProxy[bytes], bool]] = field(default_factory=list)
    """Each access point, and whether glucose is behind it."""


class Visit:
    """State of one connection. `run` returns when the link is gone, or raises what ended it."""

    def __init__(self, device_id: str, connection: Connection, security: Security, speaker: Speaker, limits: Limits) -> None:
        self.device_id = device_id
        self.connection = connection
        self.heard_s = asyncio.get_running_loop().time()
        self._doubted_s = self.heard_s
        self.is_set_up = False
        self.has_spoken = False
        self.security = security
        self._known, self._speaker, self._limits = security.known, speaker, limits
        self._client = QuickClient(connection, self._take)
        connection.gatt_client = self._client
        self._found: Found | None = None
        self._early: list[tuple[int, bytes, bool]] = []
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._time: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._left: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        connection.on(connection.EVENT_DISCONNECTION, self._leave)
        connection.on(connection.EVENT_SECURITY_REQUEST, self._on_security_request)

    async def run(self, records_every_s: float) -> int:
        """Do everything there is to do. Returns the reason with which the device hung up; raises PairingTrouble or one of TROUBLE."""
        work = asyncio.create_task(self._work(records_every_s))
        try:
            await asyncio.wait((work, self._left, self._failed), return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            if not self._left.done() and work.done() and not work.cancelled():
                work.result()
            return await self._left
        finally:
            for task in (work, *self._tasks):
                task.cancel()
            await asyncio.gather(work, *self._tasks, return_exceptions=True)

    @property
    def is_of_use(self) -> bool:
        """It has been read as far as it can be, or has said something and hung up, as some do at once."""
        return self.is_set_up or self.has_spoken

    def doubt(self, quiet_s: float) -> None:
        """The device advertises as if it had no connection. If it was silent for so long, ask it something; no answer ends the visit."""
        now_s = asyncio.get_running_loop().time()
        if self.is_set_up and now_s - max(self.heard_s, self._doubted_s) >= quiet_s:
            self._doubted_s = now_s
            self._begin(self._prove())

    async def _prove(self) -> None:
        await self._step(self._client.discover_service(GENERIC_ACCESS))

    def set_time(self, now: datetime) -> None:
        """The home's time, as the driver gives it."""
        if not self._time.done():
            self._time.set_result(now)

    async def _work(self, records_every_s: float) -> None:
        if self._known.bond is not None or self._known.passkey is not None:
            await self.security.secure(self._limits)
        self._found = found = await self._discover()
        self._speaker.tell(device=self.device_id, state=State.VISITED)
        early, self._early = self._early, []
        for one in early:
            self._take(*one)
        has_clock = await self._read_clocks(found)
        for characteristic in self._to_subscribe(found):
            await self._subscribe(characteristic)
        if has_clock:
            await self._set_clocks(found)
        for name in READ_ONCE:
            await self._read(found, name)
        self.is_set_up = True
        while True:
            for access, is_glucose in found.records:
                await self._read_records(access, is_glucose=is_glucose)
            await asyncio.sleep(records_every_s)

    # -- what the device has --------------------------------------------------------------------------------------------------------------

    async def _discover(self) -> Found:
        services = await self._ask(self._client.discover_services)
        found = Found()
        for service in services:
            name = short(service.uuid)
            if name not in SERVICES and name not in OTHER_SERVICES:
                continue
            characteristics = await self._ask(partial(self._client.discover_characteristics, (), service))
            for one in characteristics:
                found.by_handle[one.handle] = short(one.uuid)
                found.by_name.setdefault(short(one.uuid), []).append(one)
            names = {short(one.uuid) for one in characteristics}
            found.records += [(one, GLUCOSE in names) for one in characteristics if short(one.uuid) == ACCESS]
        if COMPOSITION in found.by_name:
            await self._lengthen()
        return found

    async def _lengthen(self) -> None:
        try:
            await self._step(self._client.request_mtu(LONG_MTU))
        except att.ATT_Error as error:
            logger.debug("%s keeps the shortest packets: %s", self.device_id, error)

    def _to_subscribe(self, found: Found) -> list[CharacteristicProxy[bytes]]:
        """Values first, the access point last, as meters want it. A scale that tells the weight by itself need not tell it twice."""
        names = [name for name in found.by_name if name in VALUES and not (name == COMPOSITION and WEIGHT in found.by_name)]
        return [one for name in (*names, ACCESS) for one in found.by_name.get(name, ())]

    async def _subscribe(self, characteristic: CharacteristicProxy[bytes]) -> None:
        """Indications where there is the choice: they are confirmed. A device without the descriptor may send all the same."""
        properties = characteristic.properties
        if not properties & (NOTIFYING | INDICATING):
            return
        await self._ask(characteristic.discover_descriptors)
        descriptor = characteristic.get_descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR)
        if descriptor is None:
            logger.info("%s: %s cannot be subscribed to", self.device_id, short(characteristic.uuid), extra={"event": "no_descriptor"})
            return
        bits = INDICATE if properties & INDICATING else NOTIFY
        await self._ask(lambda: self._client.write_value(descriptor, bits, with_response=True))

    async def _read(self, found: Found, name: str) -> bool:
        """Pass on a value that is only read. One that may not be read is no fault of the device. Returns whether it was told."""
        for one in found.by_name.get(name, ()):
            if one.properties & READABLE:
                try:
                    value = await self._ask(partial(self._client.read_value, one.handle))
                except att.ATT_Error as error:
                    logger.debug("%s does not tell %s: %s", self.device_id, name, error)
                    continue
                self._speaker.tell(device=self.device_id, characteristic=name, value=value.hex())
                return True
        return False

    # -- its clock ------------------------------------------------------------------------------------------------------------------------

    async def _read_clocks(self, found: Found) -> bool:
        """Before any record comes: how far the clock is off. Returns whether it can be set."""
        if not await self._read(found, CURRENT_TIME):
            await self._read(found, DATE_TIME)
        return any(one.properties & WRITABLE for name in (CURRENT_TIME, DATE_TIME) for one in found.by_name.get(name, ()))

    async def _set_clocks(self, found: Found) -> None:
        self._speaker.tell(device=self.device_id, state=State.CLOCK)
        now = await self._step(asyncio.shield(self._time))
        whole = housekeeping.current_time(now)
        for name, value in ((CURRENT_TIME, whole), (DATE_TIME, whole[:7])):
            for one in found.by_name.get(name, ()):
                if one.properties & WRITABLE:
                    await self._set_clock(one, value)

    async def _set_clock(self, clock: CharacteristicProxy[bytes], value: bytes) -> None:
        try:
            await self._ask(lambda: self._client.write_value(clock, value, with_response=True))
        except att.ATT_Error as error:
            logger.info("%s does not take the time: %s", self.device_id, error, extra={"event": "clock_refused"})

    # -- its stored records ---------------------------------------------------------------------------------------------------------------

    async def _read_records(self, access: CharacteristicProxy[bytes], *, is_glucose: bool) -> None:
        """A meter is asked for what is newer than the newest on our disk. After a reset its numbers begin anew: then all is asked for."""
        last = self._known.last if is_glucose else None
        if last is None:
            await self._report(access, glucose.report_all())
            return
        code = await self._report(access, glucose.report_from(min(last + 1, 0xFFFF)))
        if code == NONE_FOUND and await self._report(access, glucose.report_last()) == SUCCESS:
            is_reset = self._known.last is not None and self._known.last < last
            if is_reset:
                await self._report(access, glucose.report_all())
        elif code in UNSUPPORTED:
            await self._report(access, glucose.report_all())

    async def _report(self, access: CharacteristicProxy[bytes], request: bytes) -> int:
        """Ask for records, wait until the last is on disk. Returns the code of the answer. Raises TimeoutError when it falls silent."""
        while not self._answers.empty():
            self._answers.get_nowait()
        try:
            await self._ask(lambda: self._client.write_value(access, request, with_response=True))
        except att.ATT_Error as error:
            if error.error_code != PROCEDURE_RUNS:
                logger.info("%s gives no records: %s", self.device_id, error, extra={"event": "records_refused"})
                return 0
            await self._ask(lambda: self._client.write_value(access, glucose.abort(), with_response=True))
            return 0
        while True:
            answer = glucose.decode_access(await self._next_answer())
            if isinstance(answer, glucose.Access) and answer.operation == glucose.RESPONSE and answer.request == glucose.REPORT:
                await asyncio.gather(*self._tasks, return_exceptions=True)
                return answer.code or 0

    async def _next_answer(self) -> bytes:
        """The next word of the access point; records that come meanwhile show that the device still works on it."""
        while True:
            asked_s = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(self._limits.step_s):
                    return await self._answers.get()
            except TimeoutError:
                if self.heard_s < asked_s:
                    raise

    # -- its values -----------------------------------------------------------------------------------------------------------------------

    def _take(self, handle: int, value: bytes, is_indication: bool) -> None:
        """A value has come; called by bumble."""
        if self._found is None:
            if len(self._early) < EARLY_MAX:
                self._early.append((handle, value, is_indication))
            return
        name = self._found.by_handle.get(handle, "")
        self.heard_s = asyncio.get_running_loop().time()
        self.has_spoken = self.has_spoken or name in VALUES
        if name == ACCESS:
            self._answers.put_nowait(value)
        if name not in VALUES:
            if is_indication:
                self._client.confirm()
        elif is_indication or name == GLUCOSE:
            self._begin(self._keep(name, value, is_indication))
        else:
            self._speaker.tell(device=self.device_id, characteristic=name, value=value.hex())

    async def _keep(self, name: str, value: bytes, is_indication: bool) -> None:
        """Pass on a value that the device will not say again, and wait until it is on disk."""
        await self._speaker.tell_and_wait(device=self.device_id, characteristic=name, value=value.hex())
        if is_indication and not self._left.done():
            self._client.confirm()
        record = glucose.decode(value) if name == GLUCOSE else None
        if isinstance(record, glucose.Packet):
            self._known.last = record.sequence

    # -- security and the end -------------------------------------------------------------------------------------------------------------

    async def _ask(self, make: Callable[[], Awaitable[T]]) -> T:
        """One step; where the device wants a secure link first, again on one. Raises att.ATT_Error and all that `secure` raises."""
        was_encrypted = self.connection.is_encrypted
        try:
            return await self._step(make())
        except att.ATT_Error as error:
            if error.error_code not in NEEDS_SECURITY:
                raise
            if was_encrypted:
                self.security.require_more()
                raise
        await self.security.secure(self._limits)
        return await self._step(make())

    async def _step(self, step: Awaitable[T]) -> T:
        async with asyncio.timeout(self._limits.step_s):
            return await step

    def _on_security_request(self, _wanted: int) -> None:
        self._begin(self.security.secure(self._limits))

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _leave(self, reason: int) -> None:
        if not self._left.done():
            self._left.set_result(reason)
