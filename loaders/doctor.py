"""Asks a model about one photo under other preparations: values, channel orders, fits and scales.

Nothing is opened anew: a model's own preparation is linear, so that what another one would send in
is turned into a view which its own makes the same of.

How plausible a preparation is, one photo tells in part. It is out of the question where the first
batch normalisation gets what it never got in training (`sanity`); among the others it is the
logarithm of the known class's probability, or, where no class is known, how sure the model is (its
entropy, negative). A warning needs a lead of `MARGIN`.

Where all of the network's batch normalisations can be watched there is a second witness, which asks
nothing of the answer: how far what they get is from what they got in training (`misfit`). Where
some preparation fits (`FITS_BELOW`), the one in use is doubted if it fits worse by `WORSE`.

`python -m benchmarks.doctor` measures what that hits and how often it is false.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.preprocessing import Preprocessing, eight_sevenths, preset
from loaders.presets import PRESETS, Channels, Fit
from loaders.sanity import NARROW, WIDE, Statistics
from xai_core.report.numbers import percent, quote

Array = NDArray[np.float32]
FITS: tuple[tuple[Fit, bool], ...] = (
    ("stretch", False), ("crop", False), ("crop", True), ("pad", False),
)  # fmt: skip
"""The fits that are tried; with True the photo is resized to 8/7 of the size before the crop."""
MARGIN = 2.0
"""By how much another preparation must be more plausible before it is said, as a logarithm."""
FITS_BELOW = 0.2
"""How far what a network gets may be from its training's before nothing is concluded of it: right
presets gave 0.02 to 0.13 where training kept good statistics, and 3.7 and more where it did not."""
WORSE = 1.6
"""How many times as far another preset must be: the other channel order came to 1.3 times."""
OUT = -100.0
"""How plausible one is that gives the first batch normalisation what it never got."""
ORDERS = {"rgb": "red, green, blue", "bgr": "blue, green, red", "grey": "grey"}
FITTED = {"stretch": "stretched", "crop": "cropped", "pad": "padded"}


@dataclasses.dataclass(frozen=True)
class Limits:
    """From where on another preparation is said: `MARGIN`, `FITS_BELOW` and `WORSE`, or others."""

    margin: float = MARGIN
    fits_below: float = FITS_BELOW
    worse: float = WORSE


LIMITS = Limits()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One preparation, and what the model says of the photo under it.

    `preset` names its values (`custom` for a model's own), `resize` is the shorter side before a
    crop, 0 where the photo only covers the view. `entropy` is in bits, `known` the probability of
    the class that is known. `spread` is how wide the first batch normalisation's input is against
    its training's; None where there is none. `own` marks the model's own preparation.
    """

    preset: str
    channels: Channels
    fit: Fit
    resize: int
    own: bool
    top: int
    probability: float
    entropy: float
    known: float | None = None
    spread: float | None = None
    misfit: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what no model says."""
        chances = [self.probability, 1.0 if self.known is None else self.known]
        if not all(0 <= each <= 1 for each in chances) or not -0.01 <= self.entropy < 64:
            raise ValueError("a probability that is none")
        if self.top < 0 or self.resize < 0 or self.preset not in (*PRESETS, "custom"):
            raise ValueError("a preparation that is none")

    @property
    def plausible(self) -> float:
        """How plausible it is, as a logarithm."""
        if self.spread is not None and not NARROW <= self.spread <= WIDE:
            return OUT
        if self.known is not None:
            return math.log(max(self.known, 1e-9))
        return -self.entropy * math.log(2)

    @property
    def values(self) -> tuple[str, str]:
        """What makes two trials of one normalisation: the preset and the channel order."""
        return self.preset, self.channels

    def words(self) -> str:
        """Name it, 'symmetric, red, green, blue, cropped from 256'."""
        fit = FITTED[self.fit] + (f" from {self.resize}" if self.resize else "")
        return f"{self.preset}, {ORDERS[self.channels]}, {fit}"


def tried(own: Preprocessing) -> list[tuple[str, Preprocessing]]:
    """List what is tried, each with its preset's name: the model's own first, then the others."""
    channels = 1 if own.channels == "grey" else 3
    found: dict[tuple[Any, ...], tuple[str, Preprocessing]] = {_same(own): (own.name, own)}
    for name in PRESETS:
        for fit, wide in FITS:
            resize = eight_sevenths(own.size) if wide else None
            first = preset(
                name, own.size, channels=channels, fit=fit, resize=resize,
                interpolation=own.interpolation,
            )  # fmt: skip
            for each in [first, swapped(first)] if channels == 3 else [first]:
                found.setdefault(_same(each), (name, each))
    return list(found.values())


def swapped(one: Preprocessing) -> Preprocessing:
    """Return a preparation with the other channel order, its numbers with the same colours."""
    return dataclasses.replace(
        one,
        name="custom",
        channels="rgb" if one.channels == "bgr" else "bgr",
        mean=one.mean[::-1],
        std=one.std[::-1],
    )


def _same(one: Preprocessing) -> tuple[Any, ...]:
    """Return what tells preparations apart in what they make of a photo."""
    resize = (one.resize or min(one.size)) if one.fit == "crop" else None
    numbers = tuple(round(each, 5) for each in (*one.mean, *one.std))
    return one.channels, numbers, one.fit, resize


def turned(own: Preprocessing, other: Preprocessing, views: Array) -> Array:
    """Return views of which `own` makes what `other` makes of `views`; they may leave 0..1."""
    sent = other.normalise(views)  # float32 [N, h, w, c]
    back = sent * np.array(own.std, np.float32) + np.array(own.mean, np.float32)
    if own.channels == "grey":
        back = np.repeat(back, 3, -1)
    elif own.channels == "bgr":
        back = back[..., ::-1]
    return np.ascontiguousarray(back, np.float32)


def trial(
    model: Any, pixels: NDArray[np.uint8], named: str, how: Preprocessing, known: Sequence[int] = ()
) -> Trial | None:
    """Ask a model about a photo as `how` prepares it; None where its answer is no number.

    `known` are the classes that fit what the photo shows, where they are known.
    """
    own: Preprocessing = model.preprocessing
    views = turned(own, how, how.view(pixels)[0][None])
    logits = np.asarray(model.logits(views), np.float32)
    chances = np.asarray(model.head.probabilities(logits)[0], np.float64)
    if not np.isfinite(logits).all() or not np.isfinite(chances).all():
        return None
    watch = getattr(model, "first_spread", None)
    spread = None if watch is None else watch(views)
    look = getattr(model, "norm_statistics", None)
    out = spread is not None and not NARROW <= spread <= WIDE  # there is nothing more to know
    off = None if look is None or out else misfit(look(views))
    share = chances / max(float(chances.sum()), 1e-12)
    return Trial(
        preset=named,
        channels=how.channels,
        fit=how.fit,
        resize=how.resize or 0 if how.fit == "crop" else 0,
        own=_same(how) == _same(own),
        top=int(chances.argmax()),
        probability=float(np.clip(chances.max(), 0, 1)),
        entropy=float(max(0.0, -(share * np.log2(np.maximum(share, 1e-12))).sum())),
        known=float(np.clip(chances[list(known)].sum(), 0, 1)) if known else None,
        spread=None if spread is None or not math.isfinite(spread) else float(spread),
        misfit=off,
    )


def misfit(statistics: Sequence[Statistics]) -> float | None:
    """Return how far what batch normalisations get is from what they got in training.

    The divergence of two normal distributions, from what a channel gets to what it got (Kullback
    and Leibler): the median over a layer's channels, its mean over the layers. None without any.
    """
    each = []
    for mean, variance, then, spread in statistics:
        least = 1e-3 * float(np.median(spread)) + 1e-9  # dead channels tell nothing
        ratio = (variance + least) / (spread + least)
        apart = (mean - then) ** 2 / (spread + least)
        each.append(float(np.median(0.5 * (ratio + apart - 1 - np.log(ratio)))))
    made = float(np.mean(each)) if each else math.nan
    return made if math.isfinite(made) else None


def ordered(trials: Sequence[Trial]) -> list[Trial]:
    """Return one trial for each normalisation, its best fit's, the most plausible first.

    The model's own stands for its normalisation as it is, whatever another fit would give.
    """
    best: dict[tuple[str, str], Trial] = {}
    for each in trials:
        held = best.get(each.values)
        if held is None or (not held.own and (each.own or each.plausible > held.plausible)):
            best[each.values] = each
    return sorted(best.values(), key=lambda each: -each.plausible)


def named(rows: Sequence[Sequence[Trial]]) -> str:
    """Return the preset that is most plausible over several photos, under the fit in use."""
    sums = dict.fromkeys(PRESETS, 0.0)
    for trials in rows:
        own = next(each for each in trials if each.own)
        for name in PRESETS:
            mine = [each.plausible for each in trials if each.preset == name
                    and (each.fit, each.resize) == (own.fit, own.resize)
                    and each.channels in ("grey", PRESETS[name].channels)]  # fmt: skip
            sums[name] += max(mine, default=OUT)
    return max(sums, key=sums.__getitem__)


def better(trials: Sequence[Trial], limits: Limits = LIMITS) -> Trial | None:
    """Return the preparation that is much more plausible than the model's own, or None."""
    own = next((each for each in trials if each.own), None)
    if own is None:
        return None
    others = [each for each in trials if each.values != own.values]
    first = max(others, key=lambda each: each.plausible, default=None)
    if first is not None and first.plausible - own.plausible > limits.margin:
        return first
    return fitting(own, others, limits)


