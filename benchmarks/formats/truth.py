"""What PyTorch, Keras 3 and tf_keras say themselves: the oracles of the tables."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.formats.case import Array, Oracle, Truth
from loaders.preprocessing import Preprocessing

Ending = Literal["logits", "softmax", "sigmoid"]


def by_torch(module: Any, ending: Ending = "logits") -> Oracle:
    """Return the oracle of a module that takes `[N, channels, h, w]`."""
    module.eval()

    def answer(view: NDArray[np.float32], preprocessing: Preprocessing) -> Truth:
        given = preprocessing.normalise(view[None]).transpose(0, 3, 1, 2)
        images = torch.from_numpy(np.ascontiguousarray(given)).requires_grad_(True)
        outputs = module(images)
        if outputs.shape[1] == 1:
            lead = outputs if ending == "logits" else outputs.logit()
            scores = torch.cat([-lead / 2, lead / 2], 1)
        elif ending == "sigmoid":
            scores = outputs.logit()
        else:
            scores = outputs.log() if ending == "softmax" else outputs
        (scores[0, 1] - scores[0, 0]).backward()
        slopes = images.grad.numpy().transpose(0, 2, 3, 1)[0]
        found = scores[0].detach().numpy().astype(np.float64)
        return Truth(found, slopes @ _slope(preprocessing))

    return answer


def by_keras(model: Any, ending: Ending = "softmax") -> Oracle:
    """Return the oracle of a model of Keras 3 or tf_keras that takes `[N, h, w, channels]`."""
    import tensorflow as tf

    def answer(view: NDArray[np.float32], preprocessing: Preprocessing) -> Truth:
        images = tf.constant(preprocessing.normalise(view[None]))
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=False)
            if outputs.shape[1] == 1:
                lead = outputs
                if ending == "sigmoid":
                    lead = tf.math.log(outputs) - tf.math.log(1 - outputs)
                scores = tf.concat([-lead / 2, lead / 2], 1)
            else:
                scores = tf.math.log(outputs) if ending == "softmax" else outputs
            lead = scores[0, 1] - scores[0, 0]
        slopes = tape.gradient(lead, images).numpy()[0]
        return Truth(scores.numpy()[0].astype(np.float64), slopes @ _slope(preprocessing))

    return answer


def _slope(preprocessing: Preprocessing) -> Array:
    """Return d network input / d view, `[channels, 3]`: normalising is affine in the colours."""
    at = preprocessing.normalise(np.zeros((1, 1, 1, 3), np.float32))
    moved = preprocessing.normalise(np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3))
    return (moved - at).reshape(3, -1).astype(np.float64).T


def differs(found: Truth, true: Truth) -> str:
    """Say how an answer differs from the truth; empty where it does not.

    Scores may differ by 1e-4, gradients by a twentieth of their length: at a kink of ReLU or a
    draw in max pooling, rounding alone decides which way a gradient goes.
    """
    ours, theirs = (row - row.mean() for row in (found.scores, true.scores))
    gap, width = float(np.abs(ours - theirs).max()), float(np.ptp(theirs))
    if not gap <= min(1e-4 * max(1.0, np.abs(theirs).max()), 0.02 * width):
        return f"scores differ by {gap:.2g} of {width:.2g}"
    if found.gradient.size:
        gap = float(np.linalg.norm(found.gradient - true.gradient))
        length = float(np.linalg.norm(true.gradient))
        if not gap <= 0.05 * length or not length:
            return f"gradients differ by {gap:.2g} of {length:.2g}"
    return ""
