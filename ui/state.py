"""The wall, shared by all visitors, and each visitor's own desk behind it."""

from __future__ import annotations

import functools
import secrets
from typing import cast

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import bounds, identity
from ui.desk import Desk
from ui.visitors import Visitors
from workers.client import Wall


@functools.cache
def wall() -> Wall:
    """Return the one wall of this server; its mothers begin to warm up at once."""
    made = Wall()
    for kind in ("plain", "torch"):
        made.warm(kind)
    return made


@functools.cache
def visitors() -> Visitors:
    """Return everyone who is on this server."""
    made = Visitors(wall(), here=here, besides=(bounds.Release(here),))
    made.watch()
    return made


def close() -> None:
    """Take everything down."""
    visitors().close()
    wall().close()


def here(tab: str) -> bool:
    """Whether a tab, Streamlit's session, has a connection now."""
    return exists() and get_instance().is_active_session(tab)


def key() -> str:
    """Return the name of this browser: its cookie's, or this tab's own where it sends none."""
    own = identity.key_of(cookie())
    return own or cast("str", st.session_state.setdefault("no-cookie", secrets.token_urlsafe(24)))


def cookie() -> str | None:
    """Return the cookie that this tab's connection came with."""
    value = st.context.cookies.get(identity.COOKIE) if exists() else None
    return value if isinstance(value, str) else None  # AppTest gives a mock


def desk(kind: type[Desk] = Desk) -> Desk:
    """Return this visitor's desk of a kind, with what had become ready moved into place."""
    context = get_script_run_ctx()
    found = visitors().enter(key(), context.session_id if context else "").bench(kind)
    st.session_state["desk"] = found
    found.step()
    return found
