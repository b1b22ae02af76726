"""One pass through a Keras network, noted: which layers give a map, and what gives the outputs.

Takes the model's parts and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from loaders.keras import layers, steps
from xai_core.model import Layer
from xai_core.stages import Ran

_AT_REST = re.compile("Dropout|Noise|ActivityRegularization|Identity")
_STILL_THE_PHOTO = ("Rescaling", "Normalization", "Random", "TFOpLambda", "SlicingOpLambda")


@dataclasses.dataclass(frozen=True)
class Record:
    """What a pass showed: `sites` can be looked into by path, `calls` is how often each ran.

    `maps` is how large the map of each site is; `calls` is in the order in which layers ended.
    `steps` are all of the network's layers, as they ran.
    """

    answers: Any
    layers: tuple[Layer, ...]
    sites: Mapping[str, Any]
    maps: Mapping[str, tuple[int, int, int]]
    calls: Mapping[str, int]
    makers: Mapping[int, tuple[int, Any]]
    """By the id of what it gave: when a single layer ran, counted from 1, and that layer."""
    steps: tuple[Ran, ...] = ()

    def maker(self, output: Any) -> tuple[int, Any | None]:
        """Return when the layer ran that gave just this output, and the layer."""
        return self.makers.get(id(output), (0, None))


def record(
    tree: Mapping[str, Any],
    run: Callable[[], Any],
    count: int,
    photo: tuple[int, int, int],
) -> Record:
    """Run once and note every layer that gives a map.

    `tree` is its layers by path, `count` how many photos of `photo`, (height, width, channels),
    `run` sends through.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    order: dict[str, int] = {}
    calls: dict[str, int] = {}
    makers: dict[int, tuple[int, Any]] = {}
    noted: list[steps.Noted] = []
    kept: list[Any] = []  # so that no two outputs of the pass share an id

    def see(path: str, output: Any) -> Any:
        calls[path] = calls.get(path, 0) + 1
        if hasattr(output, "numpy") and hasattr(output, "shape"):
            shapes.pop(path, None)
            shapes[path] = tuple(output.shape)
            order[path] = id(output)
            kept.append(output)
            if layers.is_single(tree[path]):
                noted.append((tree[path], shapes[path]))
            if not layers.is_model(tree[path]):
                makers.setdefault(id(output), (len(kept), tree[path]))
        return output

    with layers.intercepted(tree, see):
        answers = run()
    rows: list[Layer] = []
    sites: dict[str, Any] = {}
    maps: dict[str, tuple[int, int, int]] = {}
    listed: set[int] = set()
    for path, shape in shapes.items():
        measured = layers.map_shape(shape, count)
        if measured is None:
            continue
        layer = tree[path]
        sites[path], maps[path] = layer, measured
        kind, (height, width, channels) = type(layer).__name__, measured
        if order[path] in listed or layers.is_model(layer) or _AT_REST.search(kind):
            continue  # the same map under a second name
        if measured == photo and kind.startswith(_STILL_THE_PHOTO):
            continue
        listed.add(order[path])
        rows.append(Layer(path, kind, (height, width), channels))
    told = steps.ran(noted, count)
    return Record(answers, tuple(rows), sites, maps, calls, makers, told)
