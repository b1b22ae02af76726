"""What masks that each got a score say of every pixel, and how far it can be believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Sums = NDArray[np.float64]


class MaskedMean:
    """A running mean of scores, weighed at each pixel by how much of it the masks show.

    Without `keep` it is that mean less the mean of all scores, and a pixel's weights are divided
    by their own sum. With it, the mean is counted from zero and divided by the masks' expected sum
    (Petsiuk et al. 2018, eq. 6). `about` is a score near all of them, for the precision. What is
    held does not grow with the masks.
    """

    def __init__(self, size: tuple[int, int], about: float, keep: float | None = None) -> None:
        self._about, self._keep, self.count = about, keep, 0
        # of M, M d, M d d and of M M, M M d, M M d d, d being a score less `about`
        self._masks: Sums = np.zeros((3, *size))
        self._squares: Sums = np.zeros((3, *size))
        self._scores: Sums = np.zeros(3)
        self._levels: Sums = np.zeros(2)  # what each mask adds to the mean of the map, and squared

    def add(self, masks: Array, scores: Array) -> None:
        """Add masks float32 `[b, h, w]` with their scores `[b]`. The masks are overwritten."""
        add_to([self], masks, np.asarray(scores)[:, None])

    def joined(self, other: MaskedMean) -> MaskedMean:
        """Return the mean over what both were given; they must be about the same score."""
        made = MaskedMean((0, 0), self._about, self._keep)
        made.count = self.count + other.count
        made._masks, made._squares = self._masks + other._masks, self._squares + other._squares
        made._scores, made._levels = self._scores + other._scores, self._levels + other._levels
        return made

    @property
    def score(self) -> float:
        """The mean of all scores."""
        return float(self._about + self._scores[1] / max(self.count, 1))

    def map(self) -> Array:
        """Return the map so far, float32 `[h, w]`; 0 where no mask showed anything."""
        return np.asarray(self._map(), np.float32)

    def _map(self) -> Sums:
        shown, weighed, _ = self._masks
        if self._keep is not None:
            made: Sums = (weighed + self._about * shown) / (self.count * self._keep)
            return made
        return self._ratio() - np.where(shown > 0, self._scores[1] / self.count, 0)

    def _ratio(self) -> Sums:
        shown, weighed, _ = self._masks
        made: Sums = weighed / np.where(shown > 0, shown, 1)
        return made

    def error(self) -> Array:
        """Return each pixel's standard error, float32 `[h, w]`."""
        return np.sqrt(self._spread()).astype(np.float32)

    def _spread(self) -> Sums:
        """Return each pixel's squared standard error."""
        n = self.count
        if n < 2:
            return np.zeros(self._masks.shape[1:])
        if self._keep is not None:
            about, (m, md, mdd) = self._about, self._squares
            second = (mdd + 2 * about * md + about**2 * m) / self._keep**2
            spread: Sums = np.maximum(second / n - self._map() ** 2, 0) / (n - 1)
            return spread
        # a ratio less a mean, to the first order: each mask adds
        # M / mean(M) (d - ratio) - (d - mean(d)) over n; in place, as it is asked for often
        shown, weighed, weighed2 = self._masks
        m, md, mdd = self._squares
        _, first, second_moment = self._scores
        each = np.divide(n, shown, out=np.full_like(shown, n), where=shown > 0)  # 1 / mean(M)
        ratio = weighed * each
        ratio /= n
        own: Sums = ratio * m  # sum of (M (d - ratio))^2
        own -= md
        own -= md
        own *= ratio
        own += mdd
        own *= each
        ratio *= weighed  # sum of M (d - ratio) (d - mean(d)), in which the mean cancels
        ratio -= weighed2
        ratio *= 2
        own += ratio
        own *= each
        own += second_moment - first**2 / n
        np.maximum(own, 0, out=own)
        own /= n * (n - 1)
        return own

    def steadiness(self) -> tuple[float, float]:
        """Return the map's standard error, and how it would agree with that of endless masks.

        The first is the root of the mean square over the pixels. The second is a correlation:
        what the map varies by more than its error lets expect is the part that stays.
        """
        noise = float(self._spread().mean())
        varies = float(np.var(self._map()))
        level, square = self._levels / max(self.count, 1)
        alike = (square - level**2) / max(self.count - 1, 1)  # lifts all pixels, and moves no place
        kept = max(0.0, 1 - (noise - alike) / varies) if varies > 0 else 0.0
        return noise**0.5, min(kept, 1.0) ** 0.5


def add_to(means: Sequence[MaskedMean], masks: Array, scores: Array) -> None:
    """Add the same masks float32 `[b, h, w]` to several means, each with its scores `[b, means]`.

    The masks are read once for all of them, and overwritten.
    """
    away = np.asarray(scores, np.float64).T - np.array([[mean._about] for mean in means])
    powers = np.stack([np.ones_like(away), away, away**2], 1)  # [means, 3, b]
    flat = masks.reshape(len(masks), -1)
    rows = powers.reshape(-1, len(masks)).astype(np.float32)
    levels = flat.mean(1, dtype=np.float64) if any(mean._keep is not None for mean in means) else 0
    sums = rows @ flat  # [means * 3, h * w]
    np.square(flat, out=flat)
    squares = rows @ flat
    for at, mean in enumerate(means):
        part = slice(3 * at, 3 * at + 3)
        if mean._keep is not None:
            lifts = (away[at] + mean._about) * levels / mean._keep
            mean._levels += lifts.sum(), (lifts**2).sum()
        mean._masks += sums[part].reshape(mean._masks.shape)
        mean._squares += squares[part].reshape(mean._squares.shape)
        mean._scores += powers[at].sum(1)
        mean.count += len(masks)
