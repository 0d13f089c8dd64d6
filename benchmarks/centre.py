"""A centre whose homes are only rows: database, broker and configuration are real, and a benchmark sends what the homes would."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from simulators.backend_processes import BackendProcesses, write_private
from simulators.keeper import CHECKOUT
from simulators.servers import Broker, BrokerKind, Database

PASSWORD = "load"
LOG = "0" * 16
"""The log of every home."""
PEOPLE = '[[account]]\nname = "wang"\nrole = "operator"\ntitle = "王"\npassword = "a long password"\n'
FILL = """
INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, 'x', 'female', 'x' FROM generate_series(0, %(last)s) AS n;
INSERT INTO gateway (id, elder_id) SELECT 'home-' || n, 'elder-' || n FROM generate_series(0, %(last)s) AS n;
"""

Query = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Centre:
    """What is there. No program of the backend runs yet; the broker knows the user "load"."""

    conn: Query
    broker: Broker
    backend: BackendProcesses
    folder: Path


@contextmanager
def centre(homes: int, *, rules: str = "") -> Iterator[Centre]:
    """One with home-0 to home-(homes - 1) and an elder in each, under the shipped rules and these; everything ended afterwards."""
    accounts = {"backend": PASSWORD, "load": PASSWORD}
    with (
        tempfile.TemporaryDirectory() as name,
        Database() as database,
        Broker(accounts, loaders=["load"], kind=BrokerKind.MOSQUITTO) as broker,
    ):
        folder = Path(name).absolute()
        backend = BackendProcesses(folder, password=PASSWORD)
        people = write_private(folder / "people.toml", PEOPLE)
        backend.prepare(database.url, broker, people=people, rules=CHECKOUT / "backend/rules/defaults.toml")
        if rules:
            backend.program("rules", "store", str(write_private(folder / "rules.toml", rules))).run()
        with psycopg.connect(database.url, autocommit=True) as conn:
            for statement in FILL.split(";")[:-1]:
                conn.execute(statement.encode(), {"last": homes - 1})
            yield Centre(conn, broker, backend, folder)
