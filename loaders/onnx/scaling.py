"""What an ONNX file says of how its photos were prepared: its metadata, its first operators."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
from numpy.typing import NDArray

from loaders.onnx.entry import Entry
from loaders.onnx.graph import Graph
from loaders.preprocessing import MAX_SIZE, MIN_SIZE, Preprocessing, preset

Values = NDArray[np.float64]

_RANGES = {"NominalRange_0_255": "raw", "Normalized_0_1": "unit", "Normalized_1_1": "symmetric"}
_SKIPPED = ("Cast", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze")
MAX_STEPS = 16
_FULL = 20.0
"""The largest value that a network's inner photo is taken to have, in deviations."""

_CAFFE = np.array([103.939, 116.779, 123.68])


def said(graph: Graph, entry: Entry, size: tuple[int, int]) -> Preprocessing | None:
    """Return how photos are prepared, as the file says, or None where it says nothing."""
    channels = entry.channels
    if meant := _RANGES.get(graph.metadata.get("Image.NominalPixelRange", "")):
        made = preset(meant, size, channels=channels, why="as the file's metadata say")
        bgr = graph.metadata.get("Image.BitmapPixelFormat", "").lower().startswith("bgr")
        return dataclasses.replace(made, channels="bgr") if bgr and channels == 3 else made
    if graph.metadata.get("task", "").strip("'\" ").lower() == "classify":
        why = "as Ultralytics' classifiers are made"
        return preset("unit", size, channels=channels, fit="crop", resize=min(size), why=why)
    if entry.whole:
        why = "the network takes whole numbers from 0 to 255"
        return preset("raw", size, channels=channels, why=why)
    return _first_operators(graph, entry, size)


def metadata_size(graph: Graph) -> tuple[int, int] | None:
    """Return the size that Ultralytics' metadata give."""
    text = graph.metadata.get("imgsz", "")
    match = re.fullmatch(r"\[?\s*(\d{2,4})\s*(?:,\s*(\d{2,4})\s*)?\]?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    return size if min(size) >= MIN_SIZE and max(size) <= MAX_SIZE else None


def _first_operators(graph: Graph, entry: Entry, size: tuple[int, int]) -> Preprocessing | None:
    """Follow the photo through what scales it: `scale * photo + shift` is what the network sees."""
    scale, shift = np.ones(1), np.zeros(1)
    value, steps = entry.name, []
    for _ in range(MAX_STEPS):
        users = graph.users.get(value, [])
        if len(users) != 1 or not users[0].outputs:
            break
        node = users[0]
        if node.operator not in _SKIPPED:
            first = bool(node.inputs) and node.inputs[0] == value
            other = node.inputs[first] if len(node.inputs) == 2 else ""
            found = graph.constant(other) if other else None
            if found is None or found.size not in (1, entry.channels) or found.dtype.kind != "f":
                break
            number = found.astype(np.float64).ravel()
            moved = _step(node.operator, scale, shift, number, first=first)
            if moved is None:
                break
            scale, shift = moved
            steps.append(node.operator)
        value = node.outputs[0]
    if not steps or not np.isfinite([*scale, *shift]).all():
        return None
    meant = _range(scale, shift)
    if meant is None:
        return None
    why = f"the graph itself scales its photos ({', '.join(steps[:4])})"
    made = preset(meant, size, channels=entry.channels, why=why)
    if len(shift) == 3 and np.allclose(-shift / scale, _CAFFE, atol=1.5):
        return dataclasses.replace(made, channels="bgr")
    return made


def _step(
    operator: str, scale: Values, shift: Values, number: Values, *, first: bool
) -> tuple[Values, Values] | None:
    if operator == "Add":
        return scale, shift + number
    if operator == "Mul":
        return scale * number, shift * number
    if operator == "Sub":
        return (scale, shift - number) if first else (-scale, number - shift)
    if operator == "Div" and first and np.all(number != 0):
        return scale / number, shift / number
    return None


def _range(scale: Values, shift: Values) -> str | None:
    """Return the preset whose values the graph expects, or None where that is open."""
    largest, moved = float(np.abs(scale).max()), float(np.abs(shift).max())
    if largest == 0:
        return None
    if largest > 10:  # the graph makes 0..255 of smaller numbers
        return "symmetric" if np.allclose(shift, scale, rtol=0.05) else "unit"
    if moved > 10 or largest * 255 <= _FULL:
        return "raw"
    return "unit" if largest > 1.5 or moved > 0.05 else None
