"""The weighted straight line through masked photos' scores: which segments were on, and what then.

The same as lime's `LimeBase` (scikit-learn's Ridge), out of running sums: memory does not grow
with the samples, and a fit in the middle of a run costs nothing of what came before it again.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

ALPHA = 1.0
"""How strongly the fit is drawn to zero (lime's Ridge)."""
_ALPHA_CHOICE = 0.01
"""The same where lime weighs all features to choose among them."""
_FEW = 6
"""Up to this many features lime chooses one after the other, and by weight beyond."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A fit: score = intercept + the weights of the features that are on.

    `weights` float64 `[features]`, 0 where a feature was not chosen; `r2` is the weighted share of
    the scores' variance that the line explains, 0 where they do not vary.
    """

    weights: Numbers
    intercept: float
    r2: float

    @property
    def prediction(self) -> float:
        """What the line says with every feature on."""
        return self.intercept + float(self.weights.sum())


class LocalLine:
    """Takes samples in and fits the line whenever asked."""

    def __init__(self, features: int) -> None:
        self.count = features
        self.origin: float | None = None  # the first score: sums of small numbers lose less
        self.w = self.y = self.yy = self.ww = 0.0
        self.x, self.xy = np.zeros(features), np.zeros(features)
        self.xx = np.zeros((features, features))

    def add(self, bits: NDArray[np.bool_], scores: Numbers, kernel: Numbers) -> None:
        """Take samples: bits `[b, features]`, their scores and their kernel weights `[b]`."""
        if self.origin is None:
            self.origin = float(scores[0])
        on = bits.astype(np.float64)
        scores = scores - self.origin
        weighted = on * kernel[:, None]
        self.w += float(kernel.sum())
        self.ww += float(kernel @ kernel)
        self.y += float(kernel @ scores)
        self.yy += float(kernel @ scores**2)
        self.x += weighted.sum(0)
        self.xy += weighted.T @ scores
        self.xx += weighted.T @ on

    def joined(self, other: LocalLine) -> LocalLine:
        """Return the line of both's samples; their first scores may differ."""
        made = LocalLine(self.count)
        made.origin = self.origin if self.origin is not None else other.origin
        for one in (self, other):
            away = (one.origin or 0.0) - (made.origin or 0.0)  # its scores are less its own first
            made.w, made.ww = made.w + one.w, made.ww + one.ww
            made.yy += one.yy + 2 * away * one.y + away**2 * one.w
            made.y += one.y + away * one.w
            made.xy, made.x = made.xy + one.xy + away * one.x, made.x + one.x
            made.xx = made.xx + one.xx
        return made

    @property
    def worth(self) -> float:
        """How many samples of full weight the weighted ones are worth (Kish 1965)."""
        return self.w**2 / self.ww

    def fit(self, keep: int = 0) -> Line:
        """Fit with at most `keep` features, chosen as lime's `auto` does; 0 keeps all."""
        middle, mean = self.x / self.w, self.y / self.w
        covariance = self.xx - self.w * np.outer(middle, middle)
        towards = self.xy - self.x * mean
        variance = self.yy - self.y * mean
        chosen = self._chosen(covariance, towards, keep)
        part = covariance[np.ix_(chosen, chosen)]
        slopes = np.linalg.solve(part + ALPHA * np.eye(len(chosen)), towards[chosen])
        weights = np.zeros(self.count)
        weights[chosen] = slopes
        missed = variance - 2 * slopes @ towards[chosen] + slopes @ part @ slopes
        return Line(
            weights=weights,
            intercept=float((self.origin or 0.0) + mean - middle @ weights),
            r2=float(1 - missed / variance) if variance > 1e-12 * self.w else 0.0,
        )

    def _chosen(self, covariance: Numbers, towards: Numbers, keep: int) -> NDArray[np.intp]:
        if keep == 0 or keep >= self.count:
            return np.arange(self.count)
        if keep > _FEW:
            regular = covariance + _ALPHA_CHOICE * np.eye(self.count)
            size = np.abs(np.linalg.solve(regular, towards))
            return np.argsort(-size, kind="stable")[:keep]
        # Forward selection: each time the feature that adds most to R2, then what it explains is
        # taken out of all others.
        covariance, towards = covariance.copy(), towards.copy()
        chosen: list[int] = []
        least = 1e-9 * max(float(covariance.diagonal().max()), 1e-300)
        for _ in range(keep):
            left = covariance.diagonal()
            gain = np.where(left > least, towards**2 / np.maximum(left, least), 0.0)
            gain[chosen] = -1
            best = int(np.argmax(gain))
            chosen.append(best)
            if left[best] > least:
                share = covariance[:, best] / left[best]
                towards = towards - share * towards[best]
                covariance = covariance - np.outer(share, covariance[best])
        return np.array(chosen)
