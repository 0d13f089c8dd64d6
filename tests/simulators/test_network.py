"""Networks fail as told, and not otherwise."""

import socket
import threading
from collections.abc import Iterator

import pytest

from simulators.network import Direction, TcpProxy

CHUNK = bytes(range(256)) * 4
WAIT_S = 30.0


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[end], daemon=True).start()

    def _serve(self, end: socket.socket) -> None:
        with end:
            try:
                while data := end.recv(65536):
                    end.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy("127.0.0.1", echo.port) as running:
        yield running


def connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), WAIT_S)


def ask(end: socket.socket, data: bytes) -> bytes:
    end.sendall(data)
    return received(end, len(data))


def received(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := end.recv(size - len(data))):
        data += part
    return data


def test_a_good_network_carries_many_bytes_both_ways(proxy: TcpProxy) -> None:
    many = CHUNK * 2000
    with connected(proxy) as end:
        sender = threading.Thread(target=end.sendall, args=[many])
        sender.start()
        assert received(end, len(many)) == many
        sender.join(WAIT_S)


def test_an_end_is_passed_on(proxy: TcpProxy) -> None:
    with connected(proxy) as end:
        assert ask(end, b"hello") == b"hello"
        end.shutdown(socket.SHUT_WR)
        assert end.recv(1) == b""


def test_a_cut_network_drops_connections_and_refuses_new_ones(proxy: TcpProxy) -> None:
    with connected(proxy) as end:
        assert ask(end, b"hello") == b"hello"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


def test_a_restored_network_works_again_on_the_same_port(proxy: TcpProxy) -> None:
    port = proxy.port
    for _ in range(3):
        proxy.cut()
        proxy.restore()
        with connected(proxy) as end:
            assert ask(end, b"back") == b"back"
    assert proxy.port == port


def test_cutting_twice_is_cutting_once(proxy: TcpProxy) -> None:
    proxy.cut()
    proxy.cut()
    proxy.restore()
    proxy.restore()
    with connected(proxy) as end:
        assert ask(end, b"back") == b"back"


def test_a_slow_network_delays_both_ways(proxy: TcpProxy) -> None:
    proxy.slow(0.2)
    with connected(proxy) as end:
        end.settimeout(0.3)
        end.sendall(b"slow")
        with pytest.raises(TimeoutError):
            end.recv(4)
        end.settimeout(WAIT_S)
        assert received(end, 4) == b"slow"


@pytest.mark.parametrize("stalled", list(Direction))
def test_a_stalled_direction_delivers_everything_once_it_is_restored(proxy: TcpProxy, stalled: Direction) -> None:
    with connected(proxy) as end:
        assert ask(end, b"hello") == b"hello"
        proxy.one_way(stalled)
        end.sendall(b"later")
        end.settimeout(0.1)
        with pytest.raises(TimeoutError):
            end.recv(5)
        proxy.restore()
        end.settimeout(WAIT_S)
        assert received(end, 5) == b"later"


def test_without_a_broker_a_connection_is_dropped(echo: Echo) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            TcpProxy("127.0.0.1", unused.getsockname()[1]) as proxy,
            pytest.raises(ConnectionResetError),
            connected(proxy) as end,
        ):
            end.recv(1)


def test_a_closed_proxy_listens_no_more(echo: Echo) -> None:
    with TcpProxy("127.0.0.1", echo.port) as proxy:
        pass
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
