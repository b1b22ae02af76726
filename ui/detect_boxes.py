"""The photo with its boxes: which are shown, which is asked about, and one of the reader's own."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import kept, mounts, text, views
from ui.detect_desk import DetectDesk, Found
from ui.held import Seen
from workers.tasks.detect import MOST
from xai_core.detection import boxes
from xai_core.model import Detections
from xai_core.report.numbers import counted, percent
from xai_core.target import BoxTarget, overlaps

TALL = 16
"""Height of the picture at most, in the size of letters: an answer has room under it."""

MANY = 40
"""Boxes that are drawn and listed at most, the highest scores first."""

SAME = 0.95
"""How far an address's box and a found one overlap that are the same: its pixels are rounded."""

THRESHOLD, OVERLAP = "boxes-threshold", "boxes-overlap"
_CODED = "boxes-coded"
_OWN, _ASKED, _CLASS = "box-own", "box-asked", "box-class"

Kind = Literal["", "own", "gone", "fresh"]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A box in the photo's pixels, (top, left, bottom, right), and what stands at it."""

    index: int
    box: Sequence[float]
    text: str
    said: str
    chosen: bool = False
    kind: Kind = ""


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "boxes",
        html=mounts.part("boxes/boxes.html"),
        css="boxes/boxes.css",
        js=["places.js", "boxes/boxes.js"],
    )


def picture(
    key: str,
    name: str,
    pixels: NDArray[np.uint8],
    drawn: Sequence[Drawn],
    alternative: str,
    *,
    tall: int = TALL,
    on_chosen: Callable[[int], None] | None = None,
    on_drawn: Callable[[Sequence[float]], None] | None = None,
) -> None:
    """Show a photo with boxes as buttons. `name` identifies the picture."""

    def chosen() -> None:
        index = st.session_state[key].chosen
        if on_chosen is not None and type(index) is int:
            on_chosen(index)

    def own() -> None:
        said = st.session_state[key].drawn
        box = _heard(said, name, pixels.shape[:2])
        if on_drawn is not None and box is not None:
            on_drawn(box)

    _component()(
        key=key,
        data={
            "id": name,
            "photo": _url(key, pixels),
            "size": pixels.shape[:2],
            "boxes": [dataclasses.asdict(each) for each in drawn],
            "alternative": alternative,
            "tall": tall,
            "draws": on_drawn is not None,
        },
        on_chosen_change=chosen,
        on_drawn_change=own,
    )


def _url(key: str, pixels: NDArray[np.uint8]) -> str:
    """Return a photo for the browser, coded once for as long as a picture shows it."""
    coded: dict[str, tuple[NDArray[np.uint8], str]] = st.session_state.setdefault(_CODED, {})
    if key not in coded or coded[key][0] is not pixels:
        coded[key] = pixels, views.data_url(pixels)
    return coded[key][1]


def _heard(said: Any, name: str, size: tuple[int, ...]) -> Sequence[float] | None:
    """Return the box that the browser drew on the picture `name`, or None for anything else."""
    if not isinstance(said, dict) or said.get("id") != name:
        return None
    box = said.get("box")
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(type(side) in (int, float) and math.isfinite(side) for side in box):
        return None
    top, left, bottom, right = box
    good = 0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]
    return [float(side) for side in box] if good else None


def sliders() -> tuple[float, float]:
    """Draw which boxes are shown; they answer from what was weighed, without a new pass."""
    with st.container(horizontal=True, gap="small", key="boxes-sliders"):
        threshold = st.slider(
            "Score from",
            0.02,
            1.0,
            step=0.02,
            key=kept.control(THRESHOLD, boxes.THRESHOLD),
            help="Boxes of a lower score are not shown. The detector weighed them all the same.",
        )
        overlap = st.slider(
            "Overlap up to",
            0.0,
            1.0,
            step=0.05,
            key=kept.control(OVERLAP, boxes.OVERLAP),
            help="Two boxes of one class that overlap by more (intersection over union) count as "
            "one: the better one stays (non-maximum suppression).",
        )
    return float(threshold), float(overlap)


def levels() -> tuple[float, float]:
    """Return the score and the overlap that the sliders are set to."""
    state = st.session_state
    return (
        float(state.get(THRESHOLD, boxes.THRESHOLD)),
        float(state.get(OVERLAP, boxes.OVERLAP)),
    )


def shown(found: Found, threshold: float, overlap: float) -> Detections:
    """Return the boxes that stay, in the view's pixels, the highest score first."""
    every = found.candidates.found
    at = boxes.kept(every, threshold, overlap)
    return Detections(every.boxes[at], every.labels[at], every.scores[at])


def scope(seen: Seen) -> str:
    """Return the name under which what is asked of this detector and photo is kept."""
    return f"{seen.model.id}:{seen.photo.id}"


def asked(desk: DetectDesk, seen: Seen, stay: Detections) -> BoxTarget | None:
    """Draw the choice of a box, and return what it is; None where there is none."""
    labels = seen.card.labels
    place = scope(seen)
    own: Sequence[float] | None = st.session_state.get(f"{_OWN}:{place}")
    few = len(stay.scores[:MANY])
    options = list(range(few)) + ([-1] if own is not None else [])
    if not options:
        return None
    key = kept.control(f"{_ASKED}:{place}")
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    names = {at: named(stay, at, labels) for at in range(few)} | {-1: "Your own box"}
    with st.container(key="question", gap="small"):
        chosen = st.selectbox(
            "Why this box?",
            options,
            format_func=names.__getitem__,
            key=key,
            persist_state="session",
        )
        index = None
        if chosen == -1:
            index = st.selectbox(
                "What could stand there?",
                range(len(labels)),
                format_func=text.distinct(list(labels)).__getitem__,
                key=kept.control(f"{_CLASS}:{place}", 0),
                persist_state="session",
            )
    if chosen == -1 and own is not None and index is not None:
        view = boxes.in_view(np.array([own], np.float32), seen.prediction.geometry)[0]
        if view[0] >= view[2] or view[1] >= view[3]:
            views.error("The box lies outside of what the detector sees of the photo.")
            return None
        return _target(view, int(index))
    return _target(stay.boxes[chosen], int(stay.labels[chosen]))


