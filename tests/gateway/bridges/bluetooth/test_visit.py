"""One visit, step by step, with both ends in this process: bumble's link between two virtual controllers, and no port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from bumble import hci
from bumble.controller import Controller as VirtualController
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig
from bumble.transport.common import AsyncPipeSink

from gateway.bridges.bluetooth.controller import Bonds, Controller
from gateway.bridges.bluetooth.keyring import Keyring, Known
from gateway.bridges.bluetooth.security import Limits, PairingTrouble, Security, pairing_config
from gateway.bridges.bluetooth.visit import Visit
from gateway.bridges.bluetooth.words import State
from simulators.bluetooth import values
from simulators.bluetooth.devices import Cuff, Oximeter
from simulators.bluetooth.peripheral import BONDED, Peripheral
from simulators.bluetooth.peripheral import Security as Wanted
from tests.gateway.bluetooth_home import CUFF, LOCAL

WAIT_S = 30
RESULT = values.blood_pressure(132, 84, 100, 71, LOCAL)


class Listener:
    """Hears every line; everything is on disk at once."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def tell(self, **told: Any) -> None:
        self.lines.append(told)

    async def tell_and_wait(self, **told: Any) -> None:
        self.lines.append(told)

    def values(self, characteristic: str) -> list[str]:
        return [line["value"] for line in self.lines if line.get("characteristic") == characteristic]


class Ours:
    """Our side of the link."""

    def __init__(self, link: LocalLink, folder: Path) -> None:
        self.link = link
        self.known = Known(CUFF)
        self.listener = Listener()
        self._keyring = Keyring(folder / "keys")
        host = Host()
        virtual = VirtualController("ours", link=link)
        host.controller = virtual
        virtual.host = AsyncPipeSink(host)
        bonds = Bonds(self._keyring)
        self._keyring.devices["cuff"] = self.known
        device = Device(config=DeviceConfiguration(address=hci.Address(self._keyring.address), irk=self._keyring.irk), host=host)
        device.keystore = bonds
        device.pairing_config_factory = self._pairing
        self.controller = Controller(device, bonds, asyncio.get_running_loop().create_future())

    def _pairing(self, _connection: Connection) -> PairingConfig:
        return pairing_config(self.known.passkey, None)

    async def visit(self, device: Peripheral, *, step_s: float = 2) -> Visit:
        """Switch the device on and connect to it."""
        await device.switch_on(self.link)
        await device.advertise()
        made: list[Visit] = []

        def greet(connection: Connection) -> None:
            security = Security(self.controller, connection, self._keyring, self.known)
            made.append(Visit("cuff", connection, security, self.listener, Limits(step_s, step_s, False)))

        await self.controller.connect(hci.Address(device.address), WAIT_S, greet)
        return made[0]


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Ours]:
    async with asyncio.timeout(3 * WAIT_S):
        one = Ours(LocalLink(), tmp_path)  # type: ignore[no-untyped-call] # bumble's constructor says nothing of its types
        await one.controller.device.power_on()
        yield one
        await one.controller.device.power_off()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("security", [Wanted(), BONDED, Wanted(True, asks_by_itself=True), Wanted(True, passkey=7)])
async def test_a_cuff_is_read_and_hangs_up(ours: Ours, security: Wanted) -> None:
    ours.known.passkey = "000007" if security.passkey else None
    cuff = Cuff(CUFF, security)
    cuff.stored = [RESULT]
    cuff.hangs_up_after = True
    visit = await ours.visit(cuff)
    assert await visit.run(60) == hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
    assert ours.listener.values("2a35") == [RESULT.hex()]
    assert visit.is_of_use
    assert (ours.known.bond is not None) is security.is_wanted


async def test_stored_and_continuous_values_of_an_oximeter(ours: Ours) -> None:
    oximeter = Oximeter(CUFF)
    oximeter.stored = [values.plx_spot(90, 88, LOCAL, status=1 << 9)]
    visit = await ours.visit(oximeter)
    running = asyncio.create_task(visit.run(60))
    await until(lambda: ours.listener.values("2a5e") and len(ours.listener.values("2a5f")) > 2)
    assert ours.listener.values("2a5e") == [oximeter.stored[0].hex()]
    await oximeter.hang_up()
    await running


async def test_no_step_waits_for_ever(ours: Ours) -> None:
    visit = await ours.visit(Cuff(CUFF), step_s=0.2)
    visit.connection.device.host.send_acl_sdu = lambda *_: None  # type: ignore[method-assign] # nothing reaches the device any more
    with pytest.raises(TimeoutError):
        await visit.run(60)


async def test_a_bond_that_only_we_have_is_trouble(ours: Ours) -> None:
    ours.known.bond = {"ltk": {"value": "11" * 16, "authenticated": False}, "names": [CUFF]}
    visit = await ours.visit(Cuff(CUFF, BONDED))
    with pytest.raises(PairingTrouble) as trouble:
        await visit.run(60)
    assert trouble.value.state is State.BOND_LOST
