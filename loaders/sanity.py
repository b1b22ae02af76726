"""Asks a fresh model about the built-in photos: answers that no trained classifier gives.

A file may fit an architecture tensor for tensor and have been exported in training mode, trained
with other pre-processing, or not at all; nothing in it says so, its answers do. What each doubt
hits and how often it is false is measured by `python -m benchmarks.doubts`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.catalogue import photos
from loaders.images import decode
from loaders.preprocessing import Preprocessing
from loaders.presets import PRESETS, Preset
from xai_core.model import Finding
from xai_core.report.numbers import percent

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]
Statistics = tuple[Numbers, Numbers, Numbers, Numbers]
"""Mean and variance by channel: of a pass, and of the training."""
TOGETHER = 2
"""Photos that are asked about in one batch, the first of them alone as well: three passes."""

UNSTEADY = 0.01
"""Part of the scores' spread by which two answers to one photo may differ: half precision does."""

NARROW, WIDE = 0.25, 2.3
"""How wide the first batch normalisation's input may be against its training's. Right settings gave
0.50 to 1.1; the ImageNet preset in the place of 0..1 gives 2.4, 0..1 in the place of 0..255 0.003.
"""

FLAT, STEEP = 0.05, 15.0
"""How much scores may change from photo to photo before a network without such a layer is asked
under other presets. Right settings gave 0.16 to 5.1, 0..1 for 0..255 0.02, the reverse 18 and up.
"""

USUAL = (0.1, 12.0)
"""How much the scores of trained networks change from photo to photo."""

_FILE = "Check that the file is the trained one."


def doubts(model: Any) -> tuple[Finding, ...]:
    """Return warnings where the answers to different photos show that something is wrong."""
    views = _views(model, 0, TOGETHER)
    logits = np.asarray(model.logits(views), np.float32)
    said = [
        unsteady(model, views, logits),
        judge(logits, model.head.probabilities(logits), model.head.exclusive)
        or preparation(model, views, logits),
    ]
    return tuple(finding for finding in said if finding is not None)


def _views(model: Any, start: int, end: int) -> Array:
    chosen = photos()[start:end]
    seen = [model.preprocessing.view(decode(each.path.read_bytes()).pixels)[0] for each in chosen]
    return np.stack(seen)


def unsteady(model: Any, views: Array, together: Array) -> Finding | None:
    """Ask about one photo twice, and alone against in a batch: a trained model answers the same."""
    alone = np.asarray(model.logits(views[:1]), np.float32)[0]
    if not (np.isfinite(alone).all() and np.isfinite(together).all()):
        return None
    known = getattr(model, "mode_reason", "")

    def differ(one: Array, other: Array) -> bool:
        spread = max(float(np.ptp(one)), float(np.ptp(other)), 1e-6)
        return float(np.abs(one - other).max()) > UNSTEADY * spread

    def chances(*answers: Array) -> list[str]:
        shown = model.head.probabilities(np.stack(answers))[:, int(alone.argmax())]
        return [percent(float(chance)) for chance in shown]

    if differ(alone, together[0]):
        again = np.asarray(model.logits(views[:1]), np.float32)[0]
        if differ(alone, again):
            first, second = chances(alone, again)
            what = (
                "Asked twice about the same photo, the model gives two answers "
                f"({first} and {second} for one class)"
            )
            reason = known or "it draws random numbers, as Dropout does in training mode"
        else:
            first, second = chances(alone, together[0])
            what = (
                f"A photo's answer changes with the photos beside it ({first} alone and "
                f"{second} beside another for one class)"
            )
            reason = known or "batch normalisation does that in training mode"
    elif known:
        what, reason = "The network was exported in training mode", known
    else:
        return None
    way_out = (
        "Save it with its layers called without training=True"
        if getattr(model, "framework", "") in ("keras", "tf_keras")
        else "Call model.eval() before you export it"
    )
    return Finding(
        "warning",
        f"{what}: {reason}. Its answers and its maps are not those of the trained model. "
        f"{way_out}, and bring the new file.",
        "mode",
    )


