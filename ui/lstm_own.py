"""A recurrent network of one's own: its gates over the series that the form names."""

from __future__ import annotations

import functools
from typing import Any

import streamlit as st

from ui import gates, kept, lstm_form, views
from ui.desk import Desk
from ui.own_files import Reader
from workers.tasks.open_recurrent import Opened, OpenRecurrent
from workers.tasks.recognise import Recognise
from xai_core.errors import ParamError
from xai_core.training import lstm_cells, lstm_read, lstm_view
from xai_core.training.lstm_read import Reading
from xai_core.training.prices import Series

FOUND, OPENED = "lstm-network-kind", "lstm-network"
_GIVEN, _SPAN, _HELD = "lstm-network-given", "lstm-network-span", "lstm-network-worker"
MOST = 64
"""Megabytes of a file."""
SHOWN = (
    "Which of these days it was trained on is not in the file, and the scale is that of the whole "
    "series: its error on days that it never saw may be larger."
)
ENDINGS = ["pt", "pth", "bin", "safetensors", "keras", "h5", "hdf5"]


def show(desk: Desk, series: Series | None) -> None:
    """Draw the place for a file, and what its gates do with the series."""
    views.title("A network of your own")
    with st.expander("Open an LSTM or a GRU by PyTorch or Keras", key="lstm-network-place"):
        views.line(
            "Its gates are written out from its weights, and it reads the series that the form "
            "names. A GRU has no forget gate: its update gate says what stays."
        )
        _given(desk)
        with st.container(horizontal=True, gap="small"):
            window = st.number_input(
                "Window it reads", 2, 250, key=kept.control(lstm_form.key("own-window"), 20)
            )
            scaling = st.selectbox(
                "Scaled for it to", lstm_read.SCALINGS,
                key=kept.control(lstm_form.key("scaling"), lstm_read.SCALINGS[0]),
                help="How its training had the values. Here it is fitted on the whole series.",
            )  # fmt: skip
        for slot in (FOUND, OPENED):
            if note := desk.notes.get(slot):
                views.error(note)
        if desk.job(FOUND) is not None or desk.job(OPENED) is not None:
            views.line("Opening the network")
        opened: Opened | None = desk.results.get(OPENED)
        if opened is not None and series is not None:
            _gates(opened, series, int(window), scaling)


def _given(desk: Desk) -> None:
    """Take a file, look what it is, and then open it with what reads it."""
    given = st.file_uploader(
        "Model file", type=ENDINGS, max_upload_size=MOST, key="lstm-network-upload"
    )
    if given is not None and st.session_state.get(_GIVEN, ("",))[0] != given.file_id:
        path = desk.session.add_file(given.name, given.getvalue())
        st.session_state[_GIVEN] = (given.file_id, path)
        for slot in (FOUND, OPENED):
            desk.results.pop(slot, None)
            desk.notes.pop(slot, None)
        desk.begin(FOUND, Reader(desk, [path]), Recognise(path=path))
    found = desk.results.get(FOUND)
    if found is not None and _GIVEN in st.session_state:
        desk.results.pop(FOUND)
        path = st.session_state[_GIVEN][1]
        if found.kind not in ("torch", "keras"):
            desk.notes[OPENED] = (
                "This file is neither PyTorch's nor Keras's. Save the network where it was made."
            )
            return
        if (old := desk.results.pop(_HELD, None)) is not None:
            old.close()
        held = desk.results[_HELD] = desk.session.hold(found.kind, read=[path])
        desk.begin(OPENED, held, OpenRecurrent(path=path, framework=found.kind))


@st.fragment
def _gates(opened: Opened, series: Series, window: int, scaling: lstm_read.Scaling) -> None:
    horizon = 1
    if opened.head:
        horizon = st.number_input(
            f"{series.step.capitalize()}s ahead that it forecasts", 1, lstm_read.HORIZON,
            key=kept.control(lstm_form.key("own-horizon"), 1),
        )  # fmt: skip
    try:
        look = _read(opened, series, window, scaling, int(horizon))
    except ParamError as error:
        views.error(str(error))
        return
    views.line(f"{opened.said} It reads {series.name}, {series.span()}.")
    views.line(
        "Its forecast is taken to be the value, scaled as what it reads. The file does not say so."
        if opened.head
        else "Its gates, cells and hidden states are shown. A forecast is not: the file has no "
        "line that by itself makes one number of the last layer."
    )
    kind = look.network.kind
    with st.container(horizontal=True, gap="small"):
        layer = st.selectbox(
            "Layer", range(len(opened.units)), format_func=lambda at: f"Layer {at + 1}",
            key="lstm-network-layer",
        )  # fmt: skip
        what = st.selectbox(
            "Show", lstm_cells.SHOWN[kind], key=f"lstm-network-what-{kind}",
            format_func=lambda what: what.capitalize(),
        )  # fmt: skip
        orders = lstm_view.orders()
        by = st.selectbox(
            "Units", list(orders), format_func=orders.__getitem__, key="lstm-network-order"
        )
    name = f"network-{id(look)}"
    asked = st.session_state.get(_SPAN)
    span = asked[1] if isinstance(asked, tuple) and asked[0] == name else None
    alike = None if span is None else look.ask(layer, *span)

    def on_span(value: Any) -> None:
        good = isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)
        if good and 0 <= value[0] <= value[1] < len(look.days):
            st.session_state[_SPAN] = (name, (value[0], value[1]))

    made = look.map(layer, what, by)
    picture = f"{name}-{layer}-{what}-{by}"
    gates.show(
        "lstm-network-gates", picture, look, made,
        layer=layer, what=what, label="Yours", alike=alike, on_span=on_span,
    )  # fmt: skip
    if look.compared is not None:
        views.line(look.compared.words, "v-prose")
        views.line(SHOWN)
    elif opened.head:
        views.line("Too few of its forecasts meet a known value to be held to the naive forecast.")
    views.line(look.memory(layer).words)
    if alike is not None:
        views.line(alike.words(look.labels), "v-prose")


@functools.lru_cache(maxsize=4)
def _read(
    opened: Opened, series: Series, window: int, scaling: lstm_read.Scaling, horizon: int
) -> Reading:
    return lstm_read.read_by(opened.network, series, window, scaling, horizon)
