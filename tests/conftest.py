"""Servers that tests share: one PostgreSQL and one broker of each kind per test process."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from simulators.servers import DATABASE_URL_VARIABLE, Broker, BrokerKind, Database, installed_brokers

GATEWAYS = ("gw-1", "gw-2", "gw-3")

# Hypothesis finds what is wrong, not what is slow: other tests run on the same processors.
settings.register_profile("beside others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside others")


class DatabaseServer(NamedTuple):
    """A PostgreSQL on which tests may create databases; `url` is the administrator's."""

    url: str


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The server that JIAHU_TEST_DATABASE_URL names, else an embedded one."""
    if url := os.environ.get(DATABASE_URL_VARIABLE):
        yield DatabaseServer(url)
        return
    with Database(is_durable=False) as database:
        yield DatabaseServer(database.url)


@pytest.fixture(scope="session", params=list(BrokerKind))
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker with the user `backend` and the gateways GATEWAYS, whose passwords are in `accounts`. What a test retains, it clears."""
    if request.param not in installed_brokers():
        pytest.skip(f"{request.param} is not installed")
    accounts = {name: f"password of {name}" for name in ("backend", *GATEWAYS)}
    with Broker(accounts, kind=request.param) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the shared PostgreSQL is a store test, so that none is forgotten on TimescaleDB. What takes longest begins first."""
    for item in items:
        if "database_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.store)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    """0 for what takes a minute and mostly waits, 1 for other whole programs and pages, 2 for the rest."""
    return 0 if item.get_closest_marker("slow") else 1 if item.get_closest_marker("system") or item.get_closest_marker("browser") else 2


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that the store's tests have a second half."""
    if DATABASE_URL_VARIABLE not in os.environ:
        terminalreporter.write_line("Not run on TimescaleDB; `make test-timescaledb` does, with deploy/prepare-timescaledb.sh.")
