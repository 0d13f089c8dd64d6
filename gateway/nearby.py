"""Bluetooth devices that are heard and not enrolled: a list to choose from, for whoever enrols one."""

from collections import OrderedDict
from datetime import datetime, timedelta

from contract.status import NEARBY_MAX, Nearby
from gateway.clock import whole
from gateway.devices.driver import Heard

NEARBY_FOR = timedelta(minutes=10)
"""Somebody at the telephone says: use the cuff now. So long it is shown to whoever enrols it."""


class NearbyDevices:
    """The NEARBY_MAX that were heard last."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, Nearby] = OrderedDict()

    def note(self, heard: Heard, now: datetime) -> None:
        """It is there now."""
        self._by_address.pop(heard.address, None)
        self._by_address[heard.address] = Nearby(address=heard.address, name=heard.name, services=list(heard.services), heard_at=whole(now))
        while len(self._by_address) > NEARBY_MAX:
            self._by_address.popitem(last=False)

    def fresh(self, now: datetime) -> list[Nearby]:
        """Those that were heard within NEARBY_FOR, the last first."""
        return [one for one in reversed(self._by_address.values()) if now - one.heard_at < NEARBY_FOR]

    def forget(self, address: str) -> None:
        """It is enrolled now."""
        self._by_address.pop(address, None)
