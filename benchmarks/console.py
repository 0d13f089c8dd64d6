"""The operators' pages over a year of data and 10 000 open alerts, and CONSOLES of them at one web process.

queue_...      the board with the queue (`/operator`), asked for again and again; `_changed`: after a change of a case each time, so that
               the tables are looked at, the queue read and drawn anew. `queue_sql_ms` is what the statement alone takes in this run
case_...       the board with one case, each time another elder's
chart_...      the values of a chart as its script fetches them, each time another elder's
consoles_...   streams of consoles: from the commit of a change until the first and the last of them has the new queue whole; memory and
               processor of the web process with them and without
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import psutil
from psycopg.rows import dict_row

from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.web import board, read
from benchmarks import storage
from simulators.backend_processes import BackendProcesses, wait_ready, write_private
from simulators.keeper import CHECKOUT, Program
from simulators.servers import Broker, Database

CONSOLES = 200
CHANGES = 30
CHANGE_EVERY_S = 0.5
IDLE_S = 5.0
REQUESTS = 60
PASSWORD = "a long password"
PEOPLE = f'[[account]]\nname = "wang"\nrole = "operator"\ntitle = "坐席 王芳"\npassword = "{PASSWORD}"\n'
TOUCH = "UPDATE care_case SET version = version + 1, changed_at = now() WHERE id = %(id)s"
CASES = "SELECT id FROM care_case WHERE priority = 'high' ORDER BY id"


def measure(seconds: float) -> dict[str, float]:
    """Percentiles in milliseconds. `seconds` sets how many homes have a year of data, as in `storage`: 25 are 1 000 homes."""
    homes = min(storage.HOMES_MAX, max(storage.COMPACTED_HOMES, int(seconds * storage.HOMES_PER_SECOND)))
    with tempfile.TemporaryDirectory(dir=".") as name, Database() as database, Broker({"backend": "secret"}) as broker:
        folder = Path(name).absolute()
        backend = BackendProcesses(folder, password="secret")
        people = write_private(folder / "people.toml", PEOPLE)
        backend.prepare(database.url, broker, people=people, rules=CHECKOUT / "backend/rules/defaults.toml")
        web = backend.program("web")
        try:
            return asyncio.run(_measure(database.url, backend, homes, web))
        finally:
            web.stop()


async def _measure(url: str, backend: BackendProcesses, homes: int, web: Program) -> dict[str, float]:
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        now = datetime.now(UTC)
        await storage.settle(conn, homes)
        await storage.fill_year(conn, now=now)
        await storage.open_alerts(conn, now=now)
        web.start()
        await asyncio.to_thread(wait_ready, backend.serves, "web", backend.folder / "web.log")
        async with httpx.AsyncClient(base_url=backend.url, timeout=60) as client:
            await client.post("/api/session", json={"name": "wang", "password": PASSWORD})
            found = {"homes": float(homes), "open_cases": float(storage.ALERTS)}
            found |= await _pages(conn, client, homes, now)
            return found | await _consoles(conn, client, backend, psutil.Process(web.pid))


async def _pages(conn: Connection, client: httpx.AsyncClient, homes: int, now: datetime) -> dict[str, float]:
    cases = [row["id"] for row in await (await conn.execute(CASES)).fetchall()]

    async def get(path: str) -> None:
        (await client.get(path)).raise_for_status()

    async def changed(place: int) -> None:
        await _change(conn, cases[place % len(cases)])

    async def queue(_: int) -> None:
        await get("/operator")

    async def case(place: int) -> None:
        await get(f"/operator/cases/{cases[place % len(cases)]}")

    async def sql(_: int) -> None:
        await read.queue(conn, limit=board.ROWS)

    found = _percentiles("queue_page", await _times(queue)) | _percentiles("queue_page_changed", await _times(queue, before=changed))
    found |= {"queue_sql_ms": statistics.median(await _times(sql)), "queue_kb": len((await client.get("/operator/queue")).content) / 1e3}
    found |= _percentiles("case_page", await _times(case))
    for label, span in (("1_day", timedelta(days=1)), ("30_days", timedelta(days=30)), ("1_year", storage.YEAR)):

        async def chart(place: int, span: timedelta = span) -> None:
            times = f"from={quote((now - span).isoformat())}&to={quote(now.isoformat())}"
            await get(f"/api/elders/elder-{place * 7 % homes + 1}/series?quantity=heart_rate&{times}")

        found |= _percentiles(f"chart_{label}", await _times(chart))
    return found


async def _consoles(conn: Connection, client: httpx.AsyncClient, backend: BackendProcesses, process: psutil.Process) -> dict[str, float]:
    before_mb = process.memory_info().rss / 1e6
    address, cookie = urlsplit(backend.url), "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    consoles = [_Console() for _ in range(CONSOLES)]
    began_s = time.perf_counter()
    tasks = [asyncio.create_task(one.listen(address.hostname or "", address.port or 0, cookie)) for one in consoles]
    try:
        await _until(lambda: all(one.queues for one in consoles))
        all_there_s = time.perf_counter() - began_s
        idle = await _cores(process, lambda: asyncio.sleep(IDLE_S))
        firsts, lasts = [], []

        async def change_all() -> None:
            cases = [row["id"] for row in await (await conn.execute(CASES)).fetchall()]
            for number in range(CHANGES):
                seen = [one.queues for one in consoles]
                committed_s = await _change(conn, cases[number % len(cases)])
                await _until(lambda seen=seen: all(one.queues > then for one, then in zip(consoles, seen, strict=True)))  # type: ignore[misc]
                at = [one.heard_s - committed_s for one in consoles]
                firsts.append(1000 * min(at))
                lasts.append(1000 * max(at))
                await asyncio.sleep(CHANGE_EVERY_S)

        busy = await _cores(process, change_all)
        return {
            "consoles": float(CONSOLES),
            "consoles_all_connected_s": all_there_s,
            "consoles_idle_cores": idle,
            "consoles_changing_cores": busy,
            "consoles_web_mb_before": before_mb,
            "consoles_web_mb": process.memory_info().rss / 1e6,
            "consoles_first_p50_ms": statistics.median(firsts),
            **_percentiles("consoles_last", lasts),
        }
    finally:
        for task in tasks:
            task.cancel()


class _Console:
    """One stream, read as bytes: counts queues, and knows when the last one was whole."""

    def __init__(self) -> None:
        self.queues = 0
        self.heard_s = 0.0

    async def listen(self, host: str, port: int, cookie: str) -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 22)
        writer.write(f"GET /operator/live HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
        is_queue = False
        while line := await reader.readline():
            if line.startswith(b"event: "):
                is_queue = line == b"event: queue\n"
            elif line == b"\n" and is_queue:
                self.queues, self.heard_s, is_queue = self.queues + 1, time.perf_counter(), False


async def _change(conn: Connection, case_id: int) -> float:
    """Change a case as a step does. Returns when that was committed, by `perf_counter`."""
    async with conn.transaction():
        await conn.execute(TOUCH, {"id": case_id})
        await hint(conn, LIVE_CHANNEL)
    return time.perf_counter()


async def _times(act: Callable[[int], Awaitable[None]], *, before: Callable[[int], Awaitable[None]] | None = None) -> list[float]:
    """Milliseconds of REQUESTS, one after the other."""
    spent = []
    for place in range(REQUESTS):
        if before is not None:
            await before(place)
        began_s = time.perf_counter()
        await act(place)
        spent.append(1000 * (time.perf_counter() - began_s))
    return spent


def _percentiles(name: str, spent_ms: list[float]) -> dict[str, float]:
    ranked = sorted(spent_ms)
    return {f"{name}_p50_ms": ranked[len(ranked) // 2], f"{name}_p95_ms": ranked[int(len(ranked) * 0.95)]}


async def _cores(process: psutil.Process, act: Callable[[], Awaitable[object]]) -> float:
    """Processors that the process keeps busy meanwhile."""
    began_s, before_s = time.perf_counter(), sum(process.cpu_times()[:2])
    await act()
    return (sum(process.cpu_times()[:2]) - before_s) / (time.perf_counter() - began_s)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)
