"""The ingest process as it runs: real broker, real database, kills and outages in between."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from contract.events import EventKind
from contract.status import GatewayStatus
from contract.stored import Refused, RefusedReason, Stored, digest_of
from contract.topics import Leaf
from simulators.child_process import wait_until
from simulators.servers import Broker, Database, free_port
from tests.backend.conftest import prepare
from tests.backend.ingest.running import DEADLINE_S, Ingest, connected
from tests.backend.street import NOW, SETUP, batch, event, seconds

Query = Callable[[str], list[DictRow]]


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """Runs a statement on the street's database and returns its rows, if it has any."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as conn:
        conn.execute(SETUP)
        yield lambda text: rows_of(conn.execute(text.encode()))


def rows_of(cursor: psycopg.Cursor[DictRow]) -> list[DictRow]:
    return cursor.fetchall() if cursor.description else []


def test_a_batch_is_answered_once_it_can_be_read_back(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    with Ingest(tmp_path, database_url, broker) as ingest, connected(broker) as gateway:
        gateway.send(Leaf.SERIES, batch([97, 96, 95]))
        [answer] = gateway.wait_for_answers(1)
        assert isinstance(answer, Stored) and (answer.first, answer.last) == (1, 3)
        assert [row["value"] for row in query("SELECT value FROM reading ORDER BY measured_at")] == [97, 96, 95]
        assert ingest.stop() == 0


def test_a_press_is_an_alert_by_the_time_it_is_answered(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    with Ingest(tmp_path, database_url, broker), connected(broker) as gateway:
        gateway.send(Leaf.EVENT, event(EventKind.SOS, at=datetime.now(UTC)))
        gateway.wait_for_answers(1)
        assert query("SELECT rule_id, state FROM alert") == [{"rule_id": "sos", "state": "new"}]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", RefusedReason.NOT_JSON),
        (b"\x00\xff{", RefusedReason.NOT_JSON),
        (b'{"log_id": 7}', RefusedReason.NOT_VALID),
        (b'"' + b"x" * 1_010_000 + b'"', RefusedReason.TOO_LARGE),
    ],
    ids=["empty", "noise", "other shape", "too large"],
)
def test_what_cannot_be_read_is_refused_by_its_digest_and_kept(
    tmp_path: Path, database_url: str, query: Query, broker: Broker, payload: bytes, reason: RefusedReason
) -> None:
    with Ingest(tmp_path, database_url, broker), connected(broker) as gateway:
        answer = gateway.insist(Leaf.SERIES, payload)
        assert isinstance(answer, Refused)
        assert (answer.reason, answer.digest) == (reason, digest_of(payload))
        [kept] = query("SELECT gateway_id, reason, digest, payload FROM ingest_reject")
    assert (kept["gateway_id"], kept["reason"], kept["digest"]) == ("gw-1", reason, digest_of(payload))
    assert payload.startswith(kept["payload"])


