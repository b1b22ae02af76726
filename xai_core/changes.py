"""Typed changes that make a changed copy of a model (`Rewrites.rewritten`)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class ReluRule:
    """How gradients pass a ReLU; answers stay as they are.

    `guided` lets through only positive gradients where the input was positive, and below where the
    ReLU cuts, as ReLU6 does (Springenberg et al. 2015, arXiv:1412.6806); `deconvolution` only
    positive ones, whatever the input (Zeiler and Fergus 2014, arXiv:1311.2901).
    """

    rule: Literal["guided", "deconvolution"]


@dataclasses.dataclass(frozen=True)
class Randomised:
    """Layers whose weights are drawn anew, normal with each tensor's own mean and deviation.

    `layers` are names as `Rewrites.weighted` lists them; what they learned is lost, their scale is
    not (Adebayo et al. 2018, arXiv:1810.03292).
    """

    layers: tuple[str, ...]
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class OutputWeights:
    """A copy whose scores are these weights over the features that its last dense layer gets.

    `weights` float32 `[classes, features]`, `bias` float32 `[classes]`.
    """

    weights: Array
    bias: Array


Change = ReluRule | Randomised | OutputWeights
