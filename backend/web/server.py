"""Runs the web application on uvicorn until it is told to stop."""

import asyncio
import contextlib

import uvicorn

from backend.config import Config
from backend.errors import Unavailable
from backend.web.app import create_app

GRACE_S = 2
"""Live streams never end by themselves; at a stop they are cut after this long, and the pages reconnect."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `backend.__main__` has one for all processes."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def serve(config: Config) -> None:
    """Serve pages and API. Raises Unavailable when the port is taken or the database does not answer."""
    settings = uvicorn.Config(
        create_app(config), config.web.host, config.web.port, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    except SystemExit as error:
        raise Unavailable(f"cannot serve on {config.web.host}:{config.web.port}: is the port free? Change [web] port") from error
    if not server.started:
        raise Unavailable("the web process could not start; the lines above say why")
