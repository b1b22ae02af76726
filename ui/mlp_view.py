"""A dense network's trainings made into what the browser draws, side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from ui import text, theatre
from ui.desk import Desk
from ui.slots import Work
from ui.trainings import Run, Trainings
from xai_core.training import mlp_units, mlp_verdict
from xai_core.training.mlp import BRANCHES, MlpSettings
from xai_core.training.mlp_units import About, about
from xai_core.training.opened import LOSS, layers, opened
from xai_core.training.recording import EACH, Recording

TOGETHER = (
    "Both pictures share one colour scale and both curves one axis: the brightest is bright by the "
    "same activation in either."
)
LOSSES = (mlp_verdict.LOSS, mlp_verdict.HELD_OUT)


def groups(recording: Recording) -> list[dict[str, Any]]:
    """Return the rows of a recording's probes, class by class."""
    classes = recording.arrays["probe classes"]
    ends = np.searchsorted(classes, np.arange(len(about(recording).classes)), "right").tolist()
    return [
        {"label": name[:3], "from": start, "to": end}
        for name, start, end in zip(about(recording).classes, [0, *ends[:-1]], ends, strict=True)
    ]


def title(name: str, inputs: int, units: int) -> str:
    """Return what a layer is called, with its inputs and units."""
    return f"MLP {name} ({inputs}, {units})"


def named(recording: Recording, name: str) -> str:
    """Return what a layer of a recording is called."""
    at = layers(recording).index(name) + 1
    units, inputs = recording.arrays[f"weight {at}"].shape
    return title(name, inputs, units)


def losses(recording: Recording) -> list[str]:
    """Name the curves that are shown of a recording."""
    return [LOSS] if about(recording).opened else list(LOSSES)


def plots(recording: Recording) -> dict[str, dict[str, list[float | None]]]:
    """Return the curves that can be chosen, by what they are and by their own name."""
    chosen = losses(recording)
    right = [name for name in recording.curves if name not in chosen]
    norms = recording.arrays[f"{EACH}norms"]
    names = [*layers(recording), "output"]
    return {
        "loss": {name: theatre.numbers(recording.curves[name]) for name in chosen},
        "accuracy": {name: theatre.numbers(recording.curves[name]) for name in right},
        "weight norms": {name: theatre.numbers(norms[:, at]) for at, name in enumerate(names)},
    }


def beginning(one: Run, other: Run) -> str:
    """Say whether two runs began with the same weights."""
    if one.settings is None or other.settings is None:
        return ""
    sizes = [
        [run.recording.arrays[f"weight {at + 1}"].shape for at in range(run.settings.layers + 1)]
        for run in (one, other)
    ]
    if sizes[0] != sizes[1]:
        return "Their layers differ in size, so they cannot begin with the same weights."
    if one.settings.seed != other.settings.seed:
        return "They begin with different weights: their seeds differ."
    return "Both begin with the same weights: they have the same seed and sizes."


def said(run: Run) -> str:
    """Say what a run is, in one line."""
    if (found := opened(run.recording)) is not None:
        many = f"{text.listed(found.files)}, in this order" if found.files[1:] else found.files[0]
        return f"{run.called}: {many}; inputs scaled to {found.scaling}."
    values: MlpSettings = run.settings
    words = [
        f"batch size {values.batch_size}",
        f"learning rate {values.learning_rate:g}",
        f"{len(run.recording)} epochs",
    ]
    if values.dropout:
        words.append(f"dropout {values.dropout:g}")
    if values.share < 1:
        words.append(f"{100 * values.share:.0f}\u00a0% of the training digits")
    if values.label_noise:
        words.append(f"{100 * values.label_noise:.0f}\u00a0% wrong labels")
    for turn in run.turns:
        changes = ", ".join(
            f"{name.replace('_', ' ')} {turn.values[name]:g}"
            for name in BRANCHES
            if name in turn.values
        )
        words.append(f"from epoch {turn.after + 1} {changes}")
    return f"{run.called}: {', '.join(words)}."


def pane(run: Run) -> dict[str, Any]:
    """Return a run as the browser is given it, worked out once."""
    if "pane" not in run.shown:
        recording, parts = run.recording, about(run.recording)
        classes = recording.arrays["probe classes"]
        made = {}
        for name in layers(recording):
            frames = recording.frames[name]
            last = frames.epoch(-1)
            made[name] = theatre.layer(
                name,
                named(recording, name),
                frames,
                orders=mlp_units.orders(last, classes, len(about(recording).classes)),
                counts=mlp_units.counts(recording, name),
            )
        early = recording.chosen != recording.last
        run.shown["white"] = max(map(mlp_units.white, recording.frames.values()))
        run.shown["pane"] = {
            "run": run.id,
            "epochs": len(recording),
            "first": recording.first,
            "said": said(run),
            "chosen": recording.chosen - recording.first if early else None,
            "curves": plots(recording),
            "confusion": [
                theatre.coded(each.astype("<i4")) for each in recording.arrays[f"{EACH}confusion"]
            ],
            "layers": made,
            "groups": groups(recording),
            "what": f"{len(classes)} {parts.held}, down; units, across",
            "branches": run.settings is not None,
            "word": parts.step,
        }
    found: dict[str, Any] = run.shown["pane"]
    return found


