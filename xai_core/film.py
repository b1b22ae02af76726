"""How a method came to its map: a few pictures with a sentence each, and a still that tells all.

A file in `steps/` ties a function to its method's class by `@steps(Method)`; it turns what the
method handed back into a `Film`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from xai_core import discovery
from xai_core.errors import ParamError
from xai_core.explainer import Explainer, explainers
from xai_core.explanation import Explanation

M = TypeVar("M", bound=Explainer)

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FRAMES = 120
"""Most frames of a film."""
SIDE = 640
"""Longest side of a frame, in pixels."""


class Unfit(Exception):
    """What a method handed back does not hold what its film is drawn from."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """A picture, uint8 `[h, w, 3]`, and one sentence that says what it shows."""

    picture: Pixels
    caption: str

    def __post_init__(self) -> None:
        """Check the picture. Raises ValueError."""
        shape, kind = self.picture.shape, self.picture.dtype
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or min(shape) < 1:
            raise ValueError(f"Frame.picture must be uint8 [h, w, 3], got {kind} {list(shape)}")
        if max(shape) > SIDE:
            raise ValueError(f"Frame.picture must have sides of at most {SIDE}, got {list(shape)}")


@dataclasses.dataclass(frozen=True)
class Table:
    """A small table: the heads of its columns, and its rows as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One step in a sentence, with pictures of their own and a table where they help."""

    sentence: str
    pictures: tuple[Frame, ...] = ()
    table: Table | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """A film: frames of one size, `seconds` for each, and a `still` in their place.

    `steps` tell the same to be read: sentences, pictures and tables.
    """

    title: str
    frames: tuple[Frame, ...]
    seconds: float
    still: Frame
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Check its length and that its frames have one size. Raises ValueError."""
        if not 1 <= len(self.frames) <= FRAMES:
            raise ValueError(f"Film.frames must be from 1 to {FRAMES}, got {len(self.frames)}")
        if len({frame.picture.shape for frame in self.frames}) > 1:
            raise ValueError("Film.frames must have one size")
        if not 0.02 <= self.seconds <= 10:
            raise ValueError(f"Film.seconds must be from 0.02 to 10, got {self.seconds}")


Draw = Callable[[Explanation, Array], Film]
_FILMS: dict[type[Explainer], Draw] = {}


def steps(method: type[Explainer]) -> Callable[[Draw], Draw]:
    """Tie a function that draws a film to its method, and to those built on it.

    The function is given the explanation and the view, float32 `[h, w, 3]`, and raises `Unfit`
    where the explanation does not hold what it needs.
    """

    def tie(draw: Draw) -> Draw:
        _FILMS[method] = draw
        return draw

    return tie


def drawn_for(method: str) -> Draw | None:
    """Return what draws the films of a method, by its name."""
    discovery.steps()
    cls = explainers().get(method)
    return next((_FILMS[each] for each in cls.__mro__ if each in _FILMS), None) if cls else None


def film_of(explanation: Explanation, view: Array) -> Film | None:
    """Return the film of a run, or None where its method has none or its arrays do not fit.

    Arrays may come from a worker that a hostile model has taken: they are checked before use.
    """
    draw = drawn_for(explanation.method)
    if draw is None or view.shape != (*explanation.attribution.shape, 3):
        return None
    try:
        return draw(explanation, view)
    except Unfit:
        return None


def held(
    explanation: Explanation, name: str, kinds: str, shape: tuple[int | None, ...]
) -> NDArray[np.generic]:
    """Return a run's array, finite, of one of the `kinds` and of that shape (None: any length).

    Raises Unfit.
    """
    array = explanation.arrays.get(name)
    if array is None or array.dtype.kind not in kinds or array.ndim != len(shape):
        raise Unfit(name)
    for have, want in zip(array.shape, shape, strict=True):
        if have == 0 or (want is not None and have != want):
            raise Unfit(name)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Unfit(name)
    return array


def method_of(explanation: Explanation, cls: type[M]) -> M:
    """Return a run's method as it was set. Raises Unfit."""
    try:
        return cls(**dict(explanation.parameters), engine=explanation.engine)
    except (ParamError, TypeError) as wrong:
        raise Unfit("parameters") from wrong


def told(explanation: Explanation, name: str) -> float:
    """Return a run's scalar, finite. Raises Unfit."""
    value = explanation.scalars.get(name)
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        raise Unfit(name)
    return float(value)
