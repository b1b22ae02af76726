"""A method as it declares itself: what it shows, needs and costs, and whether it serves the model.

What is said of cost and service is computed for the model on the desk.
"""

from __future__ import annotations

import base64
import functools
import inspect
import io
from typing import Any

import streamlit as st
from PIL import Image

from loaders.recordings import recordings
from ui import ask, forms, kept, method_list, recorded, text, views
from ui.held import Model
from ui.strip import OFFERING
from xai_core.card import Card, Cost
from xai_core.errors import VitrineError
from xai_core.explainer import Explainer, make
from xai_core.lesson import lesson_of
from xai_core.model import given
from xai_core.params import Param
from xai_core.report.numbers import counted

THUMBNAIL = 176
"""Pixels of a thumbnail's width: twice what is shown, for fine screens."""


def matches(cls: type[Explainer], typed: str) -> bool:
    """Whether all words that were typed occur in a method's name, family or what it shows."""
    about = " ".join((cls.title, cls.name, cls.family, cls.shows)).casefold()
    return all(word in about for word in typed.casefold().split())


def show(cls: type[Explainer], model: Model | None) -> None:
    """Draw a method."""
    service = model.card.methods.get(cls.name) if model is not None else None
    why_not = service.why_not if service else None
    with st.container(border=True, key=f"about-{cls.name}", gap="small"):
        with st.container(horizontal=True, gap="medium", wrap=False):
            with st.container(gap="small"):
                st.header(cls.title, anchor=cls.name)
                views.line(cls.shows, "v-prose")
                if cls.class_agnostic:
                    views.chips([(method_list.AGNOSTIC, True)])
                said = [needs(cls), *([cost(cls, model.card), serves(cls, model)] if model else [])]
                views.line(" ".join(said))
            with st.container(width=96, gap="small"):
                picture(cls)
                pressed = st.button(
                    "Try it",
                    key=f"try-{cls.name}",
                    disabled=why_not is not None,
                    help=f"Opens the Offering with {cls.title} chosen.",
                )
                if place := lesson(cls):
                    st.page_link(place, label="Lesson", width="stretch")
        if pressed:
            st.session_state[kept.control(ask.METHOD)] = cls.name
            st.session_state[kept.control(ask.CHOSEN)] = True
            st.switch_page(OFFERING)
        _more(cls, model)


def lesson(cls: type[Explainer]) -> str:
    """Return the page that teaches a method, or nothing."""
    return f"pages/{cls.name.replace('-', '_')}.py" if lesson_of(cls.name) is not None else ""


def needs(cls: type[Explainer]) -> str:
    """Say what a method asks of a model."""
    return f"Needs {' and '.join(given(need) for need in cls.needs)}."


def serves(cls: type[Explainer], model: Model) -> str:
    """Say whether a method serves a model, and why not where it does not."""
    service = model.card.methods.get(cls.name)
    if service is None:
        return "Not for this model: the method came after it was opened. Open it again."
    if service.why_not is not None:
        return f"Not for this model: {service.why_not}"
    if all(service.engines.get(engine.name) is not None for engine in cls.engines):
        return "None of its engines serves this model."
    return "Serves this model."


def engines(cls: type[Explainer], model: Model | None) -> str:
    """Say who computes a method, and which of them do not serve a model."""
    service = model.card.methods.get(cls.name) if model is not None else None
    lost = service.engines if service else {}
    said = [f"Engines: {text.listed([engine.name for engine in cls.engines])}."]
    for engine in cls.engines:
        if why := lost.get(engine.name):
            said.append(f"Not {engine.name} for this model: {why}")
    return " ".join(said)


def cost(cls: type[Explainer], card: Card) -> str:
    """Say what a run at the method's own settings costs on a model, and what changes that."""
    try:
        asked = make(cls.name, {}, size=card.input_size)
        spent = asked.cost(card)
    except VitrineError as error:
        return str(error)
    moved = [param.title.lower() for param in _movers(asked, spent, card)]
    usual = " at its defaults" if moved else ""
    seconds = text.estimate(card.pace.seconds(spent))
    more = (
        f"; {text.listed(moved)} {'changes' if len(moved) == 1 else 'change'} that" if moved else ""
    )
    most = "at most " if spent.at_most else ""
    return f"Costs {most}{passes(spent)}{usual}, {seconds} here{more}."


