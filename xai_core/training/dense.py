"""A dense network with ReLU in numpy: its answers, its gradients, and what excites a unit.

It is small enough that no framework is needed to run it, so a page can answer a drawn digit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Dense:
    """`weights` float32 `[units, inputs]` and `biases` `[units]`, the last of them the scores'."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Dense:
        """Take them from a recording's arrays, `weight 1`, `bias 1` and so on."""
        count = sum(name.startswith("weight ") for name in arrays)
        names = range(1, count + 1)
        return cls(
            tuple(np.asarray(arrays[f"weight {at}"], np.float32) for at in names),
            tuple(np.asarray(arrays[f"bias {at}"], np.float32) for at in names),
        )

    def answers(self, x: Array) -> list[Array]:
        """Return each hidden layer's activations of float `[n, inputs]`, and the scores."""
        made: list[Array] = []
        last = len(self.weights) - 1
        for at, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight.T + bias
            if at < last:
                x = np.maximum(x, 0)
            made.append(x)
        return made

    def probabilities(self, x: Array) -> Array:
        """Return the softmax of the scores, `[n, classes]`."""
        scores = self.answers(x)[-1]
        raised = np.exp(np.subtract(scores, scores.max(1, keepdims=True)))
        made: Array = raised / raised.sum(1, keepdims=True)
        return made

    def gradients(self, x: Array, layer: int, unit: int) -> Array:
        """Return the gradient of a unit before its ReLU, by the input, `[n, inputs]`.

        Layers count from 0; the last one is the scores.
        """
        answers = self.answers(x)
        flow: Array = np.repeat(self.weights[layer][unit][None], len(x), 0)
        for below in range(layer - 1, -1, -1):
            flow = (flow * (answers[below] > 0)) @ self.weights[below]
        return flow

    def integrated(self, x: Array, against: int, target: int, *, steps: int = 256) -> Array:
        """Return the integrated gradients from black of one score less another's, `[inputs]`.

        By the midpoint rule (Sundararajan et al. 2017, eq. 3); the score of `target` counts, less
        that of `against`. They add up to the change of that difference from black to `x`.
        """
        places = (np.arange(steps) + 0.5) / steps
        path: Array = (places[:, None] * x[None]).astype(np.float32)
        last = len(self.weights) - 1
        slopes = np.subtract(
            self.gradients(path, last, target), self.gradients(path, last, against)
        )
        made: Array = (x * slopes.mean(0)).astype(np.float32)
        return made

    def exciting(self, layer: int, unit: int, *, steps: int = 200) -> Array:
        """Return an input of 0..1 that a unit answers strongly to, `[inputs]`.

        For the first layer that is where its weights are positive, exactly. Deeper it is found by
        walking up the gradient from grey, which may end at another top than the highest.
        """
        if layer == 0:
            first: Array = (self.weights[0][unit] > 0).astype(np.float32)
            return first
        x = np.full((1, self.weights[0].shape[1]), 0.5, np.float32)
        best, top = x, -np.inf
        for _ in range(steps):
            slope = self.gradients(x, layer, unit)
            size = float(np.abs(slope).max())
            if not size:
                break
            x = np.clip(x + 0.05 * slope / size, 0, 1).astype(np.float32)
            below = self.answers(x)[layer - 1]
            reached = float((below @ self.weights[layer][unit] + self.biases[layer][unit])[0])
            if reached > top:
                best, top = x, reached
        found: Array = best[0]
        return found
