"""An ONNX export of a detector: how it takes a photo, and what it says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import boxed
from loaders.boxed import BoxedDetector, Export
from loaders.decoders import Answers
from loaders.keras.audit import printable
from loaders.onnx import names, scaling
from loaders.onnx.entry import DTYPES, Entry, entries
from loaders.onnx.graph import Graph
from loaders.onnx.running import refuse_large
from loaders.onnx.session import Network, reason
from loaders.options import Options
from loaders.torch import detectors
from xai_core.errors import UnsupportedModel

Array = NDArray[np.float32]
SIDE = 800
"""Pixels of a side where nothing says it: torchvision's own."""


def find(
    graph: Graph, opened: Any, options: Options, *, name: str, kind: str
) -> BoxedDetector | None:
    """Return the detector that a graph is, or None where it is no known one.

    Raises UnsupportedModel for a detector whose answers are not read.
    """
    entry = _entry(graph, opened, options)
    if entry is None or entry.channels != 3:
        return None
    refuse_large(entry)
    size = entry.size or options.size or scaling.metadata_size(graph) or (SIDE, SIDE)
    if entry.size and options.size and options.size != entry.size:
        height, width = entry.size
        raise UnsupportedModel(
            f"The graph has fixed its photos at {width} x {height} pixels: leave the size out, or "
            "export it for another."
        )
    network = Network(opened, entry, size)
    network.alone()
    run = _Run(network, graph.outputs)
    try:
        (answers,) = run(np.full((1, *size, 3), 0.5, np.float32))
    except UnsupportedModel:
        return None
    if not answers:
        return None
    shapes = {key: tensor.sides for key, tensor in graph.tensors.items()}
    told, classes = detectors.find(shapes), detectors.counted(shapes)
    export = Export(
        run=run,
        framework="onnx",
        kind=kind,
        shapes=shapes,
        parameters=graph.parameters,
        size=size,
        architecture=printable(graph.name or graph.producer or "ONNX network", 60),
        inside=names.named(graph, classes - 1) if classes else {},
        fit="stretch" if told and told.row.fixed else "pad",
    )
    return boxed.opened(export, options, name)


def _entry(graph: Graph, opened: Any, options: Options) -> Entry | None:
    photos = [each for each in opened.get_inputs() if each.type != "tensor(bool)"]
    if len(photos) != 1 or DTYPES.get(photos[0].type) in (None, np.uint8):
        return None
    shape = photos[0].shape
    if len(shape) == 3 and shape[0] == 3:  # torchvision's take one photo, of any size perhaps
        sides = [side if isinstance(side, int) and side > 0 else 0 for side in shape[1:]]
        size = (sides[0], sides[1]) if all(sides) else None
        return Entry(photos[0].name, DTYPES[photos[0].type], None, False, 3, size)
    if len(shape) != 4:
        return None
    return entries(graph, opened.get_inputs(), options)[0]


class _Run:
    """Runs a graph on views, one after the other."""

    def __init__(self, network: Network, outputs: list[str]) -> None:
        self.network, self.outputs = network, outputs

    def __call__(self, views: Array) -> Iterator[Answers]:
        """Yield the arrays of each view's answer. Raises UnsupportedModel where it fails."""
        for view in views:
            try:
                found = self.network.run(view[None], self.outputs)
            except MemoryError:
                raise
            except Exception as error:  # onnxruntime's own errors share no base but this
                raise UnsupportedModel(
                    f"The detector fails on this photo: onnxruntime says '{reason(error)}'."
                ) from error
            yield {
                title: parts[0]
                for title, parts in zip(self.outputs, found, strict=True)
                if isinstance(parts[0], np.ndarray)
            }
