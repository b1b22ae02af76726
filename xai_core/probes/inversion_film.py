"""Pictures that are made step by step as a film: the photo, and beside it one panel a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.film import FRAMES, SIDE, Film, Frame, Step
from xai_core.probes.inversion import Inverted
from xai_core.probes.inversion_words import off
from xai_core.probes.maximisation import Maximised
from xai_core.report.numbers import amount, counted, percent, printable, quote, shortened
from xai_core.stage import GAP, GROUND, INK, WIDTH, fitted

Pixels = NDArray[np.uint8]

LINE = 24
"""Pixels of a line of text in a frame."""
SECONDS = 0.16
WORDS = 600
"""Most letters of a frame's caption."""
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 4}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Growth:
    """Pictures as they grow: `frames` uint8 `[frames, panels, h, w, 3]`, one caption a frame.

    `names` are the panels', `lines` what stands under each in each frame. `photo` uint8 `[h, w, 3]`
    stands before them, where there is one. Raises ParamError for what does not fit.
    """

    title: str
    frames: Pixels
    names: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    captions: tuple[str, ...]
    photo: Pixels | None = None

    def __post_init__(self) -> None:
        count = len(self.frames)
        fits = self.frames.ndim == 5 and self.frames.shape[1] == len(self.names)
        fits = fits and 1 <= count <= FRAMES and len(self.lines) == len(self.captions) == count
        fits = fits and all(len(line) == len(self.names) for line in self.lines)
        fits = fits and self.frames.dtype == np.uint8 and self.frames.shape[-1] == 3
        if self.photo is not None:
            fits = fits and self.photo.shape == self.frames.shape[2:]
        if not fits or len(self.names) + (self.photo is not None) not in _COLUMNS:
            raise ParamError("A film is made of pictures of one size, each with its words")


def of_layers(made: Inverted) -> Growth:
    """Return how the pictures of several layers came about."""
    lines = tuple(
        tuple(f"{off(float(each))} off" for each in made.distances[place])
        for place in made.at.tolist()
    )
    captions = tuple(
        f"After {place} of {counted(made.done, 'step')} the code is "
        + ", ".join(
            f"{off(float(each))} off at {quote(layer)}"
            for layer, each in zip(made.layers, made.distances[place], strict=True)
        )
        + "."
        for place in made.at.tolist()
    )
    return Growth(
        title="From noise to the photo\u2019s code",
        frames=made.frames,
        names=made.layers,
        lines=lines,
        captions=captions,
        photo=made.photo,
    )


def of_target(made: Maximised, labels: Sequence[str]) -> Growth:
    """Return how the picture of a target came about."""
    what, classes = made.target.words(labels), made.target.classes()
    lines, captions = [], []
    for row, place in enumerate(made.at.tolist()):
        score = amount(float(made.scores[row]))
        said = f"After {place} of {counted(made.done, 'step')}: {what} is at {score}"
        if classes:
            chance = percent(float(made.probabilities[row, classes[0]]))
            said += f", and the probability of {quote(labels[classes[0]])} is {chance}"
            score = f"{score}, {chance}"
        lines.append((score,))
        captions.append(f"{said}.")
    return Growth(
        title=f"From noise to {what}",
        frames=made.frames[:, None],
        names=(what.replace("\u201c", "").replace("\u201d", ""),),
        lines=tuple(lines),
        captions=tuple(captions),
    )


def film(made: Growth) -> Film:
    """Return the film; each frame's panels stand in rows of equal width."""
    frames = tuple(_frame(made, at) for at in range(len(made.frames)))
    return Film(
        title=printable(made.title),
        frames=frames,
        seconds=SECONDS,
        still=frames[-1],
        steps=(Step(frames[-1].caption),),
    )


def _frame(made: Growth, at: int) -> Frame:
    panels = list(zip(made.frames[at], made.names, made.lines[at], strict=True))
    if made.photo is not None:
        panels.insert(0, (made.photo, "The photo", ""))
    return Frame(_drawn(panels), printable(made.captions[at])[:WORDS])


def _drawn(panels: list[tuple[Any, str, str]]) -> Pixels:
    from PIL import Image, ImageDraw

    columns = _COLUMNS[len(panels)]
    rows = -(-len(panels) // columns)
    height, width = panels[0][0].shape[:2]
    across = (WIDTH - (columns + 1) * GAP) // columns
    tall = (SIDE - GAP) // rows - GAP - 2 * LINE
    scale = min(across / width, tall / height, 300 / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    whole = rows * (size[0] + 2 * LINE + GAP) + GAP
    image = Image.new("RGB", (WIDTH, whole), GROUND)
    pen: Any = ImageDraw.Draw(image)
    letters = max(8, across // 10)
    for at, (picture, name, line) in enumerate(panels):
        row, column = divmod(at, columns)
        middle = WIDTH * (2 * column + 1) // (2 * columns)
        top = GAP + row * (size[0] + 2 * LINE + GAP)
        shown = fitted(np.ascontiguousarray(picture), size, smooth=scale < 1)
        image.paste(Image.fromarray(shown), (middle - size[1] // 2, top))
        for below, words in enumerate((name, line)):
            place = middle, top + size[0] + LINE * below + LINE // 2
            short = shortened(printable(words), letters).replace("\u2212", "-")
            pen.text(place, short.replace("\u00a0", " "), INK, anchor="mm", font_size=16)
    return np.array(image)
