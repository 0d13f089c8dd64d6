"""The thread of the Bluetooth radio: opens the controller, listens for enrolled devices, visits each that is heard, comes back by itself.

A device is visited when it is heard, as cuffs and meters advertise only for some seconds after they were used. One connection is begun at a
time, several are kept. What a device says goes to the driver as lines (words.py); the driver's answers come back through `write`.
"""

import asyncio
import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bumble.core import BaseBumbleError
from bumble.device import Advertisement, Connection
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR
from bumble.pairing import PairingConfig

from gateway.bridges.bluetooth import words
from gateway.bridges.bluetooth.controller import TROUBLE, Controller, name_of, opened, say, services_of
from gateway.bridges.bluetooth.keyring import Keyring, Known
from gateway.bridges.bluetooth.security import Limits, PairingTrouble, Security, pairing_config
from gateway.bridges.bluetooth.visit import Visit
from gateway.bridges.bluetooth.words import State
from gateway.bridges.serial_port import Chunk
from gateway.config import RADIO, BluetoothConfig
from gateway.errors import BadInput

logger = logging.getLogger(__name__)

PUT_WAIT_S = 0.2
BEAT_S = 10.0
"""How often the controller is asked whether it works, and scanning begins anew, which also forgets the strangers that were heard."""
REOPEN_S = 0.5
REOPEN_MAX_S = 5.0
STORED_S = 10.0
"""A value is on disk within milliseconds; a device waits for up to 30 s for its confirmation (Core Specification, ATT)."""
TROUBLE_RETRY_S = 60.0
"""A device that somebody has to pair again is tried once a minute, in case it finds its key again."""
IDLE_S = 10.0
"""A link without a value for so long is given up where another device needs it."""
HANG_UP_S = 2.0
STRANGERS_MAX = 64
HEARD_MAX = 32


