"""What a method's settings do to one of its questions, drawn as they are set: nothing runs."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import streamlit as st

from ui import text, views
from ui.desk import Desk
from xai_core import render
from xai_core.errors import ParamError
from xai_core.explainer import Explainer
from xai_core.lesson import Part, preview_of
from xai_core.question import Question


def show(desk: Desk, cls: type[Explainer], asked: Question | None) -> None:
    """Draw the preview of a question where its method has one."""
    told, seen = preview_of(cls), desk.seen
    if told is None or seen is None or asked is None:
        return
    key = f"preview:{cls.name}"
    views.title(told.title)
    try:
        method = asked.made(seen.card.input_size)
        parts, sentence = told.draw(method, seen.prediction.view, st.session_state.get(key, 0))
    except ParamError as error:
        views.line(str(error))
        return
    pictures(parts)
    views.line(sentence, "v-prose")
    st.button(told.another, key="preview-another", on_click=_next, args=(key,))


def pictures(parts: Sequence[Part]) -> None:
    """Draw pictures side by side, each with its words."""
    st.html(f'<div class="v-preview">{"".join(map(_figure, parts))}</div>')


def _next(key: str) -> None:
    st.session_state[key] = st.session_state.get(key, 0) + 1


def _figure(part: Part) -> str:
    coded = base64.b64encode(render.png(part.picture)).decode()
    said = text.escape(part.caption)
    return (
        f'<figure><img src="data:image/png;base64,{coded}" alt="{said}">'
        f"<figcaption>{said}</figcaption></figure>"
    )
