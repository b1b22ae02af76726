"""The place for files of any size: drag, choose, progress, and what to do when it stops.

The browser sends them past Streamlit, which would hold them in memory twice, to `ui.route`; the
page learns the uploads' ids when they begin and opens the files when all of them are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from ui import identity, mounts, route, state, text, views
from workers import incoming
from xai_core.report.numbers import percent

POLL = 0.5


def place() -> None:
    """Draw where files are dropped; `under_way` hands them over."""
    number = st.session_state.setdefault("upload-number", 0)
    key = f"upload-{number}"
    visitor = state.key()

    def began() -> None:
        # a run that was cut short has forgotten the place: the browser tells again
        given = getattr(st.session_state.get(key), "began", None)
        new = given != st.session_state.get("upload-heard")
        if new and isinstance(given, list) and all(isinstance(id, str) for id in given):
            st.session_state["upload"] = st.session_state["upload-heard"] = given
            st.session_state["upload-began"] = True

    mount = views.component("upload", mounts.part("upload.html"))
    mount(
        key=key,
        data={
            "key": f"{visitor[:8]}:{key}",
            "url": (st.get_option("server.baseUrlPath") or "").rstrip("/") + route.PATH,
            "token": identity.token(visitor),
            "heard": st.session_state.get("upload-heard", []),
            "limit": state.visitors().incoming.limits.file,
        },
        on_began_change=began,
    )
    if st.session_state.pop("upload-began", False):
        st.rerun()  # the whole page: the progress is polled outside of the dialog


def under_way(on_done: Callable[[Sequence[incoming.Upload]], None]) -> None:
    """Say how far this tab's uploads are, and hand them over together when all are done."""
    ids = st.session_state.get("upload")
    if not ids:
        return
    try:
        found = _find(ids)
    except incoming.UploadError:
        del st.session_state["upload"]  # cancelled, or given up
        return
    if all(each.done for each in found):
        _hand_over(found, on_done)
    else:
        _poll(found)


def _find(ids: Sequence[str]) -> list[incoming.Upload]:
    return [state.visitors().incoming.find(state.key(), id) for id in ids]


def _hand_over(
    found: Sequence[incoming.Upload], on_done: Callable[[Sequence[incoming.Upload]], None]
) -> None:
    del st.session_state["upload"]
    # A new key gives the next file an empty place.
    st.session_state["upload-number"] += 1
    on_done([state.visitors().incoming.take(state.key(), each.id) for each in found])


@st.fragment(run_every=POLL)
def _poll(found: Sequence[incoming.Upload]) -> None:
    try:
        _find([each.id for each in found])
    except incoming.UploadError:
        st.rerun()
    if all(each.done for each in found):
        st.rerun()
    size = sum(each.size for each in found)
    share = sum(each.received for each in found) / size
    largest = max(found, key=lambda each: each.size)
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    said = (
        f"Receiving {text.markdown(largest.name)}{more}: {percent(share)} of {incoming.text(size)}"
    )
    st.progress(share, text=said)