def tops(panes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the values that all curves of a plot, and all counts, reach at most."""
    curves = {
        name: [
            value for each in panes for curve in each["curves"][name].values() for value in curve
        ]
        for name in panes[0]["curves"]
    }
    counts = [
        value
        for each in panes
        for layer in each["layers"].values()
        for curve in layer.get("counts", {}).values()
        for value in curve
    ]
    return {
        "curves": {
            name: max((value for value in values if value is not None), default=1.0)
            for name, values in curves.items()
        },
        "counts": max(counts, default=1) or 1,
    }


def unit_key(run: int) -> str:
    """Return the key of the control that names a run's unit."""
    return f"mlp-unit-{run}"


def layer_key(run: int) -> str:
    """Return the key of the control that names the unit's layer."""
    return f"mlp-layer-{run}"


def pick(held: Trainings, found: dict[str, Any]) -> None:
    """Take the unit that was clicked on, where there is one; the controls follow."""
    run = held.find(found.get("run", 0))
    if run is None or found.get("layer") not in run.recording.frames:
        return
    if not 0 <= found["unit"] < run.recording.frames[found["layer"]].sides[1]:
        return
    held.picked = found
    st.session_state[unit_key(run.id)] = found["unit"]
    st.session_state[layer_key(run.id)] = found["layer"]


def show(held: Trainings, desk: Desk) -> None:
    """Show the runs that are chosen, in step."""
    runs = held.shown
    panes = [pane(run) for run in runs]
    ids = "-".join(str(run.id) for run in runs)
    key = "mlp-theatre"

    def picked() -> None:
        found = st.session_state[key].picked
        if isinstance(found, dict) and type(found.get("unit")) is int:
            pick(held, found)

    def branched() -> None:
        found = st.session_state[key].branch
        if isinstance(found, dict) and type(found.get("epoch")) is int:
            held.branch = (int(found.get("run", 0)), found["epoch"])

    theatre.show(
        key,
        ids,
        ids,
        panes,
        white=max(run.shown["white"] for run in runs),
        tops=tops(panes),
        together=f"{TOGETHER} {beginning(*runs)}" if len(panes) > 1 else "",
        picked=held.picked,
        on_picked=picked,
        on_branch=branched,
    )


def _even(parts: About, rows: int) -> list[dict[str, Any]]:
    """Return the rows class by class where each has as many; else all of them as one."""
    each, left = divmod(rows, len(parts.classes))
    if left or not each:
        return [{"label": "", "from": 0, "to": rows}]
    return [
        {"label": name[:3], "from": at * each, "to": (at + 1) * each}
        for at, name in enumerate(parts.classes)
    ]


def live(desk: Desk, work: Work) -> None:
    """Show the last epoch of a training under way."""
    now = work.job.snapshot()
    curves = now.arrays.get("curves")
    if curves is None or not len(curves):
        return
    settings, first = work.what.settings, work.what.first
    samples = work.what.data
    parts = About() if samples is None else About(samples.classes, samples.sides, "samples")
    first_layer = {
        name: theatre.still(
            name, title(name, parts.inputs, settings.hidden_size), now.arrays[f"frame.{name}"]
        )
        for name in settings.names()[:1]
        if f"frame.{name}" in now.arrays
    }
    last = len(curves) - 1
    shown = {name: theatre.numbers(curves[:, at]) for at, name in enumerate(LOSSES)}
    one = {
        "run": 0,
        "epochs": last + 1,
        "first": first,
        "said": "In training: the curves so far, and what the first layer answers now.",
        "chosen": None,
        "curves": {"loss": shown},
        "layers": first_layer,
        "groups": _even(parts, next(iter(first_layer.values()))["rows"] if first_layer else 0),
        "word": parts.step,
        "what": f"held-out {parts.noun}, down; units, across",
    }
    if first_layer:
        theatre.show(
            "mlp-live",
            f"live-{id(work)}-{last}",
            f"live-{id(work)}",
            [one],
            white=255.0,
            tops={"curves": {"loss": float(np.nanmax(curves[:, :2]))}, "counts": 1},
            live=True,
        )
