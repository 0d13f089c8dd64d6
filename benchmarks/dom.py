"""From the first byte of a press on the serial line to the row in the operator's browser, idle and beside a whole district.

The real chain: a pseudo terminal, a gateway, Mosquitto, ingest, web, and Chromium with the board open. A MutationObserver writes down when
the row is in the document; both clocks are this machine's. Each case is closed again before the next press, so that each press opens one.

    idle_...       nothing else is sent
    district_...   beside the district's batches and states (benchmarks/ingest.py), and its presses at 10/s, which are taken as they come

`..._received_...`: from the first byte until ingest had the event; the rest is its transaction, the look at the tables, the stream and the
page. JIAHU_BENCH_HOMES and JIAHU_BENCH_TIMESCALEDB as for `ingest`.
"""

import asyncio
import os
import queue
import random
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from playwright.async_api import Page, async_playwright

from benchmarks import ingest
from gateway.bridges.framing import Frame, seal
from simulators.backend_processes import BackendProcesses, wait_ready, write_private
from simulators.demo.witness import Shown, Witness
from simulators.keeper import Program
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker, BrokerKind, Database, installed_brokers
from simulators.wire import EventKey, FrameType, SosKind, sos

HOME = "home-pressed"
NAME = "王秀英"
ADDRESS = 7
WARM_UP = 5
EVERY_S = (0.3, 0.7)
"""Between the end of one press and the next: not in step with anything that ticks."""
LOST_S = 20.0
GATEWAY = """
gateway_id = "{home}"
[broker]
host = "{host}"
port = {port}
[outbox]
path = "{outbox}"
[[port]]
path = "{link}"
[[port.device]]
id = "wearable-1"
type = "jiahu_wearable"
address = {address}
"""
PEOPLE = """
INSERT INTO elder (id, name, sex, address) VALUES ('elder-pressed', %(name)s, 'female', '幸福里 1 号');
INSERT INTO gateway (id, elder_id) VALUES (%(home)s, 'elder-pressed')
"""
RECEIVED = """
SELECT extract(epoch FROM received_at)::float8 FROM event WHERE gateway_id = %(home)s ORDER BY received_at DESC LIMIT 1
"""
OBSERVE = """
name => {
  const seen = new Set([...document.querySelectorAll("#queue .row")].map((row) => row.dataset.id));
  new MutationObserver(() => {
    const at = Date.now();
    for (const row of document.querySelectorAll("#queue .row")) {
      if (seen.has(row.dataset.id) || !row.textContent.includes(name)) continue;
      seen.add(row.dataset.id);
      window.rowIsThere(Number(row.dataset.id), at);
    }
  }).observe(document.getElementById("queue"), { childList: true, subtree: true });
}
"""


def measure(seconds: float) -> dict[str, float]:
    """Percentiles in milliseconds, of presses for `seconds` each way; `lost`: rows that were not there after LOST_S."""
    chromium = shutil.which("chromium")
    if chromium is None or BrokerKind.MOSQUITTO not in installed_brokers():
        raise SystemExit("this needs Chromium and Mosquitto: apt install chromium mosquitto mosquitto-clients")
    homes = int(os.environ.get("JIAHU_BENCH_HOMES", ingest.HOMES))
    accounts = {"backend": ingest.PASSWORD, "load": ingest.PASSWORD, HOME: ingest.PASSWORD}
    binaries = ingest.timescaledb()
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        Database(binaries=binaries, preload="timescaledb" if binaries else "") as database,
        Broker(accounts, loaders=["load"], kind=BrokerKind.MOSQUITTO) as broker,
    ):
        backend = ingest.prepared(Path(folder).absolute(), database, broker, homes)
        with psycopg.connect(database.url, autocommit=True) as conn:
            for statement in PEOPLE.split(";"):
                conn.execute(statement.encode(), {"home": HOME, "name": NAME})
        return _chain(backend, database, broker, homes, seconds, chromium)


def _chain(backend: BackendProcesses, database: Database, broker: Broker, homes: int, seconds: float, chromium: str) -> dict[str, float]:
    ingests = {f"ingest-{number}": ingest.one_ingest(backend, number) for number in range(ingest.INGESTS)}
    programs = ingests | {name: backend.program(name) for name in ("worker", "web")}
    line = SerialBridge(backend.folder / "line")
    line.plug()
    where = {"host": broker.host, "port": broker.port, "outbox": backend.folder / "outbox.sqlite", "link": line.link}
    config = write_private(backend.folder / "gateway.toml", GATEWAY.format(home=HOME, address=ADDRESS, **where))
    environment = {"JIAHU_BROKER_PASSWORD": ingest.PASSWORD}
    programs["gateway"] = Program(["gateway", "run", "--config", str(config)], backend.folder / "gateway.log", environment)
    takers = _Takers(backend.url)
    for program in programs.values():
        program.start()
    try:
        wait_ready(backend.serves, "web", backend.folder / "web.log")
        wait_ready(line.is_heard, "gateway", backend.folder / "gateway.log")
        takers.start()
        chain = ingest.Chain(backend, database, broker, programs, ingest.Arrivals(), {"homes": homes, "minute_s": ingest.MINUTE_S})
        return asyncio.run(_measure(chain, _Button(line), seconds, chromium))
    finally:
        takers.stop()
        for program in programs.values():
            program.stop()
        line.unplug()


