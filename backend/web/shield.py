"""What guards every request and answer: forged posts refused, bodies limited, headers that keep browsers on the safe side."""

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_BYTES_MAX = 64 * 1024
"""Forms of a few texts, and the picture of an elder."""
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Shield:
    """Wraps the application. Refuses with 403 (forged), 411 or 413 (body), else adds HEADERS; pages with personal data are not cached.

    Nothing on a page may come from elsewhere but pictures from `image_origins`, those of the map.
    """

    def __init__(self, app: ASGIApp, image_origins: Sequence[str] = ()) -> None:
        self._app = app
        images = f"; img-src 'self' {' '.join(image_origins)}" if image_origins else ""
        self._headers = HEADERS | {"content-security-policy": POLICY + images}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith("/static/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers["cache-control"] = "no-cache" if is_static else "no-store"
            await send(message)

        refusal = refuse(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)


def refuse(method: str, headers: Headers) -> PlainTextResponse | None:
    """The refusal of a request, None when it may pass."""
    if method in SAFE_METHODS:
        return None
    if is_forged(headers):
        return PlainTextResponse("this request comes from another site and is refused", 403)
    length = headers.get("content-length")
    if "transfer-encoding" in headers:
        return PlainTextResponse("say how long the body is", 411)
    if length is not None and (not length.isdigit() or int(length) > BODY_BYTES_MAX):
        return PlainTextResponse(f"at most {BODY_BYTES_MAX} bytes", 413)
    return None


def is_forged(headers: Headers) -> bool:
    """True when a browser says that another site makes this request.

    Sec-Fetch-Site is believed first (W3C Fetch Metadata), else Origin must be this host. A request with neither comes from no browser, and
    so carries no cookie that a stranger could abuse.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")
