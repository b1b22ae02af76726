"""What a class or a unit answers to most: a picture that is made to raise its score."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card, Cost
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Differentiates
from xai_core.params import choice, number, seed
from xai_core.probes import inversion_priors as priors
from xai_core.probes.inversion_descent import Adam, moments, slowing
from xai_core.probes.maximisation_paint import Frequencies, OwnPixels, Paint
from xai_core.result import Result
from xai_core.target import Target
from xai_core.task import Bench, Progress, Shape, Task, task

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

MOST_FRAMES, ROOM = 60, 32 << 20
LEAST_SECONDS, MOST_SECONDS = 600.0, 6 * 3600.0
PAINTS: Mapping[str, type[Frequencies] | type[OwnPixels]] = {
    "frequencies": Frequencies,
    "pixels": OwnPixels,
}
STARTS = (1.0, 10.0, 30.0, 100.0)
"""Times its usual contrast that a start may have: a silent unit has no gradient to follow."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Maximised(Result):
    """A picture that raises a target, and how it came about.

    `picture` uint8 `[h, w, 3]`; `frames` uint8 `[frames, h, w, 3]` after `at` int32 `[frames]` of
    the `done` steps; `scores` float32 `[frames]` is the target's number for each as it is shown,
    unmoved. `probabilities` float32 `[frames, classes]` are what the model says of each. `photo`
    is the target's number for the photo, and `photo_chances` float32 `[classes]` what the model
    says of it, where one was given. `contrast` is how many times its usual contrast the start had.
    """

    target: Target
    done: int
    picture: Pixels
    frames: Pixels
    at: NDArray[np.int32]
    scores: Array
    probabilities: Array
    contrast: float = 1.0
    photo: float | None = None
    photo_chances: Array | None = None

    def consistent(self, classes: int | None) -> None:
        """Raise ValueError where the parts do not fit each other."""
        frames = len(self.at)
        if not frames or self.at[0] != 0 or self.at[-1] != self.done:
            raise ValueError("frames that do not fit")
        if (np.diff(self.at) <= 0).any() or self.frames.shape != (frames, *self.picture.shape):
            raise ValueError("frames that do not fit")
        rows = self.probabilities
        if self.scores.shape != (frames,) or len(rows) != frames:
            raise ValueError("scores that do not fit")
        if classes is not None and rows.shape[1] != classes:
            raise ValueError("scores of other classes")
        chances = rows if self.photo_chances is None else np.vstack([rows, self.photo_chances])
        if not np.isfinite(self.scores).all() or not ((chances >= 0) & (chances <= 1)).all():
            raise ValueError("scores that are none")
        if (self.photo is None) != (self.photo_chances is None) or self.contrast not in STARTS:
            raise ValueError("a photo that was not asked about, or another start")


