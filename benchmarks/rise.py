"""How RISE settles: maps of few masks beside one of 20,000 on a built-in model, and its memory.

`python -m benchmarks.rise` prints it; with `--store` it also writes the long map of grid 7, which a
test compares with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xai_core.explanation import Explanation

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "rise"
ABOUT, MAP = FOLDER / "about.json", FOLDER / "map.npy"
MODEL, PHOTO = "shapes_keras", "star"
LONG, GRID, SEED = 20_000, 7, 1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """The long map, float16 `[h, w]`, and how it was made."""

    map: NDArray[np.float16]
    masks: int
    grid: int
    seed: int


def stored() -> Kept:
    """Return the long map that the script has written."""
    about = json.loads(ABOUT.read_text())
    return Kept(
        map=np.load(MAP), masks=about["masks"], grid=about["grid"], seed=about["values"]["seed"]
    )


def explained(masks: int, grid: int, *, seed: int) -> Explanation:
    """Return RISE of the photo's class."""
    from loaders import catalogue
    from loaders.images import decode
    from loaders.load import load
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    entry = next(entry for entry in catalogue.models() if entry.name == MODEL)
    sample = next(sample for sample in catalogue.photos() if sample.path.stem == PHOTO)
    model = load(entry.path, entry.options, name=entry.name)
    view, _ = model.preprocessing.view(decode(sample.path.read_bytes()).pixels)
    target = ClassTarget(entry.classes.index(PHOTO))
    method = make("rise", {"masks": masks, "grid": grid, "seed": seed}, size=model.input_size)
    return method.explain(model, view, target)


def store(long: Explanation) -> None:
    """Write the long map and how it was made."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(MAP, long.attribution.astype(np.float16))
    values = dict(long.parameters)
    about = {"model": MODEL, "photo": PHOTO, "masks": values.pop("masks")}
    about |= {"grid": values.pop("grid"), "values": values, "scalars": dict(long.scalars)}
    ABOUT.write_text(json.dumps(about, indent=2) + "\n")


def main() -> None:
    """Print a row for each number of masks and each grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="write the long map for the tests")
    keep = parser.parse_args().store
    print(f"RISE on {MODEL}, photo {PHOTO}: agreement with {LONG:,} masks of another seed")
    explained(50, 7, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for grid in (7, 13):
        start = time.perf_counter()
        long = explained(LONG, grid, seed=SEED)
        took = time.perf_counter() - start
        if keep and grid == GRID:
            store(long)
        for masks in (500, 1000, 2000, 4000):
            found = explained(masks, grid, seed=SEED + 1)
            agrees = np.corrcoef(found.attribution.ravel(), long.attribution.ravel())[0, 1]
            expected = found.scalars["expected_agreement"]
            print(f"grid {grid:2}  {masks:5} masks  {agrees:.4f}  (expected {expected:.4f})")
        print(f"grid {grid:2}  {LONG:,} masks took {took:.0f} s")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory above the model: {(after - before) / 1024:.0f} MB")


if __name__ == "__main__":
    main()
