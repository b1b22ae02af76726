"""The models and photos that ship with Vitrine, the published models, and ImageNet's names."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loaders.class_names import distinct
from loaders.preprocessing import Options

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
class Pretrained:
    """A model that a library publishes the weights of, with the library's own figures.

    `checksum` is `md5:` or `sha256:` and its first hexadecimal digits, `bytes` the size of the file
    as rounded by the publisher, `top1` a classifier's accuracy on ImageNet in percent, `box_map` a
    detector's mean average precision on COCO in percent; None is not known.
    """

    name: str
    title: str
    library: str
    framework: str
    url: str
    checksum: str | None
    bytes: int | None
    parameters: int
    top1: float | None
    frame: Mapping[str, Any]
    box_map: float | None = None
    task: str = "classification"
    source: str = "pretrained"
    trained_on: str = "ImageNet's 1,000 classes"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes."""
        return imagenet_labels() if self.task == "classification" else coco_labels()

    @property
    def about(self) -> str:
        """What it was trained on, and how well, as far as its publisher says."""
        if self.figure is None:
            return self.trained_on
        return f"{self.trained_on}; {self.figure} by {self.library}'s own figure"

    @property
    def figure(self) -> str | None:
        """How good it is, in a few words, as far as its publisher says."""
        if self.top1 is not None:
            return f"{self.top1:.1f}\u00a0% top-1"
        return None if self.box_map is None else f"{self.box_map:.1f}\u00a0% box mAP"

    @property
    def options(self) -> Options:
        """What loading it asks: its class names, and the size and resize of its own weights."""
        return Options(classes=self.classes, origin="pretrained", **self.frame)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """A built-in photo. A `marked` one has a sticker, and differs by it alone from its `twin`."""

    name: str
    title: str
    path: Path
    marked: bool = False

    @property
    def twin(self) -> Sample | None:
        """The same photo with the sticker, or without it, where there is one."""
        mark = "_marked"
        other = self.name.removesuffix(mark) if self.marked else f"{self.name}{mark}"
        return next((each for each in photos() if each.name == other), None)


@functools.cache
def models() -> tuple[Entry, ...]:
    """List the built-in classifiers; the first is the one that a page opens with."""
    return _entries("models.json")


@functools.cache
def detectors() -> tuple[Entry, ...]:
    """List the built-in object detectors; the first is the one that a page opens with."""
    return _entries("detectors.json")


def _entries(index: str) -> tuple[Entry, ...]:
    folder = ASSETS / "models"
    rows = json.loads((folder / index).read_text())
    return tuple(
        Entry(
            name=row["name"],
            title=row["title"],
            framework=row["framework"],
            trained_on=row["trained_on"],
            path=folder / row["file"],
            classes=tuple(row["classes"]),
            task=row.get("task", "classification"),
        )
        for row in rows
    )


@functools.cache
def pretrained() -> tuple[Pretrained, ...]:
    """List the published models: torchvision's classifiers, keras.applications', detectors."""
    rows = json.loads(PRETRAINED.read_text())
    return tuple(Pretrained(**row | {"frame": _tuples(row["frame"])}) for row in rows)


@functools.cache
def photos() -> tuple[Sample, ...]:
    """List the built-in photos; the first is the one that a page opens with."""
    return _photos("photos.json")


@functools.cache
def crowds() -> tuple[Sample, ...]:
    """List the built-in photos of several shapes; detectors begin with the first."""
    return _photos("crowds.json")


def _photos(index: str) -> tuple[Sample, ...]:
    folder = ASSETS / "photos"
    rows = json.loads((folder / index).read_text())
    return tuple(
        Sample(
            name=Path(row["file"]).stem,
            title=row["title"],
            path=folder / row["file"],
            marked=bool(row.get("marked")),
        )
        for row in rows
    )


def _tuples(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in frame.items()}


def find(name: str) -> Entry | Pretrained | None:
    """Return the model of that name, or None.

    A published one may go without its library: `resnet50` is torchvision's, `ResNet50` is Keras's.
    """
    every: tuple[Entry | Pretrained, ...] = (*models(), *detectors(), *pretrained())
    return next((e for e in every if name in (e.name, e.name.rpartition("/")[2])), None)


def asked_of(entry: Entry | Pretrained, asked: Options) -> Options:
    """Return an entry's options with what a person asked in their place.

    Who asks for another size or fit is not held to the entry's resize.
    """
    own = entry.options
    if asked.size or asked.fit or asked.resize:
        own = dataclasses.replace(own, size=None, resize=None)
    given = {
        field.name: getattr(asked, field.name)
        for field in dataclasses.fields(Options)
        if getattr(asked, field.name) != field.default
    }
    return dataclasses.replace(own, **given)


@functools.cache
def imagenet_labels() -> tuple[str, ...]:
    """Return ImageNet-1k's 1000 class names in the order of their numbers."""
    return distinct((ASSETS / "imagenet_classes.txt").read_text().splitlines())


@functools.cache
def coco_labels() -> tuple[str, ...]:
    """Return COCO's 90 names by their numbers, less the background; unused ones say so."""
    return distinct((ASSETS / "coco_classes.txt").read_text().splitlines())
