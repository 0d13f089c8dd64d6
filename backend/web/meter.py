"""Measures every request for the figures: which route, how long, how it ended."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.metrics.web import WebMetrics

STREAM = b"text/event-stream"


class Meter:
    """Wraps the application. A stream never ends by itself, so it counts as answered once it has begun."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status = 500
        is_counted = False

        def count() -> None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                self._metrics.answered(scope["method"], route_of(scope), status, time.perf_counter() - began_s)

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if any(name == b"content-type" and value.startswith(STREAM) for name, value in message["headers"]):
                    count()
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            count()


def route_of(scope: Scope) -> str:
    """The route as it is written in the code, once the application has found it; `static` for files, `none` where there is no such page."""
    if scope["path"].startswith("/static/"):
        return "static"
    return str(getattr(scope.get("route"), "path", "none"))
