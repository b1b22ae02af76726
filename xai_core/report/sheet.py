"""One picture to hand on: overlay and map as shown, with their bar, the words and the doubts.

Drawn with Pillow, in one column of fixed width; the height follows from the words, so that nothing
is cut off. Long names are shortened in the middle, in titles only.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.report.numbers import counted, printable, shortened
from xai_core.report.pictures import Look, bar, pictures
from xai_core.report.run import OWN_NUMBER, Run
from xai_core.report.scales import Scale, shared

WIDTH, MARGIN, GAP = 1600, 64, 32
PICTURE = (WIDTH - 2 * MARGIN - GAP) // 2
TALLEST = 1000
"""The most that a picture may be high, in pixels; a taller one is drawn narrower."""
NAME = 60
"""Characters of a name in the title and the last lines."""
INK, QUIET, LINE, PAPER = (29, 35, 40), (90, 100, 107), (227, 227, 222), (252, 252, 250)


@dataclasses.dataclass(frozen=True)
class Face:
    """Letters of one size, weight and colour."""

    size: int
    bold: bool = False
    colour: tuple[int, int, int] = INK

    @property
    def font(self) -> Any:
        """Pillow's font."""
        return _font(self.size, self.bold)

    @property
    def step(self) -> int:
        """From one line to the next, in pixels."""
        return round(self.size * 1.42)


TITLE, SAID = Face(36, bold=True), Face(24)
SMALL, HEAD, NUMBER = Face(19, colour=QUIET), Face(19, bold=True), Face(19)


def sheet(run: Run, *, look: Look | None = None, scale: Scale | None = None) -> bytes:
    """Return the picture as PNG. `scale` is that of the runs beside it, where there are some."""
    from PIL import Image, ImageDraw

    look, scale = look or Look(), scale or shared([run.explanation])
    height, width = run.photo.shape[:2]
    side = max(height, width) * min(PICTURE / width, TALLEST / height)
    drawn = pictures(run.photo, run.explanation, scale, look, side=max(1, round(side)))
    column = _Column(drawn.map.shape[:2])
    column.words(_title(run), TITLE, after=10)
    column.words(_asked(run), SMALL, after=26)
    top = column.at
    column.at += drawn.map.shape[0] + 12
    under = column.at
    column.at += 20 + NUMBER.step + 8
    drawn_how = run.explanation.grain.drawn(cells=look.cells)
    caption = f"The map, {drawn_how}: {scale.unit}. {scale.sentence}"
    column.words(caption, SMALL, after=22)
    column.words(" ".join(run.record["sentences"]), SAID, after=26)
    column.words("Before you believe it", HEAD, after=6)
    doubts = [*run.record["doubts"], *run.measured]
    for each in (*doubts, *([run.record["check"]] if run.record["check"] else []), OWN_NUMBER):
        column.words(each, SMALL, after=8, bullet=True)
    column.at += 14
    rule = column.at
    column.at += 18
    for line in _made(run):
        column.words(line, SMALL, after=2)

    image = Image.new("RGB", (WIDTH, column.at + MARGIN), PAPER)
    draw = ImageDraw.Draw(image)
    left, right = column.lefts
    image.paste(Image.fromarray(drawn.over), (left, top))
    image.paste(Image.fromarray(drawn.map), (right, top))
    _bar(image, draw, scale, look, (MARGIN + PICTURE + GAP, under, PICTURE))
    draw.text((MARGIN, under - 4), "The map over the photo", fill=QUIET, font=SMALL.font)
    draw.line([(MARGIN, rule), (WIDTH - MARGIN, rule)], fill=LINE, width=2)
    for x, y, text, face in column.lines:
        draw.text((x, y), text, fill=face.colour, font=face.font, direction=_direction())
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _title(run: Run) -> str:
    return shortened(run.title, 2 * NAME)


def _asked(run: Run) -> str:
    return f"Model {shortened(run.model_name, NAME)}, photo {shortened(run.photo_name, NAME)}"


def _made(run: Run) -> Sequence[str]:
    made, explanation = run.record, run.explanation
    spent = counted(explanation.passes, "pass", "passes")
    seed = f", seed {explanation.seed}" if explanation.seed is not None else ""
    engine = f"Method {made['title']}, engine {explanation.engine}, {spent}{seed}"
    hashes = (f"model {made['model_hash'][:12]}", f"photo {made['image_hash'][:12]}")
    return engine, "sha256: " + ", ".join(hashes) + ". Made with Vitrine."


class _Column:
    """Lines of text one below the other, laid out before there is an image to draw on."""

    def __init__(self, picture: tuple[int, ...]) -> None:
        self.at = MARGIN
        self.lines: list[tuple[int, int, str, Face]] = []
        free = (PICTURE - picture[1]) // 2
        self.lefts = MARGIN + free, MARGIN + PICTURE + GAP + free

    def words(self, text: str, face: Face, *, after: int = 0, bullet: bool = False) -> None:
        """Add a paragraph, wrapped."""
        left = MARGIN + (24 if bullet else 0)
        for at, line in enumerate(wrapped(text, face, WIDTH - MARGIN - left)):
            if bullet and not at:
                self.lines.append((MARGIN + 4, self.at, "\u2022", face))
            self.lines.append((left, self.at, line, face))
            self.at += face.step
        self.at += after


def wrapped(text: str, face: Face, width: int) -> list[str]:
    """Return lines no wider than `width` pixels; a word that is wider is broken."""
    lines, line = [], ""
    for word in printable(text).split(" "):
        longer = f"{line} {word}" if line else word
        if face.font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while face.font.getlength(word) > width:
            fits = _fits(word, face, width)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line]


def _fits(word: str, face: Face, width: int) -> int:
    """Return how many letters of a word fit, at least one."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if face.font.getlength(word[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _bar(image: Any, draw: Any, scale: Scale, look: Look, place: tuple[int, int, int]) -> None:
    from PIL import Image

    left, top, width = place
    colours: NDArray[np.uint8] = np.repeat(bar(scale, look), 16, axis=0)
    image.paste(
        Image.fromarray(colours).resize((width, 16), Image.Resampling.BILINEAR), (left, top)
    )
    ends = (("la", left), ("ma", left + width // 2), ("ra", left + width))
    for (anchor, x), text in zip(ends, scale.ticks, strict=True):
        draw.text((x, top + 22), text, fill=INK, font=NUMBER.font, anchor=anchor)


def unreadable(texts: Iterable[str]) -> list[str]:
    """Return the characters that stand as boxes in the picture, as those of Chinese do."""
    return [each for each in dict.fromkeys("".join(texts)) if not _has(each)]


@functools.cache
def _has(character: str) -> bool:
    """Whether there is a letter for a character: what has none gets the box of U+FFFF."""
    joins = unicodedata.category(character).startswith("M")  # it is drawn with the one before it
    if character.isascii() or joins or not printable(character).strip():
        return True
    return bytes(SAID.font.getmask(character)) != bytes(SAID.font.getmask("\uffff"))


@functools.cache
def _direction() -> str | None:
    """Return the direction of our lines, so that a name at their beginning does not turn them."""
    from PIL import features

    return "ltr" if features.check("raqm") else None


@functools.cache
def _font(size: int, bold: bool) -> Any:
    """Return DejaVu Sans, which matplotlib brings along, or else Pillow's own font.

    Only the file is used: importing matplotlib would cost the page a second of its start.
    """
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or ()) if found else ():
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)
