"""The picture of an LSTM's gates: units over days, the series under them, epoch by epoch.

All of it goes to the browser once; playing, stepping and choosing days are its own.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import first, mounts
from xai_core import colormaps
from xai_core.training import lstm_cells
from xai_core.training.lstm import HELD_OUT, LOSS
from xai_core.training.lstm_gates import Alike, span
from xai_core.training.lstm_read import Reading
from xai_core.training.lstm_view import Fed, Gated, Look, Map, Turned

TABLES = {False: "magma", True: "red-blue"}
Chosen = Callable[[Any], None]


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "gates",
        html=mounts.part("gates/gates.html"),
        css="gates/gates.css",
        js=["gates/gates.js"],
    )


def show(
    key: str,
    name: str,
    look: Gated,
    made: Map,
    *,
    layer: int,
    what: str,
    label: str = "",
    alike: Alike | None = None,
    fed: Fed | None = None,
    turned: Turned | None = None,
    on_day: Chosen | None = None,
    on_span: Chosen | None = None,
    pair: str = "",
    second: bool = False,
    within: tuple[float, float] | None = None,
) -> None:
    """Show what a layer does, and what was found in it; `name` tells the picture from others.

    Those of one `pair` step together, and the `second` of them is asked nothing; `within` are the
    values that the series' own scale reaches. `on_day` and `on_span` are told the day, or the first
    and the last, that the reader chooses.
    """
    series = look.series
    memory = look.memory(layer).steps[made.rows]
    gate = what not in lstm_cells.SIGNED
    top = f"{made.top:.2g}"
    kind = look.network.kind.upper()
    keeps = what == look.remembers
    data = _common(
        name=name,
        title=f"{kind} layer {layer + 1}: {what + ' gate' if gate else what} of {series.name}",
        label=label,
        coded=made.coded,
        signed=made.signed,
        steps=memory,
        step=series.step,
    ) | {
        "epochs": made.epochs.tolist(),
        "last": 0,
        "days": look.labels,
        "units": made.rows.tolist(),
        "top": made.top,
        "low": f"\u2212{top}" if made.signed else "0, forgets" if keeps else "0",
        "high": top if made.signed else "1, remembers" if keeps else "1",
        "what": f"{what} gate" if gate else what,
        "name": series.name,
        "unit": series.unit,
        "prices": look.prices().tolist(),
        "stands": first.address(),
        "held": len(look.days),
        "window": look.window,
        "span": None if alike is None else [alike.first, alike.last],
        "alike": [] if alike is None else [[int(start), alike.length] for start in alike.starts],
        "trained": isinstance(look, Look),
        "pair": pair,
        "second": second,
        "within": within,
        "forecasts": None,
        "curves": None,
    }
    if isinstance(look, Reading) and look.forecast is not None:
        low, high = look.span()
        prices = look.prices()
        data |= {
            "forecasts": _base64(look.forecast.astype(np.float32)),
            "ahead": _later(look.horizon, series.step),
            "targets": look.ahead().tolist(),
            "within": (min(low, float(prices.min())), max(high, float(prices.max()))),
        }
    if isinstance(look, Look):
        data |= _trained(look, made) | {
            "fed": _fed(look, fed),
            "turned": None if turned is None else _base64(turned.forecasts),
        }
    _mount(key, data, on_day, on_span)


def live(
    key: str,
    coded: NDArray[np.uint8],
    curves: NDArray[np.float32],
    *,
    days: Sequence[str],
    prices: NDArray[np.float64],
    called: str,
    last: int,
    layer: int,
    step: str,
    window: int,
) -> None:
    """Show the forget gates `[days, units]` of a training under way, after its last epoch."""
    epoch, units = len(curves) - 1, coded.shape[1]
    data = _common(
        name=f"live-{epoch}",
        title=f"LSTM layer {layer + 1}: forget gate of {called}, so far",
        label="",
        coded=coded.T[None],
        signed=False,
        steps=np.zeros(units),
        step=step,
        is_live=True,
    ) | {
        "epochs": [epoch],
        "last": last,
        "days": list(days),
        "units": list(range(units)),
        "top": 1.0,
        "low": "0, forgets",
        "high": "1, remembers",
        "what": "forget gate",
        "name": called,
        "unit": "",
        "prices": prices.tolist(),
        "forecasts": None,
        "held": len(days),
        "curves": None,
        "trained": True,
        "window": window,
        "alike": [],
    }
    _mount(key, data, None, None)


def _trained(look: Look, made: Map) -> dict[str, Any]:
    """Return what there is besides of a training: its forecasts and its losses."""
    own, horizon, step = look.recording, look.recording.settings.horizon, look.series.step
    return {
        "last": own.last,
        "forecasts": _base64(look.forecasts(made.epochs)),
        "ahead": _later(horizon, step),
        "targets": look.ahead().tolist(),
        "held": int(np.searchsorted(look.days, look.windows.cut)),
        "curves": [
            {"name": each, "values": own.curves[each][made.epochs - own.first].tolist()}
            for each in (LOSS, HELD_OUT)
        ],
    }


def _later(horizon: int, step: str) -> str:
    return f"{horizon} {step}{'' if horizon == 1 else 's'} later"


def _common(
    *,
    name: str,
    title: str,
    label: str,
    coded: NDArray[np.uint8],
    signed: bool,
    steps: NDArray[np.float64],
    step: str,
    is_live: bool = False,
) -> dict[str, Any]:
    known = bool(steps.any())
    return {
        "id": name,
        "title": title,
        "label": label,
        "live": is_live,
        "pair": "",
        "second": False,
        "within": None,
        "map": _base64(coded),
        "lut": _base64(colormaps.table(TABLES[signed])),
        "signed": signed,
        "steps": np.minimum(steps, 1e6).tolist(),
        "memory": [span(float(each), step) if known else "" for each in steps],
        "step": step,
    }


def _mount(key: str, data: dict[str, Any], on_day: Chosen | None, on_span: Chosen | None) -> None:
    def heard(what: str, act: Chosen | None) -> Callable[[], None]:
        def hear() -> None:
            said = getattr(st.session_state.get(key), what, None)
            if act is not None and isinstance(said, dict) and said.get("id") == data["id"]:
                act(said.get("value"))

        return hear

    _component()(
        key=key,
        data=data,
        on_day_change=heard("day", on_day),
        on_span_change=heard("span", on_span),
    )


def _fed(look: Look, fed: Fed | None) -> dict[str, Any] | None:
    """Return the bars of a forecast's window, and of every other forecast's where they are known.

    `first` is where a window begins among the days that are shown; what lies before is not drawn.
    """
    if fed is None:
        return None
    length = len(fed.shares)
    made = {
        "day": int(np.searchsorted(look.days, fed.steps[-1])),
        "length": length,
        "first": np.searchsorted(look.days, look.days - length + 1).tolist(),
        "shares": fed.shares.tolist(),
        "said": fed.words,
    }
    return made | ({} if look.fed is None else {"every": _base64(look.fed)})


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
