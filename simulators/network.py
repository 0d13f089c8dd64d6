"""The network between two programs on this machine: a TCP proxy that can be cut, slow, or pass only one way."""

import queue
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

CONNECT_TIMEOUT_S = 2.0
ORDER_TIMEOUT_S = CONNECT_TIMEOUT_S + 3.0
READ_BYTES_MAX = 16_384
PIPE_BYTES_MAX = 65_536
"""What one direction of a connection holds back; then the sender is no longer read, as on a real slow line."""
CONNECTIONS_MAX = 64


class Direction(StrEnum):
    """UP is from the client (the home) to the target (the broker)."""

    UP = "up"
    DOWN = "down"


class Filter(Protocol):
    """Stands in one connection and decides what of its bytes goes on."""

    def pass_up(self, data: bytes) -> bytes:
        """Bytes from the client: what goes on to the target now."""

    def pass_down(self, data: bytes) -> tuple[bytes, bytes]:
        """Bytes from the target: what goes on to the client now, and what is sent back to the target."""


@dataclass(slots=True)
class _Pipe:
    """One direction of a connection: bytes read from `source` wait here until they are due at `sink`."""

    direction: Direction
    source: socket.socket
    sink: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    waiting_bytes: int = 0
    is_ended: bool = False
    is_shut: bool = False

    def read(self) -> bytes:
        data = self.source.recv(READ_BYTES_MAX)
        self.is_ended = not data
        return data

    def put(self, data: bytes, due_s: float) -> None:
        if data:
            self.waiting.append((due_s, data))
            self.waiting_bytes += len(data)

    def write(self) -> None:
        due_s, data = self.waiting.popleft()
        taken = self.sink.send(data)
        self.waiting_bytes -= taken
        if taken < len(data):
            self.waiting.appendleft((due_s, data[taken:]))

    def pass_on_end(self) -> None:
        if self.is_ended and not self.waiting and not self.is_shut:
            self.is_shut = True
            self.sink.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class _Connection:
    """A client, the target, and the two directions between them."""

    up: _Pipe
    down: _Pipe
    filter: Filter | None

    def read(self, pipe: _Pipe, due_s: float) -> None:
        data = pipe.read()
        if self.filter is None:
            pipe.put(data, due_s)
        elif pipe is self.up:
            pipe.put(self.filter.pass_up(data), due_s)
        else:
            onward, back = self.filter.pass_down(data)
            pipe.put(onward, due_s)
            self.up.put(back, due_s)

    @property
    def is_over(self) -> bool:
        return self.up.is_shut and self.down.is_shut

    def reset(self) -> None:
        _reset(self.up.source)
        _reset(self.down.source)


class TcpProxy:
    """The network between a home and a broker on this machine: forwards TCP until told to fail. Own thread; any thread gives orders.

    `make_filter` is asked for a filter for each connection, which the proxy's thread calls.
    """

    def __init__(self, host: str, port: int, make_filter: Callable[[], Filter] | None = None) -> None:
        self.port = 0
        self._target = (host, port)
        self._make_filter = make_filter
        self._keeper: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connections: list[_Connection] = []
        self._delay_s = 0.0
        self._stalled: Direction | None = None
        self._is_closing = False
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._bell: socket.socket
        self._ear: socket.socket
        self._thread = threading.Thread(target=self._run, name="tcp-proxy", daemon=True)

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1, from now on `port`."""
        self._bell, self._ear = socket.socketpair()
        # Bound but never listening, it keeps the port ours while the network is cut.
        self._keeper = _bound(0)
        self.port = self._keeper.getsockname()[1]
        self._restore()
        self._thread.start()

    def close(self) -> None:
        """Drop everything and end the thread."""
        self._order(self._end)
        self._thread.join()
        for end in (self._keeper, self._bell, self._ear):
            if end is not None:
                end.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Reset all connections and refuse new ones until `restore`. On return it is so."""
        self._order(self._cut)

    def restore(self) -> None:
        """Be a good network again: accept connections, no delay, both directions."""
        self._order(self._restore)

    def slow(self, delay_s: float) -> None:
        """From now on each byte arrives `delay_s` later, in both directions, until `restore`."""
        self._order(lambda: setattr(self, "_delay_s", delay_s))

    def one_way(self, stalled: Direction) -> None:
        """Connections stay, but nothing arrives in the direction `stalled` until `restore`; then all of it does, as TCP repeats."""
        self._order(lambda: setattr(self, "_stalled", stalled))

    def _order(self, act: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.put((act, done))
        self._bell.send(b"!")
        if not done.wait(ORDER_TIMEOUT_S):
            raise TimeoutError("the proxy's thread does not answer")

    def _run(self) -> None:
        while not self._is_closing:
            readable, writable = self._wait()
            if self._ear in readable:
                # Orders may close any of the other sockets, so those are asked again.
                self._obey()
                continue
            if self._listener in readable:
                self._accept()
            self._connections = [connection for connection in self._connections if self._move(connection, readable, writable)]

    def _wait(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """Sockets that are ready, once there are any or a delayed byte is due."""
        now_s = time.monotonic()
        pipes = [pipe for both in self._connections for pipe in (both.up, both.down) if pipe.direction is not self._stalled]
        sources = [pipe.source for pipe in pipes if not pipe.is_ended and pipe.waiting_bytes < PIPE_BYTES_MAX]
        in_s = {pipe.sink: pipe.waiting[0][0] - now_s for pipe in pipes if pipe.waiting}
        due = [sink for sink, wait_s in in_s.items() if wait_s <= 0]
        doors = [self._ear] if self._listener is None else [self._ear, self._listener]
        later_s = min((wait_s for wait_s in in_s.values() if wait_s > 0), default=None)
        readable, writable, _ = select.select(doors + sources, due, [], later_s)
        return readable, writable

    def _move(self, connection: _Connection, readable: list[socket.socket], writable: list[socket.socket]) -> bool:
        """Read and write what is ready. False once the connection has ended or broken, and is closed."""
        try:
            for pipe in (connection.up, connection.down):
                if pipe.source in readable:
                    connection.read(pipe, time.monotonic() + self._delay_s)
                if pipe.sink in writable:
                    pipe.write()
                pipe.pass_on_end()
        except OSError:
            connection.reset()
            return False
        if connection.is_over:
            connection.up.source.close()
            connection.down.source.close()
        return not connection.is_over

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            if len(self._connections) >= CONNECTIONS_MAX:
                raise ConnectionRefusedError
            # On this machine a connection is made or refused at once, so the thread may wait for it.
            target = socket.create_connection(self._target, CONNECT_TIMEOUT_S)
        except OSError:
            _reset(client)
            return
        for end in (client, target):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up, down = _Pipe(Direction.UP, client, target), _Pipe(Direction.DOWN, target, client)
        self._connections.append(_Connection(up, down, self._make_filter() if self._make_filter else None))

    def _obey(self) -> None:
        self._ear.recv(1)
        act, done = self._orders.get()
        act()
        done.set()

    def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            connection.reset()
        self._connections = []

    def _restore(self) -> None:
        self._delay_s = 0.0
        self._stalled = None
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen()

    def _end(self) -> None:
        self._cut()
        self._is_closing = True


def _bound(port: int) -> socket.socket:
    """A TCP socket bound to `port` of 127.0.0.1 (0: any free one), which others of this process may bind too."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _reset(end: socket.socket) -> None:
    """Close with RST: to the peer the connection breaks, as it does when a line is cut and the next byte finds nobody."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
