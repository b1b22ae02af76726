"""The door for files: announces, receives, resumes and cancels uploads over HTTP.

A file goes to the disk as it comes; at most `BUFFER` bytes of it are in memory. Each request must
carry the visitor's cookie, come from this server's own page (`Origin`) and hold that page's token.

    POST   /vitrine/upload       {"name", "size", "mark"} -> {"id", "received", "size"}
    PUT    /vitrine/upload/{id}  Content-Range: bytes 0-9/10 -> {"received", "size"}
    GET    /vitrine/upload/{id}  -> {"received", "size"}
    DELETE /vitrine/upload/{id}
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui import identity
from ui.guard import same_site
from ui.visitors import Visitor, Visitors
from workers.incoming import Misplaced, Superseded, Upload, UploadError

PATH = "/vitrine/upload"
TOKEN = "x-vitrine-token"  # noqa: S105 - a header's name

BUFFER = 1 << 20
ANNOUNCEMENT = 8 << 10
NAME = 200
"""Characters of a file's name that are kept."""

GREETING = "/_stcore/host-config"
"""What Streamlit's page asks for before it connects. The cookie is given here and not with the
page itself: who follows a link from another site sends no Strict cookie for the page, and would
be given a new one, and with it an empty desk."""

_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")

Answer = Callable[[Request, Visitor], Awaitable[Response]]


class Cookies:
    """Middleware that gives a browser its cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; add the cookie to the greeting's answer where it is missing."""
        greeting = scope["type"] == "http" and scope["path"].endswith(GREETING)
        if not greeting or identity.key_of(HTTPConnection(scope).cookies.get(identity.COOKIE)):
            await self.app(scope, receive, send)
            return
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        value = f"{identity.COOKIE}={identity.issue()}; Path=/; HttpOnly; SameSite=Strict{secure}"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", value)
                headers["cache-control"] = "no-store"
            await send(message)

        await self.app(scope, receive, answer)


def routes(visitors: Callable[[], Visitors], base: str = "") -> list[Route]:
    """Return the door's routes under the server's base path."""

    async def announce(request: Request, visitor: Visitor) -> Response:
        name, size, mark = _announced(await _small(request))
        upload = await to_thread.run_sync(
            lambda: visitors().incoming.begin(
                visitor.key, visitor.desk.session, name=name, size=size, mark=mark
            )
        )
        return JSONResponse({"id": upload.id} | _state(upload), 201)

    async def receive(request: Request, visitor: Visitor) -> Response:
        upload = visitors().incoming.find(visitor.key, request.path_params["id"])
        start, end = _part(request, upload)
        visitors().incoming.admit(upload)
        turn = upload.turn(start)
        held = bytearray()
        try:
            async for piece in request.stream():
                held += piece
                if upload.received + len(held) > end:
                    raise UploadError("The part is longer than was announced.", 400)
                if len(held) >= BUFFER:
                    await to_thread.run_sync(upload.write, turn, held)
                    held = bytearray()
                    visitors().find(visitor.key)
        except ClientDisconnect:
            # What came before the cut stays, so that the next request goes on from there.
            await to_thread.run_sync(upload.write, turn, held)
            return Response(status_code=499)
        await to_thread.run_sync(upload.write, turn, held)
        return JSONResponse(_state(upload))

    async def tell(request: Request, visitor: Visitor) -> Response:
        return JSONResponse(
            _state(visitors().incoming.find(visitor.key, request.path_params["id"]))
        )

    async def cancel(request: Request, visitor: Visitor) -> Response:
        visitors().incoming.cancel(visitor.key, request.path_params["id"])
        return Response(status_code=204)

    def door(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            try:
                return await answer(request, _visitor(request, visitors()))
            except ClientDisconnect:
                return Response(status_code=499)
            except Misplaced as error:
                return _refusal(error, received=error.received)
            except Superseded as error:
                return _refusal(error)
            except UploadError as error:
                if error.status == 507 and "id" in request.path_params:
                    await cancel(request, _visitor(request, visitors()))
                return _refusal(error)

        return checked

    path = base.rstrip("/") + PATH
    return [
        Route(path, door(announce), methods=["POST"]),
        Route(f"{path}/{{id}}", door(receive), methods=["PUT"]),
        Route(f"{path}/{{id}}", door(tell), methods=["GET"]),
        Route(f"{path}/{{id}}", door(cancel), methods=["DELETE"]),
    ]


def _visitor(request: Request, visitors: Visitors) -> Visitor:
    """Return who asks. Raises UploadError unless cookie, origin and token fit together."""
    key = identity.key_of(request.cookies.get(identity.COOKIE))
    if key is None:
        raise UploadError(
            "The browser sent no cookie of this server. Allow cookies for this page, reload it "
            "and send the file again.",
            401,
        )
    origin = request.headers.get("origin")
    # A browser names the origin with every request but a plain GET of its own page's.
    foreign = origin is None and request.method != "GET"
    if foreign or not same_site(origin, request.headers.get("host")):
        raise UploadError("The request came from another site's page, and was refused.", 403)
    visitor = visitors.find(key)
    if visitor is None or not identity.holds(key, request.headers.get(TOKEN, "")):
        raise UploadError(
            "This page is not the server's present one. Reload it and send the file again.", 403
        )
    return visitor


async def _small(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > ANNOUNCEMENT:
            raise UploadError("The announcement is too long.", 413)
    return body


def _announced(body: bytes) -> tuple[str, int, str]:
    try:
        given = json.loads(body)
        name, size, mark = given["name"], given["size"], given.get("mark", "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UploadError("The announcement cannot be read.", 400) from None
    whole = isinstance(size, int) and not isinstance(size, bool) and abs(size) < 1 << 63
    if not (isinstance(name, str) and whole and isinstance(mark, str)):
        raise UploadError("The announcement cannot be read.", 400)
    shown = "".join(
        char for char in name.replace("\\", "/").rsplit("/", 1)[-1] if char.isprintable()
    )
    return shown[-NAME:].strip() or "model", size, mark[:1000]


def _part(request: Request, upload: Upload) -> tuple[int, int]:
    """Return where the part begins and ends."""
    match = _RANGE.fullmatch(request.headers.get("content-range", ""))
    length = request.headers.get("content-length", "")
    if not match:
        raise UploadError("The request does not say which part of the file it brings.", 400)
    start, last, size = (int(number) for number in match.groups())
    if not (start <= last < size == upload.size):
        raise UploadError("The part is not one of the announced file.", 416)
    if not length.isdecimal() or int(length) != last + 1 - start:
        raise UploadError("The request's length is not that of the part.", 411)
    return start, last + 1


def _state(upload: Upload) -> dict[str, int]:
    return {"received": upload.received, "size": upload.size}


def _refusal(error: UploadError, **more: int) -> Response:
    # The rest of the body is not read; the connection ends with the answer.
    return JSONResponse({"error": str(error)} | more, error.status, {"connection": "close"})
