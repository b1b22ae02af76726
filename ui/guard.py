"""What every answer of the server says, and which requests get none.

A page of another site may ask this server in a visitor's name, frame it, or reach it under a name
of its own that leads here (DNS rebinding). The browser is told what these pages may load, and a
request under a name that is not the server's, or a connection that another site opens, is refused
before Streamlit looks at it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

METRICS = "/_stcore/metrics"
"""Streamlit's own figures of the server, which are nobody else's."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit compiles its components' parts, and the styles of its elements are their own.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

_FOREIGN = (
    "This name is not one of the server's. Who runs it allows it with --server.allowedHosts NAME.\n"
)


class Guard:
    """Middleware that refuses what is not this server's business, and adds `HEADERS`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        known = is_host_allowed(headers.get("host"))
        if scope["type"] == "websocket":
            if known and same_site(headers.get("origin"), headers.get("host")):
                await self.app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if not known:
            await PlainTextResponse(_FOREIGN, 421)(scope, receive, answer)
        elif scope["path"].endswith(METRICS):
            await PlainTextResponse("Not found\n", 404)(scope, receive, answer)
        else:
            await self.app(scope, receive, answer)


def same_site(origin: str | None, host: str | None) -> bool:
    """Say whether a request's page, where the browser names it, is of the server that it asks."""
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False
