"""Pictures with what they show, as a part of a report: what was tried besides the map itself."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xai_core import render
from xai_core.explanation import Explanation
from xai_core.probes._augmented import AS_IS, Change
from xai_core.probes._edited import Edited
from xai_core.probes._masked import Masked
from xai_core.probes.fills import cover, covered
from xai_core.report.augmented import Row, answered
from xai_core.report.curve import described, svg
from xai_core.report.markup import Html, data_url, joined, named, sentence, tag
from xai_core.report.masked import masked_facts
from xai_core.report.numbers import amount, counted, percent, quote

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]
SIDE = 320
"""Longest side of a picture, in pixels."""
VEIL = 236
"""The grey that lies over what is not known of a map that was brought back."""
TITLES = {
    "strongest": "The map\u2019s strongest",
    "random": "As much at random",
    "least": "The map\u2019s least",
    "brightest": "The brightest pixels",
}
WAYS = {"hide": "What the map marks, hidden", "keep": "What the map marks, kept alone"}


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """Pictures uint8 `[h, w, 3]` that stand together over a caption; `flips` marks its answer."""

    pictures: Sequence[Pixels]
    title: str
    said: Sequence[str] = ()
    flips: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Plate:
    """A part of a report: a title, what it says, the pictures, and a drawing (SVG) with its words.

    `columns` stand side by side where there is room.
    """

    title: str
    sentences: Sequence[str] = ()
    shown: Sequence[Shown] = ()
    drawing: str = ""
    drawn: str = ""
    columns: int = 4


def masked_shown(
    made: Masked, labels: Sequence[str], view: Array, point: int
) -> list[tuple[str, Shown]]:
    """Return the four photos that the model was asked about at a point, by their order.

    `view` is float32 `[h, w, 3]` in 0..1.
    """
    found = masked_facts(made, point)
    chances = found["unit"] == "probability"
    shown = []
    for name, title in TITLES.items():
        at: tuple[int, ...] = (point,)
        if name == "random":
            area, answers, at = made.drawn(point, 0), made.random, (point, 0)
        else:
            area = made.area(name, point)  # type: ignore[arg-type]
            answers = getattr(made, name)
        hidden = ~area if made.way == "keep" else area
        pixels = covered(view, hidden, made.fill, cover(view, made.fill, seed=made.seed))
        known = answers.probabilities if chances else None
        value = float((answers.scores if known is None else known)[at])
        said = [percent(value) if chances else f"score {amount(value)}"]
        first = None if answers.firsts is None else int(answers.firsts[at])
        flips = first is not None and first != found["firsts"]["whole"]
        if first is not None:
            said.append(f"{'then ' if flips else 'still '}{quote(labels[first])}")
        shown.append((name, Shown([render.pixels(pixels)], title, said, flips)))
    return shown


def masked_plate(made: Masked, labels: Sequence[str], view: Array, point: int) -> Plate:
    """Return a masking curve with the photos at a point."""
    share = percent(float(made.areas[point]))
    what = "kept" if made.way == "keep" else "hidden"
    return Plate(
        WAYS[made.way],
        [f"The photos: {share} of the view {what} in each."],
        [each for _, each in masked_shown(made, labels, view, point)],
        svg(made, point),
        described(made),
    )


def changes_plate(
    own: Explanation,
    cells: Sequence[Row],
    labels: Sequence[str],
    sentences: Sequence[str],
    view: Callable[[Change], Pixels],
    title: str,
) -> Plate:
    """Return a grid of changes: each map over its photo and brought back, on one scale.

    `view` gives what the model gets of a changed photo, uint8 `[h, w, 3]`.
    """
    maps = [own, *(row.cell.explanation for row in cells if row.cell.explanation is not None)]
    plain = view(Change(AS_IS))
    signed = any(render.is_signed(each) for each in maps)
    top = max(render.limits(each.attribution, signed=signed)[1] for each in maps)
    shown = []
    for row in cells:
        said = answered(row, labels)
        made, back = row.cell.explanation, row.back
        pictures = []
        if made is not None and back is not None:
            pictures = [
                over(view(row.cell.change), made.attribution, signed=signed, top=top),
                over(plain, back.attribution, signed=signed, top=top, known=back.known),
            ]
        words = row.facts["words"]
        shown.append(
            Shown(pictures, words[:1].upper() + words[1:], said, bool(row.facts.get("flips")))
        )
    note = (
        "In each pair: the map over the changed photo, and brought back into the photo\u2019s "
        "frame; all on one scale."
    )
    return Plate(title, [*sentences, note], shown)


def edited_shown(made: Edited, photos: Sequence[Pixels], labels: Sequence[str]) -> list[Shown]:
    """Return the photo before an edit, after it, and its first control, with the answers."""
    titles = ("Before", "After", f"Elsewhere, 1 of {made.draws}")
    shown = []
    for row, (title, pixels) in enumerate(zip(titles, photos, strict=True)):
        first = int(made.firsts[row])
        flips = first != int(made.firsts[0])
        number = percent(float(made.probabilities[row, first]))
        answer = f"{'then ' if flips else ''}{quote(labels[first])}, {number}"
        shown.append(Shown([pixels], title, [answer], flips))
    return shown


def grid_title(method: str, asked: str, count: int) -> str:
    """Return the title of a grid of changes."""
    return f"The photo changed in {counted(count, 'way')}: {method} for {asked}"


def over(
    view: Pixels,
    values: Array,
    *,
    signed: bool,
    top: float | None = None,
    known: NDArray[np.bool_] | None = None,
) -> Pixels:
    """Lay a map over a view uint8 `[h, w, 3]`; what is not known of it is veiled."""
    high = render.limits(values, signed=signed)[1] if top is None else top
    colour = render.colours(values, signed=signed, vmax=high)
    share = render.OPACITY * render.strength(values, high)[..., None]
    made = view * (1 - share) + colour * share
    if known is not None:
        made = np.where(known[..., None], made, 0.35 * made + 0.65 * VEIL)
    return np.asarray(np.rint(made), np.uint8)


# as HTML


def drawn(plates: Sequence[Plate]) -> list[Html]:
    """Return the parts as HTML, each with its heading."""
    return [_plate(each) for each in plates]


def _plate(plate: Plate) -> Html:
    body = [tag("h3", sentence(plate.title))]
    if plate.sentences:
        body.append(tag("p", sentence(" ".join(plate.sentences)), class_="prose"))
    if plate.drawing:
        url = data_url(plate.drawing.encode(), "image/svg+xml")
        body.append(tag("img", src=url, alt=plate.drawn, class_="drawing"))
        body.append(tag("p", sentence(plate.drawn), class_="quiet"))
    if plate.shown:
        figures = [_shown(each) for each in plate.shown]
        body.append(tag("div", figures, class_=f"plates {'few' if plate.columns < 4 else ''}"))
    return tag("div", body, class_="plate")


def _shown(each: Shown) -> Html:
    said = ", ".join(each.said)
    pictures = [
        tag("img", src=_url(pixels), alt=f"{each.title}: {said}" if said else each.title)
        for pixels in each.pictures
    ]
    caption = [tag("b", sentence(each.title))]
    for at, words in enumerate(each.said):
        flips = "flips" if each.flips and not at else None
        caption += [tag("br"), tag("span", sentence(words), class_=flips)]
    pair = tag("div", pictures, class_="pair") if len(pictures) > 1 else joined(pictures)
    return tag("figure", pair, tag("figcaption", caption))


def _url(pixels: Pixels) -> str:
    out = io.BytesIO()
    out.write(render.jpeg(pixels, longest=SIDE))
    return data_url(out.getvalue(), "image/jpeg")


def page(title: str, model: str, photo: str, plates: Sequence[Plate]) -> Html:
    """Return the body of a report that is made of parts alone."""
    about = joined("Model: ", named(model), tag("br"), "Photo: ", named(photo))
    head = tag(
        "header",
        tag("p", "Vitrine, a report", class_="label"),
        tag("h1", title),
        tag("p", about, class_="quiet"),
    )
    return joined(head, tag("section", drawn(plates), class_="run"))
