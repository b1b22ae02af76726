"""LIME as a film: the cut, masked photos and what the model said, the fit, weight by weight."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, report, stage
from xai_core.explainers.lime import Lime
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Table, Unfit, held, steps, told
from xai_core.grain import Superpixels
from xai_core.pieces import Pieces, pieces
from xai_core.report import amount, percent

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SECONDS = 1.6
ROWS = 5
"""Superpixels whose weight is listed and numbered."""
MASKED = 12
"""Masked photos that are shown at the most."""
ADDED = 8
"""Superpixels that are put down one by one."""
SCORES, WEIGHTS = "Scores of the masked photos", "The weights, the largest first"
BESIDE = "The model's scores, and beside each what the line gives"
"""What bars are of."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """What the film is drawn from; `order` is by falling size of the weight, without zeros."""

    pieces: Pieces
    weights: NDArray[np.float64]
    order: list[int]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float64]
    kernel: NDArray[np.float64]
    samples: int
    intercept: float
    prediction: float
    score: float
    r2: float

    @property
    def predicted(self) -> NDArray[np.float64]:
        """What the fitted line says of each masked photo that is shown."""
        return self.intercept + self.masks @ self.weights


@steps(Lime)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw the four steps."""
    run = _checked(explanation, view)
    _, top = render.limits(np.asarray(run.weights, np.float32), signed=True)
    cut = run.pieces.cut(run.order[:ROWS])
    frames = [_cut(run, cut)]
    for index in range(len(run.masks)):
        on = run.masks[index]
        drawn = stage.Stage(
            [(run.pieces.seen(on), _name(index)), (run.pieces.mask(on), "What is shown")]
        )
        drawn.bars(np.asarray(run.scores[: len(run.masks)], np.float32), [index])
        drawn.note(SCORES)
        frames.append(
            Frame(
                drawn.done(),
                f"{_name(index)} scores {amount(float(run.scores[index]))} and counts "
                f"{run.kernel[index]:.2f}.",
            )
        )
    frames.append(_fit(run, cut))
    put = np.zeros(len(run.weights))
    for rank, part in enumerate(run.order[:ADDED], 1):
        put[part] = run.weights[part]
        drawn = stage.Stage(
            [
                (run.pieces.only(part), f"Superpixel {rank}"),
                (run.pieces.painted(put, top), "Weights"),
            ]
        )
        drawn.bars(np.asarray(run.weights[run.order], np.float32), [rank - 1])
        drawn.note(WEIGHTS)
        frames.append(
            Frame(
                drawn.done(),
                f"Superpixel {rank}, {report.place_of(run.pieces.labels == part)}, adds "
                f"{amount(float(run.weights[part]))}.",
            )
        )
    last = _last(run, cut, top)
    return Film(
        title="Masked photos, and a line fitted to them",
        frames=(*frames, last),
        seconds=SECONDS,
        still=_still(run, cut, top),
        steps=_told(run, cut),
    )


def _checked(explanation: Explanation, view: Array) -> _Run:
    """Return what the run handed back, each part fitting the others. Raises Unfit."""
    grain = explanation.grain
    if not isinstance(grain, Superpixels):
        raise Unfit("superpixels")
    labels, weights = grain.labels, np.asarray(grain.weights, np.float64)
    masks = np.asarray(held(explanation, "masks", "b", (None, len(weights))), bool)[:MASKED]
    scores = np.asarray(held(explanation, "scores", "f", (None,)), np.float64)
    kernel = np.asarray(held(explanation, "kernel", "f", (len(scores),)), np.float64)
    hidden = held(explanation, "hidden", "u", view.shape)
    if hidden.dtype != np.uint8 or len(masks) > len(scores):
        raise Unfit("hidden")
    present = np.bincount(labels.ravel(), minlength=len(weights)) > 0
    order = np.argsort(-np.abs(weights), kind="stable").tolist()
    return _Run(
        pieces=pieces(view, np.asarray(hidden, np.uint8), labels),
        weights=weights,
        order=[at for at in order if weights[at] != 0 and present[at]],
        masks=masks,
        scores=scores,
        kernel=kernel,
        samples=len(scores),
        intercept=told(explanation, "intercept"),
        prediction=told(explanation, "prediction"),
        score=told(explanation, "score"),
        r2=told(explanation, "r2"),
    )


