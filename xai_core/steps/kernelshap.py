"""KernelSHAP as a film: what is shared out, who is asked, how values settle, and their sum."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from xai_core import render, stage, superpixels
from xai_core.explainers.kernelshap import KernelSHAP, Run, drawn_how
from xai_core.explanation import Explanation
from xai_core.film import Film, Frame, Step, Table, Unfit, held, method_of, steps, told
from xai_core.grain import Superpixels
from xai_core.pieces import Pieces, pieces
from xai_core.report import percent, place_of
from xai_core.report.numbers import beside, counted
from xai_core.shapley_line import ENDS, Coalitions, sizes

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]
Pixels = NDArray[np.uint8]

SECONDS = 1.6
ROWS = 5
"""Superpixels whose value is listed and numbered."""
WHOLE, DRAWN = 2, 2
"""Masked photos that are shown: of sizes that are asked whole, and of those that are drawn."""
EARLY, LATE = 2, 5
"""Looks at the values so far, in both parts of the run."""
ADDED = 6
"""Superpixels that are put down one by one."""
CLOSE = 1e-5
"""How far the values may lie from what the scores give, as a share of the largest."""
KERNEL = "What all photos that show 1, 2, 3, ... superpixels count together"
VALUES = "The values so far, those that end largest first"
STAIRS = "From all hidden, on the left, to the photo (dashed), value by value"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """What the film is drawn from: `looks` are the values after so many masked photos."""

    pieces: Pieces
    number: str
    asked: Coalitions
    scores: Numbers
    values: Numbers
    errors: Numbers
    looks: tuple[tuple[int, Numbers], ...]

    @property
    def order(self) -> list[int]:
        """The superpixels by falling size of the value."""
        found: list[int] = np.argsort(-np.abs(self.values), kind="stable").tolist()
        return found

    @property
    def ends(self) -> tuple[float, float]:
        """The scores with all hidden and with all shown."""
        return float(self.scores[0]), float(self.scores[1])

    @property
    def levels(self) -> Numbers:
        """The score with all hidden, and what it comes to with each value, the largest first."""
        summed = np.cumsum(self.values[self.order])
        return np.asarray(self.scores[0] + np.concatenate([[0.0], summed]), np.float64)

    @property
    def share(self) -> Numbers:
        """What all coalitions of each size count together, `[players - 1]`."""
        return sizes(len(self.values))

    def say(self, value: float) -> str:
        """Return a value with as many decimals as the others, so that they add up as written."""
        largest = max(float(np.abs(self.scores[:ENDS]).max()), float(np.abs(self.values).max()))
        return beside(value, largest)

    def shown(self, index: int) -> int:
        """How many superpixels a masked photo shows."""
        return int(self.asked.bits[index].sum())

    def place(self, part: int) -> str:
        """Where a superpixel lies."""
        return place_of(self.pieces.labels == part)


@steps(KernelSHAP)
def film(explanation: Explanation, view: Array) -> Film:
    """Draw what is shared out, masked photos, the values as they settle, and how they add up."""
    run = _checked(explanation, view)
    cut = run.pieces.cut(run.order[:ROWS])
    first = stage.Stage([(run.pieces.whole(), "The photo"), (cut, "Its superpixels")])
    return Film(
        title="Masked photos, and a score that is shared out",
        frames=(
            Frame(first.done(), f"The photo is cut into {len(run.values)} superpixels."),
            _shared(run),
            _kernel(run),
            *(_one(run, index) for index in _some(run.asked)),
            *(_so_far(run, end, values) for end, values in run.looks),
            *_added(run, cut),
        ),
        seconds=SECONDS,
        still=_still(run, cut),
        steps=_told(run, cut),
    )


def _checked(explanation: Explanation, view: Array) -> _Run:
    """Run the fit again on the scores that were handed back. Raises Unfit where it is another."""
    method = method_of(explanation, KernelSHAP)
    grain = explanation.grain
    if not isinstance(grain, Superpixels):
        raise Unfit("superpixels")
    labels, values = grain.labels, np.asarray(grain.weights, np.float64)
    players = len(values)
    if players < 2 or (np.bincount(labels.ravel(), minlength=players) == 0).any():
        raise Unfit("superpixels")
    scores = np.asarray(held(explanation, "scores", "f", (None,)), np.float64)
    errors = np.asarray(held(explanation, "standard_errors", "f", (players,)), np.float64)
    ends = told(explanation, "hidden_score"), told(explanation, "score")
    run = Run(method, players)
    if not ENDS < len(scores) <= len(run.asked.bits) or tuple(scores[:ENDS]) != ends:
        raise Unfit("scores")
    run.scores[: len(scores)] = scores
    looks = []
    for end in _looks(run.asked.known, len(scores)):
        run.take(end)
        looks.append((end, run.line.fit()))
    if np.abs(looks[-1][1] - values).max() > CLOSE * max(np.abs(values).max(), 1e-12):
        raise Unfit("superpixels")
    hidden = render.pixels(superpixels.hidden(method.hide, view, labels))
    return _Run(
        pieces=pieces(view, hidden, labels),
        number=explanation.target.number,
        asked=run.asked.first(len(scores)),
        scores=scores,
        values=values,
        errors=errors,
        looks=tuple(looks),
    )


def _looks(known: int, used: int) -> list[int]:
    """Return after how many masked photos the values are looked at, the last time after all."""
    known = min(known, used)
    early = np.linspace(ENDS + 1, known, EARLY if used > known else EARLY + LATE)
    late = np.linspace(known, used, LATE + 1)[1:]
    ends: list[int] = np.unique(np.concatenate([early, late]).round().astype(int)).tolist()
    return [end for end in ends if ENDS < end <= used]


def _some(asked: Coalitions) -> list[int]:
    """Return which masked photos are shown, those that were drawn with their opposites."""
    used = len(asked.bits)
    whole = np.linspace(ENDS, asked.known - 1, WHOLE if asked.drawn else WHOLE + DRAWN)
    drawn = range(asked.known, min(asked.known + DRAWN, used))
    found = np.unique(whole.round().astype(int)).tolist() if asked.known > ENDS else []
    return [*found, *drawn]


def _shared(run: _Run) -> Frame:
    none, whole = run.ends
    hidden = run.pieces.seen(np.zeros(len(run.values), bool))
    drawn = stage.Stage([(hidden, "All hidden"), (run.pieces.whole(), "The photo")])
    drawn.stairs(np.array([none, whole]), 1)
    drawn.note("From all hidden to the photo (dashed): this is shared out")
    return Frame(
        drawn.done(),
        f"With all superpixels hidden the {run.number} is {run.say(none)}, and for the photo "
        f"{run.say(whole)}: {run.say(whole - none)} is to be shared out among them.",
    )


def _kernel(run: _Run) -> Frame:
    shown = run.asked.bits[ENDS:].sum(1)
    fewest, most = (int(at) + ENDS for at in (np.argmin(shown), np.argmax(shown)))
    panels = [
        (run.pieces.seen(run.asked.bits[at]), counted(run.shown(at), "superpixel") + " shown")
        for at in (fewest, most)
    ]
    drawn = stage.Stage(panels)
    drawn.bars(np.asarray(run.share, np.float32), [0, len(run.share) - 1])
    drawn.note(KERNEL)
    return Frame(drawn.done(), _weighed(run))


def _weighed(run: _Run) -> str:
    players, share = len(run.values), run.share
    if players < 4:
        return "By the Shapley kernel, masked photos of all sizes count alike."
    middle = players // 2
    return (
        f"By the Shapley kernel, all photos that show 1 of {players} superpixels count "
        f"{percent(float(share[0]))} together, as do those that hide 1; those that show {middle}, "
        f"of which there are most, count {percent(float(share[middle - 1]))}."
    )


def _one(run: _Run, index: int) -> Frame:
    """Draw one masked photo, and what its size counts."""
    on, size = run.asked.bits[index], run.shown(index)
    name = f"Masked photo {index + 1:,}"
    drawn = stage.Stage([(run.pieces.seen(on), name), (run.pieces.mask(on), "What is shown")])
    drawn.bars(np.asarray(run.share, np.float32), [size - 1])
    drawn.note(KERNEL)
    opposite = index > run.asked.known and (index - run.asked.known) % 2 == 1
    kind = ", the opposite of the one before," if opposite else ""
    return Frame(
        drawn.done(),
        f"{name} of {len(run.scores):,}{kind} shows {size} of {len(on)} superpixels: the "
        f"{run.number} is {run.say(float(run.scores[index]))}.",
    )


def _so_far(run: _Run, end: int, values: Numbers) -> Frame:
    """Draw the values after so many masked photos; all looks share one scale."""
    drawn = stage.Stage(
        [
            (run.pieces.seen(run.asked.bits[end - 1]), f"Masked photo {end:,}"),
            (run.pieces.painted(values, _top(run)), "The map so far"),
        ]
    )
    low = min(float(each.min()) for _, each in run.looks)
    high = max(float(each.max()) for _, each in run.looks)
    drawn.bars(np.asarray(values[run.order], np.float32), range(ROWS), within=(low, high))
    drawn.note(VALUES)
    total = run.say(float(values.sum()))
    if end == len(run.scores):
        said = f"After all {end:,} masked photos the values add up to {total}."
    else:
        away = float(np.abs(values - run.values).max())
        said = (
            f"After {end:,} of {len(run.scores):,} masked photos the values add up to {total}, and "
            f"are up to {run.say(away)} from where they end."
        )
    return Frame(drawn.done(), said)


def _added(run: _Run, cut: Pixels) -> list[Frame]:
    """Put the largest values down one by one, then all others, up to the photo's score."""
    none, whole = run.ends
    levels, put, frames = run.levels, np.zeros(len(run.values)), []
    for rank, part in enumerate(run.order[:ADDED], 1):
        put[part] = run.values[part]
        drawn = stage.Stage(
            [
                (run.pieces.only(part), f"Superpixel {rank}"),
                (run.pieces.painted(put, _top(run)), "Values"),
            ]
        )
        drawn.stairs(levels, rank)
        drawn.note(STAIRS)
        frames.append(
            Frame(
                drawn.done(),
                f"Superpixel {rank}, {run.place(part)}, adds {run.say(float(run.values[part]))}: "
                f"from {run.say(float(levels[rank - 1]))} to {run.say(float(levels[rank]))}.",
            )
        )
    painted = run.pieces.painted(run.values, _top(run))
    drawn = stage.Stage([(cut, "Its superpixels"), (painted, "The map")])
    drawn.stairs(levels, len(run.values))
    drawn.note(STAIRS)
    said = (
        f"All {len(run.values)} values add up to {run.say(float(run.values.sum()))}, and lead from "
        f"{run.say(none)} with all hidden to the photo's {run.say(whole)}."
    )
    return [*frames, Frame(drawn.done(), said)]


