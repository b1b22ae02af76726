"""What a trained LSTM is asked: its gates, the days that are alike, what feeds it, what if."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

from ui import first, gates, text, views
from ui.desk import Desk
from ui.player import MIME, NAMES
from workers.tasks.train_lstm import LstmFile
from xai_core import encode
from xai_core.errors import ParamError
from xai_core.report.numbers import counted, percent
from xai_core.training import lstm_cells, lstm_view
from xai_core.training.lstm_view import Look, Map

Rewind = Callable[[int, float], None]
"""Goes back to the end of an epoch, and on with another learning rate."""

Beside = tuple[Look, str]
"""Another training, and what it is called."""

ASKED, DAY = "lstm-asked", "lstm-day"
ALL = "all units"


@st.fragment
def show(
    look: Look, label: str, desk: Desk, *, rewind: Rewind | None, beside: Beside | None = None
) -> None:
    """Draw the gates and the answers to what is asked of them.

    `rewind` takes a training of the reader's own up again; a recording has none. `beside` is
    another that steps with it.
    """
    own = rewind is not None
    settings = look.recording.settings
    name = f"{'own' if own else 'recorded'}-{id(look)}"
    with st.container(horizontal=True, gap="small", key="lstm-views"):
        layer = 0
        if settings.layers > 1:
            layer = st.selectbox(
                "Layer", range(settings.layers), format_func=lambda at: f"Layer {at + 1}",
                key="lstm-layer",
            )  # fmt: skip
        what = st.selectbox(
            "Show", lstm_cells.SHOWN["lstm"], key="lstm-what", format_func=_called,
            help="The forget gate is shown over the epochs; the others as they are at the end.",
        )  # fmt: skip
        orders = lstm_view.orders()
        by = st.selectbox("Units", list(orders), format_func=orders.__getitem__, key="lstm-order")
    made = look.map(layer, what, by)
    shown = f"{name}-{layer}-{what}-{by}"
    asked = _held(ASKED, name, look)
    alike = look.ask(layer, *asked) if isinstance(asked, tuple) else None
    day = _held(DAY, name, look)
    fed = look.feeds(day) if isinstance(day, int) else None
    factor, unit = _turn_values(name)
    try:
        turned = look.turned(layer, factor, unit) if factor != 1 else None
    except ParamError:
        turned = None
    gated = functools.partial(
        gates.show,
        "lstm-gates",
        shown,
        look,
        layer=layer,
        what=what,
        label=label,
        alike=alike,
        fed=fed,
        turned=turned,
        on_day=functools.partial(_day, name, look),
        on_span=functools.partial(_span, name, look),
    )
    if beside is None:
        gated(made)
    else:
        _two(gated, look, made, beside, layer, what, by)
        views.line(f"Of {label}:", "v-label")
    first.wait()
    views.line(look.compared.words, "v-prose")
    views.line(
        f"It reads the {settings.features} of {settings.window} days and forecasts "
        f"{look.windows.forecasts}, {counted(settings.horizon, look.recording.series.step)} ahead. "
        f"{look.memory(layer).words}"
    )
    if fed is not None:
        views.title("What feeds this forecast")
        views.line(fed.words, "v-prose")
        views.line("Integrated gradients from a window at the mean of the training days.")
    if alike is not None:
        views.title("Days that are alike")
        views.line(alike.words(look.labels), "v-prose")
        _found(look, alike)
    _turn(look, name, turned)
    if rewind is not None:
        _rewind(look, name, rewind)
    _take(look, desk, layer, by, own=own)


def _two(gated: Any, look: Look, made: Map, beside: Beside, layer: int, what: str, by: Any) -> None:
    """Draw two side by side: on the same scales, in the same order of units where that can be."""
    other, label = beside
    layer = min(layer, other.recording.settings.layers - 1)
    same = len(made.rows) == other.recording.settings.hidden_size
    made, right = lstm_view.alike(made, other.map(layer, what, by, made.rows if same else None))
    pair = f"{id(look)}-{id(other)}"
    within = None
    if look.series.name == other.series.name:
        (low, high), (less, more) = look.span(), other.span()
        within = min(low, less), max(high, more)
    left_column, right_column = st.columns(2)
    with left_column:
        gated(made, pair=pair, within=within)
    with right_column:
        gates.show(
            "lstm-gates-beside",
            f"{pair}-{layer}-{what}-{by}",
            other,
            right,
            layer=layer,
            what=what,
            label=label,
            pair=pair,
            second=True,
            within=within,
        )
    views.line(
        "The two step together, and one colour is one value in both"
        + ("; the units stand in the order of the left one." if same else ".")
        + (" Their prices and forecasts share one scale, too." if within else "")
    )
    views.line(f"Of {label}:", "v-label")
    views.line(other.compared.words, "v-prose")


def _called(what: str) -> str:
    gate = what not in lstm_cells.SIGNED
    return f"{what.capitalize()} gate" if gate else what.capitalize()


def _held(slot: str, name: str, look: Look) -> Any:
    """Return what was asked of this very training."""
    held = st.session_state.get(slot)
    return held[1] if isinstance(held, tuple) and held[0] == name else None


def _day(name: str, look: Look, value: Any) -> None:
    if isinstance(value, int) and 0 <= value < len(look.days):
        st.session_state[DAY] = (name, value)


def _span(name: str, look: Look, value: Any) -> None:
    good = isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)
    if good and 0 <= value[0] <= value[1] < len(look.days):
        st.session_state[ASKED] = (name, (value[0], value[1]))


def _found(look: Look, alike: Any) -> None:
    rows = []
    for start, share in zip(alike.starts.tolist(), alike.shares.tolist(), strict=True):
        last = start + alike.length - 1
        rows.append((look.labels[start], look.labels[last], percent(share)))
    body = "".join(
        "<tr>" + "".join(f"<td>{text.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    head = "<th>From</th><th>To</th><th>On the same side</th>"
    views.table(
        "How days turn",
        f'<table class="v-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>',
    )


def _turn_values(name: str) -> tuple[float, int | None]:
    factor = float(st.session_state.get(f"lstm-factor-{name}", 1.0))
    unit = st.session_state.get(f"lstm-unit-{name}", ALL)
    return factor, None if unit == ALL else int(unit)


def _turn(look: Look, name: str, turned: Any) -> None:
    """Draw what turns the forget gates, and what came of it."""
    views.title("What if it forgot more, or less")
    with st.container(horizontal=True, gap="medium", key="lstm-turn"):
        st.slider(
            "Multiply the forget gate by", 0.0, 2.0, 1.0, 0.05, key=f"lstm-factor-{name}",
            help="With the weights as they were trained. A gate is never above 1.",
        )  # fmt: skip
        units = [ALL, *map(str, range(look.recording.settings.hidden_size))]
        st.selectbox("Of unit", units, key=f"lstm-unit-{name}")
    if turned is None:
        views.line("At 1 nothing is changed. Turn it, and memory and forecast move.")
    else:
        views.line(turned.words, "v-prose")


def _rewind(look: Look, name: str, rewind: Rewind) -> None:
    """Draw what goes back to an epoch, with its very weights, and takes another way from there."""
    own = look.recording
    if own.last < 1 or own.settings.epochs < 3:
        return
    views.title("Go back, and take another way")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="lstm-back"):
        most = min(own.last, own.settings.epochs - 2)
        after = st.slider("After epoch", 0, most, most // 2, key=f"lstm-after-{name}")
        rate = st.number_input(
            "Learning rate from there", 1e-6, 100.0, own.settings.learning_rate,
            step=0.001, format="%g", key=f"lstm-rate-{name}",
            help="The same learning rate repeats the training exactly.",
        )  # fmt: skip
        if st.button("Train on from there", key="lstm-rewind"):
            rewind(int(after), float(rate))
            st.rerun()


def _take(look: Look, desk: Desk, layer: int, by: Any, *, own: bool) -> None:
    recording = look.recording
    views.title("Take it with you")
    stem = f"lstm-{recording.series.name.lower().replace(' ', '-')}"
    with st.container(horizontal=True, gap="small", key="lstm-downloads"):
        for kind in encode.KINDS:
            st.download_button(
                f"Animation as {NAMES[kind]}",
                functools.partial(_film, look, desk, layer, by, kind),
                f"{stem}.{kind}",
                MIME[kind],
                key=f"lstm-take-{kind}",
                on_click="ignore",
            )
        for title, name, make, mime in (
            ("Recording (NPZ)", f"{stem}.npz", recording.npz, "application/octet-stream"),
            ("Curves (CSV)", f"{stem}-curves.csv", recording.csv, "text/csv"),
            ("Forecasts (CSV)", f"{stem}-forecasts.csv", recording.forecasts_csv, "text/csv"),
        ):
            st.download_button(title, make, name, mime, key=f"lstm-{name}", on_click="ignore")
        if own and "model" in recording.files:
            path = recording.files["model"]
            st.download_button(
                "Model (.pt)", path.read_bytes, f"{stem}.pt", "application/octet-stream",
                key="lstm-model", on_click="ignore", help="A state dict of torch's own LSTM.",
            )  # fmt: skip


def _film(look: Look, desk: Desk, layer: int, by: Any, kind: encode.Kind) -> bytes:
    task = LstmFile(recording=look.recording, layer=layer, by=by, kind=kind)
    data: bytes = desk.session.run(task).result().arrays["file"].tobytes()
    return data
