"""What is to be learned on this very photo: what the levels hold, and a map that knows no box."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from ui import compared, detect_boxes, method_list, player, presses, views
from ui.detect_desk import DetectDesk, Found
from ui.held import Answer, Scene, Seen
from workers.tasks.explain_boxes import ExplainBoxes
from workers.tasks.levels import DrawLevels, LookAtLevels
from xai_core.detection import blind, crowd
from xai_core.errors import VitrineError
from xai_core.explainer import Explainer, explaining
from xai_core.explanation import Explanation
from xai_core.model import Detections
from xai_core.question import Question
from xai_core.target import BoxTarget

LEVELS, FILM, BLIND, SHARP = "levels", "levels-film", "box-blind", "box-sharp"
MIXED, APART = "box-mixed", "box-apart"
SLOTS = (LEVELS, FILM, BLIND, SHARP, MIXED, APART)
"""The slots of what runs for these."""

Methods = tuple[type[Explainer], type[Explainer]]
CROWD = 4
"""Boxes that a method that averages its gradients is asked about, at most."""

SCALED = "Each map is divided by its own largest value here."

_OF = "lesson-of"


def _here(seen: Seen) -> str:
    return f"{seen.model.id}-{seen.photo.id}"


def _is_of(desk: DetectDesk, slot: str, seen: Seen) -> bool:
    """Say whether a slot's last result is of this detector and photo."""
    return slot in desk.results and st.session_state.get(f"{_OF}:{slot}") == _here(seen)


def _begin(desk: DetectDesk, slot: str, seen: Seen, by: Any, task: Any) -> None:
    desk.results.pop(slot, None)
    st.session_state[f"{_OF}:{slot}"] = _here(seen)
    desk.begin(slot, by, task, what=slot)


def levels(desk: DetectDesk) -> None:
    """Draw what each level of the backbone holds of this photo, once it is asked for."""
    seen = desk.seen
    if seen is None or not any(layer.kind == "level" for layer in seen.card.layers):
        return
    views.title("What the levels hold")
    views.line(
        "A detector reads maps of several sizes. Each of them holds the whole photo, with all of "
        "its objects."
    )
    if not _is_of(desk, LEVELS, seen):
        _ask(desk, LEVELS, "Look at the levels", lambda: _look(desk, seen))
        return
    if not _is_of(desk, FILM, seen):
        if FILM not in desk.slots.names() and FILM not in desk.notes:
            drawn = DrawLevels(levels=desk.results[LEVELS], view=seen.prediction.view)
            _begin(desk, FILM, seen, desk.session, drawn)
        if note := desk.notes.get(FILM):
            views.error(note)
        return
    reel = desk.results[FILM]
    player.show("levels", f"levels-{_here(seen)}", reel)
    player.steps(reel.steps)


def _look(desk: DetectDesk, seen: Seen) -> None:
    desk.notes.pop(FILM, None)
    _begin(desk, LEVELS, seen, seen.model.handle, LookAtLevels(pixels=seen.photo.pixels))


def _ask(desk: DetectDesk, slot: str, label: str, act: Any) -> None:
    if note := desk.notes.get(slot):
        views.error(note)
    if presses.button(label, key=f"ask-{slot}", disabled=slot in desk.slots.names()):
        act()
        st.rerun()


def pair(found: Found, stay: Detections) -> tuple[BoxTarget, BoxTarget] | None:
    """Return the best box and the best one of another class, of those that are shown."""
    made: list[BoxTarget] = []
    for box, label in zip(stay.boxes, stay.labels, strict=True):
        top, left, bottom, right = (float(side) for side in box)
        if top < bottom and left < right and int(label) not in [each.index for each in made]:
            made.append(BoxTarget((top, left, bottom, right), int(label)))
        if len(made) == 2:
            return made[0], made[1]
    return None


def blindness(desk: DetectDesk) -> None:
    """Draw a method that asks about no box beside one that does, on two boxes of two classes."""
    seen, found = desk.seen, desk.weighed
    if seen is None or found is None:
        return
    methods = _methods(seen)
    two = pair(found, detect_boxes.shown(found, *detect_boxes.levels()))
    if methods is None or two is None:
        return
    views.title("A map that does not know the box")
    titles = [cls.title for cls in methods]
    views.line(
        f"{titles[0]} reads what stands out in the maps and asks about no box. Here it is beside "
        f"{titles[1]}, on two boxes of this photo."
    )
    if _asked_both(desk, seen, (BLIND, SHARP), methods, two, "Ask both about two boxes"):
        for slot, cls in zip((BLIND, SHARP), methods, strict=True):
            made = desk.results[slot].each
            names = [each.target.words(seen.card.labels) for each in made]
            said = blind.sentence(cls.title, made[0], made[1], (names[0], names[1]))
            _beside(desk, seen, slot, said)