def _still(run: _Run, cut: Pixels) -> Frame:
    """Draw the cut, a masked photo and the map side by side."""
    small, some = run.pieces.small, run.asked.bits[_some(run.asked)[-1]]
    drawn = stage.Stage(
        [
            (stage.fitted(cut, small), "Cut"),
            (run.pieces.seen(some, small), "Masked and scored"),
            (run.pieces.painted(run.values, _top(run), small), "Shapley values"),
        ]
    )
    drawn.stairs(run.levels, len(run.values))
    drawn.note(STAIRS)
    return Frame(
        drawn.done(),
        f"{len(run.values)} superpixels, {len(run.scores):,} masked photos, and values that add up "
        f"to {run.say(run.ends[1] - run.ends[0])}.",
    )


def _top(run: _Run) -> float:
    return render.limits(np.asarray(run.values, np.float32), signed=True)[1]


def _told(run: _Run, cut: Pixels) -> tuple[Step, ...]:
    none, whole = run.ends
    pictures = tuple(
        Frame(
            run.pieces.seen(run.asked.bits[index], run.pieces.own),
            f"Masked photo {index + 1:,}, {run.shown(index)} shown: the {run.number} is "
            f"{run.say(float(run.scores[index]))}",
        )
        for index in _some(run.asked)
    )
    chance = run.asked.drawn > 0
    rows = tuple(
        (
            str(rank),
            run.say(float(run.values[at])),
            *([run.say(float(run.errors[at]))] if chance else []),
            run.place(at),
        )
        for rank, at in enumerate(run.order[:ROWS], 1)
    )
    head = ("Superpixel", "Value", *(["Standard error"] if chance else []), "Where")
    return (
        Step(
            f"1. The photo is cut into {len(run.values)} superpixels; the numbers are those of the "
            "last step.",
            (Frame(cut, "The superpixels of this photo"),),
        ),
        Step(f"2. Some are shown, and the model scores each photo. {drawn_how(run.asked)}",
             pictures),
        Step(f"3. {_weighed(run)} {_counts(run.asked)}"),
        Step(
            f"4. A straight line is fitted that is held to both ends: {run.say(none)} with all "
            f"hidden, {run.say(whole)} for the photo. Its slopes are the values, which add up to "
            f"the {run.say(whole - none)} between.",
            table=Table(head, rows),
        ),
    )  # fmt: skip


def _counts(asked: Coalitions) -> str:
    if not asked.drawn:
        return "Each counts its part of that."
    known = "Each of a size that is asked whole counts its part of that; " * (asked.known > ENDS)
    drawn = "those that are drawn are drawn as often as the kernel says, and count alike."
    return known + drawn if known else drawn.capitalize()
