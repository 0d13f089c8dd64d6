"""The web application: what it is made of, and what it opens at its start and closes at its end."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from backend.config import Config
from backend.db.pool import open_pool
from backend.metrics.health import Condition, Health, answer, too_old
from backend.metrics.serving import JSON, make_registry, serving
from backend.metrics.web import WebMetrics, WebState
from backend.web import auth, problems, render
from backend.web.api import ROUTERS as API
from backend.web.auth import Web
from backend.web.board import Board
from backend.web.kept import Kept
from backend.web.language import STATIC
from backend.web.live import Live
from backend.web.meter import Meter
from backend.web.pages import ROUTERS as PAGES
from backend.web.pages import wall
from backend.web.shield import Shield

BLIND_AFTER = timedelta(seconds=10)
"""No look at the tables for this long: the pages that it serves would show the past. It looks at least every 2 s."""


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(config: Config, clock: Callable[[], datetime] = _now) -> FastAPI:
    """The application; `clock` gives the time. Nothing is opened before it starts; starting raises Unavailable without a database.

    Streams stay open, so serve it with a limit on graceful shutdown (uvicorn: `timeout_graceful_shutdown`).
    """

    def look() -> WebState:
        live: Live = app.state.web.live
        return WebState(live.pages, (clock() - live.looked_at).total_seconds() if live.looked_at else None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(config.database)
        board = Board(clock=clock, draw=lambda template, language, shown: render.part(template, language, clock(), **shown))
        live = Live(pool, board, clock=clock, sees=auth.sees)
        health = Health(pool, lambda: [_sees(live, clock())])
        app.state.web = Web(
            config, pool, live, board, clock, asyncio.Semaphore(auth.SIGN_INS_MAX), Kept(wall.TODAY_AGE_MAX), asyncio.Semaphore(1)
        )
        app.state.health = health
        watching = [asyncio.create_task(live.run()), asyncio.create_task(health.run())]
        try:
            with serving(config.metrics.host, config.metrics.web_port, registry, health):
                yield
        finally:
            live.stop()
            for task in watching:
                while not task.done():  # a pool may swallow a cancellation
                    task.cancel()
                    await asyncio.wait({task}, timeout=1)
            await pool.close()

    app = FastAPI(title="Jiahu 家护", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    registry = make_registry()
    app.add_middleware(Shield, image_origins=config.map.origins)
    app.add_middleware(Meter, metrics=WebMetrics(registry, look))  # outermost, so that refusals count too
    problems.install(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/readyz", readyz, include_in_schema=False)
    for router in (*API, *PAGES):
        app.include_router(router)
    return app


async def healthz(request: Request) -> Response:
    """200 while this process need not be started again, else 503. Without a database it only waits: a restart would not help."""
    return _say(request.app.state.health.is_alive())


async def readyz(request: Request) -> Response:
    """200 while pages show what is, else 503: the database does not answer, or live updates are blind."""
    return _say(request.app.state.health.is_ready())


def _say(conditions: list[Condition]) -> Response:
    status, body = answer(conditions)
    return Response(body, status, media_type=JSON)


def _sees(live: Live, now: datetime) -> Condition:
    age_s = (now - live.looked_at).total_seconds() if live.looked_at else math.inf
    return Condition("live", too_old("no look at the tables", age_s, BLIND_AFTER.total_seconds()))
