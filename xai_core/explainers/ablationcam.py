"""AblationCAM: a layer's maps, weighted by how far the score falls without each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, Cam, rest
from xai_core.card import Cost
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.layers import layer_of
from xai_core.model import RunsFrom
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
TOGETHER = 16
"""Copies of the map that go through the rest of the network at once."""
USUAL = 512
"""Channels that are reckoned with where nothing is known of the layer."""


def _ours(
    method: AblationCAM, model: RunsFrom, image: Array, target: Target, progress: Progress
) -> Raw:
    method.asked(target)
    maps = method.maps(model, image)
    count = maps.shape[-1]
    total = count + 2
    whole = float(_scores(method, model, maps[None], image, target)[0])
    progress(2, total)
    weights = np.zeros(count, np.float32)
    for start in range(0, count, TOGETHER):
        stop = min(start + TOGETHER, count)
        copies = np.repeat(maps[None], stop - start, 0)
        for row, channel in enumerate(range(start, stop)):
            copies[row, ..., channel] = 0
        weights[start:stop] = whole - _scores(method, model, copies, image, target)
        so_far = method.drawn(method.weighted(maps, weights), model.input_size)
        progress(stop + 2, total, so_far.attribution)
    cam = method.weighted(maps, weights)
    return method.drawn(
        cam,
        model.input_size,
        scalars={"score": whole},
        arrays={"weights": weights} | channels.strongest(maps, weights),
        notes=method.notes(model, image, target, cam, weights),
    )


def _scores(
    method: AblationCAM, model: RunsFrom, maps: Array, image: Array, target: Target
) -> Array:
    return target.score(model.run_from(method.layer, maps, image), model.head)


def _turned(method: Any, model: Any, image: Array, target: Target) -> tuple[str, ...]:
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
    negative). No gradient is used; only what follows the layer is run again.
    """

    title: ClassVar[str] = "AblationCAM"
    place: ClassVar[int] = 22
    shows: ClassVar[str] = "Which cells speak for the class, by leaving each channel out."
    reference: ClassVar[str] = "doi:10.1109/WACV45572.2020.9093360"
    needs: ClassVar[tuple[type, ...]] = (RunsFrom,)
    arrays: ClassVar[Mapping[str, Shape]] = ARRAYS
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("AblationCAM", notes=_turned),
    )

    def cost(self, model: Sized) -> Cost:
        """One pass up to the layer, and one through the rest for each channel and for all."""
        row = layer_of(model, self.layer)
        return rest(model, self.layer, 1 + (row.channels if row else USUAL))