def passes(spent: Cost) -> str:
    """Say how often photos go through the network, and back."""
    parts = []
    if spent.forward:
        parts.append(counted(spent.forward, "pass", "passes"))
    if spent.backward:
        parts.append(counted(spent.backward, "pass back", "passes back"))
    if spent.tails:
        ends = counted(spent.tails, "pass", "passes")
        parts.append(f"{ends} forward and back through what follows a layer")
    if spent.rest:
        ends = counted(spent.rest, "pass", "passes")
        parts.append(f"{ends} through what follows a layer")
    return text.listed(parts) or "no pass"


def _movers(asked: Explainer, spent: Cost, card: Card) -> list[Param]:
    """Return the settings that change what a run costs: each is tried at another value."""
    found = []
    for param in forms.honoured(type(asked), asked.engine):
        for value in _others(param, getattr(asked, param.name), card.input_size):
            values = {name: getattr(asked, name) for name in type(asked).declared()}
            values[param.name] = value
            try:
                other = type(asked)(engine=asked.engine, **values).cost(card)
            except VitrineError:
                continue
            if other != spent:
                found.append(param)
                break
    return found


def _others(param: Param, value: Any, size: tuple[int, int]) -> list[Any]:
    low, high = forms.bounds(param, size)
    match param.kind:
        case "integer":
            near = [value * 2, value // 2]
        case "real":
            near = [value * 2, value / 2]
        case "switch":
            return [not value]
        case "choice":
            return [option for option in param.options if option != value]
        case _:
            return []
    return [each for each in near if low <= each <= high]


def picture(cls: type[Explainer]) -> None:
    """Draw a method's thumbnail, where there is a recording of it."""
    url = thumbnail(cls.name)
    if url:
        said = text.escape(f"A recording of {cls.title}, its last picture")
        st.html(f'<img class="v-thumb" loading="lazy" src="{url}" alt="{said}">', width="content")


@functools.cache
def thumbnail(method: str) -> str:
    """Return the still of a method's recording, small, as text for the browser; or nothing."""
    found = recordings().get(method)
    if found is None:
        return ""
    data = found.path.with_name(f"{found.path.stem}-still.webp").read_bytes()
    with Image.open(io.BytesIO(data)) as still:
        small = still.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


@st.fragment
def _more(cls: type[Explainer], model: Model | None) -> None:
    """Draw how a method works, its settings and its recording, once the reader opens them."""
    opened = st.expander(
        "How it works, its settings", key=f"more-{cls.name}", type="compact", on_change="rerun"
    )
    if not opened.open:
        return
    with opened:
        # the docstring's first line says what it shows
        for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n")[1:]:
            views.line(" ".join(paragraph.split()))
        kind = "signed: it speaks for and against" if cls.signed else "unsigned"
        views.line(f"{engines(cls, model)} Its map is {kind}.")
        if where := link(cls.reference):
            st.markdown(f"[{text.markdown(cls.reference)}]({where})")
        else:
            views.line(cls.reference)
        if cls.declared():
            views.table(
                f"The settings of {cls.title}",
                '<table class="v-table v-cards"><tr><th>Setting</th><th>Default</th><th>Range</th>'
                f"<th>What it does</th></tr>{rows(cls)}</table>",
            )
        recorded.play(cls.name)


def link(reference: str) -> str:
    """Return where a reference leads, or nothing."""
    if reference.startswith("arXiv:"):
        return f"https://arxiv.org/abs/{reference.removeprefix('arXiv:')}"
    return reference if reference.startswith("https://") else ""


def default(param: Param) -> str:
    """Return a default in words."""
    if isinstance(param.default, bool):
        return "on" if param.default else "off"
    return str(param.default) or "the method's own"


def rows(cls: type[Explainer]) -> str:
    """Return a method's parameters as the rows of a table."""
    return "".join(
        f"<tr><td>{text.escape(param.title)}</td>"
        f'<td data-label="Default: ">{text.escape(default(param))}</td>'
        f'<td data-label="Range: ">{text.escape(param.rule)}</td><td>{text.escape(param.help)}'
        f"{text.escape(' Engines: ' + ', '.join(param.engines) + '.') if param.engines else ''}"
        "</td></tr>"
        for param in cls.declared().values()
    )