def mixing(desk: DetectDesk) -> None:
    """Draw gradients averaged over a level beside those of each cell, on several boxes."""
    seen, found = desk.seen, desk.weighed
    if seen is None or found is None:
        return
    methods = _by_slopes(seen)
    few = several(detect_boxes.shown(found, *detect_boxes.levels()))
    if methods is None or len(few) < 2:
        return
    views.title("Why averaged gradients mix objects up")
    titles = [cls.title for cls in methods]
    views.line(
        f"{titles[0]} follows a box\u2019s score back to a level and averages what it finds over "
        "the whole map: one weight for each channel. A channel that answers to this object may "
        f"answer to others of the photo, which are marked with it. {titles[1]} takes each cell by "
        f"its own gradient. How much that matters is measured here, on {len(few)} boxes of this "
        "photo."
    )
    label = f"Ask both about {len(few)} boxes"
    if _asked_both(desk, seen, (MIXED, APART), methods, few, label):
        for slot, cls in zip((MIXED, APART), methods, strict=True):
            made = desk.results[slot].each
            said = " ".join([*crowd.sentences(cls.title, made), SCALED])
            _beside(desk, seen, slot, said, each=_own)


def several(stay: Detections) -> tuple[BoxTarget, ...]:
    """Return the best boxes that are shown and have an area, a few at the most."""
    made: list[BoxTarget] = []
    for box, label in zip(stay.boxes, stay.labels, strict=True):
        top, left, bottom, right = (float(side) for side in box)
        if top < bottom and left < right and len(made) < CROWD:
            made.append(BoxTarget((top, left, bottom, right), int(label)))
    return tuple(made)


def _asked_both(
    desk: DetectDesk,
    seen: Seen,
    slots: tuple[str, str],
    methods: Methods,
    targets: Sequence[BoxTarget],
    label: str,
) -> bool:
    """Say whether two methods' maps of these boxes are there; draw what asks for them if not."""
    if all(_is_of(desk, slot, seen) for slot in slots):
        return True
    if note := desk.notes.get(slots[1]):
        views.error(note)
    if not set(slots) & set(desk.slots.names()):
        _ask(desk, slots[0], label, lambda: _both(desk, seen, slots, methods, targets))
    return False


def _own(made: Explanation) -> Explanation:
    """Return a map by its own largest value: where it lies is asked, and not how strong it is."""
    top = float(np.abs(made.attribution).max())
    if top == 0:
        return made
    scaled = np.asarray(made.attribution / top, np.float32)
    return dataclasses.replace(made, attribution=scaled)


def _beside(
    desk: DetectDesk,
    seen: Seen,
    slot: str,
    said: str,
    each: Callable[[Explanation], Explanation] | None = None,
) -> None:
    """Draw one method's maps side by side, under what is said of them."""
    views.line(said, "v-prose")
    panels = [_panel(desk, seen, each(made) if each else made) for made in desk.results[slot].each]
    compared.show(panels, columns=len(panels), key=f"compared-{slot}", agreeing=False)


def _served(seen: Seen) -> list[type[Explainer]]:
    known = explaining("detection")
    ordered = method_list.ordered(seen.card.methods, "detection")
    return [known[name] for name in ordered if seen.card.methods[name].why_not is None]


def _methods(seen: Seen) -> Methods | None:
    """Return a method that asks about no box, and the first that does, of those that serve."""
    served = _served(seen)
    none = [cls for cls in served if cls.class_agnostic]
    some = [cls for cls in served if not cls.class_agnostic]
    return (none[0], some[0]) if none and some else None


def _by_slopes(seen: Seen) -> Methods | None:
    """Return the first method that averages a level's gradients, and the first that does not."""
    served = _served(seen)
    found = [[cls for cls in served if cls.slopes_are == how] for how in ("averaged", "by cell")]
    return (found[0][0], found[1][0]) if all(found) else None


def _both(
    desk: DetectDesk,
    seen: Seen,
    slots: tuple[str, str],
    methods: Methods,
    targets: Sequence[BoxTarget],
) -> None:
    for slot, cls in zip(slots, methods, strict=True):
        values = cls.suggest(seen.card.input_size)
        question = Question(
            method=cls.name, engine=cls.engines[0].name, values=values, target=targets[0]
        )
        try:
            task = ExplainBoxes(
                pixels=seen.photo.pixels, question=question, others=tuple(targets[1:])
            )
        except VitrineError as error:
            desk.notes[slot] = str(error)
            continue
        _begin(desk, slot, seen, seen.model.handle, task)


def _panel(desk: DetectDesk, seen: Seen, explanation: Any) -> compared.Panel:
    scene = Scene(seen.model, seen.card, [], seen.photo, seen.prediction)
    answer = Answer(explanation.question, scene, explanation)
    return dataclasses.replace(compared.panel(desk, answer), about=seen.photo.name)
