"""What requests with a body may take of this process: bytes of photos, and time.

Streamlit keeps whatever a page's uploader sends in memory, under any file id, for as long as the
page's session lives. What a session holds and has on its way is bounded here before it is read, it
is let go soon after the session has no connection, and a body that does not come ends its request.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, runtime

SESSION, ALL = 192 << 20, 2 << 30
"""Bytes that one page's session, and all of them together, may keep in Streamlit's uploader."""

FILES = 64
"""Files that one session may keep there."""

STALL, PACE = 60.0, 2048.0
"""Seconds that a body may pause, and bytes a second that it must bring on the whole."""

GRACE = 150.0
"""Seconds after its last connection that a session's uploads are kept."""

_UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]{1,100})/([0-9a-fA-F-]{36})")
_UPLOADS = "/_stcore/upload_file/"

_FULL = (
    "This page holds as many photos as it may. Reload the page, which lets them go, and send this "
    "one again.\n"
)
_SLOW = "The rest of the file did not come. Send it again.\n"
_UNKNOWN = "This is no upload of a page's.\n"


class Keeper(Protocol):
    """As much of Streamlit's manager of uploaded files as is needed."""

    file_storage: dict[str, dict[str, Any]]

    def remove_session_files(self, session_id: str) -> None:
        """Let go what a session sent."""


def keeper() -> Keeper | None:
    """Return the running server's manager of uploaded files, None before there is one."""
    if not runtime.exists():
        return None
    found: Any = runtime.get_instance().uploaded_file_mgr
    return found if hasattr(found, "file_storage") else None


class Bounds:
    """Middleware that refuses what would be too much, before it is read."""

    def __init__(
        self,
        app: ASGIApp,
        keeper: Callable[[], Keeper | None] = keeper,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self._keeper, self._clock = app, keeper, clock
        self._coming: dict[str, dict[object, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        body = _Body(receive, send, self._clock)
        if _UPLOADS not in scope["path"] or scope["method"] != "PUT":
            await body.through(self.app, scope)
            return
        match = _UPLOAD.fullmatch(scope["path"])
        if match is None:
            await PlainTextResponse(_UNKNOWN, 404)(scope, receive, send)
            return
        session, file = match.groups()
        size = _announced(scope)
        if self._full(session, file, size):
            await PlainTextResponse(_FULL, 413, {"connection": "close"})(scope, receive, send)
            return
        mark = object()
        self._coming.setdefault(session, {})[mark] = size
        try:
            await body.through(self.app, scope)
        finally:
            del self._coming[session][mark]
            if not self._coming[session]:
                del self._coming[session]

    def _full(self, session: str, file: str, size: int) -> bool:
        keeper = self._keeper()
        # copies: another thread may be adding to them
        storage = {} if keeper is None else dict(keeper.file_storage)
        own = dict(storage.get(session, {}))
        own.pop(file, None)  # it takes the other's place
        coming = self._coming.get(session, {})
        if len(own) + len(coming) >= FILES:
            return True
        if _weight(own) + sum(coming.values()) + size > SESSION:
            return True
        held = sum(_weight(dict(files)) for files in storage.values())
        flying = sum(sum(each.values()) for each in self._coming.values())
        return held + flying + size > ALL


class _Body:
    """One request's body, and the answer to it."""

    def __init__(self, receive: Receive, send: Send, clock: Callable[[], float]) -> None:
        self._receive, self._send, self._clock = receive, send, clock
        self._begun, self._came = clock(), 0
        self._whole = self._late = self._answered = False
        self._due = self._begun
        self._reader: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def through(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except Exception:
            if not self._late:
                raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
        if self._late and not self._answered:
            slow = PlainTextResponse(_SLOW, 408, {"connection": "close"})
            await slow(scope, self._receive, self._send)

    async def receive(self) -> Message:
        if self._whole or self._late:
            return {"type": "http.disconnect"} if self._late else await self._receive()
        now = self._clock()
        self._due = min(now + STALL, self._begun + STALL + self._came / PACE)
        if self._due <= now:
            self._late = True
            return {"type": "http.disconnect"}
        # One timer for the whole body: a timeout of its own for each piece of 1.9 GB is dear.
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._due - now, self._look)
        self._reader = task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not self._late or (task and task.uncancel() > asked):
                raise
            return {"type": "http.disconnect"}
        finally:
            self._reader = None
        self._came += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    def _look(self) -> None:
        """End the wait for a piece that is overdue; look again when the present one will be."""
        self._timer = None
        if self._reader is None:
            return  # nobody waits; who does next sets a timer
        left = self._due - self._clock()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
            return
        self._late = True
        self._reader.cancel()

    async def send(self, message: Message) -> None:
        if self._late and not self._answered:
            return  # what is said of a cut; the answer is ours
        self._answered = True
        await self._send(message)


def _announced(scope: Scope) -> int:
    """Return the bytes that a body announces; as many as may come, where it does not say."""
    length = Headers(scope=scope).get("content-length", "")
    most = int(config.get_option("server.maxUploadSize")) << 20
    return min(int(length), most) if length.isdecimal() and len(length) < 16 else most


def _weight(files: Mapping[str, Any]) -> int:
    return sum(len(each.data) for each in files.values())


class Release:
    """Lets go what sessions sent that have had no connection for `GRACE`."""

    def __init__(
        self,
        here: Callable[[str], bool],
        keeper: Callable[[], Keeper | None] = keeper,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._here, self._keeper, self._clock = here, keeper, clock
        self._left: dict[str, float] = {}

    def __call__(self) -> None:
        """Look at each session that holds something."""
        keeper = self._keeper()
        if keeper is None:
            return
        now = self._clock()
        gone = [session for session in list(keeper.file_storage) if not self._here(session)]
        self._left = {session: self._left.get(session, now) for session in gone}
        for session, since in self._left.items():
            if now - since > GRACE:
                keeper.remove_session_files(session)
