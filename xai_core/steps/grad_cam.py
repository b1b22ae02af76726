"""Grad-CAM as a film: channel by channel into a sum, what the ReLU cuts, and over the photo."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage
from xai_core.explainers.grad_cam import GradCAM
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Table, Unfit, held, steps
from xai_core.report import amount, percent
from xai_core.upsample import resize

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SECONDS = 1.6
ROWS = 5
"""Channels whose weight is listed."""
CLOSE = 1e-3
"""How far the map may lie from what the sum gives, as a share of its largest value."""
SIDE = 512
"""Longest side of a layer's map that is drawn."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Parts:
    """What the film is drawn from: parts float32 `[k, mh, mw]` are maps times their weights."""

    numbers: NDArray[np.int64]
    weights: Array
    parts: Array
    total: Array
    cut: bool
    channels: int

    @property
    def running(self) -> Array:
        """The sum after each channel, float32 `[k, mh, mw]`."""
        return np.cumsum(self.parts, 0, dtype=np.float64).astype(np.float32)


@steps(GradCAM)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw each kept channel and the sum so far, the rest at once, the ReLU, the photo."""
    had = _checked(explanation, view)
    size = stage.frame_size((view.shape[0], view.shape[1]))
    photo = stage.fitted(render.pixels(view), size)
    running = had.running
    each, whole = _top(had.parts), max(_top(running), _top(had.total))
    first = stage.Stage([(photo, "The photo"), (_summed(running[0] * 0, whole, size), "The sum")])
    first.bars(had.weights, [])
    first.note(_note(had))
    layer = str(explanation.parameters.get("layer") or "")
    rows, columns = had.total.shape
    frames = [
        Frame(
            first.done(),
            f"The layer {layer or 'that was read'} gives {had.channels:,} maps of {rows} x "
            f"{columns} cells, and each gets a weight; {_kept(had)}.",
        )
    ]
    for at, number in enumerate(had.numbers.tolist()):
        drawn = stage.Stage(
            [
                (_summed(had.parts[at], each, size), f"Channel {number}, weighted"),
                (_summed(running[at], whole, size), "The sum so far"),
            ]
        )
        drawn.bars(had.weights, [at])
        drawn.note(_note(had))
        weight = float(had.weights[at])
        way = "raise" if weight > 0 else "lower" if weight < 0 else "not move"
        frames.append(
            Frame(
                drawn.done(),
                f"Channel {number} has the weight {amount(weight)}: a little more of it would "
                f"{way} the {explanation.target.number}.",
            )
        )
    rest = had.total - running[-1]
    others = had.channels - len(had.numbers)
    if others:
        drawn = stage.Stage(
            [
                (_summed(rest, max(each, _top(rest)), size), "All other channels"),
                (_summed(had.total, whole, size), "The sum of all"),
            ]
        )
        drawn.bars(had.weights, [])
        drawn.note(_note(had))
        frames.append(Frame(drawn.done(), f"The other {others:,} channels are added, all at once."))
    cut, over, said = _ends(had, explanation, photo, size, whole)
    frames += [cut, over]
    return Film(
        title="Channels add up to the map",
        frames=tuple(frames),
        seconds=SECONDS,
        still=_still(had, explanation, photo, size, whole),
        steps=_told(had, said, explanation.target.number),
    )


def _checked(explanation: Explanation, view: Array) -> _Parts:
    """Return the parts of the sum, which must give the map. Raises Unfit."""
    weights = held(explanation, "weights", "f", (None,))
    numbers = held(explanation, "numbers", "iu", (None,))
    total = np.asarray(held(explanation, "sum", "f", (None, None)), np.float32)
    channels = held(explanation, "channels", "f", (len(numbers), *total.shape))
    if len(numbers) > 64 or numbers.min() < 0 or numbers.max() >= len(weights):
        raise Unfit("numbers")
    if max(total.shape) > SIDE or len(np.unique(numbers)) < len(numbers):
        raise Unfit("channels")
    weights = np.asarray(weights, np.float32)[numbers]
    cut = bool(explanation.parameters.get("relu", True))
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.asarray(channels, np.float32) * weights[:, None, None]
        finite = np.isfinite(np.abs(parts).sum(0)).all()
    how = explanation.parameters.get("smoothing")
    if not finite or how not in ("linear", "cubic", "nearest"):
        raise Unfit("channels")
    kept = np.maximum(total, 0) if cut else total
    made = resize(kept, (view.shape[0], view.shape[1]), str(how))
    made = np.maximum(made, 0) if cut else made
    if not np.allclose(made, explanation.attribution, atol=CLOSE * max(_top(made), 1e-12)):
        raise Unfit("sum")
    everything = len(numbers) == len(explanation.arrays["weights"])
    if everything and not np.allclose(parts.sum(0), total, atol=CLOSE * _top(total)):
        raise Unfit("channels")
    return _Parts(
        numbers=np.asarray(numbers, np.int64),
        weights=weights,
        parts=parts,
        total=total,
        cut=cut,
        channels=len(explanation.arrays["weights"]),
    )


def _top(values: Array) -> float:
    return float(np.abs(values).max()) or 1.0


def _summed(values: Array, top: float, size: tuple[int, int]) -> Pixels:
    return stage.coloured(values, size, signed=True, vmax=top)


def _note(had: _Parts) -> str:
    return f"The weights of the {len(had.numbers)} channels that count most"


def _kept(had: _Parts) -> str:
    count = len(had.numbers)
    if count == had.channels:
        return "they are added one after the other"
    return f"the {count} that count most are added first"


def _ends(
    had: _Parts, explanation: Explanation, photo: Pixels, size: tuple[int, int], whole: float
) -> tuple[Frame, Frame, str]:
    """Draw what the ReLU cuts, and the finished map over the photo."""
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    kept = np.maximum(had.total, 0) if had.cut else had.total
    against = float(np.maximum(-had.total, 0).sum() / (np.abs(had.total).sum() or 1.0))
    if had.cut:
        said = f"The ReLU cuts what lies below zero: {percent(against)} of all that the sum holds."
        label = "After the ReLU"
    else:
        said = (
            f"The ReLU is off: what lies below zero, {percent(against)} of all that the sum holds, "
            "stays."
        )
        label = "The sum stays"
    drawn = stage.Stage(
        [
            (_summed(had.total, whole, size), "Before the ReLU"),
            (stage.coloured(kept, size, signed=signed, vmax=top), label),
        ]
    )
    cut = Frame(drawn.done(), said)
    drawn = stage.Stage(
        [(_over(explanation, photo), "Over the photo"), (_map(explanation, size), "The map")]
    )
    rows, columns = had.total.shape
    height, width = explanation.attribution.shape
    over = Frame(
        drawn.done(),
        f"The {rows} x {columns} cells are drawn over the view of {height} x {width} pixels.",
    )
    return cut, over, said


def _map(explanation: Explanation, size: tuple[int, int]) -> Pixels:
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    return stage.coloured(explanation.attribution, size, signed=signed, vmax=top)


def _over(explanation: Explanation, photo: Pixels) -> Pixels:
    """Lay the map over the view, as the figure does over the photo."""
    whole = dataclasses.replace(explanation, geometry=None)
    size = (photo.shape[0], photo.shape[1])
    small = stage.fitted(photo, explanation.attribution.shape[:2])  # type: ignore[arg-type]
    return stage.fitted(render.overlay(small, whole), size)


def _still(
    had: _Parts, explanation: Explanation, photo: Pixels, size: tuple[int, int], whole: float
) -> Frame:
    """Draw sum, cut sum and overlay side by side, with the weights under them."""
    signed, (_, top) = render.is_signed(explanation), render.scale(explanation)
    kept = np.maximum(had.total, 0) if had.cut else had.total
    small = (max(1, round(size[0] * 0.65)), max(1, round(size[1] * 0.65)))
    drawn = stage.Stage(
        [
            (_summed(had.total, whole, small), "The weighted sum"),
            (stage.coloured(kept, small, signed=signed, vmax=top), "What is kept"),
            (stage.fitted(_over(explanation, photo), small), "Over the photo"),
        ]
    )
    drawn.bars(had.weights, range(len(had.weights)))
    drawn.note(_note(had))
    strongest = int(had.numbers[0])
    return Frame(
        drawn.done(),
        f"All {had.channels:,} weighted channels add up to a sum, of which "
        f"{'what lies above zero' if had.cut else 'all'} is kept and drawn over the photo; "
        f"channel {strongest} counts most.",
    )


def _told(had: _Parts, cut: str, number: str) -> tuple[Step, ...]:
    rows = tuple(
        (str(number), amount(float(weight)), percent(float(share)))
        for number, weight, share in zip(
            had.numbers[:ROWS].tolist(), had.weights, _shares(had), strict=False
        )
    )
    height, width = had.total.shape
    return (
        Step(
            f"1. The layer gives {had.channels:,} maps of {height} x {width} cells. Each is "
            f"weighted by the mean gradient of the {number} with respect to it.",
            table=Table(
                ("Channel", "Weight", f"Share, of these {len(had.numbers)} channels"), rows
            ),
        ),
        Step(f"2. The weighted maps are added. {cut}"),
        Step("3. The cells are enlarged to the size of the view."),
    )


def _shares(had: _Parts) -> Array:
    """Return each kept channel's share of the absolute sum of all that are kept."""
    sums = np.abs(had.parts).sum((1, 2), dtype=np.float64)
    return np.asarray(sums / (sums.sum() or 1.0), np.float32)
