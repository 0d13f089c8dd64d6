"""The private servers: they start, stop, die and come back; the brokers keep the topic rules."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from contract import topics
from contract.topics import Leaf
from simulators import child_process
from simulators.child_process import KEPT, ServerError, memory_temp, public_temp, wait_until
from simulators.servers import Broker, BrokerKind, Database, embedded_binaries, free_port, installed_brokers, public_copy

pytestmark = pytest.mark.system

DEADLINE_S = 30.0
VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
ROOT_DIRECTORY = Path(__file__).resolve().parents[2]


class Peer:
    """An MQTT client that remembers what it was told."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.connected: list[bool] = []
        self._broker = broker
        self._answered: set[int] = set()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=VERSIONS[broker.protocol])
        self.client.username_pw_set(name, broker.accounts.get(name))
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *arguments: self._answered.add(arguments[2])
        self.client.on_publish = lambda *arguments: self._answered.add(arguments[2])

    def connect(self) -> "Peer":
        """Connect and wait for the answer, which may be a refusal."""
        self.client.connect(self._broker.host, self._broker.port)
        self.client.loop_start()
        wait_until(lambda: bool(self.connected), deadline_s=DEADLINE_S, what="answer to CONNECT")
        return self

    def subscribe(self, *filters: str) -> "Peer":
        """Ask for each filter and wait for the answers, which may be refusals."""
        for topic_filter in filters:
            self._wait_for(self.client.subscribe(topic_filter, qos=1)[1])
        return self

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the answer, which MQTT 3.1.1 gives also to what is not allowed."""
        self._wait_for(self.client.publish(topic, payload, qos=1, retain=retain).mid)

    def payloads(self) -> list[bytes]:
        """What arrived, in order."""
        return [payload for _, payload, _ in self.messages]

    def wait_for(self, payload: bytes) -> None:
        """Wait until a message has arrived."""
        wait_until(lambda: payload in self.payloads(), deadline_s=DEADLINE_S, what=f"message {payload!r}")

    def vanish(self) -> None:
        """Lose the connection without a farewell."""
        self.client.loop_stop()
        if connection := self.client.socket():
            connection.close()

    def close(self) -> None:
        """Say farewell."""
        self.client.disconnect()
        self.client.loop_stop()

    def _wait_for(self, message_id: int | None) -> None:
        wait_until(lambda: message_id in self._answered, deadline_s=DEADLINE_S, what="answer of the broker")

    def _on_connect(self, _client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
        self.connected.append(not reason.is_failure)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload), message.retain))


@pytest.fixture
def peer(broker: Broker) -> Iterator[Callable[[str], Peer]]:
    """Connects clients by their name."""
    peers = []

    def connect(name: str) -> Peer:
        peers.append(Peer(broker, name).connect())
        return peers[-1]

    yield connect
    for each in peers:
        each.close()


def rows(database: Database) -> list[tuple[str]]:
    with psycopg.connect(database.url) as conn:
        return conn.execute("SELECT name FROM kept ORDER BY name").fetchall()


def keep(database: Database, name: str) -> None:
    with psycopg.connect(database.url) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS kept (name text)")
        conn.execute("INSERT INTO kept VALUES (%s)", [name])


STARTS_A_SERVER = """
import os, signal, sys
from pathlib import Path
from simulators import child_process
child_process.memory_temp = lambda: Path(sys.argv[1])
server = child_process.ChildProcess(owner=None, orphan_signal=signal.SIGCONT, is_volatile=True)
server.start(["sleep", "60"], is_ready=lambda: True)
print(server.pid, server.directory, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_left_in_memory_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "MEMORY_FREE_MIN", 0)
    with tempfile.TemporaryDirectory(dir=public_temp()) as folder:
        memory = Path(folder)
        memory.chmod(0o755)
        strangers = [memory / "jiahu-5x-..", memory / "jiahu-1", memory / f"{KEPT}link"]
        for path in strangers[:2]:
            path.mkdir()
        strangers[2].symlink_to(strangers[1])
        words = [sys.executable, "-c", STARTS_A_SERVER, folder]
        pid, left = subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout.split()
        try:
            assert memory_temp(memory) == memory
            assert Path(left).parent == memory and (Path(left) / "log").exists(), "its server lives"
        finally:
            server = psutil.Process(int(pid))
            server.kill()
            wait_until(lambda: not child_process._is_alive(server), deadline_s=10, what="end of the server")
        monkeypatch.setattr(child_process, "memory_temp", lambda: memory)
        ours = child_process.ChildProcess(owner=None, orphan_signal=signal.SIGKILL, is_volatile=True)
        assert ours.directory.name.startswith(KEPT)
        assert memory_temp(memory) == memory
        assert set(memory.iterdir()) == {*strangers, ours.directory}
        ours.remove()
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK)
        assert memory_temp(memory) is None, "what may be entered and not written"
    assert memory_temp(tmp_path / "none") is None


