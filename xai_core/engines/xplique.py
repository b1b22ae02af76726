"""Xplique behind our contract: Keras models as they are, torch models through its wrapper.

Importing it brings torch into a TensorFlow process, and its wrapper makes TensorFlow eager for
good: it runs in workers of the kind `both` only, where torch was imported first.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import scores_only
from xai_core.explainer import Engine, Progress, Raw
from xai_core.target import Target

Array = NDArray[np.float32]
NAME = "xplique"
BATCH = 16


def why_not(model: Any) -> str | None:
    """Say why the library cannot serve the model."""
    if getattr(model, "task", "classification") == "detection":
        return "Xplique's explainers are asked about class scores here; choose ours for a detector."
    if model.framework == "tf_keras":
        return (
            "Xplique reads Keras 3 models only; this file could be read by the older tf_keras only."
        )
    if model.framework not in ("keras", "torch"):
        return "Xplique reads PyTorch and Keras models only."
    return None


def why_not_layers(model: Any) -> str | None:
    """Say why the library's methods that read layers cannot serve the model."""
    if model.framework == "torch":
        return "Xplique's methods that read layers do not run on PyTorch models; choose another."
    return why_not(model)


def engine(kind: str, *, notes: tuple[str, ...] = ()) -> Engine:
    """Return the engine that runs the library's class `kind`, of those that weigh by gradients."""

    def run(method: Any, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
        # its bicubic swings below zero beside a peak, where its ReLU had left nothing
        attribution = np.maximum(grad_cam(kind, model, image, target, method.layer), 0)
        progress(1, 1)
        grain = method.cells_of(model, "cubic")
        return Raw(attribution=attribution, grain=grain, notes=notes)

    return Engine(
        name=NAME, run=run, why_not=why_not_layers, worker="both", of=("logit",), units=False
    )


def grad_cam(kind: str, model: Any, image: Array, target: Target, layer: str) -> Array:
    """Return the map of Xplique's class `kind` of one view, float32 `[h, w]`, not scaled.

    It takes no other score than the weighted sum of logits.
    """
    from xplique import attributions

    scores_only(f"Xplique's {kind}", target)
    inner = model.native_layer(layer)
    # A name finds top-level layers only, so any one is given and the wanted one set afterwards.
    explainer = getattr(attributions, kind)(model.native(), conv_layer=-1)
    explainer.conv_layer = inner
    call = inner.call
    try:
        maps = explainer.explain(image[None], one_hot(model, target))
    finally:
        inner.call = call  # Xplique leaves the layer watched when anything raises
    return np.asarray(maps, np.float32).reshape(model.input_size)


def fem(model: Any, image: Array, layer: str, *, k: float) -> Array:
    """Return Xplique's FEM of one view, float32 `[h, w]`, not scaled."""
    import tensorflow as tf
    from xplique.attributions import FEM

    explainer = FEM(model.native(), conv_layer=0, k=k)
    # it cuts the network at a top-level layer, here the input; the wanted one may lie deeper
    explainer.model = lambda views: tf.constant(model.activations(views.numpy(), layer))
    maps = explainer.explain(image[None])
    return np.asarray(maps, np.float32).reshape(model.input_size)


def occlusion(
    model: Any,
    image: Array,
    target: Target,
    *,
    patch: tuple[int, int],
    stride: tuple[int, int],
    value: float,
) -> Array:
    """Return Xplique's occlusion of one view, float32 `[h, w]`: overlaps summed, edges skipped."""
    from xplique.attributions import Occlusion

    with native(model) as network:
        explainer = Occlusion(
            network,
            batch_size=BATCH,
            patch_size=patch,
            patch_stride=stride,
            occlusion_value=value,
            operator=operator(model, target),
        )
        maps = explainer.explain(image[None], one_hot(model, target))
    return np.asarray(maps, np.float32).reshape(model.input_size)


def rise(
    model: Any,
    image: Array,
    target: Target,
    *,
    masks: int,
    grid: int,
    keep: float,
    value: float,
    seed: int,
) -> Array:
    """Return Xplique's RISE of one view, float32 `[h, w]`, counted from zero.

    Its graphs keep the seed of the first run, so what draws in them runs outside of them.
    """
    import tensorflow as tf
    from xplique.attributions import Rise

    drawing = {name: vars(Rise)[name] for name in ("_get_masks", "_apply_masks")}
    with native(model) as network:
        explainer = Rise(
            network,
            batch_size=BATCH,
            nb_samples=masks,
            grid_size=grid,
            preservation_probability=keep,
            mask_value=value,
            operator=operator(model, target),
        )
        tf.random.set_seed(seed)
        try:
            for name, kept in drawing.items():
                setattr(Rise, name, staticmethod(kept.__func__.python_function))
            maps = explainer.explain(image[None], one_hot(model, target))
        finally:
            for name, kept in drawing.items():
                setattr(Rise, name, kept)
    return np.asarray(maps, np.float32).reshape(model.input_size)


def kernel_shap(
    model: Any,
    image: Array,
    target: Target,
    *,
    labels: NDArray[np.int32],
    hidden: Array,
    samples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return Xplique's KernelSHAP of one view: a value for each superpixel, float64 `[segments]`.

    `labels` int `[h, w]` says which superpixel a pixel is in, `hidden` float32 `[h, w, 3]` what
    stands where one is hidden. It hides with one colour only, so it is given what the photo has
    beyond `hidden`, and hides with nothing. Its graph keeps the seed of the first run, so it draws
    outside of it.
    """
    import tensorflow as tf
    from xplique.attributions import KernelShap

    score = operator(model, target) or _weighed

    def of_views(network: Any, beyond: Any, targets: Any) -> Any:
        return score(network, beyond + hidden, targets)

    with native(model) as network:
        explainer = KernelShap(
            network,
            batch_size=BATCH,
            operator=of_views,
            map_to_interpret_space=lambda view: tf.constant(labels),
            nb_samples=samples,
            ref_value=np.zeros(3, np.float32),
        )
        explainer.pertub_func = KernelShap._kernel_shap_pertub_func.python_function
        tf.random.set_seed(seed)
        maps = explainer.explain((image - hidden)[None], one_hot(model, target))
    found = np.asarray(maps, np.float64).reshape(labels.shape)
    _, first = np.unique(labels, return_index=True)
    values: NDArray[np.float64] = found.ravel()[first]
    return values


def _weighed(network: Any, inputs: Any, targets: Any) -> Any:
    """Return the weighted sum of logits, as Xplique's own operator does."""
    import tensorflow as tf

    return tf.reduce_sum(network(inputs) * targets, axis=-1)


@contextlib.contextmanager
def native(model: Any, *, gradients: bool = False) -> Iterator[Any]:
    """Give the model as Xplique takes it, and undo afterwards what its torch wrapper switches.

    Without `gradients` a torch model gives scores only: the graphs for them took 2 GB.
    """
    if model.framework != "torch":
        yield model.native()
        return
    import tensorflow as tf
    from xplique.wrappers import TorchWrapper

    eager = tf.config.functions_run_eagerly()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it makes TensorFlow eager, and how it copies arrays
        try:
            yield TorchWrapper(
                model.native(), device="cpu", is_channel_first=True, requires_grad=gradients
            )
        finally:
            tf.config.run_functions_eagerly(eager)


def one_hot(model: Any, target: Target) -> Array:
    """Return float32 `[1, classes]`: 1 for the class, -1 for the one it is set against."""
    return target.weights(len(model.labels))[None]


def operator(model: Any, target: Target) -> Callable[..., Any] | None:
    """Return the score that Xplique follows; None is its own, the weighted sum of logits."""
    if target.of == "logit":
        return None
    import tensorflow as tf

    def score(network: Any, inputs: Any, targets: Any) -> Any:
        logits = network(inputs)
        chances = tf.nn.softmax(logits) if model.head.exclusive else tf.nn.sigmoid(logits)
        return tf.reduce_sum(chances * targets, axis=-1)

    return score