@task
class Maximise(Task):
    """Makes a picture that raises a class's score, or what a unit holds, as far as it goes.

    Gradient ascent on the input (Simonyan et al. 2014, arXiv:1312.6034, section 2) by Adam, the
    rate falling along half a cosine. The score's gradient is scaled to a root mean square of 1 at
    each step, so that smoothness counts as much on any model. Before each look the picture is
    shifted at random, over the edges and in at the other side, and may be blurred (Yosinski et al.
    2015, arXiv:1506.06579); it is made of frequencies, scaled and coloured as natural photos are
    (Olah et al. 2017, "Feature visualization"), or of its own pixels.

    What is shown, and measured, is the picture after the blur, without a shift.
    """

    title = "Activation maximisation"
    returns = Maximised
    needs = (Differentiates,)
    commands = ("pause", "go on", "step", "stop")

    target: Target
    pixels: Pixels | None = None
    variation: float = number(
        1.0,
        0.0,
        20.0,
        step=0.1,
        label="Smoothness",
        help="How much total variation counts against the score. More gives calmer pictures; too "
        "much wipes out what the target answers to.",
    )
    jitter: int = number(
        8,
        0,
        64,
        unit="px",
        help="How far the picture may be shifted at random before each look. Without it the "
        "picture fills with grain that only this place of the network answers to.",
    )
    blur: float = number(
        0.0,
        0.0,
        4.0,
        step=0.1,
        unit="px",
        help="Deviation of a blur before each look: what is finer than it has no way in.",
        more=True,
    )
    space: str = choice(
        "frequencies",
        tuple(PAINTS),
        label="Made of",
        help="What a step changes: frequencies of the picture, scaled as natural photos have "
        "them, or its pixels one by one.",
        more=True,
    )
    steps: int = number(
        200,
        10,
        2000,
        step=10,
        unit="steps",
        help="More of them raise the score further.",
        more=True,
    )
    rate: float = number(
        0.05,
        0.005,
        0.5,
        step=0.005,
        help="How far the first steps go.",
        more=True,
    )
    frames: int = number(
        40,
        2,
        MOST_FRAMES,
        unit="frames",
        help="Pictures that are kept on the way for the film; large views keep fewer.",
        more=True,
    )
    seed: int = seed("starts and shifts")

    def cost(self, card: Card | None = None) -> Cost:
        """Return at most what it asks of the model: each step goes through it and back."""
        return Cost(forward=self.steps + self.frames + 2, backward=self.steps + len(STARTS))

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST_SECONDS
        seconds = 4 * card.pace.seconds(self.cost(card)) + 60
        return min(MOST_SECONDS, max(LEAST_SECONDS, seconds))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the picture, of the frames within bounds, and of the figures."""
        most = (MOST_FRAMES + 1) * (card.classes if card else 1 << 14)
        return {
            "picture": Shape("|u1", ("h", "w", 3)),
            "frames": Shape("|u1", ("", "h", "w", 3), most=ROOM),
            "at": Shape("<i4", ("",), most=MOST_FRAMES + 1),
            "scores": Shape("<f4", ("",), most=MOST_FRAMES + 1),
            "probabilities": Shape("<f4", ("", "classes"), most=most),
            "photo_chances": Shape("<f4", ("classes",), optional=True),
        }

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the picture so far, and its score where it was asked."""
        return {"picture": Shape("|u1", ("h", "w", 3))}

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for an answer about another target, and one that does not add up."""
        if result.target != self.target or not 0 <= result.done <= self.steps:
            raise ValueError("an answer about another target or other steps")
        if (result.photo is None) != (self.pixels is None):
            raise ValueError("an answer about another photo")
        result.consistent(None if card is None else card.classes)

    def run(self, bench: Bench, progress: Progress) -> Maximised:
        """Return the picture. Raises ParamError for another model's target, UnsupportedModel."""
        model = bench.model
        view = None
        if self.pixels is not None:
            view = np.asarray(model.preprocessing.view(self.pixels)[0], np.float32)
        return self.maximised(model, view, progress)

    def maximised(self, model: Any, view: Array | None, progress: Progress) -> Maximised:
        """Return the picture; `view` float32 `[h, w, 3]` is what it is compared with."""
        self.target.check(model)
        size = (model.input_size[0], model.input_size[1])
        room = ROOM // (3 * size[0] * size[1]) - 1  # a stop adds one
        if room < 2:
            raise ParamError(
                f"A picture of {size[1]} x {size[0]} pixels takes too much room. Choose a smaller "
                "size for the model."
            )
        kept = moments(self.steps, min(self.frames, room))
        climb = _Climb(self, model, size)
        at, frames = [0], [climb.shown()]
        done = 0
        for done in range(1, self.steps + 1):
            climb.step(slowing(self.rate, done - 1, self.steps))
            if done in kept:
                at.append(done)
                frames.append(climb.shown())
            progress(done, self.steps, arrays={"picture": climb.shown()})
            if progress.stopping:
                break
        if at[-1] != done:
            at.append(done)
            frames.append(climb.shown())
        return self._made(model, view, at, np.stack(frames), climb.contrast)

    def _made(
        self, model: Any, view: Array | None, at: list[int], frames: Pixels, contrast: float
    ) -> Maximised:
        views: Array = frames.astype(np.float32) / np.float32(255)
        if view is not None:
            views = np.concatenate([views, view[None]])
        logits = np.asarray(model.logits(views), np.float32)
        reads = logits if self.target.reads == "scores" else self.target.outputs(model, views)
        scores, chances = self.target.score(reads, model.head), model.head.probabilities(logits)
        if not np.isfinite(scores).all() or not np.isfinite(chances).all():
            raise UnsupportedModel(
                "The score of the picture is not a finite number: it overflows. Choose fewer "
                "steps, or check the model's pre-processing."
            )
        count = len(frames)
        return Maximised(
            target=self.target,
            done=at[-1],
            picture=frames[-1],
            frames=frames,
            at=np.array(at, np.int32),
            scores=scores[:count],
            probabilities=chances[:count],
            contrast=contrast,
            photo=None if view is None else float(scores[-1]),
            photo_chances=None if view is None else chances[-1],
        )


