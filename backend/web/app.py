"""The web application: what it is made of, and what it opens at its start and closes at its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from backend.config import Config
from backend.db.pool import open_pool
from backend.web import auth, problems
from backend.web.api import ROUTERS as API
from backend.web.auth import Now, TheWeb, Web
from backend.web.language import STATIC
from backend.web.live import BEAT_S, POLL_S, Live
from backend.web.pages import ROUTERS as PAGES
from backend.web.shield import Shield

BLIND_AFTER = timedelta(seconds=BEAT_S + 2 * POLL_S)
"""No look at the tables for this long: the process is not healthy."""


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(config: Config, clock: Callable[[], datetime] = _now) -> FastAPI:
    """The application; `clock` gives the time. Nothing is opened before it starts; starting raises Unavailable without a database.

    Streams stay open, so serve it with a limit on graceful shutdown (uvicorn: `timeout_graceful_shutdown`).
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(config.database)
        live = Live(pool, clock=clock, sees=auth.sees)
        app.state.web = Web(config, pool, live, clock, asyncio.Semaphore(auth.SIGN_INS_MAX))
        watching = asyncio.create_task(live.run())
        try:
            yield
        finally:
            live.stop()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await pool.close()

    app = FastAPI(title="Jiahu 家护", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.add_middleware(Shield)
    problems.install(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    for router in (*API, *PAGES):
        app.include_router(router)
    return app


async def healthz(web: TheWeb, now: Now) -> JSONResponse:
    """200 while this process sees the tables, 503 when it is blind."""
    looked_at = web.live.looked_at
    is_well = looked_at is not None and now - looked_at < BLIND_AFTER
    return JSONResponse({"ok": is_well, "looked_at": looked_at.isoformat() if looked_at else None}, 200 if is_well else 503)