class Radio:
    """To the daemon it is a port. `keys` is the file of the keyring."""

    def __init__(self, config: BluetoothConfig, keys: Path, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None]) -> None:
        self.path = RADIO
        self._config = config
        self._chunks = chunks
        self._on_death = on_death
        self._keyring = Keyring(keys)
        self._limits = Limits(config.step_timeout_s, config.pairing_timeout_s, config.pair_again)
        self._wanted: dict[str, str] = {}
        self._visits: dict[str, Visit] = {}
        self._waits: dict[str, tuple[int, float]] = {}
        self._strangers: set[str] = set()
        self._troubled: set[str] = set()
        self._stored: dict[int, asyncio.Future[None]] = {}
        self._number = 0
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard: asyncio.Queue[Advertisement] = asyncio.Queue(HEARD_MAX)
        self._is_stopping = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="bluetooth", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up, close the controller, end the thread."""
        self._is_stopping.set()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=3)

    @property
    def is_open(self) -> bool:
        """True while the controller answers."""
        return self._is_open

    @property
    def is_running(self) -> bool:
        """False once the thread has ended."""
        return self._thread.is_alive()

    def write(self, data: bytes) -> None:
        """Lines of the driver and the daemon."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._listen_to, data)

    # -- lines ----------------------------------------------------------------------------------------------------------------------------

    def tell(self, **told: Any) -> None:
        """One line to the driver."""
        self._put(Chunk(RADIO, words.line(**told)))

    async def tell_and_wait(self, **told: Any) -> None:
        """One line to the driver; returns when it is on disk. Raises TimeoutError."""
        self._number += 1
        number = self._number
        stored = self._stored[number] = asyncio.get_running_loop().create_future()
        self.tell(**told, n=number)
        try:
            async with asyncio.timeout(STORED_S):
                await stored
        finally:
            del self._stored[number]

    def _put(self, chunk: Chunk) -> None:
        """A full queue makes the radio wait, as it does every port."""
        while not self._is_stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put(chunk, timeout=PUT_WAIT_S)
                return

    def _listen_to(self, data: bytes) -> None:
        for line in data.splitlines():
            said = words.read(line) or {}
            if "stored" in said:
                stored = self._stored.get(said["stored"])
                if stored is not None and not stored.done():
                    stored.set_result(None)
            elif "time" in said:
                visit = self._visits.get(said["device"])
                if visit is not None:
                    visit.set_time(datetime.fromisoformat(said["time"]))
            elif "enrol" in said:
                self._enrol(said["enrol"], said["address"], said.get("passkey"))
            elif "dismiss" in said:
                self._forget(said["dismiss"])

    def _enrol(self, device_id: str, address: str, passkey: str | None) -> None:
        """Also the way to pair again: what was known of a device is forgotten, unless it is well and the command only comes twice."""
        now = self._keyring.devices.get(device_id)
        is_well = now is not None and now.bond is not None and device_id not in self._troubled and not now.trouble
        if is_well and now is not None and (now.address, now.passkey) == (address, passkey):
            return
        self._forget(device_id)
        known = self._keyring.known(device_id, address)
        known.passkey, known.is_enrolled = passkey, all(device_id != one.id for one in self._config.device)
        self._keyring.save()
        self._wanted[address] = device_id

    def _forget(self, device_id: str) -> None:
        for address in [address for address, wanted in self._wanted.items() if wanted == device_id]:
            del self._wanted[address]
        self._waits.pop(device_id, None)
        self._troubled.discard(device_id)
        self._keyring.forget(device_id)
        visit = self._visits.get(device_id)
        if visit is not None and self._loop is not None:
            self._loop.create_task(_hang_up(visit.connection))

    # -- the thread -----------------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        logging.getLogger("bumble").setLevel(logging.ERROR)  # it warns of what is handled here, and tells values when it debugs
        try:
            asyncio.run(self._live())
        except BaseException as error:
            self._on_death(error)
            raise

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._stay_open()
        finally:
            self._keyring.close()

    def _open_keyring(self) -> None:
        """Raises BadInput while it cannot be used: the home's other devices are read all the same."""
        if self._keyring.is_open:
            return
        self._keyring.open()
        self._wanted = {one.address: name for name, one in self._keyring.devices.items() if one.is_enrolled}
        for device in self._config.device:
            self._wanted[device.address] = device.id
            known = self._keyring.known(device.id, device.address)
            known.passkey, known.is_enrolled = device.passkey.get_secret_value() if device.passkey else None, False

    async def _stay_open(self) -> None:
        wait_s, level, is_told = REOPEN_S, logging.WARNING, False
        while not self._is_stopping.is_set():
            try:
                self._open_keyring()
                async with opened(self._config.transport, self._keyring, self._pairing_of) as controller:
                    wait_s, level, is_told = REOPEN_S, logging.WARNING, False
                    await self._serve(controller)
            except BadInput as error:
                logger.log(level, "%s; trying again", error, extra={"event": "keys_missing"})
                level = logging.DEBUG
            except TROUBLE as error:
                why = "Bluetooth controller %s: %s; plug it in or correct [bluetooth] transport; trying again"
                logger.log(level, why, self._config.transport, say(error), extra={"event": "port_missing"})
                level = logging.DEBUG
            finally:
                self._is_open = False
            if not is_told:
                is_told = True
                self._put(Chunk(RADIO, b"", is_lost=True))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s * random.uniform(0.8, 1.2))
            wait_s = min(2 * wait_s, REOPEN_MAX_S)

    async def _serve(self, controller: Controller) -> None:
        """Listen and visit until the controller is gone or the end has come. Raises one of TROUBLE."""
        self._is_open = True
        self._put(Chunk(RADIO, b""))
        logger.info("Bluetooth controller %s is open", self._config.transport, extra={"event": "port_open"})
        on_heard = controller.device.on(controller.device.EVENT_ADVERTISEMENT, lambda heard: self._hear(controller, heard))
        visits: set[asyncio.Task[None]] = set()
        attending = asyncio.create_task(self._attend(controller, visits))
        ending = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((attending, ending, controller.lost), return_when=asyncio.FIRST_COMPLETED)
            if attending.done() and not attending.cancelled():
                attending.result()
            if controller.lost.done():
                raise ConnectionError("it is gone")
            attending.cancel()
            await asyncio.wait({attending})
            await asyncio.gather(*(_hang_up(visit.connection) for visit in self._visits.values()))
        finally:
            controller.device.remove_listener(controller.device.EVENT_ADVERTISEMENT, on_heard)
            for task in (attending, ending, *visits):
                task.cancel()
            await asyncio.gather(attending, ending, *visits, return_exceptions=True)
            self._visits.clear()

    async def _attend(self, controller: Controller, visits: set[asyncio.Task[None]]) -> None:
        """Scan; connect to the next device that is heard; scan again while it is visited."""
        device, device_time = controller.device, asyncio.get_running_loop().time
        beat_s = -BEAT_S
        while True:
            if device_time() - beat_s >= BEAT_S:
                beat_s = device_time()
                await controller.prove()
                self._put(Chunk(RADIO, b"\n"))
                self._strangers.clear()
            while not self._heard.empty():
                self._heard.get_nowait()
            await device.start_scanning(active=True)
            heard = None
            with contextlib.suppress(TimeoutError):
                heard = await asyncio.wait_for(self._heard.get(), BEAT_S)
            await device.stop_scanning()
            if heard is not None:
                await self._begin_visit(controller, heard, visits)

    def _hear(self, controller: Controller, heard: Advertisement) -> None:
        """Called by bumble for each advertisement."""
        identity = controller.identity_of(heard.address)
        device_id = self._device_of(identity)
        if device_id is None:
            self._note_stranger(identity, heard)
        elif heard.is_connectable and device_id in self._visits:
            self._visits[device_id].doubt(self._config.step_timeout_s)
        elif heard.is_connectable and self._is_due(device_id):
            with contextlib.suppress(asyncio.QueueFull):
                self._heard.put_nowait(heard)

    def _device_of(self, identity: str) -> str | None:
        """The device that was enrolled with this address, or whose bond says that it goes by it."""
        found = self._wanted.get(identity)
        if found is not None:
            return found
        names = {identity, f"{identity}/P"}
        bonded = ((name, one.bond) for name, one in self._keyring.devices.items() if name in self._wanted.values())
        return next((name for name, bond in bonded if bond is not None and names & set(bond["names"])), None)

    def _note_stranger(self, address: str, heard: Advertisement) -> None:
        services = services_of(heard)
        if services and address not in self._strangers and len(self._strangers) < STRANGERS_MAX:
            self._strangers.add(address)
            self.tell(stranger=address, name=name_of(heard) or None, services=services)

    def _is_due(self, device_id: str) -> bool:
        assert self._loop is not None
        if device_id in self._visits or self._waits.get(device_id, (0, 0.0))[1] > self._loop.time():
            return False
        return len(self._visits) < self._config.links_max or self._idlest() is not None

    def _idlest(self) -> Visit | None:
        assert self._loop is not None
        idle = [one for one in self._visits.values() if one.is_set_up and self._loop.time() - one.heard_s >= IDLE_S]
        return min(idle, key=lambda one: one.heard_s, default=None)

    # -- visits ---------------------------------------------------------------------------------------------------------------------------

    async def _begin_visit(self, controller: Controller, heard: Advertisement, visits: set[asyncio.Task[None]]) -> None:
        device_id = self._device_of(controller.identity_of(heard.address))
        if device_id is None or not self._is_due(device_id):
            return
        if len(self._visits) >= self._config.links_max and (idlest := self._idlest()) is not None:
            await _hang_up(idlest.connection)
        known = self._keyring.devices[device_id]

        def greet(connection: Connection) -> None:
            self._visits[device_id] = Visit(
                device_id, connection, Security(controller, connection, self._keyring, known), self, self._limits
            )

        try:
            async with asyncio.timeout(self._config.connect_timeout_s + self._config.step_timeout_s):
                await controller.connect(heard.address, self._config.connect_timeout_s, greet)
        except (BaseBumbleError, TimeoutError) as error:
            self._visits.pop(device_id, None)
            self._fail(device_id, f"cannot be connected to: {say(error)}")
            return
        task = asyncio.create_task(self._visit(self._visits[device_id]))
        visits.add(task)
        task.add_done_callback(visits.discard)

    async def _visit(self, visit: Visit) -> None:
        logger.info("visiting %s", visit.device_id, extra={"event": "bluetooth_visit"})
        known, security = visit.security.known, visit.security
        welcoming = asyncio.create_task(self._when_of_use(visit))
        try:
            reason = await visit.run(self._config.records_every_s)
            if security.has_forgotten(reason) and not visit.is_of_use:
                raise PairingTrouble(State.BOND_LOST)
            if visit.is_of_use:
                self._delay(visit.device_id, self._config.retry_s)
                await self._welcome(visit)
            else:
                self._fail(visit.device_id, f"hung up with reason {reason:#04x} before all was read")
        except PairingTrouble as trouble:
            await self._report(visit.device_id, known, trouble.state)
        except TROUBLE as error:
            self._fail(visit.device_id, f"failed: {say(error)}")
        finally:
            welcoming.cancel()
            if self._visits.get(visit.device_id) is visit:
                del self._visits[visit.device_id]
            self._keyring.save()
            self.tell(device=visit.device_id, state=State.LEFT)
            await _hang_up(visit.connection)

    async def _when_of_use(self, visit: Visit) -> None:
        while not visit.is_of_use:
            await asyncio.sleep(PUT_WAIT_S)
        self._waits.pop(visit.device_id, None)
        with contextlib.suppress(TimeoutError):
            await self._welcome(visit)

    async def _welcome(self, visit: Visit) -> None:
        """A device that was in trouble, or has just been paired with, is well again once it could be read. Raises TimeoutError."""
        known = visit.security.known
        if known.trouble or visit.security.has_paired:
            await self.tell_and_wait(device=visit.device_id, state=State.PAIRED)
            known.trouble, visit.security.has_paired = "", False
            self._troubled.discard(visit.device_id)
            self._keyring.save()

    async def _report(self, device_id: str, known: Known, state: State) -> None:
        """Tell people once, and try no more than once a minute."""
        self._troubled.add(device_id)
        logger.warning("%s must be paired again: %s", device_id, state, extra={"event": "pairing_needed"})
        self._delay(device_id, TROUBLE_RETRY_S)
        if known.trouble != state:
            with contextlib.suppress(TimeoutError):
                await self.tell_and_wait(device=device_id, state=state)
                known.trouble = state

    def _fail(self, device_id: str, why: str) -> None:
        failures = self._waits.get(device_id, (0, 0.0))[0]
        wait_s = min(self._config.retry_s * 2.0 ** min(failures, 16), self._config.retry_max_s)
        self._delay(device_id, wait_s * random.uniform(0.8, 1.2), failures + 1)
        logger.log(logging.DEBUG if failures else logging.WARNING, "%s %s", device_id, why, extra={"event": "bluetooth_failed"})

    def _delay(self, device_id: str, wait_s: float, failures: int = 0) -> None:
        assert self._loop is not None
        self._waits[device_id] = (failures, self._loop.time() + wait_s)

    def _pairing_of(self, connection: Connection) -> PairingConfig:
        visit = next((one for one in self._visits.values() if one.connection is connection), None)
        known = self._keyring.devices.get(visit.device_id) if visit is not None else None
        return pairing_config(known.passkey if known is not None else None, None)


async def _hang_up(connection: Connection) -> None:
    """A link that is gone already, or goes meanwhile, is no trouble."""
    if connection.device.connections.get(connection.handle) is not connection:
        return
    leaving = asyncio.ensure_future(connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR))
    await asyncio.wait({leaving}, timeout=HANG_UP_S)
    if not leaving.cancel() and not leaving.cancelled() and (error := leaving.exception()) is not None:
        logger.debug("cannot hang up: %s", error)
