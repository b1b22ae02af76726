"""LIME beside lime's, captum's and Xplique's: the same superpixels, each library as it is set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.rise import explains

GOAL, SHORT, SEGMENTS, SEED = 1000, 100, 50, 0
BATCH = 16
"""Of Xplique, in its engine here."""


def segments() -> NDArray[np.int32]:
    """Return the segment of each pixel of the view: each side cuts the view anew."""
    from xai_core import superpixels

    return superpixels.cut(networks.view(), "slic", SEGMENTS)


def ours(model: Any, samples: int) -> Work:
    """Return what explains the view once."""
    return explains(
        model, "ours", {"samples": samples, "segmentation": "slic", "segments": SEGMENTS}, "lime"
    )


def lime(model: Any, samples: int) -> Work:
    """Return lime's own run, on the network as it is."""
    import torch

    from xai_core.engines import lime_library

    network, view = model.native(), networks.view()

    def scores(views: Any) -> NDArray[np.float64]:
        given = torch.from_numpy(np.ascontiguousarray(views, np.float32)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return np.asarray(network(given)[:, 0].numpy(), np.float64)

    return lambda: lime_library.lime(
        view, scores, labels=segments(), hidden=None, samples=samples, features=0,
        kernel_width=0.25, distance="cosine", seed=SEED, batch=networks.BATCH,
    )  # fmt: skip


def captum(model: Any, samples: int) -> Work:
    """Return captum's, its batches as large as ours."""
    import torch
    from captum.attr import Lime

    view = torch.from_numpy(networks.view()).permute(2, 0, 1)[None].contiguous()
    made = Lime(model.native())

    def run() -> object:
        torch.manual_seed(SEED)
        return made.attribute(
            view,
            target=0,
            feature_mask=torch.from_numpy(segments().astype(np.int64))[None, None],
            n_samples=samples,
            perturbations_per_eval=networks.BATCH,
        )

    return run


def xplique(model: Any, samples: int) -> Work:
    """Return Xplique's, through its wrapper where the network is torch's."""
    import tensorflow as tf
    from xplique.attributions import Lime

    from xai_core.engines import xplique as engine
    from xai_core.target import ClassTarget

    view, wanted = networks.view(), engine.one_hot(model, ClassTarget(0))

    def run() -> object:
        with engine.native(model) as network:
            made = Lime(
                network,
                batch_size=BATCH,
                nb_samples=samples,
                map_to_interpret_space=lambda _: tf.constant(segments()),
            )
            return made.explain(view[None], wanted)

    return run


@row(what="LIME, 1,000 samples, ResNet-50 in PyTorch", goal="1.08",
     before="1.61 at 200 samples")  # fmt: skip
def lime_torch(size: Size) -> Case:
    """Count over the samples."""
    model, samples = networks.torch_model(), size.count(GOAL, SHORT)
    return Case(
        sides={
            "ours": ours(model, samples),
            "lime": lime(model, samples),
            "captum": captum(model, samples),
            "Xplique": xplique(model, samples),
        },
        passes=samples,
        floors=networks.torch_floors(model.native().body),
        said=networks.started(model),
    )


@row(what="LIME, 1,000 samples, ResNet-50 in Keras", goal="1.08")
def lime_keras(size: Size) -> Case:
    """Count over the samples."""
    model, samples = networks.keras_model(), size.count(GOAL, SHORT)
    return Case(
        sides={"ours": ours(model, samples), "Xplique": xplique(model, samples)},
        passes=samples,
        floors=networks.keras_floors(model._network.model),
        said=networks.started(model),
    )