@pytest.mark.parametrize("is_durable", [True, False])
def test_committed_rows_survive_kill_and_restart(is_durable: bool) -> None:
    with Database(is_durable=is_durable) as database:
        keep(database, "before the kill")
        database.kill()
        with pytest.raises(psycopg.OperationalError):
            rows(database)
        database.restart()
        assert rows(database) == [("before the kill",)]


def test_rows_survive_stop_and_start_at_the_same_address() -> None:
    with Database(is_durable=False) as database:
        url = database.url
        keep(database, "before the stop")
        database.stop()
        database.start()
        assert (database.url, rows(database)) == (url, [("before the stop",)])


def test_a_database_is_utf8_and_keeps_utc() -> None:
    with Database(is_durable=False) as database, psycopg.connect(database.url) as conn:
        answer = conn.execute("SELECT current_setting('server_encoding'), current_setting('timezone'), datcollate FROM pg_database")
        assert set(answer.fetchall()) == {("UTF8", "UTC", "C.UTF-8")}


def test_a_database_asks_for_the_password() -> None:
    with Database(is_durable=False) as database:
        strangers_url = database.url.replace("jiahu:", "jiahu:x")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(strangers_url)


def test_closing_a_database_leaves_no_directory_and_no_process() -> None:
    with Database(is_durable=False) as database:
        with psycopg.connect(database.url) as conn:
            answer = conn.execute("SELECT current_setting('data_directory'), pg_backend_pid()").fetchone()
        assert answer is not None
    assert not Path(answer[0]).exists()
    assert not psutil.pid_exists(answer[1])


def test_a_database_that_cannot_start_says_why() -> None:
    with pytest.raises(ServerError, match="no_such_library"), Database(preload="no_such_library"):
        pass


def test_starting_twice_is_refused() -> None:
    with Database(is_durable=False) as database, pytest.raises(ServerError, match="runs already"):
        database.start()


def test_a_copy_of_the_embedded_database_runs() -> None:
    with tempfile.TemporaryDirectory(dir=public_temp()) as directory:
        Path(directory).chmod(0o755)
        package = public_copy(embedded_binaries().parents[1], Path(directory) / "copy")
        with Database(binaries=package / "pginstall18" / "bin", is_durable=False) as database:
            keep(database, "in the copy")
            assert rows(database) == [("in the copy",)]


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert 20000 <= free_port() < 32000


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import time; from simulators.servers import Broker, BrokerKind\n"
        "broker = Broker({}, kind=BrokerKind.AMQTT); broker.start(); print(broker.port, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT_DIRECTORY, env=environment, text=True)
    assert starter.stdout is not None
    starter.stdout.readline()
    (server,) = psutil.Process(starter.pid).children()
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, deadline_s=DEADLINE_S, what="end of the server")


def test_a_command_runs_beside_a_fresh_database_and_its_exit_code_is_kept() -> None:
    check = "import os, psycopg, sys; psycopg.connect(os.environ['JIAHU_TEST_DATABASE_URL']); sys.exit(7)"
    command = [sys.executable, "-m", "simulators.servers", "--", sys.executable, "-c", check]
    assert subprocess.run(command, cwd=ROOT_DIRECTORY, timeout=60, check=False).returncode == 7


@pytest.mark.parametrize("kind", list(BrokerKind))
@pytest.mark.parametrize("end", [Broker.stop, Broker.kill])
def test_a_broker_comes_back_on_its_port(kind: BrokerKind, end: Callable[[Broker], None]) -> None:
    if kind not in installed_brokers():
        pytest.skip(f"{kind} is not installed")
    with Broker({"backend": "secret"}, kind=kind) as broker:
        first = Peer(broker, "backend").connect()
        port = broker.port
        end(broker)
        first.close()
        broker.restart()
        second = Peer(broker, "backend").connect()
        second.close()
        assert (broker.port, first.connected[0], second.connected) == (port, True, [True])


@pytest.mark.parametrize(("name", "password"), [(None, None), ("gw-1", None), ("gw-1", "wrong"), ("stranger", "password of gw-1")])
def test_nobody_enters_without_name_and_password(broker: Broker, name: str | None, password: str | None) -> None:
    stranger = Peer(broker, "stranger")
    stranger.client.username_pw_set(name, password)
    stranger.connect()
    stranger.close()
    assert not any(stranger.connected)


@pytest.mark.parametrize("leaf", topics.UPWARD)
def test_a_gateway_speaks_to_the_backend(peer: Callable[[str], Peer], leaf: Leaf) -> None:
    backend = peer("backend").subscribe(*topics.upward_filters())
    peer("gw-1").publish(topics.build("gw-1", leaf), b"up")
    backend.wait_for(b"up")
    assert backend.messages == [(topics.build("gw-1", leaf), b"up", False)]


