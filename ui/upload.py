"""The place for a file of any size: drag, choose, progress, and what to do when it stops.

The browser sends the file past Streamlit, which would hold it in memory twice, to `ui.route`; the
page learns the upload's id when it begins and opens the file when all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui import identity, route, state, text, views
from workers import incoming

POLL = 0.5


def place() -> None:
    """Draw where a file is dropped; `under_way` hands it over."""
    number = st.session_state.setdefault("upload-number", 0)
    key = f"upload-{number}"
    visitor = state.key()

    def began() -> None:
        given = st.session_state[key].began
        if isinstance(given, str):
            st.session_state["upload"] = given

    mount = views.component("upload", views.part("upload.html"))
    mount(
        key=key,
        data={
            "key": f"{visitor[:8]}:{key}",
            "url": (st.get_option("server.baseUrlPath") or "").rstrip("/") + route.PATH,
            "token": identity.token(visitor),
            "limit": state.visitors().incoming.limits.file,
        },
        on_began_change=began,
    )


def under_way(on_done: Callable[[incoming.Upload], None]) -> None:
    """Say how far this tab's upload is, and hand it over when it is done."""
    id = st.session_state.get("upload")
    if id is None:
        return
    try:
        found = state.visitors().incoming.find(state.key(), id)
    except incoming.UploadError:
        del st.session_state["upload"]  # cancelled, or given up
        return
    if found.done:
        _hand_over(found, on_done)
    else:
        _poll(found)


def _hand_over(found: incoming.Upload, on_done: Callable[[incoming.Upload], None]) -> None:
    del st.session_state["upload"]
    # A new key gives the next file an empty place.
    st.session_state["upload-number"] += 1
    on_done(state.visitors().incoming.take(state.key(), found.id))


@st.fragment(run_every=POLL)
def _poll(found: incoming.Upload) -> None:
    try:
        state.visitors().incoming.find(state.key(), found.id)
    except incoming.UploadError:
        st.rerun()
    if found.done:
        st.rerun()
    share = found.received / found.size
    said = f"Receiving {text.markdown(found.name)}: {share:.0%} of {incoming.text(found.size)}"
    st.progress(share, text=said)
