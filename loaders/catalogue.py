"""The models and photos that ship with Vitrine, and the class names of ImageNet."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

from loaders.class_names import distinct
from loaders.preprocessing import Options
from xai_core.errors import LoadError
from xai_core.model import Finding

ASSETS = Path(__file__).resolve().parents[1] / "assets"
PRETRAINED = ASSETS / "pretrained.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A built-in model: its name on the command line and what it was trained on."""

    name: str
    title: str
    framework: str
    trained_on: str
    path: Path
    classes: tuple[str, ...]
    task: str = "classification"
    source: str = "built-in"

    @property
    def options(self) -> Options:
        """What loading it asks: its class names; the rest is told by the file."""
        return Options(classes=self.classes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """A built-in photo."""

    name: str
    title: str
    path: Path


@functools.cache
def models() -> tuple[Entry, ...]:
    """List the built-in models; the first is the one that a page opens with."""
    folder = ASSETS / "models"
    rows = json.loads((folder / "models.json").read_text())
    return tuple(
        Entry(
            name=row["name"],
            title=row["title"],
            framework=row["framework"],
            trained_on=row["trained_on"],
            path=folder / row["file"],
            classes=tuple(row["classes"]),
        )
        for row in rows
    )


@functools.cache
def photos() -> tuple[Sample, ...]:
    """List the built-in photos; the first is the one that a page opens with."""
    folder = ASSETS / "photos"
    rows = json.loads((folder / "photos.json").read_text())
    return tuple(
        Sample(name=Path(row["file"]).stem, title=row["title"], path=folder / row["file"])
        for row in rows
    )


def find(name: str) -> Entry | None:
    """Return the built-in model of that name, or None."""
    return next((entry for entry in models() if entry.name == name), None)


@functools.cache
def imagenet_labels() -> tuple[str, ...]:
    """Return ImageNet-1k's 1000 class names in the order of their numbers."""
    return distinct((ASSETS / "imagenet_classes.txt").read_text().splitlines())


def labels_for(
    options: Options, classes: int, *, imagenet: bool
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return as many class names as the model has classes, and what to say of them.

    `imagenet` says whether a model of 1000 classes may be taken to name ImageNet's. Raises
    LoadError where the names given are not as many as the classes.
    """
    if options.classes is not None:
        if len(options.classes) != classes:
            raise LoadError(
                f"{len(options.classes)} class names were given and the model has {classes} "
                "classes. Give one name for each, in the order of the training."
            )
        return options.classes, ()
    if imagenet and classes == 1000:
        return imagenet_labels(), (
            Finding("info", "1,000 classes: named as ImageNet's, which the file does not say."),
        )
    return tuple(f"class {index}" for index in range(classes)), (
        Finding("info", "The file does not name its classes: they are numbered. Give their names."),
    )
