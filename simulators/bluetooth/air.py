"""The air between simulated Bluetooth devices and a simulated dongle: a thread with its own loop.

The dongle is a controller behind a pseudo terminal that speaks HCI (H4), as a real one does behind its serial port.
"""

import asyncio
import os
import pty
import threading
import tty
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.hci import Address
from bumble.link import LocalLink
from bumble.transport.common import PacketParser

from simulators.bluetooth.peripheral import Peripheral

T = TypeVar("T")

WAIT_S = 10.0
READ_BYTES_MAX = 4096


class _Wire:
    """The controller's end of the terminal: H4 packets in both directions."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def on_packet(self, packet: bytes) -> None:
        """From the controller to whoever has the port open."""
        os.write(self._descriptor, packet)


class _Link(LocalLink):
    """bumble's, which takes the sender's random address for its own also where it has connected by its public one."""

    def send_acl_data(self, sender_controller: Controller, destination_address: Address, transport: PhysicalTransport, data: bytes) -> None:
        """Hand one packet over."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)


class Air:
    """`with Air(link) as air: air.add(Cuff(...))`. `link` is where the dongle's port appears, for serial:LINK."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="air", daemon=True)
        self._local_link: LocalLink | None = None
        self.dongle: Controller | None = None
        self._ends: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._begin())
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.unplug()
        self.do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it in the air's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it in the air's loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def add(self, *devices: Peripheral) -> None:
        """Switch devices on and let them be heard."""
        assert self._local_link is not None
        for device in devices:
            self.do(device.switch_on(self._local_link))
            self.do(device.advertise())

    def lose(self, device: Peripheral) -> None:
        """A device goes out of range."""
        assert self.dongle is not None
        self.do(device.lose_link(self.dongle))

    def plug(self) -> None:
        """Put the dongle in again."""
        self.do(self._plug())

    def unplug(self) -> None:
        """Pull the dongle out."""
        self.do(self._unplug())

    async def _begin(self) -> None:
        self._local_link = _Link()  # type: ignore[no-untyped-call] # bumble's constructor says nothing of its types
        self.dongle = Controller("dongle", link=self._local_link, public_address="00:1B:DC:00:00:01")
        await self._plug()

    async def _plug(self) -> None:
        ours, theirs = pty.openpty()
        for end in (ours, theirs):
            tty.setraw(end)
        self._ends = (ours, theirs)
        assert self.dongle is not None
        self.dongle.host = _Wire(ours)
        parser = PacketParser(self.dongle)
        self._loop.add_reader(ours, lambda: parser.feed_data(os.read(ours, READ_BYTES_MAX)))
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(theirs))

    async def _unplug(self) -> None:
        if self._ends is None:
            return
        self.link.unlink(missing_ok=True)
        self._loop.remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)
        self._ends = None
        assert self.dongle is not None
        self.dongle.host = None

    async def _finish(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
