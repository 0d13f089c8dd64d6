"""Encryption with one device: by the bond, or by pairing where there is none. Says in one word why it cannot be had."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

from bumble import hci
from bumble.core import ProtocolError
from bumble.device import Connection
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import ErrorCode

from gateway.bridges.bluetooth.controller import Controller
from gateway.bridges.bluetooth.keyring import Keyring, Known
from gateway.bridges.bluetooth.words import State

logger = logging.getLogger(__name__)

FORGOTTEN = frozenset(
    {
        hci.HCI_ErrorCode.AUTHENTICATION_FAILURE_ERROR,
        hci.HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR,
        hci.HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR,
    }
)
"""What a device answers, or hangs up with, that no longer has our key, or another one."""
NEEDS_PASSKEY = frozenset({ErrorCode.AUTHENTICATION_REQUIREMENTS, ErrorCode.PASSKEY_ENTRY_FAILED, ErrorCode.CONFIRM_VALUE_FAILED})


class PairingTrouble(Exception):
    """The device cannot be paired with until somebody does something about it."""

    def __init__(self, state: State) -> None:
        super().__init__(str(state))
        self.state = state


def is_unable(trouble: PairingTrouble) -> bool:
    """Whether the device cannot pair at all: then it is read without."""
    cause = trouble.__cause__
    return isinstance(cause, ProtocolError) and cause.error_code == ErrorCode.PAIRING_NOT_SUPPORTED


class Person(Protocol):
    """Somebody in front of the device, who can type and compare."""

    async def passkey(self) -> int | None:
        """The six digits that the device shows; None to give up."""
        ...

    async def show(self, passkey: int) -> None:
        """Digits to be typed at the device."""
        ...

    async def compare(self, number: int) -> bool:
        """Whether the device shows the same number."""
        ...


class FixedPasskey(PairingDelegate):
    """The passkey that stands on the device."""

    def __init__(self, passkey: str) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY)
        self._passkey = int(passkey)

    async def get_number(self) -> int | None:
        """What bumble asks for."""
        return self._passkey


class AskPerson(PairingDelegate):
    """Everything is asked."""

    def __init__(self, person: Person) -> None:
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT)
        self._person = person

    async def get_number(self) -> int | None:
        """The device shows a passkey."""
        return await self._person.passkey()

    async def display_number(self, number: int, digits: int) -> None:
        """The device has a keyboard."""
        await self._person.show(number)

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """Both show a number."""
        return await self._person.compare(number)


def pairing_config(passkey: str | None, person: Person | None) -> PairingConfig:
    """How we pair: with the passkey, with the person, or, with neither, "Just Works"."""
    delegate = FixedPasskey(passkey) if passkey else AskPerson(person) if person else PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT)
    return PairingConfig(
        sc=True,
        mitm=bool(passkey or person),
        bonding=True,
        delegate=delegate,
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one step and a pairing may take, and whether a device that has forgotten us is paired with by itself."""

    step_s: float
    pairing_s: float
    may_pair_again: bool


class Security:
    """State of one connection. `known` is what is kept of its device; `secure` may be called by several at once."""

    def __init__(self, controller: Controller, connection: Connection, keyring: Keyring, known: Known) -> None:
        self._controller, self._connection = controller, connection
        self._keyring, self.known = keyring, known
        self._lock = asyncio.Lock()
        self._keys: PairingKeys | None = None
        self._is_trying_bond = False
        self.has_paired = False
        connection.on(connection.EVENT_PAIRING, self._take_keys)

    def has_forgotten(self, reason: int) -> bool:
        """Whether a device that hangs up with this reason has lost our key."""
        return self._is_trying_bond and reason in FORGOTTEN

    async def secure(self, limits: Limits) -> None:
        """Return with the link encrypted. Raises PairingTrouble, or one of TROUBLE."""
        async with self._lock:
            if self._connection.is_encrypted:
                return
            if self.known.bond is not None:
                if await self._use_bond(limits.step_s):
                    return
                if not limits.may_pair_again:
                    raise PairingTrouble(State.BOND_LOST)
                self.known.bond = None
            await self._pair(limits.pairing_s)

    def require_more(self) -> None:
        """An encrypted link was refused: it needs a key that a passkey has proved. Raises PairingTrouble where ours is none."""
        if not self._is_authenticated():
            raise PairingTrouble(State.PASSKEY_NEEDED)

    async def _use_bond(self, step_s: float) -> bool:
        """False where the device has lost the key."""
        self._is_trying_bond = True
        try:
            async with asyncio.timeout(step_s):
                await self._connection.encrypt()
        except hci.HCI_Error as error:
            if error.error_code in FORGOTTEN:
                return False
            raise
        self._is_trying_bond = False
        return True

    async def _pair(self, pairing_s: float) -> None:
        heard_as = str(self._connection.peer_resolvable_address or self._connection.peer_address)
        try:
            async with asyncio.timeout(pairing_s):
                await self._connection.pair()
        except ProtocolError as error:
            needs = self.known.passkey is None and error.error_code in NEEDS_PASSKEY
            raise PairingTrouble(State.PASSKEY_NEEDED if needs else State.PAIRING_REFUSED) from error
        if self._keys is None:
            raise PairingTrouble(State.PAIRING_REFUSED)
        self.known.bond = self._keys.to_dict() | {"names": list(dict.fromkeys((str(self._connection.peer_address), heard_as)))}
        if self.known.passkey is not None and not self._is_authenticated():
            self.known.bond = None
            raise PairingTrouble(State.NOT_AUTHENTICATED)
        self.has_paired = True
        self._keyring.save()
        await self._controller.learn_bonds()
        logger.info("paired with %s", self.known.address, extra={"event": "bluetooth_paired"})

    def _take_keys(self, keys: PairingKeys) -> None:
        self._keys = keys

    def _is_authenticated(self) -> bool:
        """By the key itself: bumble calls a link authenticated after Just Works too."""
        keys = PairingKeys.from_dict(self.known.bond) if self.known.bond is not None else PairingKeys()
        return any(key is not None and key.authenticated for key in (keys.ltk, keys.ltk_central))
