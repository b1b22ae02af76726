"""How a method is taught: sentences, a formula with its symbols named, presets, experiments.

A file in `lessons/` ties a `Lesson` to its method's class by `@lesson(Method)`, put before the
function that works the formula out with a run's own numbers. A page follows from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import discovery, stage
from xai_core.card import Card
from xai_core.explainer import Explainer, explainers
from xai_core.explanation import Explanation
from xai_core.film import Unfit
from xai_core.target import Of

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

CELLS = 32
"""Most rows, and most columns, of places that can be pointed at."""
BARS = 40
"""Bars of a histogram."""
SIDE = 200
"""Longest side of a part's picture, in pixels."""


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A symbol of a formula: how it is written, what it stands for, and the picture of that.

    In `mark`, `_` lowers and `^` raises the letter or the {group} that follows.
    """

    mark: str
    meaning: str
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Preset:
    """Values to set, and one sentence on what to watch."""

    title: str
    values: Mapping[str, Any]
    watch: str


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of an experiment: what it is called, its values, and another method than its own.

    `of` says which number of the class it explains; by itself it is the one that is chosen.
    """

    called: str
    values: Mapping[str, Any]
    method: type[Explainer] | None = None
    of: Of | None = None


Trials = tuple[Trial, ...] | Callable[[Card], tuple[Trial, ...]]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Runs side by side on the model and photo that are there, and what to watch.

    `trials` may follow from the model. With `variants` (names of `augment.CHANGES`) each trial runs
    on the photo as it is, and on it changed so. With `networks` it runs on the first of these sets
    of models, by their names in the catalogue, whose files are there, and says which.
    """

    title: str
    sentence: str
    trials: Trials
    watch: str
    variants: tuple[str, ...] = ()
    networks: tuple[tuple[str, ...], ...] = ()

    def made(self, card: Card) -> tuple[Trial, ...]:
        """Return the trials for a model."""
        return self.trials if isinstance(self.trials, tuple) else self.trials(card)


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A picture of one part of a formula, uint8 `[h, w, 3]`, under its key.

    `pointed` says that its places are the rows and columns that can be pointed at, `wide` that it
    needs room.
    """

    key: str
    picture: Pixels
    caption: str
    pointed: bool = True
    wide: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Worked:
    """A formula with a run's own numbers: its parts, and a line for each of `rows` x `columns`."""

    parts: tuple[Part, ...]
    rows: int
    columns: int
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that there is a line for each place. Raises ValueError."""
        if len(self.lines) != self.rows * self.columns or max(self.rows, self.columns) > CELLS:
            raise ValueError(f"{len(self.lines)} lines for {self.rows} x {self.columns} places")


Work = Callable[[Explanation, Array], Worked]
Draw = Callable[[Any, Array, int], tuple[tuple[Part, ...], str]]


Aside = Callable[[Explanation, Array], tuple[Part, ...]]


@dataclasses.dataclass(frozen=True)
class Preview:
    """What the settings do to one of the questions that a method asks, drawn before any is asked.

    `draw` is given the method, the view and a number that begins at 0; it returns pictures, and a
    sentence with their numbers. Raises ParamError where there is nothing to be drawn. `another` is
    on the button that counts on.
    """

    title: str
    another: str
    draw: Draw


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a method's page says beside what is computed.

    `know` is what the reader will know; `sentences` tell the method in four; in `formula`, names
    in {braces} are keys of `symbols`. `traps` are experiments that show where it misleads.
    """

    know: str
    sentences: tuple[str, str, str, str]
    formula: tuple[str, ...]
    symbols: Mapping[str, Symbol]
    presets: tuple[Preset, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    traps: tuple[Experiment, ...] = ()

    def pieces(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return each line of the formula as pieces: a text and "", or a mark and its symbol."""
        return tuple(tuple(self._cut(line)) for line in self.formula)

    def _cut(self, line: str) -> list[tuple[str, str]]:
        found = []
        for at, piece in enumerate(line.replace("}", "{").split("{")):
            if at % 2:
                found.append((self.symbols[piece].mark, piece))
            elif piece:
                found.append((piece, ""))
        return found


_LESSONS: dict[type[Explainer], tuple[Lesson, Work]] = {}
_PREVIEWS: dict[type[Explainer], Preview] = {}
_ASIDES: dict[type[Explainer], Aside] = {}


def lesson(method: type[Explainer], told: Lesson) -> Callable[[Work], Work]:
    """Tie a lesson, and the function that works its formula out, to a method."""

    def tie(work: Work) -> Work:
        _LESSONS[method] = told, work
        return work

    return tie


def previewed(method: type[Explainer], title: str, another: str) -> Callable[[Draw], Draw]:
    """Tie what is drawn before a run to a method."""

    def tie(draw: Draw) -> Draw:
        _PREVIEWS[method] = Preview(title, another, draw)
        return draw

    return tie


def preview_of(method: type[Explainer]) -> Preview | None:
    """Return what is drawn of a method before it runs, if anything is."""
    discovery.lessons()
    return _PREVIEWS.get(method)


def aside(method: type[Explainer]) -> Callable[[Aside], Aside]:
    """Tie pictures of how a run came about, to be shown beside it, to a method."""

    def tie(draw: Aside) -> Aside:
        _ASIDES[method] = draw
        return draw

    return tie


def aside_of(explanation: Explanation, view: Array) -> tuple[Part, ...]:
    """Return the pictures beside a run, none where its method has none or they do not fit."""
    discovery.lessons()
    cls = explainers().get(explanation.method)
    draw = _ASIDES.get(cls) if cls else None
    try:
        return draw(explanation, view) if draw else ()
    except Unfit:
        return ()


def lesson_of(method: str) -> Lesson | None:
    """Return a method's lesson, by the method's name."""
    found = _found(method)
    return found[0] if found else None


def worked(explanation: Explanation, view: Array) -> Worked | None:
    """Return the formula with a run's numbers, or None where the run does not hold them.

    Arrays may come from a worker that a hostile model has taken: they are checked before use.
    """
    found = _found(explanation.method)
    if found is None or view.shape != (*explanation.attribution.shape, 3):
        return None
    try:
        return found[1](explanation, view)
    except Unfit:
        return None


def _found(method: str) -> tuple[Lesson, Work] | None:
    discovery.lessons()
    cls = explainers().get(method)
    return _LESSONS.get(cls) if cls else None


# what lessons draw with


def size_of(view: tuple[int, int]) -> tuple[int, int]:
    """Return a part's height and width for a view of that shape."""
    scale = SIDE / max(view)
    return max(1, round(view[0] * scale)), max(1, round(view[1] * scale))


def places(view: tuple[int, int], most: int = CELLS) -> tuple[int, int]:
    """Return into how many rows and columns a view of pixels is cut to be pointed at."""
    return min(view[0], most), min(view[1], most)


def centre(view: tuple[int, int], sides: tuple[int, int], row: int, column: int) -> tuple[int, int]:
    """Return the pixel in the middle of a place."""
    return (
        int((row + 0.5) * view[0] / sides[0]),
        int((column + 0.5) * view[1] / sides[1]),
    )


@dataclasses.dataclass(frozen=True)
class Sized:
    """As much of a model as its masks need."""

    input_size: tuple[int, int]


def curve(values: Array, size: tuple[int, int], level: float) -> Pixels:
    """Draw values as a curve, and a line at `level`."""
    from PIL import Image, ImageDraw

    height, width = size
    image = Image.new("RGB", (width, height), stage.GROUND)
    pen = ImageDraw.Draw(image)
    low, high = min(float(values.min()), level), max(float(values.max()), level)
    span = (high - low) or 1.0
    line = height - 8 - (height - 16) * (level - low) / span
    pen.line((0, line, width, line), stage.QUIET)
    across = width * np.arange(len(values)) / max(len(values) - 1, 1)
    down = height - 8 - (height - 16) * (values - low) / span
    pen.line([(float(x), float(y)) for x, y in zip(across, down, strict=True)], stage.ACCENT, 2)
    return np.asarray(image)


def band(values: Array, around: Array, size: tuple[int, int]) -> Pixels:
    """Draw values as a curve with as much as `around` says above and below it, and a line at 0."""
    from PIL import Image, ImageDraw

    height, width = size
    image = Image.new("RGB", (width, height), stage.GROUND)
    pen = ImageDraw.Draw(image)
    upper, lower = np.asarray(values + around, np.float64), np.asarray(values - around, np.float64)
    low, high = min(float(lower.min()), 0.0), max(float(upper.max()), 0.0)
    span = (high - low) or 1.0
    across = (width * np.arange(len(values)) / max(len(values) - 1, 1)).tolist()

    def points(heights: NDArray[np.float64]) -> list[tuple[float, float]]:
        down = height - 8 - (height - 16) * (heights - low) / span
        return list(zip(across, down.tolist(), strict=True))

    pen.polygon([*points(upper), *reversed(points(lower))], stage.QUIET)
    zero = height - 8 - (height - 16) * (0 - low) / span
    pen.line((0, zero, width, zero), stage.INK)
    pen.line(points(np.asarray(values, np.float64)), stage.ACCENT, 2)
    return np.asarray(image)


def histogram(values: Array, size: tuple[int, int], level: float) -> Pixels:
    """Draw how often values are met, the bars beyond `level` lit, with a line there."""
    from PIL import Image, ImageDraw

    height, width = size
    image = Image.new("RGB", (width, height), stage.GROUND)
    pen = ImageDraw.Draw(image)
    low, high = min(float(values.min()), level), max(float(values.max()), level)
    span = (high - low) or 1.0
    counts, edges = np.histogram(values, BARS, (low, low + span))
    across = (width * (edges - low) / span).tolist()
    # a single cell still shows beside many
    tall = (height - 16) * np.sqrt(counts / max(int(counts.max()), 1))
    for at, each in enumerate(tall.tolist()):
        if each:
            lit = float(edges[at]) >= level - span / BARS / 2
            ends = (across[at] + 1, height - 8 - each, across[at + 1] - 1, height - 8)
            pen.rectangle(ends, stage.ACCENT if lit else stage.QUIET)
    line = width * (level - low) / span
    pen.line((line, 0, line, height), stage.INK)
    return np.asarray(image)


def bars(values: Array, size: tuple[int, int]) -> Pixels:
    """Draw values as bars from zero."""
    from PIL import Image, ImageDraw

    height, width = size
    image = Image.new("RGB", (width, height), stage.GROUND)
    pen = ImageDraw.Draw(image)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    span, step = (high - low) or 1.0, width / max(len(values), 1)
    zero = height - 8 - (height - 16) * (0 - low) / span
    pen.line((0, zero, width, zero), stage.QUIET)
    for at, value in enumerate(values.tolist()):
        end = height - 8 - (height - 16) * (value - low) / span
        first = step * at + step * 0.14
        pen.rectangle((first, min(zero, end), first + step * 0.72, max(zero, end)), stage.ACCENT)
    return np.asarray(image)