def judge(logits: Array, chances: Array, exclusive: bool) -> Finding | None:
    """Return a warning about answers `[photos, classes]` to photos that differ, or None."""
    count, classes = chances.shape
    said = ""
    if not np.isfinite(logits).all():
        said = (
            f"The answers to the {count} built-in photos are not finite numbers: the network "
            f"overflows. Check the pre-processing. {_FILE}"
        )
    elif float(np.ptp(logits, axis=0).max()) <= 1e-6 * (1 + float(np.abs(logits).max())):
        said = (
            f"{count} different built-in photos get exactly the same scores: the answer does not "
            f"depend on the photo. Check the pre-processing. {_FILE}"
        )
    elif exclusive and classes >= 100 and bool((chances.max(1) < 2 / classes).all()):
        said = (
            f"On {count} built-in photos no class gets more than {100 * chances.max():.2f}\u00a0%, "
            f"which is about the chance level of {100 / classes:.2f}\u00a0%: the network looks "
            f"untrained. {_FILE}"
        )
    return Finding("warning", said, "answers") if said else None


def preparation(model: Any, views: Array, logits: Array) -> Finding | None:
    """Return a warning where the photos are prepared otherwise than in training, by all signs.

    The first batch normalisation remembers how wide its input was in training. A network without
    one is asked whether other preparations give it scores that change as a trained one's do.
    """
    own: Preprocessing = model.preprocessing
    watch = getattr(model, "first_spread", None)
    spread: float | None = watch(views) if watch is not None else None
    if spread is not None:
        if not spread < NARROW and not spread > WIDE:  # or nothing is remembered yet (nan)
            return None
        better = [
            name
            for name, preset in PRESETS.items()
            if 0.3 <= spread * np.mean(own.std) / np.mean(preset.std) <= 1.8
        ]
        times = spread if spread > 1 else 1 / spread
        what = (
            "What its first normalisation layer gets is "
            f"{times:,.0f} times as {'wide' if spread > 1 else 'narrow'} as in training"
        )
    else:
        more = _views(model, TOGETHER, TOGETHER + 1)
        views = np.concatenate([views, more])
        change = _change(np.concatenate([logits, np.asarray(model.logits(more), np.float32)]))
        if FLAT <= change <= STEEP:
            return None
        found = {name: _change(_asked(model, views, preset)) for name, preset in PRESETS.items()}
        better = [name for name, value in found.items() if USUAL[0] <= value <= USUAL[1]]
        if not better or own.name in better:
            return None
        few = "so little" if change < FLAT else "so much"
        what = (
            f"From one built-in photo to the next the scores change {few} (by {change:.2g}) as no "
            "trained classifier's do"
        )
    done = repr(own.name) if own.name in PRESETS else f"its own ({own.why or 'custom'})"
    quoted = [repr(name) for name in better]
    fit = f"{' or '.join(quoted)} would fit" if quoted else "none of the usual ones would fit"
    return Finding(
        "warning",
        f"{what}: the photos are hardly prepared as they were then. The pre-processing is "
        f"{done}; {fit}. Choose the one that it was trained with.",
        "preprocessing",
    )


def _change(logits: Array) -> float:
    """Return how much scores `[photos, classes]` change from photo to photo: their deviation."""
    return float(np.std(logits, 0).mean())


def _asked(model: Any, views: Array, preset: Preset) -> Array:
    """Return the scores as if the photos were prepared by another preset.

    The model's own preparation is linear, so it is undone in the view that it is given.
    """
    own: Preprocessing = model.preprocessing
    mean, std = np.array(preset.mean), np.array(preset.std)
    if own.channels == "grey":
        mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
    if own.channels == "bgr":
        views = views[..., ::-1]
    turned = np.array(own.mean) + np.array(own.std) * (views - mean) / std
    if own.channels == "bgr":
        turned = turned[..., ::-1]
    return np.asarray(model.logits(np.ascontiguousarray(turned, np.float32)), np.float32)
