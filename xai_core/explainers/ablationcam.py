"""AblationCAM: a layer's maps, weighted by how far the score falls without each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels, straight
from xai_core.cam import ARRAYS, Cam, rest
from xai_core.card import Cost, Kind
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.layers import layer_of
from xai_core.model import RunsFrom, RunsWithout
from xai_core.params import number
from xai_core.target import JUDGED, Asked, Target
from xai_core.task import Shape

Array = NDArray[np.float32]
TOGETHER = 16
"""Copies of the map that go through the rest of the network at once."""
ENOUGH = 2 * straight.PROBES
"""Channels up to which leaving each out takes no longer than finding out whether one must."""
USUAL = 512
"""Channels that are reckoned with where nothing is known of the layer."""


def _ours(
    method: AblationCAM, model: RunsFrom, image: Array, target: Target, progress: Progress
) -> Raw:
    method.asked(target)
    maps = method.maps(model, image)
    chosen = strongest(maps, method.ratio)
    total = len(chosen) + 2
    weights = np.zeros(maps.shape[-1], np.float32)
    line = None
    if target.reads != "objects" and len(chosen) > ENOUGH:
        line = straight.line(model, method.layer, maps, image, target)
    whole = line.whole if line else float(_whole(method, model, maps, image, target))
    progress(2, total)
    if line is not None:  # what a channel adds is its values times their slopes
        weights[chosen] = (maps * line.slopes).sum((0, 1), dtype=np.float64)[chosen]
        progress(total, total)
        chosen = chosen[:0]
    for start in range(0, len(chosen), TOGETHER):
        part = chosen[start : start + TOGETHER]
        weights[part] = whole - _without(method, model, maps, image, target, part)
        so_far = method.drawn(method.weighted(maps, weights), model.input_size)
        progress(start + len(part) + 2, total, so_far.attribution)
    cam = method.weighted(maps, weights)
    return method.drawn(
        cam,
        model.input_size,
        scalars={"score": whole},
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=method.notes(model, image, target, cam, weights),
        passes=None if line is None else 2 + straight.PROBES,
    )


def strongest(maps: Array, ratio: float) -> NDArray[np.int64]:
    """Return the share `ratio` of a map's channels whose mean size is largest, in their order.

    At least one, of `[mh, mw, channels]`.
    """
    sizes = np.abs(maps).mean((0, 1), dtype=np.float64)
    count = taken(len(sizes), ratio)
    return np.sort(np.argsort(-sizes, kind="stable")[:count])


def taken(channels: int, ratio: float) -> int:
    """Return how many channels are left out in turn."""
    return max(1, round(channels * ratio))


def _whole(method: AblationCAM, model: Any, maps: Array, image: Array, target: Target) -> float:
    if target.reads == "objects":
        return float(target.of_views(model, image[None])[0])
    return float(target.score(model.run_from(method.layer, maps[None], image), model.head)[0])


def _without(
    method: AblationCAM,
    model: Any,
    maps: Array,
    image: Array,
    target: Target,
    channels: NDArray[np.int64],
) -> Array:
    """Return the scores without each of some channels."""
    if target.reads == "objects":
        return target.score(model.without(method.layer, image, channels.tolist()), model.head)
    copies = np.repeat(maps[None], len(channels), 0)
    copies[np.arange(len(channels)), ..., channels] = 0
    return target.score(model.run_from(method.layer, copies, image), model.head)


def _turned(method: Any, model: Any, image: Array, target: Target) -> tuple[str, ...]:
    if target.reads == "objects":
        return (
            "The grad-cam library divides by the score and does not leave a channel of a detector "
            "out but sets it to \u22121,000, far below any value. Compare it with ours.",
        )
    said = []
    if float(target.of_views(model, image[None])[0]) < 0:
        said.append(
            "The score of this photo is below zero, and the grad-cam library divides by it: its "
            "map shows what speaks against the class as if it spoke for it. Choose ours."
        )
    if np.any(model.activations(image[None], method.layer) < 0):
        said.append(
            f"The layer {method.layer} has values below zero, where the grad-cam library does not "
            "leave a channel out but sets it 10,000,000 below its least value. Choose ours."
        )
    return tuple(said)


@explainer
class AblationCAM(Cam):
    """Which cells of a layer's map speak for a class, by leaving each channel out.

    Each channel in turn is set to zero, and its weight is how far the score falls (Desai and
    Ramaswamy 2020, eq. 4, not divided by the score, which would turn the map round where it is
    negative). Only what follows the layer is run again. Where that is a straight line, as behind an
    average over all places and one dense layer, all weights come from one pass back through it; no
    gradient is used elsewhere. A detector's layer may be all levels of its backbone together: their
    sizes, at the coarsest one's size.
    """

    title: ClassVar[str] = "AblationCAM"
    place: ClassVar[int] = 22
    shows: ClassVar[str] = "Which cells speak for the class, by leaving each channel out."
    reference: ClassVar[str] = "doi:10.1109/WACV45572.2020.9093360"
    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = JUDGED
    needs: ClassVar[tuple[type, ...]] = (RunsFrom,)
    box_needs: ClassVar[tuple[type, ...]] = (RunsWithout,)
    arrays: ClassVar[Mapping[str, Shape]] = ARRAYS
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours, units=False),
        grad_cam_library.engine("AblationCAM", _turned, ratio="ratio_channels_to_ablate"),
    )

    ratio: float = number(
        1.0,
        0.01,
        1.0,
        step=0.01,
        help="The share of the layer's channels that are left out in turn, those with the largest "
        "values first; the others get no weight. Each takes a pass, so that a tenth is ten times "
        "as fast. The grad-cam library takes that share twice, of its first and of its last by its "
        "own order.",
        label="Share of channels",
        source="grad-cam ratio_channels_to_ablate",
        more=True,
    )

    def cost(self, model: Sized) -> Cost:
        """One pass up to the layer, and one through the rest for each channel and for all.

        Fewer where the rest turns out to be a straight line.
        """
        row = layer_of(model, self.layer)
        count = row.channels if row else USUAL
        if self.engine == "ours":
            out = taken(count, self.ratio)
            made = rest(model, self.layer, 1 + out)
            return dataclasses.replace(made, at_most=out > ENOUGH)
        twice = count if self.ratio == 1 else 2 * int(count * self.ratio)
        return rest(model, self.layer, 1 + twice)
