"""What was tried on a model and a photo besides a map, for the report on it."""

from __future__ import annotations

from ui import counter_changes, counter_draw, counter_mask, inversion_runs
from ui.desk import Desk
from ui.held import Answer, Model, Photo
from xai_core.report import plates
from xai_core.report.page import document
from xai_core.report.plates import Plate

PARTS = (counter_draw, counter_changes, inversion_runs)


def of(answer: Answer, desk: Desk) -> list[Plate]:
    """Return what was tried of a run's map, and on its model and photo."""
    scene = answer.scene
    return [*counter_mask.plates(answer), *besides(desk, scene.model, scene.photo)]


def besides(desk: Desk, model: Model, photo: Photo) -> list[Plate]:
    """Return what was tried on a model and a photo: edits, changes and pictures out of noise."""
    return [each for part in PARTS for each in part.plates(desk, model, photo)]


def tried(desk: Desk, model: Model, photo: Photo) -> bool:
    """Whether any of that was tried, without drawing it."""
    return any(part.tried(desk, model, photo) for part in PARTS)


def reported(desk: Desk, model: Model, photo: Photo) -> str:
    """Return a report on that alone, as HTML."""
    made = besides(desk, model, photo)
    title = f"Tried on {photo.name}"
    return document(title, plates.page(title, model.name, photo.name, made))