def chosen(seen: Seen, found: Found, stay: Detections) -> BoxTarget | None:
    """Return the box that is asked about now, without drawing anything."""
    place, state = scope(seen), st.session_state
    at, own = state.get(f"{_ASKED}:{place}", 0), state.get(f"{_OWN}:{place}")
    if at == -1 and own is not None:
        box = boxes.in_view(np.array([own], np.float32), found.geometry)[0]
        index = int(state.get(f"{_CLASS}:{place}", 0))
    elif 0 <= at < len(stay.scores):
        box, index = stay.boxes[at], int(stay.labels[at])
    else:
        return None
    top, left, bottom, right = (float(side) for side in box)
    return BoxTarget((top, left, bottom, right), index) if top < bottom and left < right else None


def _target(box: NDArray[np.float32], index: int) -> BoxTarget | None:
    top, left, bottom, right = (float(side) for side in box)
    if not (top < bottom and left < right):
        views.error("This box has no area: no photo could hold anything in it. Choose another.")
        return None
    return BoxTarget((top, left, bottom, right), index)


def named(stay: Detections, at: int, labels: Sequence[str]) -> str:
    """Return a box's line in the list: its class, its score, and its number."""
    return f"{labels[stay.labels[at]]}, {percent(float(stay.scores[at]))} (box {at})"


def choose(seen: Seen, index: int) -> None:
    """Ask about a box of the list; -1 is the reader's own."""
    st.session_state[f"{_ASKED}:{scope(seen)}"] = index


def restore(seen: Seen, target: BoxTarget, stay: Detections) -> None:
    """Ask about the box of a target again: one that is shown, or else as one of the reader's."""
    same = (np.abs(stay.boxes - np.array(target.box, np.float32)) < 1e-3).all(1)
    same &= stay.labels == target.index
    if same[:MANY].any():
        choose(seen, int(same.argmax()))
        return
    placed = boxes.in_photo(np.array([target.box], np.float32), seen.prediction.geometry)[0]
    draw(seen, [float(side) for side in placed])
    st.session_state[f"{_CLASS}:{scope(seen)}"] = target.index


def follow(seen: Seen, found: Found, stay: Detections, placed: Sequence[float], index: int) -> None:
    """Ask about a box in the photo's pixels: one that was found there, or one of one's own."""
    view = boxes.in_view(np.array([placed], np.float32), found.geometry)[0]
    every = found.candidates.found
    over = overlaps(view.tolist(), every.boxes) * (every.labels == index)
    box = every.boxes[over.argmax()] if over.max(initial=0) > SAME else view
    top, left, bottom, right = (float(side) for side in box)
    if top < bottom and left < right:
        restore(seen, BoxTarget((top, left, bottom, right), index), stay)


def draw(seen: Seen, box: Sequence[float]) -> None:
    """Ask about a box of the reader's own."""
    st.session_state[f"{_OWN}:{scope(seen)}"] = list(box)
    choose(seen, -1)


def show(desk: DetectDesk, seen: Seen, found: Found, stay: Detections) -> None:
    """Draw the photo with the boxes that stay; a click asks about one."""
    place, labels = scope(seen), seen.card.labels
    now = st.session_state.get(f"{_ASKED}:{place}", 0)
    inside = boxes.in_photo(stay.boxes[:MANY], found.geometry)
    drawn = [
        Drawn(
            at,
            [float(side) for side in box],
            f"{labels[stay.labels[at]]} {percent(float(stay.scores[at]))}",
            f"Why {named(stay, at, labels)}?",
            chosen=at == now,
        )
        for at, box in enumerate(inside)
    ]
    own = st.session_state.get(f"{_OWN}:{place}")
    if own is not None:
        said = "Your own box: the arrows move it, Shift and the arrows size it"
        drawn.append(Drawn(-1, own, "your own", said, chosen=now == -1, kind="own"))
    count = len(stay.scores)
    picture(
        "boxes",
        f"boxes-{place}",
        seen.photo.pixels,
        drawn,
        f"{seen.photo.name} with {counted(count, 'box', 'boxes')}",
        on_chosen=lambda index: choose(seen, index),
        on_drawn=lambda box: draw(seen, box),
    )
    views.line(summary(found, stay, labels))


def summary(found: Found, stay: Detections, labels: Sequence[str]) -> str:
    """Say how many boxes there are, and of how many they were chosen."""
    every, count = len(found.candidates.scores), len(stay.scores)
    best_of = "the best " if every == MOST else ""  # more may have been weighed
    if not every:
        return "The detector weighs no box on this photo: every place scores below 2 %."
    if not count:
        best = percent(float(found.candidates.scores[0]))
        return (
            f"No box reaches this score: of {best_of}{counted(every, 'candidate')} the first has "
            f"{best}. "
            "Lower the score, or draw a box of your own and ask what speaks for an object there."
        )
    more = f" The first {MANY} are drawn." if count > MANY else ""
    return (
        f"{counted(count, 'box', 'boxes')} of {best_of}{counted(every, 'candidate')} that the "
        f"detector weighed. Click one, or draw one where something was missed.{more}"
    )
