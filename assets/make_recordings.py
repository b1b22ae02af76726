"""Record how each method comes to its map, by a built-in model on a built-in photo.

`python -m assets.make_recordings`; `--only NAME` records one method and keeps the others. Pages
show them before anything has run, and say that they are recordings.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from assets import readme
from loaders import catalogue, recordings
from loaders.images import decode
from loaders.load import load
from xai_core import film, versions
from xai_core.explainer import explaining, make
from xai_core.reel import encoded
from xai_core.target import ClassTarget
from xai_core.task import silent

FOLDER: Final = Path(__file__).parent / "recordings"
MODEL: Final = "shapes"
PHOTO: Final = "star"
TARGET: Final = "star"
VALUES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        # 25 patches instead of some hundred, so that the film is short and its file small
        "occlusion": {
            "patch_height": 32, "patch_width": 32, "stride_height": 24, "stride_width": 24
        },
    }
)  # fmt: skip
"""What is set other than by default."""
QUALITY, METHOD = 60, 6
"""WebP's, for small files that are made once."""


def methods() -> list[str]:
    """List the methods of ours that have a film."""
    listed = explaining("classification").items()
    ours = [name for name, cls in listed if cls.__module__.startswith("xai_core.")]
    return [name for name in ours if film.drawn_for(name)]


def record(method: str) -> tuple[film.Film, dict[str, Any]]:
    """Run a method on one thread; return its film and what made it."""
    import torch

    torch.set_num_threads(1)
    entry = next(each for each in catalogue.models() if each.name == MODEL)
    photo = next(each for each in catalogue.photos() if each.name == PHOTO)
    model = load(entry.path, entry.options, name=entry.title)
    view, _ = model.preprocessing.view(decode(photo.path.read_bytes()).pixels)
    explainer = make(method, VALUES.get(method, {}), size=model.input_size)
    target = ClassTarget(model.labels.index(TARGET))
    explanation = explainer.explain(model, view, target)
    drawn = film.film_of(explanation, view)
    if drawn is None:
        raise ValueError(f"{method} must hand out what its film is drawn from")
    said = {
        "method": method,
        "engine": explanation.engine,
        "values": dict(explanation.parameters),
        "target": TARGET,
        "model": entry.name,
        "photo": photo.name,
        "versions": versions.versions(entry.framework),
    }
    return drawn, said


def main() -> None:
    """Write every recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=methods(), help="record this method alone")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for method in methods() if asked.only is None else [asked.only]:
        drawn, said = record(method)
        reel = encoded(drawn, silent, quality=QUALITY, method=METHOD)
        recordings.write(FOLDER, reel, said)
        size = sum(path.stat().st_size for path in FOLDER.glob(f"{method}*"))
        print(f"{method}: {size / 1000:.0f} kB")
    readme.write_sizes()


if __name__ == "__main__":
    main()
