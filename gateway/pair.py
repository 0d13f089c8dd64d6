"""`python -m gateway pair`: list the Bluetooth devices that are heard, or enrol one and pair with it."""

import asyncio
import sys
from collections.abc import Callable

from pydantic import ValidationError

from gateway.bridges.bluetooth import pairing
from gateway.config import BluetoothDeviceConfig, Config
from gateway.errors import BadInput

Tell = Callable[[str], None]

SEARCH_S = 20.0
WAIT_S = 60.0


class AtTerminal:
    """Whoever sits at this terminal."""

    async def passkey(self) -> int | None:
        """Typed; anything but digits gives up."""
        typed = await asyncio.to_thread(input, "设备显示的配对码 passkey on the device's display: ")
        return int(typed) if typed.strip().isdigit() else None

    async def show(self, passkey: int) -> None:
        """For a device with a keyboard."""
        print(f"请在设备上输入 type at the device: {passkey:06}", flush=True)

    async def compare(self, number: int) -> bool:
        """Yes or no."""
        typed = await asyncio.to_thread(input, f"设备显示的是否为 does the device show {number:06}? [y/n] ")
        return typed.strip().lower() in ("y", "yes", "是")


def search(home: Config, wait_s: float | None, tell: Tell) -> bool:
    """List them. True where there was one."""
    assert home.bluetooth is not None
    tell(f"listening for {wait_s or SEARCH_S:g} s; use the devices, most are only heard then")
    return pairing.search(home.bluetooth, home.keys_path(), wait_s or SEARCH_S, tell) > 0


def pair(home: Config, wanted: BluetoothDeviceConfig, wait_s: float | None, tell: Tell) -> bool:
    """Enrol and pair. False where that failed; then it was told why."""
    assert home.bluetooth is not None
    digits = wanted.passkey.get_secret_value() if wanted.passkey is not None else None
    person = AtTerminal() if digits is None and sys.stdin.isatty() else None
    return pairing.pair(home.bluetooth, home.keys_path(), pairing.Wanted(wanted.id, wanted.address, digits, wait_s or WAIT_S), person, tell)


def wanted_of(home: Config, address: str, device_id: str | None, passkey: str | None) -> BluetoothDeviceConfig:
    """The device that is meant. Raises BadInput for an address, id or passkey that cannot be."""
    assert home.bluetooth is not None
    try:
        wanted = BluetoothDeviceConfig.model_validate({"id": device_id or "unnamed", "address": address, "passkey": passkey})
    except ValidationError as error:
        raise BadInput("; ".join(f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors())) from error
    named = next((one for one in home.bluetooth.device if one.address == wanted.address), None)
    if named is not None:
        return named.model_copy(update={"passkey": wanted.passkey or named.passkey})
    if device_id is None:
        raise BadInput("give the device a name: --id cuff-1")
    if device_id in home.device_ids():
        raise BadInput(f"{device_id} is another device in the configuration; give a new --id")
    return wanted
