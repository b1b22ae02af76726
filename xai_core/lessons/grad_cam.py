"""Grad-CAM taught: channels, their weights, the weighted sum, and what the ReLU keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.card import Card
from xai_core.explainers.fem import FEM
from xai_core.explainers.grad_cam import GradCAM
from xai_core.explainers.saliency import Saliency
from xai_core.explanation import Explanation
from xai_core.film import Unfit, held
from xai_core.lesson import (
    CELLS,
    Experiment,
    Lesson,
    Part,
    Preset,
    Symbol,
    Trial,
    Worked,
    bars,
    lesson,
    size_of,
)
from xai_core.report import amount

Array = NDArray[np.float32]

SHOWN = 3
"""Channels that a line writes out."""

STRIP = 6
"""Layers that are set side by side."""


def layers(card: Card) -> tuple[Trial, ...]:
    """Return a trial for each of a few layers, from the first to the last."""
    every = card.layers
    if not every:
        return (Trial("The layer", {}),)
    at = np.unique(np.linspace(0, len(every) - 1, min(STRIP, len(every))).round().astype(int))
    return tuple(
        Trial(
            f"{every[index].name} ({every[index].map_size[0]} x {every[index].map_size[1]})",
            {"layer": every[index].name},
        )
        for index in at.tolist()
    )


LESSON = Lesson(
    know="You will know how a layer's channels become one map, and what that map cannot show.",
    sentences=(
        "A layer of the network gives many small maps, its channels; each is active where it finds "
        "what it has learned to find.",
        "The gradient of the score with respect to a channel, averaged over its cells, says how "
        "fast the score would rise, or fall, if the channel were a little more active: that is its "
        "weight.",
        "The channels are added, each times its weight.",
        "The ReLU cuts what lies below zero, so that what speaks for the class is left; the cells "
        "are enlarged to the photo.",
    ),
    formula=("{L} = {relu}( {sum} {alpha} \u00b7 {A} )",
             "{alpha} = mean over the cells of {slope}{y} / {slope}{A}"),
    symbols={
        "L": Symbol("L", "the map: what is left of the sum above zero, one number a cell", "map"),
        "alpha": Symbol(
            "\u03b1_k", "the weight of channel k: its mean gradient, one number for the channel",
            "weights",
        ),
        "A": Symbol(
            "A^k", "the map of channel k: how active it is in each cell of the layer", "channel"
        ),
        "relu": Symbol("ReLU", "what lies below zero becomes 0, all else stays as it is", "sum"),
        "sum": Symbol("\u03a3_k", "the sum over all channels of the layer", "sum"),
        "slope": Symbol("\u2202", "\u2202y / \u2202A is the gradient: how fast the score rises as "
                        "one cell of the channel grows"),
        "y": Symbol("y", "the score that is explained: the class's logit, or what was chosen"),
    },
    presets=(
        Preset("As published", {"relu": True, "smoothing": "linear"},
               "Watch where the map is strongest, and how large one cell of it is."),
        Preset("Its own cells", {"relu": True, "smoothing": "nearest"},
               "Watch the cells: all that is finer than one of them was the smoothing's."),
        Preset("For and against", {"relu": False, "smoothing": "linear"},
               "Watch the second colour: those cells speak against the class."),
    ),
    experiments=(
        Experiment(
            "Layer by layer",
            "In a network of convolutions early layers have fine cells, each of which sees little "
            "of the photo, and late ones have coarse cells that see much of it; a transformer's "
            "layers all have the same cells.",
            layers,
            "Watch whether the cells grow from layer to layer, and whether the map gathers on one "
            "place.",
        ),
        Experiment(
            "FEM beside it",
            "FEM takes no gradient: it marks, in each channel, the cells that lie at least K "
            "standard deviations above the channel's mean, and asks about no class.",
            (Trial("Grad-CAM", {}), Trial("FEM, K = 1", {"k": 1.0}, FEM), Trial("FEM, K = 2",
             {"k": 2.0}, FEM)),
            "Watch what stands out to the layer: FEM's map would be the same for any class.",
        ),
        Experiment(
            "Two networks, one photo",
            "Another network has learned other channels, so that its map may lie elsewhere even "
            "where both give the same answer.",
            (Trial("Grad-CAM", {}),),
            "Compare the two answers, then the cells: how coarse a map is follows from the "
            "network's layer, not from the method.",
            networks=(("keras/ResNet50", "keras/Xception"), ("torchvision/resnet50",
                      "keras/Xception"), ("shapes", "shapes_shortcut")),
        ),
        Experiment(
            "The same photo, changed",
            "The photo is mirrored, turned, made brighter and shifted, none of which makes another "
            "thing of most things. Where the thing moves, the evidence should move along.",
            (Trial("Grad-CAM", {}), Trial("Saliency", {}, Saliency)),
            "Watch whether the label stays, and whether the map follows what it marked.",
            variants=("flipped", "turned", "brighter", "shifted"),
        ),
    ),
    traps=(
        Experiment(
            "The cut hides what speaks against",
            "With the ReLU a place that speaks against the class looks like one that says nothing.",
            (Trial("With the ReLU", {"relu": True}), Trial("Without it", {"relu": False})),
            "Compare the empty places of the first map with the second one.",
        ),
    ),
)  # fmt: skip


@lesson(GradCAM, LESSON)
def worked(explanation: Explanation, view: Array) -> Worked:
    """Write each cell of the map out as the sum that it is, cut or not."""
    weights = np.asarray(held(explanation, "weights", "f", (None,)), np.float64)
    numbers = held(explanation, "numbers", "iu", (None,))
    total = np.asarray(held(explanation, "sum", "f", (None, None)), np.float64)
    rows, columns = total.shape
    channels = held(explanation, "channels", "f", (len(numbers), rows, columns))
    if max(rows, columns) > CELLS or numbers.min() < 0 or numbers.max() >= len(weights):
        raise Unfit("numbers")
    shown = [int(number) for number in numbers[:SHOWN]]
    maps = np.asarray(channels[: len(shown)], np.float64)
    cut = bool(explanation.parameters.get("relu", True))
    kept = np.maximum(total, 0) if cut else total
    size = size_of((view.shape[0], view.shape[1]))
    first = np.asarray(maps[0], np.float32)
    _, top = render.limits(first, signed=bool((first < 0).any()))
    _, ends = render.limits(np.asarray(total, np.float32), signed=True)
    _, most = render.limits(np.asarray(kept, np.float32), signed=not cut)
    parts = (
        Part("photo", stage.fitted(render.pixels(view), size), "The photo, as the model gets it"),
        Part("channel", stage.coloured(first, size, signed=bool((first < 0).any()), vmax=top),
             f"Channel {shown[0]}, which counts most"),
        Part("weights", bars(np.asarray(weights[numbers], np.float32), size),
             f"The weights of the {len(numbers)} channels that count most", pointed=False),
        Part("sum", stage.coloured(np.asarray(total, np.float32), size, signed=True, vmax=ends),
             "The sum of all channels"),
        Part("map", stage.coloured(np.asarray(kept, np.float32), size, signed=not cut, vmax=most),
             "What is kept: the map"),
    )  # fmt: skip
    lines = tuple(
        _line(row, column, shown, weights, maps, total, cut, len(weights))
        for row in range(rows)
        for column in range(columns)
    )
    return Worked(parts=parts, rows=rows, columns=columns, lines=lines)


def _line(
    row: int,
    column: int,
    shown: list[int],
    weights: NDArray[np.float64],
    maps: NDArray[np.float64],
    total: NDArray[np.float64],
    cut: bool,
    count: int,
) -> str:
    terms = [weights[number] * maps[at, row, column] for at, number in enumerate(shown)]
    written = [
        f"{amount(float(weights[number]))}\u00b7{amount(float(maps[at, row, column]))}"
        for at, number in enumerate(shown)
    ]
    rest = float(total[row, column] - sum(terms))
    others = count - len(shown)
    if others:
        more = "channels" if others > 1 else "channel"
        written.append(f"{amount(rest)} from the other {others:,} {more}")
    whole = float(total[row, column])
    summed = f"{' + '.join(written)} = {amount(whole)}"
    if cut:
        end = amount(whole) if whole > 0 else "0, for the ReLU cuts it"
        summed = f"{summed}, and after the ReLU {end}"
    return f"Row {row + 1}, column {column + 1}: {summed}"
