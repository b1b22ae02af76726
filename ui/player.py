"""The player on every page: a method's film, its steps to be read, and the film to take away.

All frames go to the browser once; playing, stepping and scrubbing are its own.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

from ui import text, views
from xai_core import encode
from xai_core.film import Film, Step

NAMES = {"webp": "WebP", "gif": "GIF", "webm": "WebM"}
MIME = {"webp": "image/webp", "gif": "image/gif", "webm": "video/webm"}


@dataclasses.dataclass(frozen=True, eq=False)
class Reel:
    """A film as the browser gets it. `name` tells it from others; `take` gives it as a file."""

    name: str
    title: str
    frames: tuple[bytes, ...]
    captions: tuple[str, ...]
    seconds: float
    still: bytes
    said: str
    steps: tuple[Step, ...] = ()
    take: Callable[[encode.Kind], bytes] | None = None


def reel(name: str, film: Film) -> Reel:
    """Encode a film for the browser."""
    *frames, still = encode.webp_frames(film)
    return Reel(
        name=name,
        title=film.title,
        frames=tuple(frames),
        captions=tuple(frame.caption for frame in film.frames),
        seconds=film.seconds,
        still=still,
        said=film.still.caption,
        steps=film.steps,
        take=lambda kind: encode.animated(film, kind),
    )


@functools.cache
def _component() -> Any:
    return st.components.v2.component(
        "vitrine_player",
        html=views.part("player/player.html"),
        css=views.part("player/player.css"),
        js=views.part("player/player.js"),
    )


def show(key: str, shown: Reel, *, label: str = "", stem: str = "film") -> None:
    """Show the player; `label` says what the reader must know of the film, as that it is recorded.

    `stem` names the files that can be taken away.
    """
    _component()(
        key=key,
        data={
            "id": shown.name,
            "title": shown.title,
            "label": label,
            "frames": [_url(frame) for frame in shown.frames],
            "captions": shown.captions,
            "seconds": shown.seconds,
            "still": _url(shown.still),
            "said": shown.said,
        },
    )
    if shown.take is not None:
        _take_away(key, shown.take, stem)


def steps(told: tuple[Step, ...]) -> None:
    """Show a film's steps to be read: sentences, pictures and tables."""
    for step in told:
        views.line(step.sentence, "v-prose")
        if step.pictures:
            items = "".join(
                f'<figure><img src="{views.data_url(frame.picture)}" '
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
            st.html(
                f'<div class="v-scroll"><table class="v-table"><thead><tr>{head}</tr></thead>'
                f"<tbody>{rows}</tbody></table></div>"
            )


def _take_away(key: str, take: Callable[[encode.Kind], bytes], stem: str) -> None:
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


def _url(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