def test_one_bad_message_does_not_hold_up_the_good_ones(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    with Ingest(tmp_path, database_url, broker), connected(broker) as gateway:
        gateway.send(Leaf.SERIES, batch([97], first=1))
        gateway.send(Leaf.SERIES, b"{")
        gateway.send(Leaf.SERIES, batch([96], first=2, start_at=NOW + seconds(10)))
        gateway.wait_for_answers(3)
        assert gateway.stored() == {1, 2}


def test_a_message_that_breaks_the_writer_is_set_aside_and_its_neighbours_are_stored(
    tmp_path: Path, database_url: str, query: Query, broker: Broker
) -> None:
    query("ALTER TABLE segment ADD CONSTRAINT no_66 CHECK (NOT 66 = ANY (values_))")
    batches = [batch([value], first=first, start_at=NOW + seconds(first)) for first, value in ((1, 97), (2, 66), (3, 95))]
    with Ingest(tmp_path, database_url, broker), connected(broker) as gateway:
        payloads = [gateway.send(Leaf.SERIES, message) for message in batches]
        answers = gateway.wait_for_answers(3)
        assert gateway.stored() == {1, 3}
        [refused] = [answer for answer in answers if isinstance(answer, Refused)]
    assert (refused.reason, refused.digest) == (RefusedReason.NOT_STORED, digest_of(payloads[1]))


def test_killed_in_mid_stream_and_sent_again_everything_is_stored_once(
    tmp_path: Path, database_url: str, query: Query, broker: Broker
) -> None:
    batches = {5 * number + 1: batch([97] * 5, first=5 * number + 1, start_at=NOW + seconds(50 * number)) for number in range(300)}
    presses = {sequence: event(EventKind.SOS, sequence=sequence) for sequence in (10_001, 10_002)}
    with Ingest(tmp_path, database_url, broker) as ingest, connected(broker) as gateway:
        for message in batches.values():
            gateway.send(Leaf.SERIES, message)
        gateway.send(Leaf.EVENT, presses[10_001])
        gateway.wait_for_answers(20)
        ingest.kill()
        ingest.start()
        for first in sorted(gateway.stored()):
            gateway.send(Leaf.SERIES if first in batches else Leaf.EVENT, batches.get(first) or presses[first])
        gateway.deliver(Leaf.EVENT, presses)
        gateway.deliver(Leaf.SERIES, batches)
    assert query("SELECT count(*) AS readings, count(DISTINCT measured_at) AS times FROM reading") == [{"readings": 1500, "times": 1500}]
    assert query("SELECT count(*) AS events FROM event") == [{"events": 2}]
    assert query("SELECT count FROM alert") == [{"count": 2}]


def test_a_database_that_goes_and_returns_is_waited_for(tmp_path: Path, broker: Broker) -> None:
    with Database(is_durable=False) as database:
        asyncio.run(prepare(database.url))
        with Ingest(tmp_path, database.url, broker, connect_timeout_s=2) as ingest, connected(broker) as gateway:
            gateway.send(Leaf.SERIES, batch([97], first=1))
            gateway.wait_for_answers(1)
            database.stop()
            gateway.send(Leaf.SERIES, batch([96], first=2, start_at=NOW + seconds(10)))
            gateway.send(Leaf.EVENT, event(EventKind.SOS, sequence=3))
            wait_until(lambda: "cannot store now" in ingest.text, deadline_s=DEADLINE_S, what="the warning")
            assert gateway.stored() == {1}
            database.start()
            gateway.wait_for_answers(3)
            assert gateway.stored() == {1, 2, 3}
            assert ingest.stop() == 0


def test_a_status_is_stored_and_a_clock_that_is_off_is_an_alert(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    with Ingest(tmp_path, database_url, broker), connected(broker) as gateway:
        gateway.send(Leaf.STATUS, GatewayStatus(online=True, at=datetime.now(UTC) - seconds(120), version="1"))
        wait_until(lambda: bool(query("SELECT id FROM alert")), deadline_s=DEADLINE_S, what="the alert")
        assert query("SELECT rule_id FROM alert") == [{"rule_id": "clock_off"}]
        [row] = query("SELECT online, status ->> 'version' AS version, clock_offset_s FROM gateway WHERE id = 'gw-1'")
    assert (row["online"], row["version"]) == (True, "1") and 118 < row["clock_offset_s"] < 150


def test_a_wrong_password_for_the_broker_ends_it_with_one_line(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    ingest = Ingest(tmp_path, database_url, broker, password="wrong")
    ingest.spawn()
    assert ingest.wait() == 3
    assert re.fullmatch(
        r"jiahu backend: the broker refuses user 'backend': .*\. Check \[broker\] username and JIAHU_BROKER_PASSWORD",
        ingest.text.strip().splitlines()[-1],
    )
    assert "Traceback" not in ingest.text


def test_a_database_that_is_not_there_ends_it_with_one_line(tmp_path: Path, broker: Broker) -> None:
    port = free_port()
    ingest = Ingest(tmp_path, f"postgresql://jiahu:very-secret@127.0.0.1:{port}/jiahu", broker, connect_timeout_s=1)
    ingest.spawn()
    assert ingest.wait() == 3
    assert ingest.text.strip().splitlines()[-1].startswith(f"jiahu backend: no database at 127.0.0.1:{port}/jiahu: is PostgreSQL running")
    assert "Traceback" not in ingest.text and "very-secret" not in ingest.text


def test_a_broker_that_is_not_there_is_said_once_and_waited_for(tmp_path: Path, database_url: str, query: Query, broker: Broker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ingest = Ingest(tmp_path, database_url, broker)
        config = tmp_path / "backend.toml"
        config.write_text(config.read_text().replace(f"port = {broker.port}", f"port = {taken.getsockname()[1]}"))
        ingest.spawn()
        wait_until(lambda: "cannot reach the broker at 127.0.0.1:" in ingest.text, deadline_s=DEADLINE_S, what="the warning")
        assert ingest.stop() == 0
    assert ingest.text.count("cannot reach the broker") == 1
