"""Runs the web application on uvicorn until it is told to stop."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import uvicorn

from backend.config import Config, WebConfig
from backend.db.pool import open_pool
from backend.errors import Unavailable
from backend.web.app import create_app

GRACE_S = 2
"""At a stop, what is being answered may take this long."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: `backend.__main__` has one for all processes."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(config: Config) -> None:
    """Serve pages and API. Raises Unavailable, before anything is served, when the port is taken or the database does not answer."""
    async with await open_pool(config.database):
        pass
    app = create_app(config)
    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
    server = _Server(settings)
    with _listen(config.web) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            if server.started:
                app.state.web.live.stop()  # streams never end by themselves; the pages come back when the next process serves
            await serving
            raise


def _listen(web: WebConfig) -> socket.socket:
    try:
        listener = socket.create_server((web.host, web.port))
        # Inherited by each connection. Without it a message waits for the answer to the one before, and a browser takes 40 ms to give it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise Unavailable(f"cannot serve on {web.host}:{web.port}: {os.strerror(error.errno or 0)}. Change [web] host or port") from error
