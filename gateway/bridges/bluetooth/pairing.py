"""Search for devices, and pair with one, for an installer who stands beside it: what `python -m gateway pair` does.

The controller is opened here, so the gateway must not run meanwhile; the lock of the keyring sees to that.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bumble.device import Advertisement, Connection
from bumble.pairing import PairingConfig

from gateway.bridges.bluetooth import words
from gateway.bridges.bluetooth.controller import TROUBLE, Controller, name_of, opened, say, services_of
from gateway.bridges.bluetooth.keyring import Keyring, Known
from gateway.bridges.bluetooth.security import Limits, PairingTrouble, Person, Security, is_unable, pairing_config
from gateway.config import BluetoothConfig
from gateway.errors import BadInput

T = TypeVar("T")
Say = Callable[[str], None]

PERSON_S = 60.0
"""Somebody has to read six digits and type them."""

ADVICE = {
    words.State.PASSKEY_NEEDED: "it wants a passkey: give the six digits on its label with --passkey, or run this in a terminal and type "
    "those on its display",
    words.State.NOT_AUTHENTICATED: "it did not ask for the passkey: leave --passkey out",
    words.State.PAIRING_REFUSED: "it refused: is the passkey right, and is the device in its pairing mode (see its manual)?",
    words.State.BOND_LOST: "it has forgotten us",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to pair with. `device_id`: under which name; it is enrolled, unless the configuration names it already."""

    device_id: str
    address: str
    passkey: str | None
    wait_s: float


def search(config: BluetoothConfig, keys: Path, wait_s: float, tell: Say) -> int:
    """Tell each health device that is heard once. Returns how many. Raises BadInput where the controller cannot be used."""
    return _run(_search(config, keys, wait_s, tell), config)


def pair(config: BluetoothConfig, keys: Path, wanted: Wanted, person: Person | None, tell: Say) -> bool:
    """Wait until the device is heard, pair with it, and keep its keys. False where that failed; `tell` says why."""
    return _run(_pair(config, keys, wanted, person, tell), config)


def _run(work: Coroutine[None, None, T], config: BluetoothConfig) -> T:
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except TROUBLE as error:
        raise BadInput(f"Bluetooth controller {config.transport}: {say(error)}; plug it in or correct [bluetooth] transport") from error


async def _search(config: BluetoothConfig, keys: Path, wait_s: float, tell: Say) -> int:
    """A device is told once its name is known, which comes after its services, and one without a name at the end."""
    told: set[str] = set()
    nameless: dict[str, str] = {}
    async with _opened(config, keys, pairing_config(None, None)) as (controller, _):

        def hear(heard: Advertisement) -> None:
            address, services = controller.identity_of(heard.address), services_of(heard)
            line = f"{address}  {', '.join(services)}  {name_of(heard) or '-'}  {heard.rssi} dBm"
            if services and address not in told:
                nameless[address] = line
            if address in nameless and name_of(heard):
                told.add(address)
                del nameless[address]
                tell(line)

        controller.device.on(controller.device.EVENT_ADVERTISEMENT, hear)
        await controller.device.start_scanning(active=True)
        await asyncio.sleep(wait_s)
        await controller.device.stop_scanning()
    for line in nameless.values():
        tell(line)
    return len(told) + len(nameless)


async def _pair(config: BluetoothConfig, keys: Path, wanted: Wanted, person: Person | None, tell: Say) -> bool:
    async with _opened(config, keys, pairing_config(wanted.passkey, person)) as (controller, keyring):
        tell(f"waiting up to {wanted.wait_s:g} s for {wanted.address}: use the device, or put it into its pairing mode")
        heard = await _hear(controller, wanted)
        if heard is None:
            tell(f"{wanted.address} was not heard; `pair` without an address lists the devices that are")
            return False
        is_named = any(wanted.device_id == one.id for one in config.device)
        fresh = Known(wanted.address, wanted.passkey, is_enrolled=not is_named)
        try:
            async with asyncio.timeout(config.connect_timeout_s + config.step_timeout_s):
                connection = await controller.connect(heard.address, config.connect_timeout_s, lambda _connection: None)
            is_done = await _secure(config, Security(controller, connection, keyring, fresh), connection, tell)
        except TROUBLE as error:
            tell(f"{wanted.address}: {say(error)}; try again")
            return False
        if is_done:  # only now: a pairing that fails costs neither the old bond nor the old enrolment
            keyring.devices[wanted.device_id] = fresh
            keyring.save()
        return is_done


async def _secure(config: BluetoothConfig, security: Security, connection: Connection, tell: Say) -> bool:
    limits = Limits(config.step_timeout_s, max(config.pairing_timeout_s, PERSON_S), True)
    hung_up = asyncio.get_running_loop().create_future()
    connection.once(connection.EVENT_DISCONNECTION, hung_up.set_result)
    securing = asyncio.ensure_future(security.secure(limits))
    await asyncio.wait((securing, hung_up), return_when=asyncio.FIRST_COMPLETED)
    if not securing.done():
        await asyncio.wait({securing}, timeout=1)
    if not securing.done() or securing.cancelled():
        securing.cancel()
        tell("it hung up; is it in its pairing mode (see its manual)?")
        return False
    trouble = securing.exception()
    if isinstance(trouble, PairingTrouble) and is_unable(trouble):
        tell("enrolled; it needs no pairing")
    elif isinstance(trouble, PairingTrouble):
        tell(ADVICE[trouble.state])
        return False
    elif trouble is not None:
        raise trouble
    else:
        tell("paired and enrolled; start the gateway again")
    if not hung_up.done():
        await connection.disconnect()
    return True


async def _hear(controller: Controller, wanted: Wanted) -> Advertisement | None:
    found: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()

    def hear(heard: Advertisement) -> None:
        if controller.identity_of(heard.address) == wanted.address and heard.is_connectable and not found.done():
            found.set_result(heard)

    controller.device.on(controller.device.EVENT_ADVERTISEMENT, hear)
    await controller.device.start_scanning(active=False)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(found), wanted.wait_s)
    await controller.device.stop_scanning()
    return found.result() if found.done() else None


@asynccontextmanager
async def _opened(config: BluetoothConfig, keys: Path, pairing: PairingConfig) -> AsyncIterator[tuple[Controller, Keyring]]:
    keyring = Keyring(keys)
    keyring.open()
    try:
        async with opened(config.transport, keyring, lambda _connection: pairing) as controller:
            yield controller, keyring
    finally:
        keyring.close()
