"""The controller (HCI): opened, named after this gateway, with our bonds in place of bumble's key store."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bumble import hci, smp
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, ConnectionParametersPreferences, Device, DeviceConfiguration
from bumble.keys import KeyStore, PairingKeys
from bumble.pairing import PairingConfig
from bumble.transport import open_transport

from gateway.bridges.bluetooth.keyring import Keyring

logger = logging.getLogger(__name__)

OPEN_S = 10.0
"""A dongle answers its reset within a second; some load their firmware first."""
SUPERVISION_MS = 4000
"""A link is lost after so long without a packet: somebody who turns over in bed must not cost it. bumble's 720 ms is for a desk."""
TROUBLE = (BaseBumbleError, OSError, TimeoutError, ValueError, LookupError, AttributeError, AssertionError, struct.error)
"""What bumble raises when a controller or a device goes away, is silent, or says what no specification allows."""
SERVICES = {
    "1808": "glucose",
    "1809": "thermometer",
    "180d": "heart rate",
    "1810": "blood pressure",
    "1822": "oximeter",
    "181b": "body composition",
    "181d": "scale",
}
"""Services that are read, by their 16-bit numbers."""
_LISTS = (
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


class Bonds(KeyStore):
    """What bumble asks for keys: our keyring, by any address that a bonded device goes by. It is written by who pairs, not by bumble."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def get(self, name: str) -> PairingKeys | None:
        """Keys of the device that goes by this address."""
        bonds = (one.bond for one in self._keyring.devices.values() if one.bond is not None)
        return next((PairingKeys.from_dict(bond) for bond in bonds if name in bond["names"]), None)

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        """Those whose addresses may change, by their identities. A key of zeros says that they do not."""
        bonds = (one.bond for one in self._keyring.devices.values() if one.bond is not None)
        found = [(bond["names"][0], PairingKeys.from_dict(bond)) for bond in bonds]
        return [(name, keys) for name, keys in found if keys.irk is not None and any(keys.irk.value)]

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Nothing: bumble knows a device by the identity it claims, which two of one model may share."""

    async def delete(self, name: str) -> None:
        """Nothing: bonds are forgotten with their device."""


class Resolver(smp.AddressResolver):
    """Tells whose address that changes this is. A device is only connected to when it is heard, so none is ever searched for."""

    def can_resolve_to(self, address: hci.Address) -> bool:
        """Never: bumble would scan for a device with this identity before it connects."""
        return False


class Controller:
    """An open controller. `lost` is done when it is gone."""

    def __init__(self, device: Device, bonds: Bonds, lost: asyncio.Future[None]) -> None:
        self.device = device
        self.lost = lost
        self._bonds = bonds

    async def learn_bonds(self) -> None:
        """After a bond was made or forgotten."""
        self.device.address_resolver = Resolver(await self._bonds.get_resolving_keys())

    async def prove(self) -> None:
        """Ask it something. Raises one of TROUBLE when it does not answer."""
        async with asyncio.timeout(OPEN_S):
            await self.device.send_sync_command(hci.HCI_Read_BD_ADDR_Command())

    async def connect(self, address: hci.Address, wait_s: float, greet: Callable[[Connection], None]) -> Connection:
        """Raises one of TROUBLE, after `wait_s` seconds at the latest. `greet` is called at once, before the device can say a word."""
        preferences = ConnectionParametersPreferences(supervision_timeout=SUPERVISION_MS)
        self.device.on(self.device.EVENT_CONNECTION, greet)
        try:
            return await self.device.connect_le(address, {hci.HCI_LE_1M_PHY: preferences}, timeout=wait_s)
        finally:
            self.device.remove_listener(self.device.EVENT_CONNECTION, greet)

    def identity_of(self, address: hci.Address) -> str:
        """The address, or the identity behind one that changes, where it is a bonded device's."""
        resolver = self.device.address_resolver
        resolved = resolver.resolve(address) if resolver is not None and address.is_resolvable else None
        return plain(resolved or address)


PairingOf = Callable[[Connection], PairingConfig]


@asynccontextmanager
async def opened(spec: str, keyring: Keyring, pairing_of: PairingOf) -> AsyncIterator[Controller]:
    """The controller at a transport of bumble, e.g. serial:/dev/ttyACM0,1000000. Raises one of TROUBLE."""
    async with asyncio.timeout(OPEN_S):
        transport = await open_transport(spec)
    try:
        own = DeviceConfiguration(name="Jiahu", address=hci.Address(keyring.address), irk=keyring.irk)
        device = Device.from_config_with_hci(own, transport.source, transport.sink)
        bonds = Bonds(keyring)
        device.keystore = bonds
        device.pairing_config_factory = pairing_of
        async with asyncio.timeout(OPEN_S):
            await device.power_on()
        controller = Controller(device, bonds, transport.source.terminated)
        await controller.learn_bonds()
        yield controller
    finally:
        await transport.close()


def plain(address: hci.Address) -> str:
    """As it is enrolled: without the type."""
    return address.to_string(with_type_qualifier=False)


def short(uuid: UUID) -> str:
    """The 16-bit number of a Bluetooth SIG UUID, in hexadecimal, whichever length it was told in; any other whole."""
    whole = uuid.to_bytes(force_128=True)
    return whole[12:14][::-1].hex() if whole[:12] == UUID.BASE_UUID and whole[14:] == b"\0\0" else whole[::-1].hex()


def services_of(heard: Advertisement) -> list[str]:
    """Names of the services that a device advertises and that are read here."""
    lists = [heard.data.get(kind) for kind in _LISTS]
    found = [short(uuid) for listed in lists if isinstance(listed, list) for uuid in listed]
    return [SERVICES[one] for one in dict.fromkeys(found) if one in SERVICES]


def say(error: BaseException) -> str:
    """What went wrong; a time that ran out has no words of its own."""
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)


def name_of(heard: Advertisement) -> str:
    """What a device calls itself, as far as it can be printed."""
    name = heard.data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or heard.data.get(AdvertisingData.SHORTENED_LOCAL_NAME) or ""
    return "".join(one for one in name if one.isprintable())[:40]
