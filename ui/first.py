"""What a reader came for stands first: the rest of a page waits until the browser has drawn it.

Streamlit's page makes elements of all that has come before a component draws, and a form and what
lies folded are most of that. So a page that is come to sends its picture, and waits a moment for
the browser to say that it stands. Where nothing is said the rest comes all the same.
"""

from __future__ import annotations

import secrets
import threading
from weakref import WeakValueDictionary

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.runtime import exists

PATH = "/vitrine/stands"
PATIENCE = 1.0
"""Seconds that the rest of a page waits at most."""

_KEY = "picture-that-stands"


class Standing:
    """One coming to a page: its name for the browser, and whether its picture stands."""

    def __init__(self) -> None:
        self.name = secrets.token_urlsafe(16)
        self.event = threading.Event()


_all: WeakValueDictionary[str, Standing] = WeakValueDictionary()
"""Those that tabs hold, by name."""


def begin() -> None:
    """Note that the reader has come to a page."""
    if exists():  # else nobody could say it
        made = st.session_state[_KEY] = Standing()
        _all[made.name] = made


def address() -> str:
    """Return where the browser says that the page's picture stands; nothing without a browser."""
    own: Standing | None = st.session_state.get(_KEY)
    base = (st.get_option("server.baseUrlPath") or "").rstrip("/")
    return "" if own is None else f"{base}{PATH}/{own.name}"


def wait() -> None:
    """Wait until the picture stands that was sent just now, once for each coming to a page."""
    own: Standing | None = st.session_state.get(_KEY)
    if own is not None:
        own.event.wait(PATIENCE)
        own.event.set()


async def _stands(request: Request) -> Response:
    if (own := _all.get(request.path_params["name"])) is not None:
        own.event.set()
    return Response(status_code=204)


def routes(base: str = "") -> list[Route]:
    """Return the route by which a browser says it, under the server's base path."""
    return [Route(f"{base.rstrip('/')}{PATH}/{{name}}", _stands, methods=["GET"])]
