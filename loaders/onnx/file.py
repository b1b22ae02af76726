"""Opens an ONNX file: what it holds, which output has the scores, what they are."""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.boxed import BoxedDetector, either
from loaders.keras.audit import printable
from loaders.labels import labels_for
from loaders.onnx import boxes, external, names, outputs, reading, scaling, steps, training
from loaders.onnx.assemble import assembled
from loaders.onnx.endings import ending
from loaders.onnx.graph import Graph, inspect
from loaders.onnx.layers import Place, candidates, places, static
from loaders.onnx.model import OnnxModel
from loaders.onnx.outputs import Scores
from loaders.onnx.running import apart, running
from loaders.onnx.running import probes as probing
from loaders.onnx.session import Network, session
from loaders.preprocessing import Options
from loaders.resolve import resolve
from xai_core.card import Wanted
from xai_core.errors import LoadError

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class _File:
    """A file's bytes, its graph, and where its weights lie."""

    path: Path
    data: memoryview
    graph: Graph
    found: external.Found

    def opened(
        self,
        extra: Sequence[str] = (),
        *,
        plain: bool = False,
        sides: Mapping[str, int] | None = None,
    ) -> Any:
        """Return a session with the values `extra` as further outputs."""
        data = assembled(
            self.data,
            self.graph,
            path=self.path,
            stored=self.found.names,
            outputs=[value for value in extra if value not in self.graph.outputs],
        )
        return session(data, self.path.parent, plain=plain, sides=sides)


def load(
    path: Path, options: Options, *, name: str, wanted: Wanted = "classification"
) -> OnnxModel | BoxedDetector:
    """Load an ONNX classifier of one photo tensor, or an export of a detector.

    One that may be either is read as what is wanted first. Raises LoadError for a file that is
    damaged or has operators of its own, NeedsFiles where its weights lie in files that are not
    here, UnsupportedModel for what is neither, and ParamError for options that do not fit it.
    """
    with path.open("rb") as stream:
        # Not closed here: an error's traceback may still hold views of it.
        data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    graph = inspect(data)
    file = _File(path, data, graph, external.find(graph, path))
    return either(
        lambda: _classifier(file, options, name),
        lambda: boxes.find(graph, file.opened(), options, name=name, kind=OnnxModel.kind),
        wanted,
    )


def _classifier(file: _File, options: Options, name: str) -> OnnxModel:
    graph = file.graph
    outputs.refuse_other_tasks(graph)
    readable = outputs.readable(graph)
    endings = {row.name: ending(graph, row.name) for row in readable}
    extra = {row.name for row in readable} | {end.before for end in endings.values() if end.before}
    try:
        opened = file.opened(sorted(extra - set(graph.outputs)))
    except LoadError:
        opened, extra = file.opened(), set(graph.outputs)
        readable = [row for row in readable if row.name in extra]

    network, rows, said = running(graph, opened, readable, options)
    named = len(options.classes or ()) or _named(graph, rows)
    scores, chosen = outputs.choose(graph, options, rows, endings, named)
    end = endings[scores.name]
    probes = probing(network.entry, network.size)
    if end.kind or end.certain:  # the graph tells: some of them, large ones too, confirm it
        probes = probes[[0, 1, -2, -1]]
    (answers,) = network.rows(probes, scores.name)
    mode = training.reason(graph)
    if not mode:
        answers, mixed = apart(network, probes, scores.name, answers)
        said += mixed
    read = reading.read(network, scores, end, answers, probes, options, extra)
    recognised = scaling.said(graph, network.entry, network.size)
    preprocessing, prepared = resolve(
        options, recognised, size=network.size, channels=network.entry.channels
    )
    classes = max(2, scores.units)
    labels, labelled = labels_for(options, classes, imagenet=False, **names.named(graph, classes))
    layers = _layers(file, network)
    findings = [*read.findings, *chosen, *file.found.findings, *said, *prepared, *labelled]
    return OnnxModel(
        network,
        read.name,
        name=name,
        architecture=printable(graph.name or graph.producer or "ONNX network", 60),
        parameters=graph.parameters,
        preprocessing=preprocessing,
        labels=labels,
        head=read.head,
        squashed=read.squashed,
        scale=read.scale,
        places=layers,
        steps=steps.ran(graph, layers),
        reader=lambda value: _again(file, network, value),
        mode_reason=mode,
        findings=tuple(findings),
    )


def _named(graph: Graph, rows: Sequence[Scores]) -> int:
    """Return how many classes the file names, where one of its outputs has as many."""
    for row in rows:
        found = names.named(graph, row.units)
        inside = found.get("inside")
        if isinstance(inside, (list, tuple, dict)) and len(inside) == row.units:
            return row.units
    return 0


def _layers(file: _File, network: Network) -> tuple[Place, ...]:
    """Return the layers; where onnxruntime will not give them the model goes without."""
    graph = file.graph
    nodes = candidates(graph)
    values = [node.outputs[0] for node in nodes]
    if not values:
        return ()
    try:
        opened = file.opened(values, plain=True, sides=_sides(network))
        shapes = {}
        for row in opened.get_outputs():
            shape = static(row.shape)
            if row.type.startswith("tensor(float") or row.type == "tensor(double)":
                shapes[row.name] = shape
        inner = Network(opened, network.entry, network.size)
        if network.fixed:
            inner.fixed, inner.step = True, network.step
        open_ = [value for value in values if value in shapes and shapes[value] is None]
        photo = np.zeros((1, *network.size, network.entry.channels), np.float32)
        for start in range(0, len(open_), 32):
            part = open_[start : start + 32]
            for value, (found, *_) in zip(part, inner.run(photo, part), strict=True):
                shapes[value] = np.shape(found)
    except Exception:  # what is wrong with a network it has said by itself
        return ()
    count = network.step if network.fixed else 1
    one = {
        value: (shape[0] // count if shape[0] % count == 0 else 0, *shape[1:])
        for value, shape in shapes.items()
        if shape
    }
    return places(graph, nodes, one, last=network.entry.last)


def _sides(network: Network) -> dict[str, int]:
    """Return values for the sides that the graph leaves free and names: one photo's."""
    entry, (height, width) = network.entry, network.size
    photo = (height, width, entry.channels) if entry.last else (entry.channels, height, width)
    count = network.step if network.fixed else 1
    shape = next(each.shape for each in network.session.get_inputs() if each.name == entry.name)
    values = (count, *(entry.tail or photo))[-len(shape) :]
    named = zip(shape, values, strict=True)
    return {side: value for side, value in named if isinstance(side, str) and side}


def _again(file: _File, network: Network, value: str) -> Network:
    """Return the network with an inner value as an answer."""
    inner = Network(file.opened([value]), network.entry, network.size)
    inner.fixed, inner.step = network.fixed, network.step
    return inner
