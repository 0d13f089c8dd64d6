"""A running ingest process, seen by Prometheus and a probe: real broker, real database, and the database taken away."""

from pathlib import Path

import psycopg
import pytest

from contract.events import EventKind
from contract.topics import Leaf
from simulators.child_process import wait_until
from simulators.servers import Broker, free_port, installed_brokers
from tests.backend.ingest.running import DEADLINE_S, Ingest, connected
from tests.backend.metrics.pages import scrape, wrong
from tests.backend.street import NOW, SETUP, batch, event

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ingest(tmp_path: Path, database_url: str, broker: Broker, port: int) -> Ingest:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(SETUP.encode())
    return Ingest(tmp_path, database_url, broker, more=f"[metrics]\ningest_port = {port}\n")


def test_what_homes_send_is_counted_once_it_is_stored(ingest: Ingest, broker: Broker, port: int) -> None:
    with ingest, connected(broker) as gateway:
        gateway.send(Leaf.SERIES, batch([97, 96, 95]))
        gateway.send(Leaf.SERIES, batch([97, 96, 95]))
        gateway.send(Leaf.EVENT, event(EventKind.BED_EXIT, sequence=4, at=NOW))
        gateway.send(Leaf.SERIES, b"{")
        gateway.wait_for_answers(4)
        wait_until(lambda: scrape(port).get(("jiahu_ingest_rejects_total", "not_json")) == 1, deadline_s=DEADLINE_S, what="the reject")
        found = scrape(port)
        assert found["jiahu_ingest_messages_total", "series"] == 2
        assert found["jiahu_ingest_messages_total", "event"] == 1
        assert found["jiahu_ingest_readings_total",] == 3
        assert found["jiahu_ingest_events_total",] == 1
        assert found["jiahu_ingest_repeats_total",] == 3
        assert found["jiahu_ingest_arrival_to_commit_seconds_count", "series"] == 2
        assert found["jiahu_ingest_arrival_to_commit_seconds_bucket", "30.0", "event"] == 1
        assert found["jiahu_ingest_group_messages_sum",] == 3
        assert found["jiahu_ingest_transaction_seconds_count",] >= 3
        assert found["jiahu_ingest_connected",] == 1
        assert found["jiahu_ingest_queue_messages", "urgent"] == found["jiahu_ingest_oldest_waiting_seconds",] == 0


@pytest.mark.slow
def test_an_ingest_without_its_database_is_alive_and_not_ready_and_says_why(
    ingest: Ingest, broker: Broker, port: int, database_url: str
) -> None:
    server, _, name = database_url.rpartition("/")
    with ingest, connected(broker) as gateway, psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        wait_until(lambda: not wrong(port), deadline_s=DEADLINE_S, what="readiness")
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        gateway.send(Leaf.SERIES, batch([97]))
        wait_until(lambda: {*wrong(port)} >= {"database"}, deadline_s=DEADLINE_S, what="the missing database")
        assert wrong(port, "/healthz") == {}
        wait_until(lambda: scrape(port)["jiahu_ingest_oldest_waiting_seconds",] > 5, deadline_s=DEADLINE_S, what="a message that waits")
        assert scrape(port)["jiahu_ingest_store_retries_total",] > 0
        wait_until(lambda: {*wrong(port)} == {"database", "storing"}, deadline_s=2 * DEADLINE_S, what="a message that waits too long")
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        gateway.wait_for_answers(1)
        wait_until(lambda: not wrong(port), deadline_s=DEADLINE_S, what="readiness again")
