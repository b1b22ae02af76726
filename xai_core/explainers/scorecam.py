"""ScoreCAM: a layer's maps, weighted by the score of the photo that each of them shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, LayerMap
from xai_core.card import Cost
from xai_core.channel_masks import ChannelMasks
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.layers import layer_of
from xai_core.model import MasksFast, ShowsLayers
from xai_core.params import batch, fill
from xai_core.perturb import at_once, baseline
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]
_BATCH = 16
USUAL = 512
"""Channels that are reckoned with where nothing is known of the layer."""


def _ours(
    method: ScoreCAM, model: MasksFast, image: Array, target: Target, progress: Progress
) -> Raw:
    maps = method.maps(model, image)
    masks = ChannelMasks(maps, model.input_size)
    total = len(masks) + 1
    progress(1, total)
    scores = np.full(len(masks), -np.inf)
    hidden = baseline(method.fill, image)
    for part, found in model.masked_scores(image, masks, hidden, [target], method.batch):
        scores[part] = found[:, 0]
        if part.stop < len(masks):
            so_far = np.maximum(maps @ softmax(scores), 0)
            progress(part.stop + 1, total, method.drawn(so_far, model.input_size).attribution)
    weights = softmax(scores)
    cam = np.maximum(maps @ weights, 0)
    raw = method.drawn(
        cam,
        model.input_size,
        arrays={"weights": weights, "scores": scores.astype(np.float32)}
        | channels.strongest(maps, weights),
        notes=method.notes(model, image, target, cam, weights) + method.alike(scores),
    )
    progress(total, total, raw.attribution)
    return raw


def softmax(scores: NDArray[np.float64]) -> Array:
    """Return weights `[n]` that add up to 1."""
    risen = np.exp(scores - scores.max())
    return np.asarray(risen / risen.sum(), np.float32)


@explainer
class ScoreCAM(LayerMap):
    """Which cells of a layer's map speak for a class, by showing what each channel marks.

    Each channel is enlarged to the view, scaled to 0..1 and laid over the photo as a mask; the
    score of what it leaves, in a softmax over all channels, is the channel's weight (Wang et al.
    2020, algorithm 1). No gradient is used. All weights are positive: what speaks against the
    class is never shown.
    """

    title: ClassVar[str] = "ScoreCAM"
    place: ClassVar[int] = 24
    shows: ClassVar[str] = "Which cells speak for the class, by showing what each channel marks."
    reference: ClassVar[str] = "arXiv:1910.01279"
    needs: ClassVar[tuple[type, ...]] = (ShowsLayers, MasksFast)
    arrays: ClassVar[Mapping[str, Shape]] = {
        **ARRAYS,
        "scores": Shape("<f4", ("",), most=1 << 16, optional=True),
    }
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("ScoreCAM"),
    )

    fill: str = fill(
        "what a channel does not mark", ("black", "mean", "grey", "blur"), engines=("ours",)
    )
    batch: int = batch(_BATCH, engines=("ours",))

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return fewer at once where the view is large, so that a run's memory stays small."""
        return {"batch": at_once(size or (1, 1), _BATCH)}

    def alike(self, scores: NDArray[np.float64]) -> tuple[str, ...]:
        """Say that the scores hardly tell the channels apart, where they do not."""
        if np.ptp(scores) > 1e-2:
            return ()
        return (
            f"The masked photos' scores lie within {np.ptp(scores):.2g} of each other, so that all "
            "channels weigh about the same and the map hardly depends on the class: explain the "
            "score before it becomes a probability (logit), or choose another method.",
        )

    def cost(self, model: Sized) -> Cost:
        """One forward pass up to the layer, and one for each of its channels."""
        row = layer_of(model, self.layer)
        return Cost(forward=1 + (row.channels if row else USUAL))
