"""Numbers into what is on the screen: the bars, and the small pieces of text."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mounts, text
from xai_core import render
from xai_core.report import percent

Array = NDArray[np.float32]
SHOWN = 800
"""Longest side of a photo on the screen, in pixels."""


@functools.cache
def component(name: str, html: str) -> mounts.Mount:
    """Return a component of ours; its script and style are `parts/<name>.js` and `.css`."""
    return mounts.component(name, html=html, css=f"{name}.css", js=[f"{name}.js"])


def style() -> None:
    """Add the page's own rules; every page begins with it."""
    st.html(Path(__file__).parent / "style.css")


def skip(words: str) -> None:
    """Begin the page's keyboard way with a link to its question."""
    component("skip", "<div></div>")(key="skip", data={"words": words})


def heading(title: str, sentence: str) -> None:
    """Begin a page: its title, and what the reader will know afterwards."""
    style()
    st.title(title, anchor=False)
    line(sentence, "v-lead")


def title(words: str) -> None:
    """Head a part of a page with words that others may have chosen."""
    st.html(f'<h2 class="v-title">{text.emphasised(words)}</h2>')


def line(sentence: str, kind: str = "v-quiet v-small") -> None:
    """Show a sentence, with its quoted names in bold."""
    st.html(f'<div class="{kind}">{text.emphasised(sentence)}</div>')


def table(name: str, drawn: str) -> None:
    """Show a table, as HTML; one wider than its place scrolls sideways, by keys, too."""
    inside = f'tabindex="0" role="region" aria-label="{text.escape(name)}"'
    st.html(f'<div class="v-scroll" {inside}>{drawn}</div>')


def error(sentence: str) -> None:
    """Show what went wrong: one sentence, nothing lost."""
    st.html(
        f'<div class="v-error v-small" role="alert">{text.escape(text.on_page(sentence))}</div>'
    )


def chips(names: Iterable[tuple[str, bool]]) -> None:
    """Show short facts as chips; the second says whether one is a warning."""
    spans = (
        f'<span class="v-chip{" amber" if amber else ""}">{text.escape(name)}</span>'
        for name, amber in names
    )
    st.html(f'<div class="v-chips">{"".join(spans)}</div>')


def finding(sentence: str, *, warning: bool) -> None:
    """Show one thing that the reader should know, a warning in amber."""
    amber = " amber" if warning else ""
    st.html(f'<div class="v-line{amber}"><span>{text.escape(sentence)}</span></div>')


def doubts(sentences: Sequence[str], check: str, note: str = "") -> None:
    """Show what could be wrong with the picture, how to check it, and what holds of any picture."""
    items = [text.emphasised(text.on_page(sentence)) for sentence in sentences]
    if len(items) == 1:
        body = f"<div>{items[0]}</div>"
    else:
        body = "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>" if items else ""
    way = f"<div>{text.escape(check)}</div>" if check else ""
    end = f'<div class="v-quiet v-small">{text.escape(note)}</div>' if note else ""
    head = '<b class="head">Before you believe it</b>'
    st.html(f'<div class="v-doubt">{head}{body}{way}{end}</div>')


def bars(
    labels: Sequence[str],
    probabilities: Array,
    classes: Sequence[int],
    chosen: int,
    *,
    key: str,
    on_chosen: Callable[[], None],
) -> None:
    """Show classes as bars; a click makes one the target (read `st.session_state[key].chosen`)."""
    rows = [
        {
            "index": index,
            "label": labels[index],
            "share": float(probabilities[index]),
            "text": percent(float(probabilities[index])),
            "chosen": index == chosen,
        }
        for index in classes
    ]
    mount = component("bars", '<div class="bars" role="group"></div>')
    mount(key=key, data={"rows": rows}, on_chosen_change=on_chosen)


def data_url(pixels: NDArray[np.uint8], *, longest: int = SHOWN) -> str:
    """Return a photo as text for the browser."""
    coded = base64.b64encode(render.jpeg(pixels, longest=longest)).decode()
    return f"data:image/jpeg;base64,{coded}"
