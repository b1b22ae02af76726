"""Grad-CAM: a layer's maps, weighted by what they do to the score."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.engines import grad_cam_library, xplique
from xai_core.errors import UnsupportedModel
from xai_core.explainer import Engine, Explainer, Progress, Raw, Sized, explainer
from xai_core.model import HasLayers, Layer, Predicts
from xai_core.params import choice, layer, switch
from xai_core.perturb import resize
from xai_core.target import ClassTarget, Target

Array = NDArray[np.float32]
SMOOTH = ("linear", "cubic", "nearest")


def default_layer(model: HasLayers) -> str:
    """Return the last layer with a useful map.

    That is the last one of at least 4 cells a side and a fortieth of the view's side, inside the
    largest nested backbone where there is one (a small head hides it otherwise), that still acts
    on the score: past a transformer's last attention, the map no longer does. Raises
    UnsupportedModel where no layer gives a map.
    """
    known = _DEFAULTS.get(model)
    if known is None:
        known = _DEFAULTS[model] = _find_default(model)
    return known


_DEFAULTS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_TRIES = 12
"""Layers asked, from the last on, whether the score still hears them."""

_PASSED_ON = ("Pool", "Dropout", "Pad", "Identity", "StochasticDepth", "Permute", "InputLayer")
"""Kinds of layer that only hand on, thin out or shrink the map before them."""


def _find_default(model: HasLayers) -> str:
    layers = model.layers()
    if not layers:
        raise UnsupportedModel(_NO_MAP)
    pool = _backbone(layers)
    least = [max(4, side / 40) for side in model.input_size]
    useful = [
        row
        for row in pool
        if row.map_size[0] >= least[0]
        and row.map_size[1] >= least[1]
        and not any(kind in row.kind for kind in _PASSED_ON)
    ]
    candidates = useful or pool
    # not a flat view: on one, a symmetric network may give exact zeros
    view = np.random.default_rng(0).random((1, *model.input_size, 3), np.float32)
    target = ClassTarget(int(model.logits(view)[0].argmax()))
    for row in candidates[::-1][:_TRIES]:
        _, gradients = model.activation_gradients(view, row.name, target)
        if np.any(gradients):
            return row.name
    return candidates[-1].name


def _backbone(layers: Sequence[Layer]) -> Sequence[Layer]:
    """Return the layers of the nested model that has most of them, or all where none has."""
    nested = Counter(row.name.split("/")[0] for row in layers if "/" in row.name)
    if not nested:
        return layers
    name, count = nested.most_common(1)[0]
    if 2 * count < len(layers):
        return layers
    return [row for row in layers if row.name.startswith(name + "/")]


_NO_MAP = "Grad-CAM needs a layer whose output is a map; this network is made of dense layers only."


def _ours(
    method: GradCAM, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    name = method.layer or default_layer(model)
    activations, gradients = model.activation_gradients(image[None], name, target)
    weights = gradients[0].mean((0, 1))  # float32 [channels], eq. 1
    cam = activations[0] @ weights  # [map h, map w], eq. 2
    if method.relu:
        cam = np.maximum(cam, 0)
    progress(1, 1)
    return _smoothed(method, model, name, cam, weights, gradients, activations[0])


def _smoothed(
    method: GradCAM,
    model: HasLayers,
    name: str,
    cam: Array,
    weights: Array,
    gradients: Array,
    maps: Array,
) -> Raw:
    notes = []
    if not np.any(gradients):
        notes.append(f"The score does not depend on the layer {name}: choose an earlier one.")
    elif not np.any(cam):
        notes.append(
            f"Every cell of {name} speaks against the class, and the ReLU leaves nothing: switch "
            "it off to see what speaks against, or choose another layer."
        )
    attribution = resize(cam, model.input_size, method.smoothing)
    if method.relu:
        attribution = np.maximum(attribution, 0)  # a cubic swings below zero beside a peak
    return Raw(
        attribution=attribution,
        signed=not method.relu,
        arrays={"map": cam, "weights": weights} | channels.strongest(maps, weights),
        scalars={"map_height": cam.shape[0], "map_width": cam.shape[1]},
        notes=tuple(notes),
    )


def _library(method: GradCAM, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    name = method.layer or default_layer(model)
    attribution = grad_cam_library.grad_cam(model, image, target, name)
    progress(1, 1)
    return Raw(attribution=attribution, scalars=_map_size(model, name))


def _xplique(method: GradCAM, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    name = method.layer or default_layer(model)
    # Xplique's bicubic swings below zero beside a peak, where its ReLU had left nothing
    attribution = np.maximum(xplique.grad_cam(model, image, target, name), 0)
    progress(1, 1)
    return Raw(attribution=attribution, scalars=_map_size(model, name))


def _map_size(model: HasLayers, name: str) -> dict[str, float]:
    size = next((row.map_size for row in model.layers() if row.name == name), None)
    return {"map_height": size[0], "map_width": size[1]} if size else {}


@explainer
class GradCAM(Explainer):
    """Which cells of a layer's map speak for a class.

    Each channel of the layer is weighted by the mean gradient of the score with respect to it
    (Selvaraju et al. 2017, eq. 1), and the weighted sum is cut at zero (eq. 2). The map is as
    coarse as the layer and is smoothed to the size of the view.
    """

    title: ClassVar[str] = "Grad-CAM"
    reference: ClassVar[str] = "arXiv:1610.02391"
    needs: ClassVar[tuple[type, ...]] = (HasLayers,)
    signed: ClassVar[bool] = False
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        Engine(name="grad-cam", run=_library, why_not=grad_cam_library.why_not),
        Engine(name="xplique", run=_xplique, why_not=xplique.why_not_layers, worker="both"),
    )

    layer: str = layer(
        help="The layer whose map is read. Later layers know more of the class and less of the "
        "place: the map gets coarser. Empty takes the last useful one.",
        source="grad-cam target_layers, Xplique GradCAM.conv_layer",
    )
    relu: bool = switch(
        True,
        help="Keep only what speaks for the class (eq. 2). Off, what speaks against it shows too.",
        engines=("ours",),
        label="Only what speaks for the class",
    )
    smoothing: str = choice(
        "linear",
        SMOOTH,
        help="How the coarse map is drawn over the view: linear as grad-cam does, cubic as "
        "Xplique does, nearest to see the map's own cells.",
        engines=("ours",),
        source="grad-cam cv2.resize, Xplique tf.image.resize bicubic",
    )

    @classmethod
    def why_not(cls, model: Predicts) -> str | None:
        """Say why there is no map to read."""
        if isinstance(model, HasLayers) and model.layers():
            return None
        return getattr(model, "no_layers", "") or _NO_MAP

    def forward_passes(self, model: Sized) -> int:
        """One: the backward pass goes through what follows the layer only."""
        return 1