@pytest.mark.parametrize("leaf", topics.DOWNWARD)
def test_the_backend_speaks_to_one_gateway(peer: Callable[[str], Peer], leaf: Leaf) -> None:
    gateway = peer("gw-1").subscribe(*topics.downward_filter("gw-1"))
    backend = peer("backend")
    backend.publish(topics.build("gw-2", leaf), b"for another")
    backend.publish(topics.build("gw-1", leaf), b"for you")
    gateway.wait_for(b"for you")
    assert gateway.messages == [(topics.build("gw-1", leaf), b"for you", False)]


@pytest.mark.parametrize("greedy", ["#", "jiahu/#", "+/+/+/+/+", "jiahu/1/+/+/stored", "jiahu/1/+/+/status", "jiahu/1/+/gw-2/#"])
def test_a_gateway_gets_nothing_of_others_however_it_asks(peer: Callable[[str], Peer], greedy: str) -> None:
    backend = peer("backend").subscribe(*topics.upward_filters())
    other = peer("gw-2")
    other.publish(topics.build("gw-2", Leaf.STATUS), b"retained before", retain=True)
    gateway = peer("gw-1").subscribe(greedy, topics.build("gw-1", Leaf.STORED))
    other.publish(topics.build("gw-2", Leaf.EVENT), b"an event of another")
    backend.wait_for(b"an event of another")
    backend.publish(topics.build("gw-2", Leaf.STORED), b"an answer to another")
    backend.publish(topics.build("gw-1", Leaf.STORED), b"an answer to you")
    gateway.wait_for(b"an answer to you")
    other.publish(topics.build("gw-2", Leaf.STATUS), b"", retain=True)
    assert set(gateway.payloads()) == {b"an answer to you"}


@pytest.mark.parametrize(
    ("writer", "topic"),
    [
        ("gw-1", topics.build("gw-2", Leaf.EVENT)),
        ("gw-1", topics.build("gw-1", Leaf.STORED)),
        ("gw-1", topics.build("gw-2", Leaf.COMMAND)),
        ("gw-1", topics.build("gw-1", Leaf.EVENT) + "/more"),
        ("gw-1", "elsewhere"),
        ("backend", topics.build("gw-1", Leaf.EVENT)),
    ],
)
def test_what_a_client_may_not_publish_reaches_nobody(peer: Callable[[str], Peer], writer: str, topic: str) -> None:
    backend = peer("backend").subscribe(*topics.upward_filters(), "#")
    gateways = [peer(name).subscribe(*topics.downward_filter(name)) for name in ("gw-1", "gw-2")]
    speaker = backend if writer == "backend" else gateways[0]
    speaker.publish(topic, b"forbidden")
    gateways[0].publish(topics.build("gw-1", Leaf.EVENT), b"allowed up")
    backend.wait_for(b"allowed up")
    for gateway, name in zip(gateways, ("gw-1", "gw-2"), strict=True):
        backend.publish(topics.build(name, Leaf.STORED), b"allowed down")
        gateway.wait_for(b"allowed down")
    assert {payload for each in (backend, *gateways) for payload in each.payloads()} == {b"allowed up", b"allowed down"}


def test_a_retained_status_reaches_whoever_subscribes_later(peer: Callable[[str], Peer]) -> None:
    status = topics.build("gw-3", Leaf.STATUS)
    gateway = peer("gw-3")
    gateway.publish(status, b"online", retain=True)
    backend = peer("backend").subscribe(*topics.upward_filters())
    backend.wait_for(b"online")
    gateway.publish(status, b"", retain=True)
    assert (status, b"online", True) in backend.messages


def test_a_vanished_gateway_leaves_its_last_will_retained(broker: Broker, peer: Callable[[str], Peer]) -> None:
    status = topics.build("gw-3", Leaf.STATUS)
    witness = peer("backend").subscribe(*topics.upward_filters())
    gateway = Peer(broker, "gw-3")
    gateway.client.will_set(status, b"gone", qos=1, retain=True)
    gateway.connect().vanish()
    witness.wait_for(b"gone")
    witness.subscribe(status)
    wait_until(lambda: (status, b"gone", True) in witness.messages, deadline_s=DEADLINE_S, what="retained will")
    peer("gw-3").publish(status, b"", retain=True)


def test_a_last_will_on_anothers_topic_reaches_nobody(broker: Broker, peer: Callable[[str], Peer]) -> None:
    witness = peer("backend").subscribe(*topics.upward_filters())
    rogue = Peer(broker, "gw-1")
    rogue.client.will_set(topics.build("gw-2", Leaf.STATUS), b"gone", qos=1, retain=True)
    rogue.connect().vanish()
    peer("gw-1").publish(topics.build("gw-1", Leaf.EVENT), b"after the will")  # the same client again, so the broker has buried the rogue
    witness.wait_for(b"after the will")
    assert witness.payloads() == [b"after the will"]