async def _measure(chain: ingest.Chain, button: "_Button", seconds: float, chromium: str) -> dict[str, float]:
    async with async_playwright() as tool, httpx.AsyncClient(base_url=chain.backend.url, timeout=30) as client:
        signed = await client.post("/api/session", json={"name": "operator", "password": f"{ingest.PASSWORD}-operator"})
        signed.raise_for_status()
        browser = await tool.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = await browser.new_context(viewport={"width": 1366, "height": 768})
        await context.add_cookies([{"name": name, "value": value, "url": chain.backend.url} for name, value in client.cookies.items()])
        page = await context.new_page()
        desk = _Desk(client, page, chain.database.url)
        await desk.open(chain.backend.url)
        for _ in range(WARM_UP):
            await desk.press(button)
        found = await _presses(desk, button, seconds, "idle")
        state_every_s = ingest.STATE_EVERY_S
        load = {"seconds": seconds + 10, "first_minute": 100, "state_every_s": state_every_s, "presses_per_s": ingest.PRESSES_PER_S}
        playing = asyncio.create_task(asyncio.to_thread(chain.play, load))
        await asyncio.sleep(5)
        found |= await _presses(desk, button, seconds, "district")
        said = await playing
        await browser.close()
        return found | {"district_answered_share": said["answered"] / (said["batches"] + len(said["presses"]))}


async def _presses(desk: "_Desk", button: "_Button", seconds: float, label: str) -> dict[str, float]:
    ends_s, waits, received = time.monotonic() + seconds, [], []
    while time.monotonic() < ends_s:
        wait_ms, received_ms = await desk.press(button)
        waits.append(wait_ms)
        received.append(received_ms)
        await asyncio.sleep(random.uniform(*EVERY_S))
    ranked, early = sorted(waits), sorted(received)
    return {
        f"{label}_presses": float(len(waits)),
        f"{label}_lost": float(sum(wait == float("inf") for wait in waits)),
        f"{label}_received_p50_ms": early[len(early) // 2],
        f"{label}_p50_ms": ranked[len(ranked) // 2],
        f"{label}_p95_ms": ranked[int(len(ranked) * 0.95)],
        f"{label}_p99_ms": ranked[int(len(ranked) * 0.99)],
        f"{label}_worst_ms": ranked[-1],
    }


@dataclass
class _Button:
    """The wearable's end of the line."""

    line: SerialBridge
    presses: int = 0

    def press(self) -> float:
        """Send one press. Returns when its first byte was written, in seconds since 1970."""
        self.line.read()
        self.presses += 1
        frame = Frame(FrameType.SOS, ADDRESS, self.presses, sos(EventKey(4711, self.presses), 0, SosKind.PRESSED))
        data, at = seal(frame), time.time()
        self.line.write(data)
        return at


@dataclass
class _Desk:
    """A signed-in operator: a browser that is looked at, and the API to close what was seen."""

    client: httpx.AsyncClient
    page: Page
    database_url: str
    rows: asyncio.Queue[tuple[int, float]] = field(default_factory=asyncio.Queue)

    async def open(self, url: str) -> None:
        await self.page.expose_function("rowIsThere", lambda number, at: self.rows.put_nowait((number, at / 1000)))
        await self.page.goto(f"{url}/operator")
        await self.page.evaluate(OBSERVE, NAME)

    async def press(self, button: _Button) -> tuple[float, float]:
        """Milliseconds from a press until its row is in the page, and until ingest had it; close the case."""
        pressed_at = button.press()
        try:
            case_id, shown_at = await asyncio.wait_for(self.rows.get(), LOST_S)
        except TimeoutError:
            return float("inf"), float("inf")
        async with await psycopg.AsyncConnection.connect(self.database_url) as conn:
            row = await (await conn.execute(RECEIVED.encode(), {"home": HOME})).fetchone()
        for step, body in (("take", {}), ("begin", {}), ("resolve", {}), ("close", {"disposition": "test"})):
            (await self.client.post(f"/api/cases/{case_id}/{step}", json=body)).raise_for_status()
        return 1000 * (shown_at - pressed_at), 1000 * (row[0] - pressed_at) if row else float("inf")


class _Takers:
    """The other operators: whatever the district presses is taken as it comes, as in a centre that is staffed for it."""

    def __init__(self, url: str) -> None:
        self._url, self._login = url, ("operator", f"{ingest.PASSWORD}-operator")
        self._calls: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._witness = Witness(url, *self._login, on_shown=self._hear)
        self._thread = threading.Thread(target=self._take, daemon=True)

    def start(self) -> None:
        self._witness.start()
        self._thread.start()

    def stop(self) -> None:
        self._witness.stop()
        self._calls.put(None)

    def _hear(self, shown: Shown) -> None:
        if shown.event == "alert" and shown.data["case_state"] == "new" and shown.data["gateway_id"] != HOME:
            self._calls.put(shown.data)

    def _take(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            name, password = self._login
            client.post("/api/session", json={"name": name, "password": password}).raise_for_status()
            while (call := self._calls.get()) is not None:
                client.post(f"/api/cases/{call['case_id']}/take")
