"""Streamlit's own files for the browser: from memory, and named to it before it asks for them.

A page by its address begins with about sixty small files that every page needs, and then, one
after the other, those of the elements that this page has. Streamlit opens each from the disk, in a
thread; here those that most of our pages need are read once. The page that comes first names the
latter ones, too, so that they are there when they are asked for, and says where the server is,
which Streamlit's script would else try out.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import file_util

ELEMENTS = ("BidiComponent", "Html", "NumberInput", "Button", "Selectbox", "Checkbox")
"""Elements that most pages of ours have; each is a file, which names those that it needs."""

LASTING = "public, immutable, max-age=31536000"
"""As Streamlit says: a name has a hash of its file in it, so that a browser may keep it."""

_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_SCRIPT = re.compile(r"static/js/[\w.-]+\.js|static/css/[\w.-]+\.css")
_NEEDS = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')
_HERE = '<script>window.__streamlit={BACKEND_BASE_URL:new URL("./",location.href).href}</script>'
"""The page's files lie beside it, under whatever path a proxy gives it, and so does the rest."""
_END = "</head>"
_OWN = ("content-encoding", "etag", "last-modified", "accept-ranges")
"""What is said of Streamlit's page, and does not hold of this one."""
_ASKS = ("range", "if-none-match", "if-modified-since")


@cache
def page() -> bytes:
    """Return Streamlit's page with what is said beforehand."""
    own = (_folder() / "index.html").read_text(encoding="utf-8")
    named = set(_SCRIPT.findall(own))
    more = [name for name in _parts() if name not in named]
    links = "".join(
        f'<link rel="modulepreload" fetchpriority="low" crossorigin href="./{name}">'
        for name in more
    )
    return own.replace(_END, f"{_HERE}{links}{_END}", 1).encode()


@cache
def files() -> dict[str, bytes]:
    """Return the files that the page names, by their path."""
    found = dict.fromkeys(_SCRIPT.findall(page().decode()))
    folder = _folder()
    return {name: (folder / name).read_bytes() for name in found if (folder / name).is_file()}


def _parts() -> list[str]:
    """List the files of the elements, and what those need; none where they are named otherwise."""
    folder = _folder() / "static" / "js"
    queue = [path.name for each in ELEMENTS for path in sorted(folder.glob(f"{each}.*.js"))]
    found: dict[str, None] = {}
    while queue:
        name = queue.pop(0)
        if name not in found and (folder / name).is_file():
            found[name] = None
            queue += _NEEDS.findall((folder / name).read_text(encoding="utf-8"))
    return [f"static/js/{name}" for name in found]


def _folder() -> Path:
    return Path(file_util.get_static_dir())


class Shelf:
    """Middleware that answers for those files, and sends `page` in the place of Streamlit's."""

    def __init__(self, app: ASGIApp, base: str = "") -> None:
        self.app = app
        self._base = f"/{base.strip('/')}/" if base.strip("/") else "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass a request on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        held = files().get(path.removeprefix(self._base)) if path.startswith(self._base) else None
        headers = Headers(scope=scope)
        if held is not None and not any(name in headers for name in _ASKS):
            await _send(send, held, _KINDS[Path(path).suffix])
            return
        whole = False

        async def answer(message: Message) -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                said = MutableHeaders(scope=message)
                html = said.get("content-type", "").startswith("text/html")
                whole = html and message["status"] == 200
                if whole:
                    for name in _OWN:
                        del said[name]
                    said["content-length"] = str(len(page()))
            elif whole and message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": page()}
            await send(message)

        # A page's name has no ending; what has one is a reader's own file.
        await self.app(scope, receive, send if "." in path else answer)


async def _send(send: Send, body: bytes, kind: str) -> None:
    headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": LASTING}
    coded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": coded})
    await send({"type": "http.response.body", "body": body})
