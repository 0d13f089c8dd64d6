"""A Bluetooth device of a health profile: its services, its security, how it advertises, and what it says once somebody has subscribed.

It is written from the profiles' specifications and knows nothing of the gateway.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from bumble import hci
from bumble.att import ATT_Error, Attribute
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)
from bumble.host import Host
from bumble.keys import MemoryKeyStore, PairingKeys
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink

READ, WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
NOTIFY, INDICATE = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
LINK_LOST = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
ADVERTISING_MS = 30.0
ADVERTISED_BYTES_MAX = 31

Writer = Callable[[bytes], None]


@dataclass(slots=True)
class Part:
    """One characteristic: 16-bit number, properties, what it reads as, and who hears what is written to it."""

    number: int
    properties: Characteristic.Properties
    value: bytes = b""
    on_write: Writer | None = None
    made: Characteristic[bytes] | None = field(default=None, init=False)


@dataclass(frozen=True, slots=True)
class Security:
    """What it wants before it says anything: nothing, a bond (Just Works), or one with the passkey that it shows."""

    is_wanted: bool = False
    passkey: int | None = None
    asks_by_itself: bool = False
    """Sends a security request as soon as somebody connects."""
    is_legacy: bool = False
    """Knows no Secure Connections, as devices of before 2015."""


OPEN = Security()
BONDED = Security(is_wanted=True)


class _Bonds(MemoryKeyStore):
    """bumble's; after legacy pairing it would answer with the other side's key, and not with the one that it had given away."""

    async def update(self, name: str, keys: PairingKeys) -> None:
        if keys.ltk is None:
            keys.ltk_peripheral = keys.ltk_central
        await super().update(name, keys)


class _Delegate(PairingDelegate):
    def __init__(self, passkey: int | None) -> None:
        super().__init__(self.NO_OUTPUT_NO_INPUT if passkey is None else self.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey or 0


class Peripheral:
    """One device. `services`: 16-bit number -> its characteristics. All coroutines run in the loop of the air."""

    def __init__(
        self, name: str, address: str, services: dict[int, list[Part]], security: Security = OPEN, *, has_long_uuids: bool = False
    ) -> None:
        self.name, self.address, self.security = name, address, security
        self.services = services
        self.has_long_uuids = has_long_uuids
        self.identity: str | None = None
        """Public address of its controller, which it names as its identity; many of one model may name the same."""
        self.hangs_up_after = False
        """Hang up once everything has been said, as cuffs do."""
        self.bonds = _Bonds()
        self.connections = 0
        self.subscribed: set[int] = set()
        self.device: Device | None = None
        self._controller: Controller | None = None
        self._advertised: tuple[UUID, ...] = ()

    async def switch_on(self, link: LocalLink) -> None:
        """Join the air; it is not heard before `advertise`."""
        host = Host()
        is_public = self.address.endswith("/P")
        public = self.address.removesuffix("/P") if is_public else self.identity
        controller = Controller(self.name, link=link, public_address=public)
        host.controller = controller
        controller.host = AsyncPipeSink(host)
        own = DeviceConfiguration(name=self.name, address=hci.Address(self.address if not is_public else "C0:00:00:00:00:01"))
        device = Device(config=own, host=host)
        device.keystore = self.bonds
        device.pairing_config_factory = lambda _connection: PairingConfig(
            sc=not self.security.is_legacy,
            mitm=self.security.passkey is not None,
            delegate=_Delegate(self.security.passkey),
            identity_address_type=PairingConfig.AddressType.PUBLIC if public else PairingConfig.AddressType.RANDOM,
        )
        for number, parts in self.services.items():
            device.add_service(Service(self._uuid(number), [self._make(device, part) for part in parts]))
        device.on(device.EVENT_CONNECTION, self._on_connection)
        await device.power_on()
        self.device, self._controller = device, controller

    async def advertise(self) -> None:
        """Until somebody connects; again after each connection."""
        assert self.device is not None
        kind = (
            AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
            if self.has_long_uuids
            else AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        )
        own = [self._uuid(number) for number in self.services]
        listed = own[:1] if self.has_long_uuids else own  # there is no room for two long ones
        parts = [(AdvertisingData.FLAGS, b"\x06"), (kind, b"".join(uuid.to_bytes() for uuid in listed))]
        room = ADVERTISED_BYTES_MAX - sum(2 + len(data) for _, data in parts) - 2
        data = AdvertisingData([*parts, (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()[:room])])
        is_public = self.address.endswith("/P")
        await self.device.start_advertising(
            AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
            own_address_type=hci.OwnAddressType.PUBLIC if is_public else hci.OwnAddressType.RANDOM,
            advertising_data=bytes(data),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
            auto_restart=True,
        )

    async def hide(self) -> None:
        """Advertise no more."""
        assert self.device is not None
        self.device.legacy_advertiser = self.device.legacy_advertiser
        with contextlib.suppress(hci.HCI_Error):
            await self.device.stop_advertising()

    async def hang_up(self) -> None:
        """End the connection, as one that has nothing more to say."""
        for connection in self._connected():
            await connection.disconnect()

    async def lose_link(self, peer: Controller) -> None:
        """Go out of range: both sides notice after their supervision timeout, and nobody hears it until `advertise`."""
        await self.hide()
        assert self._controller is not None
        for controller in (self._controller, peer):
            for other, connection in list(controller.le_connections.items()):
                if controller is self._controller or other.to_string(False) == self.address.removesuffix("/P"):
                    controller.on_le_disconnected(connection, LINK_LOST)
        await asyncio.sleep(0.05)
        await self.hide()

    async def forget_bonds(self) -> None:
        """As after its battery was changed."""
        self.bonds.all_keys.clear()

    async def say(self, number: int, value: bytes) -> None:
        """Notify or indicate to whoever has subscribed; an indication returns when it is confirmed."""
        assert self.device is not None
        part = self._part(number)
        assert part.made is not None
        for connection in self._connected():
            if part.properties & INDICATE:
                await self.device.indicate_subscriber(connection, part.made, value)
            else:
                await self.device.notify_subscriber(connection, part.made, value)

    def on_ready(self, number: int) -> None:
        """Somebody has subscribed to this characteristic; what a device says then is its own affair."""

    def _connected(self) -> list[Connection]:
        return list(self.device.connections.values()) if self.device is not None else []

    def _part(self, number: int) -> Part:
        return next(part for parts in self.services.values() for part in parts if part.number == number)

    def _uuid(self, number: int) -> UUID:
        return UUID(f"0000{number:04X}-0000-1000-8000-00805F9B34FB") if self.has_long_uuids else UUID.from_16_bits(number)

    def _make(self, device: Device, part: Part) -> Characteristic[bytes]:
        permissions = Attribute.Permissions.READABLE | Attribute.Permissions.WRITEABLE
        if self.security.is_wanted:
            permissions |= Attribute.Permissions.WRITE_REQUIRES_ENCRYPTION
        value: CharacteristicValue[bytes] = CharacteristicValue(
            read=lambda _connection: part.value, write=lambda _connection, data: self._write(part, data)
        )
        made: Characteristic[bytes] = Characteristic(self._uuid(part.number), part.properties, permissions, value)
        if part.properties & (NOTIFY | INDICATE):
            configure = device.gatt_server.make_descriptor_value(made)
            made.descriptors = [Descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, permissions, configure)]
            made.on(made.EVENT_SUBSCRIPTION, lambda _connection, notify, indicate: self._subscribe(part, bool(notify or indicate)))
        part.made = made
        return made

    def _write(self, part: Part, data: bytes) -> None:
        if part.on_write is None:
            raise ATT_Error(0x03)
        part.on_write(data)

    def _subscribe(self, part: Part, is_on: bool) -> None:
        if is_on and part.number not in self.subscribed:
            self.subscribed.add(part.number)
            self.on_ready(part.number)

    def _on_connection(self, connection: Connection) -> None:
        self.connections += 1
        self.subscribed.clear()
        connection.on(connection.EVENT_DISCONNECTION, lambda _reason: self.subscribed.clear())
        if self.security.asks_by_itself:
            connection.request_pairing()