def _name(index: int) -> str:
    return "The whole photo" if index == 0 else f"Masked photo {index}"


def _cut(run: _Run, cut: Pixels) -> Frame:
    drawn = stage.Stage([(run.pieces.whole(), "The photo"), (cut, "Its superpixels")])
    return Frame(drawn.done(), f"The photo is cut into {len(run.weights)} superpixels.")


def _fit(run: _Run, cut: Pixels) -> Frame:
    """Draw, for each masked photo that is shown, what the model said beside what the line says."""
    said = np.stack([run.scores[: len(run.masks)], run.predicted], 1)
    drawn = stage.Stage(
        [(cut, "Each superpixel gets a weight"), (run.pieces.mask(run.masks[0]), "All shown")]
    )
    drawn.bars(np.asarray(said.ravel(), np.float32), range(0, said.size, 2))
    drawn.note(BESIDE)
    return Frame(
        drawn.done(),
        f"A straight line is fitted to {run.samples:,} scores: for the whole photo it gives "
        f"{amount(run.prediction)}, and the model said {amount(run.score)}.",
    )


def _last(run: _Run, cut: Pixels, top: float) -> Frame:
    drawn = stage.Stage(
        [(cut, "Its superpixels"), (run.pieces.painted(run.weights, top), "The map")]
    )
    drawn.bars(np.asarray(run.weights[run.order or [0]], np.float32), range(len(run.order)))
    drawn.note(WEIGHTS)
    return Frame(
        drawn.done(),
        f"{len(run.order)} of {len(run.weights)} superpixels have a weight; the line explains "
        f"{percent(max(run.r2, 0.0))} of how the scores vary (R2).",
    )


def _still(run: _Run, cut: Pixels, top: float) -> Frame:
    """Draw the cut, a masked photo and the map side by side."""
    small = run.pieces.small
    some = min(1, len(run.masks) - 1)
    drawn = stage.Stage(
        [
            (stage.fitted(cut, small), "Cut"),
            (run.pieces.seen(run.masks[some], small), "Masked and scored"),
            (run.pieces.painted(run.weights, top, small), "Fitted weights"),
        ]
    )
    drawn.bars(np.asarray(run.weights[run.order or [0]], np.float32), range(len(run.order)))
    drawn.note(WEIGHTS)
    return Frame(
        drawn.done(),
        f"{len(run.weights)} superpixels, {run.samples:,} masked photos and their scores, and the "
        "weights of the straight line that is fitted to them.",
    )


def _told(run: _Run, cut: Pixels) -> tuple[Step, ...]:
    pictures = tuple(
        Frame(
            run.pieces.seen(run.masks[index], run.pieces.own),
            f"{_name(index)}: score {amount(float(run.scores[index]))}, counts "
            f"{run.kernel[index]:.2f}",
        )
        for index in range(len(run.masks))
    )
    rows = tuple(
        (str(rank), amount(float(run.weights[at])), report.place_of(run.pieces.labels == at))
        for rank, at in enumerate(run.order[:ROWS], 1)
    )
    return (
        Step(
            f"1. The photo is cut into {len(run.weights)} superpixels; the numbers are those of "
            "the last step.",
            (Frame(cut, "The superpixels of this photo"),),
        ),
        Step(
            f"2. Each is hidden by the toss of a coin, {run.samples:,} times over. 3. The model "
            "scores each masked photo, which counts the more, the more of the photo it shows.",
            pictures,
        ),
        Step(
            f"4. A straight line is fitted to the scores. It starts from {amount(run.intercept)} "
            "with all hidden and adds the weight of each superpixel that is shown. For the whole "
            f"photo it gives {amount(run.prediction)}; the model said {amount(run.score)}. It "
            f"explains {percent(max(run.r2, 0.0))} of how the scores vary (R2).",
            table=Table(("Superpixel", "Weight", "Where"), rows),
        ),
    )
