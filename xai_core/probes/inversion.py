"""What a layer still knows of a photo: pictures made from noise whose codes there match its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card, Cost
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import MatchesCodes, Predicts
from xai_core.params import choice, number, seed
from xai_core.probes import inversion_priors as priors
from xai_core.probes.inversion_descent import Adam, Descent, Momentum, moments, slowing
from xai_core.result import Result
from xai_core.task import Bench, Progress, Shape, Task, task

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

MOST_LAYERS, MOST_FRAMES = 6, 60
ROOM = 32 << 20
"""Bytes that the frames of all layers may take together; there are fewer of them on large views."""
LEAST_SECONDS, MOST_SECONDS = 600.0, 6 * 3600.0
START = 0.1
"""The deviation of the noise about grey that a picture begins with."""
DESCENTS: Mapping[str, type[Adam] | type[Momentum]] = {"Adam": Adam, "momentum": Momentum}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inverted(Result):
    """Pictures, one a layer, whose codes match a photo's, and how they came about.

    `pictures` uint8 `[layers, h, w, 3]`; `frames` uint8 `[frames, layers, h, w, 3]` after `at`
    int32 `[frames]` of the `done` steps; `photo` uint8 `[h, w, 3]` is the view. `distances`
    float32 `[done + 1, layers]` are the squared distances of the codes in parts of the photo's own
    code's square, from the noise to the picture as it is shown; `correlations` float64 `[layers]`
    compare picture and photo, value by value. `first` is the photo's first class, `chance` its
    probability; `firsts` int32 `[layers]` and `chances` float32 `[layers]` are the picture's first
    class, and the probability on it of the photo's.
    """

    layers: tuple[str, ...]
    done: int
    photo: Pixels
    pictures: Pixels
    frames: Pixels
    at: NDArray[np.int32]
    distances: Array
    correlations: NDArray[np.float64]
    first: int
    chance: float
    firsts: NDArray[np.int32]
    chances: Array

    def consistent(self, classes: int | None) -> None:
        """Raise ValueError where the parts do not fit each other."""
        layers, frames = len(self.layers), len(self.at)
        sides = self.photo.shape
        whole = (
            self.pictures.shape == (layers, *sides)
            and self.frames.shape == (frames, layers, *sides)
            and self.distances.shape == (self.done + 1, layers)
            and self.correlations.shape == self.firsts.shape == self.chances.shape == (layers,)
        )
        if not whole or not frames or self.at[0] != 0 or self.at[-1] != self.done:
            raise ValueError("an inversion whose parts do not fit")
        if (np.diff(self.at) <= 0).any():
            raise ValueError("frames out of order")
        finite = all(
            np.isfinite(each).all() for each in (self.distances, self.correlations, self.chances)
        )
        if not finite or (self.distances < 0).any() or (np.abs(self.correlations) > 1).any():
            raise ValueError("distances that are none")
        if not 0 <= self.chance <= 1 or (self.chances < 0).any() or (self.chances > 1).any():
            raise ValueError("probabilities that are none")
        every = [self.first, *self.firsts.tolist()]
        if min(every) < 0 or (classes is not None and max(every) >= classes):
            raise ValueError("classes that are none")


@task
class Invert(Task):
    """Makes, from noise, a picture whose code at a layer matches the photo's, for several layers.

    Mahendran and Vedaldi 2015 (arXiv:1412.0035): the squared distance of the codes, divided by the
    square of the photo's own (eq. 3), and two priors that keep the picture like a photo, total
    variation and a norm. It is taken down its gradient in the view itself, with colours kept in
    0..1, by Adam, which gets there in fewer steps than the paper's momentum does, or by that
    momentum; the rate falls along half a cosine.

    All layers go on together, so that a stop at any time leaves pictures that compare.
    """

    title = "Inversion"
    returns = Inverted
    needs = (Predicts, MatchesCodes)
    commands = ("pause", "go on", "step", "stop")

    pixels: Pixels
    layers: tuple[str, ...]
    variation: float = number(
        1.0,
        0.0,
        20.0,
        step=0.1,
        label="Smoothness",
        help="How much total variation counts against the code. More gives calmer areas; too much "
        "wipes out what the code asks for.",
        source="lambda_V of the paper, for beta below",
    )
    norm: float = number(
        0.01,
        0.0,
        1.0,
        step=0.01,
        label="Greyness",
        help="How much strong colours count against the code, by the norm about grey.",
        source="lambda_alpha of the paper",
    )
    steps: int = number(
        200, 10, 2000, step=10, unit="steps", help="More of them come nearer to the code."
    )
    beta: float = number(
        2.0,
        1.0,
        3.0,
        step=0.1,
        label="Beta",
        help="The exponent of the total variation: 1 leaves edges sharp and areas flat, 2 is "
        "smooth.",
        source="beta of the paper",
        more=True,
    )
    alpha: float = number(
        6.0,
        2.0,
        10.0,
        step=0.5,
        label="Alpha",
        help="The exponent of the norm: a large one lets colours go free until they are strong.",
        source="alpha of the paper",
        more=True,
    )
    descent: str = choice(
        "Adam",
        tuple(DESCENTS),
        label="Descent",
        help="How the picture follows its gradient. Adam needs fewer steps; momentum is the "
        "paper's.",
        more=True,
    )
    rate: float = number(
        0.05,
        0.005,
        0.5,
        step=0.005,
        help="How far the first steps go, in parts of full brightness. Too far jumps over what it "
        "looks for.",
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
    seed: int = seed("starts")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.layers) <= MOST_LAYERS or len(set(self.layers)) < len(self.layers):
            raise ParamError(
                f"{type(self).__name__}.layers must be 1 to {MOST_LAYERS} layers, each once, got "
                f"{list(self.layers)!r:.60}"
            )

    def cost(self, card: Card | None = None) -> Cost:
        """Return at most what it asks of the model: each step goes to a layer and back."""
        each = len(self.layers) * (self.steps + 2)
        return Cost(forward=each, backward=each)

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, from 10 minutes to 6 hours."""
        if card is None:
            return LEAST_SECONDS
        seconds = 4 * card.pace.seconds(self.cost(card)) + 60
        return min(MOST_SECONDS, max(LEAST_SECONDS, seconds))

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the pictures, of the frames within bounds, and of the figures."""
        layers = len(self.layers)
        return {
            "photo": Shape("|u1", ("h", "w", 3)),
            "pictures": Shape("|u1", (layers, "h", "w", 3)),
            "frames": Shape("|u1", ("", layers, "h", "w", 3), most=ROOM),
            "at": Shape("<i4", ("",), most=MOST_FRAMES),
            "distances": Shape("<f4", ("", layers), most=(self.steps + 1) * layers),
            "correlations": Shape("<f8", (layers,)),
            "firsts": Shape("<i4", (layers,)),
            "chances": Shape("<f4", (layers,)),
        }

    def shows(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the pictures and their distances so far."""
        layers = len(self.layers)
        return {
            "pictures": Shape("|u1", (layers, "h", "w", 3)),
            "distances": Shape("<f4", (layers,)),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for an answer about other layers, and one that does not add up."""
        if result.layers != self.layers or not 0 <= result.done <= self.steps:
            raise ValueError("an answer about other layers or steps")
        result.consistent(None if card is None else card.classes)

    def run(self, bench: Bench, progress: Progress) -> Inverted:
        """Return the pictures. Raises ParamError for an unknown layer, or too large a view."""
        view, _ = bench.model.preprocessing.view(self.pixels)
        return self.inverted(bench.model, np.asarray(view, np.float32), progress)

    def inverted(self, model: Any, view: Array, progress: Progress) -> Inverted:
        """Return the pictures for a view, float32 `[h, w, 3]` in 0..1."""
        room = ROOM // (len(self.layers) * view.size) - 1  # a stop adds one
        if room < 2:
            raise ParamError(
                f"The pictures of {len(self.layers)} layers at {view.shape[1]} x {view.shape[0]} "
                "pixels take too much room. Choose fewer layers, or a smaller size for the model."
            )
        ways = [_Way(self, model, view, layer) for layer in self.layers]
        kept = moments(self.steps, min(self.frames, room))
        at, frames, distances = [0], [_shown(ways)], [np.zeros(len(ways), np.float32)]
        done = 0
        for done in range(1, self.steps + 1):
            distances[-1] = np.array(
                [way.step(slowing(self.rate, done - 1, self.steps)) for way in ways], np.float32
            )
            distances.append(distances[-1])
            if done in kept:
                at.append(done)
                frames.append(_shown(ways))
            shown: dict[str, NDArray[Any]] = {"pictures": _shown(ways), "distances": distances[-1]}
            progress(done, self.steps, arrays=shown)
            if progress.stopping:
                break
        if at[-1] != done:
            at.append(done)
            frames.append(_shown(ways))
        distances[-1] = np.array(
            [way.distance(picture) for way, picture in zip(ways, frames[-1], strict=True)],
            np.float32,
        )
        return self._made(model, view, at, frames, np.stack(distances))

    def _made(
        self, model: Any, view: Array, at: list[int], frames: list[Pixels], distances: Array
    ) -> Inverted:
        pictures = frames[-1]
        logits = model.logits(np.concatenate([view[None], pictures.astype(np.float32) / 255]))
        chances = model.head.probabilities(np.asarray(logits, np.float32))
        first = int(chances[0].argmax())
        return Inverted(
            layers=self.layers,
            done=at[-1],
            photo=_bytes(view),
            pictures=pictures,
            frames=np.stack(frames),
            at=np.array(at, np.int32),
            distances=distances,
            correlations=np.array([correlation(each, view) for each in pictures]),
            first=first,
            chance=float(chances[0, first]),
            firsts=chances[1:].argmax(1).astype(np.int32),
            chances=np.ascontiguousarray(chances[1:, first]),
        )


class _Way:
    """One layer's picture on its way, float64 `[h, w, 3]` in 0..1."""

    def __init__(self, asked: Invert, model: Any, view: Array, layer: str) -> None:
        self._asked, self._model, self._layer = asked, model, layer
        self._code = np.asarray(model.activations(view[None], layer)[0], np.float32)
        self._square = float(np.square(self._code, dtype=np.float64).sum())
        if not math.isfinite(self._square) or self._square <= 0:
            raise UnsupportedModel(
                f"The photo's code at {layer} is "
                + ("zero all over" if self._square == 0 else "not a finite number")
                + ", so nothing can be brought near to it. Choose another layer."
            )
        noise = np.random.default_rng(asked.seed).standard_normal(view.shape)
        self.picture = np.clip(0.5 + START * noise, 0, 1)
        self._descent: Descent = DESCENTS[asked.descent]()

    def step(self, rate: float) -> float:
        """Go one step down; return the distance that it began at."""
        asked = self._asked
        distance, slope = self._apart(self.picture)
        if asked.variation:
            slope = slope + asked.variation * priors.variation(self.picture, asked.beta)[1]
        if asked.norm:
            slope = slope + asked.norm * priors.norm(self.picture, asked.alpha)[1]
        self.picture = np.clip(self.picture + self._descent.step(slope, rate), 0, 1)
        return distance

    def distance(self, picture: Pixels) -> float:
        """Return the distance of a picture as it is shown."""
        return self._apart(picture / 255)[0]

    def _apart(self, picture: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        views = picture[None].astype(np.float32)
        apart, slopes = self._model.code_gradients(views, self._layer, self._code)
        if not np.isfinite(apart).all() or not np.isfinite(slopes).all():
            raise UnsupportedModel(
                f"The code at {self._layer} was not a finite number on the way: it overflows. "
                "Choose an earlier layer, or check the model's pre-processing."
            )
        return float(apart[0]) / self._square, slopes[0].astype(np.float64) / self._square


def _shown(ways: list[_Way]) -> Pixels:
    """Return the pictures so far, uint8 `[layers, h, w, 3]`."""
    return np.stack([_bytes(way.picture) for way in ways])


def _bytes(picture: NDArray[Any]) -> Pixels:
    return np.asarray(np.rint(255 * picture), np.uint8)


def correlation(picture: Pixels, view: Array) -> float:
    """Return how alike a picture and a view are, -1..1: Pearson's, 0 where one is flat."""
    one, other = picture.astype(np.float64).ravel(), view.astype(np.float64).ravel()
    one, other = one - one.mean(), other - other.mean()
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(np.clip(one @ other / size, -1, 1)) if size else 0.0