def fitting(own: Trial, others: Sequence[Trial], limits: Limits = LIMITS) -> Trial | None:
    """Return the preparation that fits the training's statistics far better, or None.

    Of those that fit about as well as the best, the one with the most plausible answer; its answer
    is not much less plausible than that under the model's own.
    """
    fits = [
        (each.misfit, each)
        for each in others
        if each.misfit is not None and each.plausible > own.plausible - limits.margin
    ]
    least = min((off for off, _ in fits), default=math.inf)
    if own.misfit is None or least > limits.fits_below or own.misfit <= limits.worse * least:
        return None
    worse = limits.worse
    near = [each for off, each in fits if off <= min(worse * least, own.misfit / worse)]
    return max(near, key=lambda each: each.plausible)


def sentences(trials: Sequence[Trial], labels: Sequence[str]) -> list[str]:
    """Say what the trials come to."""
    own = next((each for each in trials if each.own), None)
    if own is None:
        return []
    known = own.known is not None
    said = f"As it is prepared now ({own.words()}) the model says {_answer(own, labels)}."
    first = better(trials)
    if first is None:
        count = len({each.values for each in trials}) - 1
        return [
            said,
            f"None of the {count} other normalisations is much more plausible on this photo.",
        ]
    what = f"Prepared as {first.words()} it says {_answer(first, labels)}"
    if own.plausible == OUT:
        why = (
            "and as it is prepared now its first normalisation layer gets what it never got in "
            "training"
        )
    elif first.plausible - own.plausible <= MARGIN:
        why = (
            "and what its normalisation layers get is nearer to what they got in training, "
            f"{own.misfit:.2g} off now and {first.misfit:.2g} then"
        )
    elif known:
        why = "which gives the known class much more"
    else:
        why = "and is much surer of it"
    return [
        said,
        f"{what}, {why}: the pre-processing may be wrong. "
        "Check how the model was trained, and change it under Pre-processing.",
    ]


def _answer(one: Trial, labels: Sequence[str]) -> str:
    said = f"{quote(labels[one.top])} ({percent(one.probability)})"
    return said if one.known is None else f"{said}, and {percent(one.known)} for the known class"
