"""Draw the built-in photos of several shapes, for detectors, from chosen seeds.

`python -m assets.make_crowds`. The seeds are none that a detector was trained or measured on.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from assets.scenes import CLASSES, crowd

SIDE: Final = 512
QUALITY: Final = 90  # JPEG, colours at full resolution
FOLDER: Final = Path(__file__).parent / "photos"
INDEX: Final = FOLDER / "crowds.json"
PHOTOS: Final = (
    ("six_shapes", "Six shapes", 9100, CLASSES),
    ("two_hearts", "Two hearts and a ring", 9202, ("heart", "ring", "heart")),
    ("overlapping_shapes", "Shapes that overlap", 9300, ("cross", "star", "arrow", "crescent")),
)
"""Name, title, seed, and the shapes from the lowest to the topmost."""


def main() -> None:
    """Draw and write every photo, and where its shapes lie."""
    rows = []
    for name, title, seed, classes in PHOTOS:
        photo, things = crowd(np.random.default_rng(seed), SIDE, classes)
        file = f"{name}.jpg"
        Image.fromarray(photo).save(FOLDER / file, quality=QUALITY, subsampling=0, optimize=True)
        boxes = [{"name": each.name, "box": [round(x, 4) for x in each.box]} for each in things]
        rows.append({"name": name, "title": title, "file": file, "things": boxes, "seed": seed})
    INDEX.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
