"""Which of a graph's outputs holds the class scores, and what a graph with none of them is."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from loaders.keras.audit import printable
from loaders.onnx.endings import Ending
from loaders.onnx.graph import Graph
from loaders.options import Options
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding

MAX_OUTPUTS = 64
"""Outputs that are looked at, and shown."""

_WRAPPED = ("ZipMap", "ArgMax", "TopK", "Identity", "Squeeze", "Cast", "LabelEncoder", "Reshape",
            "ArrayFeatureExtractor", "Flatten", "ReduceMax")  # fmt: skip
_CHOOSING = ("ArgMax", "TopK", "ReduceMax", "ArrayFeatureExtractor")
"""Operators that keep a part of the scores, by their values: what they give is not the row."""

_SCORES = re.compile(
    r"logit|score|prob|pred|class|softmax|sigmoid|label|cls|head|dense|fc\d*$", re.I
)
_OTHER = re.compile(
    r"feat|embed|hidden|pool|aux|attention|attn|box|mask|recon|latent|codes?$|backbone|encod", re.I
)
_BOXES = re.compile(r"box|num_det|dets?$|anchors", re.I)
_FEATURES = re.compile(r"embed|feat|latent", re.I)
_TASKS = {
    "detect": "an object detector",
    "segment": "a model that segments objects",
    "pose": "a model of poses",
    "obb": "a detector of turned boxes",
}


@dataclasses.dataclass(frozen=True)
class Scores:
    """A value that may hold the scores: `name` in the graph, `title` of the output it belongs to.

    `wrapped` says that the output itself is something made of it: a class's number, a mapping.
    """

    name: str
    title: str
    units: int = 0
    wrapped: str = ""


def readable(graph: Graph) -> list[Scores]:
    """Return the values that may hold scores: every output, and what some are made of."""
    found = [Scores(name, name) for name in graph.outputs[:MAX_OUTPUTS]]
    for title in graph.outputs[:MAX_OUTPUTS]:
        value, wrap = title, ""
        for _ in range(8):
            node = graph.makers.get(value)
            if node is None or node.operator not in _WRAPPED or not node.inputs:
                break
            wrap = wrap or (node.operator if node.operator in ("ZipMap", "ArgMax", "TopK") else "")
            value = node.inputs[0]
            if node.operator in ("ZipMap", "ArgMax", "TopK"):
                if value in graph.makers and value not in [each.name for each in found]:
                    found.append(Scores(value, title, wrapped=wrap))
                break
    return found


def units(value: object, count: int) -> int:
    """Return how many scores a photo an array of `count` photos holds, or 0."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return 0
    sides = value.shape
    if count > 1 and (not sides or sides[0] != count):
        return 0
    rest = [side for side in sides[1 if sides and sides[0] == count else 0 :] if side > 1]
    return int(value.size // count) if len(rest) <= 1 else 0


def choose(
    graph: Graph,
    options: Options,
    found: Sequence[Scores],
    endings: Mapping[str, Ending],
    named: int,
) -> tuple[Scores, tuple[Finding, ...]]:
    """Return the scores among what may hold them, and what to say of the choice.

    `named` is how many classes the file or the person names, or 0. Raises ParamError where the
    one that was asked for is not there.
    """
    if options.output:
        return _asked(graph, options.output, found), ()
    left, why = list(found), ""
    if len(left) > 1:
        for rule, kept in (
            ("as the other is chosen from it", [row for row in left if not _chooses(graph, row)]),
            ("by its number of classes", [row for row in left if named and row.units == named]),
            ("by its name", [row for row in left if not _OTHER.search(row.title)]),
            ("because it is made of the other", _last(graph, left, endings)),
            ("by its name", [row for row in left if _SCORES.search(row.title)]),
            ("by its activation", [row for row in left if endings[row.name].kind]),
        ):
            narrowed = [row for row in left if row in kept]
            if narrowed and len(narrowed) < len(left):
                left, why = narrowed, rule
            if len(left) == 1:
                break
    chosen = left[0]
    if len(graph.outputs) == 1 and not chosen.wrapped:
        return chosen, _doubted(chosen)
    rows = {row.name: row for row in found}
    shown = ", ".join(
        f"'{printable(name, 40)}'" + (f" of {rows[name].units:,}" if name in rows else "")
        for name in graph.outputs[:6]
    )
    if chosen.wrapped:
        said = f"'{printable(chosen.title, 40)}' ({chosen.wrapped}), from what stands before it"
    else:
        said = f"'{printable(chosen.title, 40)}'"
    sure = len(left) == 1
    how = why if sure else "the first of several that may hold them"
    comma = ", " if how else ""
    return chosen, (
        Finding(
            "info" if sure else "warning",
            f"The network has {len(graph.outputs)} output{'s' * (len(graph.outputs) > 1)} "
            f"({shown}): the class scores are read from {said}{comma}{how}. If that is wrong, "
            "choose another (--output).",
            "output",
        ),
    )


def _doubted(only: Scores) -> tuple[Finding, ...]:
    """Return a warning where the only output is called as features are."""
    if not _FEATURES.search(only.title) or _SCORES.search(only.title):
        return ()
    said = (
        f"The network's only output is called '{printable(only.title, 40)}' and its {only.units:,} "
        "numbers are taken for class scores. If they are features, as of a network that compares "
        "photos, its classes and their probabilities mean nothing: bring a classifier."
    )
    return (Finding("warning", said, "output"),)


def _asked(graph: Graph, asked: str, found: Sequence[Scores]) -> Scores:
    titles = graph.outputs
    title = titles[int(asked)] if asked.isdecimal() and int(asked) < len(titles) else asked
    for row in found:
        if row.title == title:
            return row
    known = ", ".join(dict.fromkeys(printable(row.title, 40) for row in found))
    raise ParamError(
        f"--output must be one that may hold class scores ({known}), got {printable(asked, 60)!r}"
    )


def _last(graph: Graph, rows: Sequence[Scores], endings: Mapping[str, Ending]) -> list[Scores]:
    """Return the rows that no other is made of; of scores and their softmax, the scores."""
    kept = []
    for row in rows:
        source = _source(graph, row.name)
        made = [each for each in rows if each is not row and _within(graph, source, each.name)]
        squashes = [each for each in made if endings[each.name].before in (row.name, source)]
        own = endings[row.name].before
        if own and any(own in (each.name, _source(graph, each.name)) for each in rows):
            continue  # its scores are an output themselves
        if not made or len(made) == len(squashes):
            kept.append(row)
    return kept


def _chooses(graph: Graph, row: Scores) -> bool:
    """Say whether an output holds a part of the scores, as the best ones and their chances."""
    value = row.name
    for _ in range(8):
        node = graph.makers.get(value)
        if node is None or node.operator not in _WRAPPED or not node.inputs:
            break
        if node.operator in _CHOOSING:
            return True
        value = node.inputs[0]
    return False


def _source(graph: Graph, value: str) -> str:
    """Return the value that an output is another name of."""
    for _ in range(8):
        node = graph.makers.get(value)
        if node is None or node.operator not in ("Identity", "Cast", "Flatten", "Squeeze"):
            break
        value = node.inputs[0]
    return value


def _within(graph: Graph, value: str, output: str) -> bool:
    """Say whether an output is computed from a value."""
    waiting, seen = [output], {output}
    while waiting:
        node = graph.makers.get(waiting.pop())
        for name in node.inputs if node else ():
            if name == value:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return False


def refuse_other_tasks(graph: Graph) -> None:
    """Raise UnsupportedModel for what the file itself says is no classifier."""
    task = graph.metadata.get("task", "").strip("'\" ").lower()
    if task in _TASKS:
        by = " of Ultralytics'" if "ultralytics" in graph.metadata.get("author", "").lower() else ""
        raise UnsupportedModel(
            f"This is {_TASKS[task]}{by} (its metadata say '{task}'), and this page explains "
            "classifiers of photos."
        )


def refusal(values: Sequence[Any], names: Sequence[str]) -> str:
    """Return the sentence for answers among which no class scores are."""
    shapes = [tuple(np.shape(value)) for value in values]
    shown = ", ".join(str(list(shape)) for shape in shapes[:4])
    what = _looks_like(shapes, names)
    if what:
        return (
            f"The network answers with {shown}, as {what} does: this page explains classifiers of "
            "photos."
        )
    return (
        f"The network answers with {shown}, not with one row of class scores a photo: it is no "
        "image classifier."
    )


def holds_boxes(values: Sequence[Any], names: Sequence[str], count: int) -> bool:
    """Say whether an output holds several boxes a photo, by its name and its shape.

    One box a photo, `[N, 4]`, may stand beside a classifier's scores.
    """
    for value, name in zip(values, names, strict=True):
        sides = np.shape(value)
        several = (len(sides) == 3 and sides[1] > 1) or (len(sides) == 2 and sides[0] != count)
        if several and sides[-1] == 4 and _BOXES.search(name):
            return True
    return False


def _looks_like(shapes: Sequence[tuple[int, ...]], names: Sequence[str]) -> str:
    boxes = any(_BOXES.search(name) for name in names)
    first = shapes[0] if shapes else ()
    if _several_grids(shapes):
        return "an object detector (YOLO's kind, its maps as they are)"
    if len(shapes) > 1 and any(len(s) == 3 and s[1] > 50 and s[2] == 4 for s in shapes):
        return "an object detector"
    if len(first) == 3 and len(shapes) > 1 and any(len(s) == 4 and s[1] == 32 for s in shapes[1:]):
        return "a model that segments objects (YOLO's kind)"
    if len(first) == 3:
        rows, columns = first[1:]
        if rows > 500 and 5 < columns < rows:
            return "an object detector (YOLO's kind, with objectness)"
        if columns > 500 and 4 < rows < columns:
            return "an object detector (YOLO's kind)"
        if columns == 6 and rows > 1:
            return "an object detector (YOLO's kind, without its overlaps)"
    if boxes:
        return "an object detector"
    if len(first) == 4 and min(first[2:]) > 1:
        return "a network that gives maps (one that segments, or rebuilds its photo)"
    return ""


def _several_grids(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Tell a detector's maps of several sizes: `[N, many, h, w]`, or `[N, 3, h, w, many]`."""
    if len(shapes) < 2 or {len(sides) for sides in shapes} not in ({4}, {5}):
        return False
    numbers = {sides[1] if len(sides) == 4 else sides[4] for sides in shapes}
    grids = {sides[2:4] for sides in shapes}
    least = 18 if len(shapes[0]) == 4 else 6
    return len(numbers) == 1 and min(numbers) >= least and len(grids) == len(shapes)
