"""Activation maps and integrated gradients in Keras, over what its own graphs and OpenVINO take."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.speed import networks
from benchmarks.speed.row import Case, Size, Work, row
from benchmarks.speed.rows.grad_cam import fresh
from benchmarks.speed.rows.gradients import STEPS
from benchmarks.speed.rows.rise import explains


def followed(model: Any) -> dict[str, str]:
    """Let a model try graphs at its last layer, and say what that took: it is in no ratio."""
    from loaders.keras import shared

    work = fresh(model, "ours", "grad-cam")
    for _ in range(2):
        work()  # the library's own start
    shared.REPAYS = 0.0
    start = time.process_time()
    work()
    took = time.process_time() - start
    trusted = any(model._shared._trusted.values())
    by = "graphs of the network's halves" if trusted else "the network as it is"
    return {"by": by, "which took once": f"{took:.1f} s"}


def over_a_pass(*methods: str) -> Case:
    """Count methods on new photos over one pass."""
    model = networks.keras_model()
    floors = networks.keras_floors(model._network.model)
    said = followed(model)
    return Case(sides={"ours": fresh(model, "ours", *methods)}, passes=1, floors=floors, said=said)


@row(what="Grad-CAM, ResNet-50 in Keras", goal="1.3 forwards", rounds=9)
def grad_cam_keras(size: Size) -> Case:
    """Count over one pass."""
    return over_a_pass("grad-cam")


@row(what="ReciproCAM, ResNet-50's last maps (49 cells) in Keras", goal="1.3 forwards", rounds=9)
def reciprocam_keras(size: Size) -> Case:
    """Count over one pass."""
    return over_a_pass("reciprocam")


def slopes(network: Any) -> Mapping[str, tuple[Work, int]]:
    """Return passes there and back as a graph, several at once."""
    import tensorflow as tf

    photos = tf.constant(np.random.default_rng(0).random((8, 224, 224, 3), np.float32))

    def pull(views: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(views)
            scores = network(views, training=False)[:, 0]
        return tape.gradient(scores, views)

    run = tf.function(pull, input_signature=[tf.TensorSpec((None, 224, 224, 3), tf.float32)])
    return {f"{n} at once": (functools.partial(run, photos[:n]), n) for n in (4, 8)}


@row(what="integrated gradients, 50 steps, ResNet-50 in Keras, over passes there and back",
     goal="1.05, 300 MB")  # fmt: skip
def ig_keras(size: Size) -> Case:
    """Count over the pass there and back as a graph."""
    model = networks.keras_model()
    values = {"steps": STEPS}
    return Case(
        sides={
            "ours": explains(model, "ours", values, "integrated-gradients"),
            "Xplique": explains(model, "xplique", values, "integrated-gradients"),
        },
        passes=STEPS,
        floors=slopes(model._network.model),
    )
