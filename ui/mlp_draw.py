"""A digit that the reader draws, and what every layer of a network answers to it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mlp_details, mlp_view, theatre, views
from ui.trainings import Run
from xai_core import colormaps
from xai_core.report import percent
from xai_core.training.digits import CLASSES, PROBES, SIDE
from xai_core.training.mlp_units import About, about
from xai_core.training.opened import layers

_PIXELS = "mlp-drawn"
_NONE = "one that you draw"


@st.fragment
def show(run: Run) -> None:
    """Draw the pad and the answers."""
    parts, of_digits = about(run.recording), About()
    if (parts.classes, parts.sides) != (of_digits.classes, of_digits.sides):
        views.line("Digits can be drawn for a network that was trained on digits.", "v-prose")
        return
    views.line(
        "Draw with mouse or finger. Without a pointer, choose a held-out digit instead.", "v-prose"
    )
    classes = run.recording.arrays["probe classes"]
    names = [_NONE] + [f"{CLASSES[label]}, number {at % PROBES + 1}"
                       for at, label in enumerate(classes.tolist())]  # fmt: skip
    chosen = st.selectbox("Digit", names, key=f"mlp-digit-{run.id}")
    key = "mlp-pad"

    def drawn() -> None:
        found = st.session_state[key].drawn
        pixels = read(found)
        if pixels is not None:
            st.session_state[_PIXELS] = pixels

    given = None
    pixels = st.session_state.get(_PIXELS)
    if chosen != _NONE:
        at = names.index(chosen) - 1
        own = run.recording.arrays["probes"][at]
        given = {"id": f"{run.id}-{at}", "pixels": theatre.coded(own)}
        if st.session_state.get("mlp-given") != given["id"]:
            st.session_state["mlp-given"] = given["id"]
            pixels = st.session_state[_PIXELS] = own
    mount = views.component("draw", '<div class="holder"></div>')
    mount(key=key, data=answer(run, pixels) | {"given": given}, on_drawn_change=drawn)


def read(found: Any) -> NDArray[np.uint8] | None:
    """Return what the browser sent as a picture, uint8 `[784]`, or None."""
    if not isinstance(found, dict) or not isinstance(found.get("pixels"), str):
        return None
    try:
        data = base64.b64decode(found["pixels"], validate=True)
    except (binascii.Error, ValueError):
        return None
    return np.frombuffer(data, np.uint8) if len(data) == SIDE * SIDE else None


def answer(run: Run, pixels: NDArray[np.uint8] | None) -> dict[str, Any]:
    """Return what each layer answers, as the browser is given it."""
    palette = theatre.coded(colormaps.table(theatre.PALETTE))
    if pixels is None or not pixels.any():
        return {"bars": [], "layers": [], "palette": palette, "turn": 0}
    x = (pixels / 255).astype(np.float32)[None]
    network = mlp_details.dense(run)
    shares = network.probabilities(x)[0]
    drawn = []
    names = layers(run.recording)
    for name, values in zip(names, network.answers(x), strict=False):
        top = float(values.max())
        bright = np.rint(255 * values[0] / (top or 1)).astype(np.uint8)
        active = int((values > 0).sum())
        title = mlp_view.named(run.recording, name)
        said = f"{title}: {active} units answer, at most {top:.2f}"
        drawn.append({"title": said, "values": theatre.coded(bright)})
    bars = [
        {"label": name, "share": float(share), "text": percent(float(share))}
        for name, share in zip(CLASSES, shares, strict=True)
    ]
    return {"bars": bars, "layers": drawn, "palette": palette, "turn": int(pixels.sum())}