class _Climb:
    """A picture on its way up."""

    def __init__(self, asked: Maximise, model: Any, size: tuple[int, int]) -> None:
        self._asked, self._model = asked, model
        self._rng = np.random.default_rng(asked.seed)
        self._most = min(asked.jitter, min(size) // 4)
        self._pixels = size[0] * size[1]
        self._adam = Adam()
        self._paint, self.contrast = self._start(size)

    def _start(self, size: tuple[int, int]) -> tuple[Paint, float]:
        """Return a start that the target answers to, with no more contrast than that takes."""
        asked = self._asked
        for contrast in STARTS:
            paint: Paint = PAINTS[asked.space](size, np.random.default_rng(asked.seed))
            middle = 0.5 if asked.space == "pixels" else 0.0
            paint.move((contrast - 1) * (paint.values - middle))
            if self._slope(_blurred(paint.picture(), asked.blur)).any():
                return paint, contrast
        raise UnsupportedModel(
            "The target answers to none of the starts, so there is no gradient to follow: it may "
            "be a unit that is silent, or a probability that is 0 or 1 already. Choose another "
            "unit, another start (the seed), or the score in the place of the probability."
        )

    def step(self, rate: float) -> None:
        """Look once, shifted, and go one step up."""
        asked, picture = self._asked, self._paint.picture()
        shift = self._rng.integers(-self._most, self._most + 1, 2).tolist()
        looked = np.roll(_blurred(picture, asked.blur), shift, (0, 1))
        slope = np.roll(self._slope(looked), [-each for each in shift], (0, 1))
        size = math.sqrt(float(np.square(slope).mean()))
        down = -_blurred(slope, asked.blur) / (size or 1.0)
        if asked.variation:
            down += asked.variation * self._pixels * priors.variation(picture, 2)[1]
        self._paint.move(self._adam.step(self._paint.back(down), rate))

    def shown(self) -> Pixels:
        """Return the picture as it is shown, uint8 `[h, w, 3]`."""
        picture = _blurred(self._paint.picture(), self._asked.blur)
        return np.asarray(np.rint(255 * np.clip(picture, 0, 1)), np.uint8)

    def _slope(self, picture: Floats) -> Floats:
        views = picture[None].astype(np.float32)
        slope = self._model.gradients(views, self._asked.target)[0].astype(np.float64)
        if not np.isfinite(slope).all():
            raise UnsupportedModel(
                "The gradient of the score is not a finite number: it overflows. Choose another "
                "target, or check the model's pre-processing."
            )
        found: Floats = slope
        return found


def _blurred(picture: Floats, deviation: float) -> Floats:
    """Blur over the edges and in at the other side, so that the blur is its own transpose."""
    if not deviation:
        return picture
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(picture, (deviation, deviation, 0), mode="wrap"), np.float64)
