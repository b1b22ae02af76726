"""A dense network looked into: one unit, its mistakes, a drawn digit, and what is taken away."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import mlp_view, text, views
from ui.desk import Desk
from ui.player import MIME, NAMES
from ui.trainings import Run, Trainings
from workers.tasks.training_film import TrainingFilm
from xai_core import colormaps, encode, render
from xai_core.encode import Kind
from xai_core.training import mlp_units
from xai_core.training.dense import Dense
from xai_core.training.mlp_units import About, about
from xai_core.training.opened import layers
from xai_core.training.recording import EACH

Array = NDArray[np.float32]
NEAR = 1e-12


def show(desk: Desk, held: Trainings) -> None:
    """Draw all of it for the run that was picked, or the first that is shown."""
    run = _run(held)
    views.title("Look into it")
    if len(held.shown) > 1:
        views.line(f"Of {run.called}. A click on the other picture chooses the other one.")
    unit, mistakes, drawing, files = st.tabs(["A unit", "Mistakes", "Draw a digit", "Take away"])
    with unit:
        _unit(run)
    with mistakes:
        _mistakes(run)
    with drawing:
        from ui import mlp_draw

        mlp_draw.show(run)
    with files:
        take_away(desk, run)


def _run(held: Trainings) -> Run:
    picked = held.picked or {}
    return next((run for run in held.shown if run.id == picked.get("run")), held.shown[0])


def dense(run: Run) -> Dense:
    """Return a run's network."""
    if "dense" not in run.shown:
        run.shown["dense"] = Dense.of(run.recording.arrays)
    made: Dense = run.shown["dense"]
    return made


# -- a unit -------------------------------------------------------------------------------------


def _unit(run: Run) -> None:
    recording = run.recording
    names = layers(recording)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        layer = names[0]
        if len(names) > 1:
            layer = st.selectbox("Layer", names, key=mlp_view.layer_key(run.id))
        key = mlp_view.unit_key(run.id)
        telling = run.once(f"telling {layer}", lambda: _telling(run, layer))
        st.session_state.setdefault(key, telling)
        unit = int(
            st.number_input(
                "Unit", 0, recording.frames[layer].sides[1] - 1, key=key, width=220,
                help="A click on the picture chooses one, too.",
            )
        )  # fmt: skip
    values = _life(run, layer, unit)  # float32 [epochs, samples]
    classes, parts = recording.arrays["probe classes"], about(recording)
    life = mlp_units.by_class(values[..., None], classes, len(parts.classes))[..., 0]
    active = recording.arrays[f"{EACH}active {layer}"][:, unit]
    views.line(_unit_says(unit, life[-1].tolist(), active, recording.first, parts), "v-prose")
    at = names.index(layer)
    if at == 0:
        weights = recording.arrays["weight 1"][unit].reshape(parts.sides)
        pictures = [(signed(weights), "Its weights: red where ink excites it, blue where it damps")]
    else:
        exciting = dense(run).exciting(at, unit).reshape(parts.sides)
        pictures = [(grey(exciting), "An input that it answers to strongly, found by its gradient")]
    strongest = np.argsort(-values[-1])[:5].tolist()
    best = [row for row in strongest if values[-1][row] > 0]
    probes = recording.arrays["probes"].reshape(-1, *parts.sides)
    pictures += [
        (
            grey(probes[row] / np.float32(255)),
            f"{parts.classes[classes[row]]}: {values[-1][row]:.2f}",
        )
        for row in best
    ]
    figures(pictures)
    views.line(
        f"Its life: mean answer to each class, {parts.step} by {parts.step}, from left to right",
        "v-label",
    )
    top = float(life.max())
    table = colormaps.table("magma")
    image = table[np.rint(255 * life.T / (top or 1)).astype(np.uint8)]
    said = (
        f"Unit {unit}: mean answer to each of {len(parts.classes)} classes over {len(life)} "
        f"{parts.step}s"
    )
    rows = "".join(f"<span>{text.escape(name)}</span>" for name in parts.classes)
    st.html(
        f'<div class="v-life"><div class="rows">{rows}</div>'
        f'<img src="{url(image)}" alt="{text.escape(said)}"></div>'
    )
    views.line(f"Black is 0, the brightest {top:.2f}.")


def _life(run: Run, layer: str, unit: int) -> Array:
    """Return what a unit answers over the epochs; that of the last one looked at is kept.

    Visitors share a recording, so what is kept is one object, whose it is with it.
    """
    kept: tuple[tuple[str, int], Array] | None = run.shown.get("a unit")
    if kept is None or kept[0] != (layer, unit):
        kept = (layer, unit), run.recording.frames[layer].column(unit)
        run.shown["a unit"] = kept
    return kept[1]


def _telling(run: Run, layer: str) -> int:
    """Return the unit that tells one class best from the others."""
    last, classes = run.recording.frames[layer].epoch(-1), run.recording.arrays["probe classes"]
    count = len(about(run.recording).classes)
    means = np.sort(mlp_units.by_class(last, classes, count), 0)
    return int((means[-1] - means[-2]).argmax())


def _unit_says(
    unit: int, means: Sequence[float], active: NDArray[np.uint8], first: int, parts: About
) -> str:
    served = mlp_units.serves(means, parts.classes)
    if active[-1] == 0:
        since = len(active) - int(np.argmax(active[::-1] > 0)) if active.any() else 0
        return (
            f"Unit {unit} is dead: from {parts.step} {first + since} on it answers to none of the "
            f"{parts.learned}" + ("." if parts.opened else ", and no gradient moves it.")
        )
    if not served:
        return f"Unit {unit} is silent on the {parts.noun} shown, and answers to others."
    words = text.listed(served)
    return f"Unit {unit} answers most strongly to {words}."


