"""The player on every page: a method's film, its steps to be read, and the film to take away.

All frames go to the browser once; playing, stepping and scrubbing are its own.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable

import streamlit as st

from ui import mounts, text, views
from xai_core import encode
from xai_core.reel import Picture, Reel, Told

Take = Callable[[encode.Kind], bytes]

NAMES = {"webp": "WebP", "gif": "GIF", "webm": "WebM"}
MIME = {"webp": "image/webp", "gif": "image/gif", "webm": "video/webm"}


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "player",
        html=mounts.part("player/player.html"),
        css="player/player.css",
        js=["player/player.js"],
    )


def show(
    key: str,
    name: str,
    shown: Reel,
    *,
    label: str = "",
    take: Take | None = None,
    stem: str = "film",
) -> None:
    """Show the player; `label` says what the reader must know of the film, as that it is recorded.

    `name` tells the film from others; `take` makes a file of it, which is called `stem`. Its
    pictures may come from a worker: they are handed on, and only the browser decodes them.
    """
    _component()(
        key=key,
        data={
            "id": name,
            "title": shown.title,
            "label": label,
            "frames": [_url(frame) for frame in shown.frames],
            "captions": [frame.caption for frame in shown.frames],
            "seconds": shown.seconds,
            "still": _url(shown.still),
            "said": shown.still.caption,
        },
    )
    if take is not None:
        _take_away(key, take, stem)


def steps(told: tuple[Told, ...]) -> None:
    """Show a film's steps to be read: sentences, pictures and tables."""
    for step in told:
        views.line(step.sentence, "v-prose")
        if step.pictures:
            items = "".join(
                f'<figure><img src="{_url(frame)}" '
                f'alt="{text.escape(frame.caption)}">'
                f"<figcaption>{text.escape(frame.caption)}</figcaption></figure>"
                for frame in step.pictures
            )
            wide = " wide" if len(step.pictures) == 1 else ""
            st.html(f'<div class="v-steps{wide}">{items}</div>')
        if step.table is not None and step.table.rows:
            head = "".join(f"<th>{text.escape(cell)}</th>" for cell in step.table.head)
            rows = "".join(
                "<tr>" + "".join(f"<td>{text.escape(cell)}</td>" for cell in row) + "</tr>"
                for row in step.table.rows
            )
            views.table(
                "The numbers of this step",
                f'<table class="v-table"><thead><tr>{head}</tr></thead>'
                f"<tbody>{rows}</tbody></table>",
            )


def _take_away(key: str, take: Take, stem: str) -> None:
    with st.container(horizontal=True, gap="small", key=f"{key}-downloads"):
        for kind in encode.KINDS:
            st.download_button(
                f"Film as {NAMES[kind]}",
                functools.partial(take, kind),
                f"{stem}.{kind}",
                MIME[kind],
                key=f"{key}-{kind}",
                on_click="ignore",
                type="tertiary",
            )


def _url(picture: Picture) -> str:
    return f"data:image/webp;base64,{base64.b64encode(picture.data).decode()}"
