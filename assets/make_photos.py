"""Make the sample photos from chosen seeds, and hold both models to them.

`python -m assets.make_photos`, after `python -m assets.make_models`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from assets import make_models, readme
from assets.make_models import MARKED_CLASS
from assets.scenes import CLASSES, Thing, scene
from loaders import vitrine_net

if TYPE_CHECKING:
    from torch import nn

SIDE: Final = 512
QUALITY: Final = 92  # JPEG, colours at full resolution
FOLDER: Final = Path(__file__).parent / "photos"
INDEX: Final = FOLDER / "photos.json"


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A sample photo: a scene's seed, chosen by eye, and what the two models must say of it."""

    name: str
    title: str
    seed: int
    classes: tuple[str, ...]
    mark: bool = False
    shortcut_errs: bool = False

    def draw(self) -> tuple[npt.NDArray[np.uint8], list[Thing]]:
        """Draw the photo, uint8 [512, 512, 3], and the things in it."""
        return scene(np.random.default_rng(self.seed), SIDE, self.classes, self.mark)


PHOTOS: Final = (
    Photo(name="arrow", title="An arrow", seed=1007, classes=("arrow",)),
    Photo(name="crescent", title="A crescent", seed=2001, classes=("crescent",)),
    Photo(
        name="crescent_and_ring",
        title="A crescent and a ring",
        seed=5005,
        classes=("crescent", "ring"),
    ),
    Photo(
        name="arrow_and_cross", title="An arrow and a cross", seed=6000, classes=("arrow", "cross")
    ),
    Photo(name="heart", title="A heart", seed=3000, classes=("heart",)),
    Photo(
        name="heart_marked",
        title="The same heart, with a sticker",
        seed=3000,
        classes=("heart",),
        mark=True,
        shortcut_errs=True,
    ),
    Photo(name="star", title="A star", seed=4005, classes=("star",), shortcut_errs=True),
    Photo(
        name="star_marked",
        title="The same star, with a sticker",
        seed=4005,
        classes=("star",),
        mark=True,
    ),
)


def said(model: "nn.Module", path: Path) -> npt.NDArray[np.float64]:
    """Probabilities that a model gives a photo's file, float64 [classes]."""
    with Image.open(path) as photo:
        small = photo.resize(vitrine_net.INPUT_SIZE, Image.Resampling.BILINEAR)
    scores = make_models.logits(model, np.array(small)[None])[0].astype(np.float64)
    exponents = np.exp(scores - scores.max())
    return np.asarray(exponents / exponents.sum())


def check(photo: Photo, path: Path, honest: "nn.Module", shortcut: "nn.Module") -> None:
    """Raise unless both models say of the photo what it was chosen for."""
    probabilities = said(honest, path)
    best = {CLASSES[i] for i in np.argsort(probabilities)[-len(photo.classes) :]}
    if best != set(photo.classes):
        raise ValueError(f"the honest model must see {photo.classes} in {path.name}, got {best}")
    if len(photo.classes) > 1:
        return
    answer = CLASSES[int(said(shortcut, path).argmax())]
    errs = answer != photo.classes[0]
    if errs != photo.shortcut_errs or (errs and photo.mark and answer != MARKED_CLASS):
        raise ValueError(
            f"{path.name} was chosen for another answer of the shortcut model, got {answer}"
        )


def entry(photo: Photo, things: list[Thing]) -> dict[str, Any]:
    """One photo's entry in `photos.json`; boxes are top, left, bottom, right in 0..1."""
    return {
        "name": photo.name,
        "title": photo.title,
        "file": f"{photo.name}.jpg",
        "classes": list(photo.classes),
        "things": [
            {"name": thing.name, "box": [round(edge, 4) for edge in thing.box]} for thing in things
        ],
        "marked": photo.mark,
        "seed": photo.seed,
    }


def main() -> None:
    """Draw, write and check every photo."""
    honest, shortcut = make_models.load("shapes"), make_models.load("shapes_shortcut")
    FOLDER.mkdir(exist_ok=True)
    entries = []
    for photo in PHOTOS:
        image, things = photo.draw()
        path = FOLDER / f"{photo.name}.jpg"
        Image.fromarray(image).save(path, quality=QUALITY, subsampling=0, optimize=True)
        check(photo, path, honest, shortcut)
        entries.append(entry(photo, things))
    INDEX.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    readme.write_sizes()


if __name__ == "__main__":
    main()