# -- mistakes -----------------------------------------------------------------------------------


def _mistakes(run: Run) -> None:
    wrong = run.recording.arrays["mistakes"]
    said = run.recording.arrays["mistake classes"]
    parts = about(run.recording)
    names_of, sides = parts.classes, parts.sides
    if not len(wrong):
        views.line(f"It gets all of the {parts.held} right.", "v-prose")
        return
    names = [f"{at + 1}: {names_of[true]} taken for {names_of[got]}" for at, (true, got) in
             enumerate(said.tolist())]  # fmt: skip
    chosen = st.selectbox(
        f"{text.capital(parts.held)} that it gets wrong", names, key=f"mlp-wrong-{run.id}"
    )
    at = names.index(chosen)
    true, got = (int(each) for each in said[at])
    x = (wrong[at] / 255).astype(np.float32)
    network = dense(run)
    probabilities = network.probabilities(x[None])[0]
    found = run.once(f"why {at}", lambda: network.integrated(x, against=true, target=got))
    scores = network.answers(np.stack([x, np.zeros_like(x)]))[-1]
    gap = (scores[0, got] - scores[0, true]) - (scores[1, got] - scores[1, true])
    figures(
        [
            (grey(x.reshape(sides)), f"A {names_of[true]}"),
            (
                signed(found.reshape(sides)),
                f"Red speaks for {names_of[got]}, blue for {names_of[true]}",
            ),
        ]
    )
    views.line(
        f"It says {names_of[got]} with {100 * probabilities[got]:.0f}\u00a0%, and {names_of[true]} "
        f"with {100 * probabilities[true]:.0f}\u00a0%. Integrated gradients from black, 256 steps: "
        f"they add up to {found.sum():+.2f} of the {gap:+.2f} by which ink moves the score of "
        f"{names_of[got]} against that of {names_of[true]}.",
        "v-prose",
    )


# -- what is taken away ---------------------------------------------------------------------------


def take_away(desk: Desk, run: Run) -> None:
    """Draw the downloads of a run."""
    recording = run.recording
    stem = "-".join(["mlp", *re.findall(r"\w+", run.title.lower())])
    layer = layers(recording)[0]
    if len(recording.frames) > 1:
        layer = st.selectbox("Layer of the film", layers(recording), key=f"mlp-film-{run.id}")
    with st.container(horizontal=True, gap="small", key="mlp-downloads"):
        for kind in encode.KINDS:
            st.download_button(
                f"Film as {NAMES[kind]}",
                functools.partial(film, desk, run, layer, kind),
                f"{stem}.{kind}",
                MIME[kind],
                on_click="ignore",
                help=f"{len(recording)} frames, one for each {about(recording).step}.",
            )
        st.download_button(
            "Recording (NPZ)", recording.npz, f"{stem}.npz", "application/octet-stream",
            on_click="ignore", help="All activations, curves and counts, for numpy.",
        )  # fmt: skip
        st.download_button(
            "Curves (CSV)", recording.csv, f"{stem}.csv", "text/csv", on_click="ignore"
        )
        if path := recording.files.get("model"):
            st.download_button(
                "Model (.pt)", path.read_bytes, f"{stem}.pt", "application/octet-stream",
                on_click="ignore", help="The Offering opens it by itself.",
            )  # fmt: skip
    if run.shipped:
        views.line("The model of a recording is not shipped: train it, and its file is here.")


def film(desk: Desk, run: Run, layer: str, kind: Kind) -> bytes:
    """Return a layer's film as a file."""
    recording = run.recording
    curves = {name: tuple(recording.curves[name].tolist()) for name in mlp_view.losses(recording)}
    task = TrainingFilm(
        frames=recording.frames[layer],
        heading=mlp_view.named(recording, layer),
        word=about(recording).step,
        white=mlp_units.white(recording.frames[layer]),
        labels=about(recording).classes,
        kind=kind,
        curves=curves,
        first=recording.first,
    )
    data: bytes = desk.session.run(task).result().arrays["file"].tobytes()
    return data


# -- pictures -------------------------------------------------------------------------------------


def grey(image: Array) -> NDArray[np.uint8]:
    """Return an image of 0..1 in grey."""
    return np.rint(255 * image).astype(np.uint8)[..., None].repeat(3, 2)


def signed(image: Array) -> NDArray[np.uint8]:
    """Return an image round zero in colours, red above."""
    top = float(np.abs(image).max()) or NEAR
    found: NDArray[np.uint8] = colormaps.table(colormaps.DIVERGING[0])[
        np.rint(127.5 + 127.5 * image / top).astype(np.uint8)
    ]
    return found


def url(image: NDArray[np.uint8]) -> str:
    """Return a small picture as text for the browser, each value a pixel."""
    return f"data:image/png;base64,{base64.b64encode(render.png(image)).decode()}"


def figures(pictures: Sequence[tuple[NDArray[np.uint8], str]]) -> None:
    """Show small pictures in a row, each with its words."""
    items = "".join(
        f'<figure><img src="{url(image)}" alt="{text.escape(said)}">'
        f"<figcaption>{text.escape(said)}</figcaption></figure>"
        for image, said in pictures
    )
    st.html(f'<div class="v-small-pictures">{items}</div>')
