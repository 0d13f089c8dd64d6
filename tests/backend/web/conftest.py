"""The web application on a street of its own: a clock that stands still until a test moves it, and clients that are signed in."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.config import Config, DatabaseConfig, DemoAccount, WebConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import store as dispatch
from backend.people import accounts, families
from backend.web import read
from backend.web.app import create_app
from tests.backend.street import NOW, settle

PASSWORD = "a long password"
PEOPLE: list[tuple[str, accounts.Role, str, str | None]] = [
    ("wang", "operator", "坐席 王芳", None),
    ("liu", "operator", "坐席 刘洋", None),
    ("li", "doctor", "李医生", "doctor-li"),
    ("yang", "doctor", "杨医生", "doctor-yang"),
    ("cao", "doctor", "曹医生", "doctor-cao"),
    ("root", "admin", "管理员", None),
    ("fang", "family", "王芳 女儿", None),
]
ACCOUNT = "INSERT INTO account (name, role, title, doctor_id, password_hash) VALUES (%s, %s, %s, %s, %s)"
PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A hash says what it cost: this one is checked by the same code as a real one, and at once."""
DEMO = DemoAccount(name="wang", password=PASSWORD, title_zh="坐席", title_en="Operator", home="/operator")


@dataclass
class Clock:
    """A clock that a test moves."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """Stands at NOW."""
    return Clock()


@pytest.fixture
async def street(pool: Pool) -> Pool:
    """The database with the street's people and an account for each of PEOPLE."""
    async with pool.connection() as conn:
        await settle(conn)
        for person in PEOPLE:
            await conn.execute(ACCOUNT, (*person, PASSWORD_HASH))
    return pool


@pytest.fixture
def web_config() -> WebConfig:
    """How the application is to be; a test parametrizes it to have another."""
    return WebConfig(demo_accounts=[DEMO])


@pytest.fixture
async def app(street: Pool, database_url: str, clock: Clock, web_config: WebConfig) -> AsyncIterator[FastAPI]:
    """The application, started."""
    config = Config(database=DatabaseConfig(url=database_url), web=web_config)
    made = create_app(config, clock)
    async with made.router.lifespan_context(made):
        yield made


SignedIn = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a session."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://jiahu.test") as client:
        yield client


@pytest.fixture
async def signed_in(app: FastAPI) -> AsyncIterator[SignedIn]:
    """Gives a browser in which this account is signed in."""
    async with AsyncExitStack() as stack:

        async def sign_in(name: str) -> httpx.AsyncClient:
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://jiahu.test")
            await stack.enter_async_context(client)
            answer = await client.post("/api/session", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            return client

        yield sign_in


async def consent(
    pool: Pool, *sees: families.Thing, elder_id: str = "elder-1", contact: str = "王芳", account: str | None = "fang", now: datetime = NOW
) -> int:
    """Let the daughter see these things for a year. Returns the consent's id."""
    async with pool.connection() as conn:
        return await families.grant(
            conn, elder_id, contact=contact, sees=sees, words="好的", ends_at=now + timedelta(days=365), by="wang", now=now, account=account
        )


async def open_alert(
    pool: Pool, elder_id: str | None = "elder-1", *, rule_id: str = "spo2_low", priority: str = "high", now: datetime = NOW
) -> int:
    """Open an alert with its case and return its id."""
    async with pool.connection() as conn, conn.transaction():
        opened = await alerts.open_alert(
            conn, Subject(elder_id, "gw-1" if elder_id == "elder-1" else "gw-2"), rule_id=rule_id, rule_version=1, priority=priority,
            level="urgent", at=now, now=now, evidence={"value": 87, "devices": ["oximeter-1"]},
        )  # fmt: skip
        assert opened is not None
        await cases.follow(conn, opened, now=now)
    return opened


async def open_case(pool: Pool, elder_id: str | None = "elder-1", **alert: Any) -> int:
    """Open an alert and return the id of its case."""
    return await case_of(pool, await open_alert(pool, elder_id, **alert))


async def case_of(pool: Pool, alert_id: int) -> int:
    """The case of an alert."""
    async with pool.connection() as conn:
        case_id = await read.case_of_alert(conn, alert_id)
    assert case_id is not None
    return case_id


async def offer_visit(pool: Pool, elder_id: str = "elder-1", *, alert_id: int | None = None, now: datetime = NOW) -> int:
    """Ask for a visit and offer it to the first doctor. Returns the visit's id."""
    async with pool.connection() as conn:
        async with conn.transaction():
            visit_id = await dispatch.request(
                conn, elder_id=elder_id, alert_id=alert_id, visit_class="urgent", reason="血氧偏低", by="system", now=now
            )
        await pass_offer_on(conn, now=now)
    return visit_id


async def pass_offer_on(conn: Connection, *, now: datetime) -> None:
    """Let the worker serve what is due."""
    ready = await dispatch.next_due(conn, now=now)
    assert ready is not None
    async with conn.transaction():
        await dispatch.offer_due(conn, ready, now=now, retry_s=60)


@asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """The application behind a real socket, for streams. Its address; the application itself is started by its fixture."""
    config = uvicorn.Config(app, "127.0.0.1", port, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    try:
        await eventually(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        app.state.web.live.stop()
        await task


async def eventually(condition: Callable[[], bool], deadline_s: float = 30) -> None:
    """Wait until the condition holds; fails after the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.01)


@dataclass
class Listener:
    """The live stream of one page, read in the background."""

    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Data of all events of a kind, in the order heard."""
        return [data for name, data in self.heard if name == kind]

    async def until(self, condition: Callable[["Listener"], bool], deadline_s: float = 30) -> None:
        """Wait for it."""
        await eventually(lambda: condition(self), deadline_s)


Listen = Callable[[str, str], AbstractAsyncContextManager[Listener]]


@asynccontextmanager
async def listening(url: str, name: str) -> AsyncIterator[Listener]:
    """Sign in as `name` and listen, from `hello` on."""
    listener = Listener()
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        await client.post("/api/session", json={"name": name, "password": PASSWORD})
        task = asyncio.create_task(_read(client, listener))
        try:
            await listener.until(lambda heard: bool(heard.of("hello")))
            yield listener
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _read(client: httpx.AsyncClient, listener: Listener) -> None:
    async with client.stream("GET", "/api/live") as answer:
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                listener.heard.append((kind, json.loads(line.removeprefix("data: "))))
