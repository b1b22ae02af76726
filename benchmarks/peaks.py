"""Where each method's map lies, on photos whose reason is known: on the mark, and in the shape.

`python -m benchmarks.peaks` measures it, keeps it in docs/peaks.json and draws the table of
docs/peaks.md; `--only NAME` measures one method again. Every method is set as it comes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hiding import SIDE, cases, shortcut

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "peaks.json", DOCS / "peaks.md"
PHOTOS, HONEST, SEED = 50, 50, 7001
NEAR = 8
"""Pixels beside the mark: the width of a cell of the layer that is read by itself."""


@dataclasses.dataclass
class Row:
    """How one method fared.

    On `photos` that the mark turned: in how many the map's peak lies `on` the mark, `near` it, and
    `blank`. On `honest` photos of one shape under the honest model: in how many the peak lies
    `inside` the shape's outline, and the median of the map's positive weight in it (`mass`, 0..1),
    where the outline has the share `area` of the photo.
    """

    method: str
    photos: int = 0
    on: int = 0
    near: int = 0
    blank: int = 0
    honest: int = 0
    inside: int = 0
    mass: float = 0.0
    area: float = 0.0


def honest(photos: int) -> Iterator[tuple[Any, NDArray[np.float32], NDArray[np.bool_], int]]:
    """Yield the honest model, a view of one shape that it knows, what it covers, its class."""
    from assets.scenes import CLASSES, scene
    from loaders import catalogue
    from loaders.load import load

    rows = json.loads((catalogue.ASSETS / "models" / "models.json").read_text())
    name = next(row["name"] for row in rows if "marked_class" not in row)
    entry = next(entry for entry in catalogue.models() if entry.name == name)
    model = load(entry.path, entry.options, name=entry.name)
    rng = np.random.default_rng(SEED)
    found = drawn = 0
    while found < photos and drawn < 10 * photos:
        wanted = CLASSES[drawn % len(CLASSES)]
        drawn += 1
        pixels, things = scene(rng, SIDE, [wanted])
        view, _ = model.preprocessing.view(pixels)
        index = int(model.logits(view[None])[0].argmax())
        if model.labels[index] != wanted:
            continue
        found += 1
        yield model, view, things[0].covers(len(view)), index


def peak(values: NDArray[np.float32]) -> int:
    """Return the flat place of the strongest value; of the largest patch of such, the middle."""
    from scipy.ndimage import label

    patches, count = label(values >= values.max() - 1e-6 * np.ptp(values))
    sizes = np.bincount(patches.ravel(), minlength=count + 1)[1:]
    places = np.argwhere(patches == 1 + int(sizes.argmax()))
    away = np.square(places - places.mean(0)).sum(1)
    return int(np.ravel_multi_index(tuple(places[int(away.argmin())]), values.shape))


def measured(names: Iterable[str], photos: int = PHOTOS, plain: int = HONEST) -> list[Row]:
    """Return a row for each method that serves the built-in models."""
    from scipy.ndimage import binary_dilation

    from xai_core.explainer import explainers, make
    from xai_core.target import ClassTarget

    model, star = shortcut()
    rows = [Row(name) for name in names if explainers()[name].why_not(model) is None]
    methods = {row.method: make(row.method, {}, size=model.input_size) for row in rows}
    for case in cases(model, star, photos):
        close = binary_dilation(case.marked, np.ones((3, 3)), NEAR)
        for row in rows:
            found = methods[row.method].explain(model, case.view, ClassTarget(star)).attribution
            row.photos += 1
            row.blank += int(found.max() <= 0)
            row.on += int(case.marked.flat[peak(found)] and found.max() > 0)
            row.near += int(close.flat[peak(found)] and found.max() > 0)
    masses: dict[str, list[float]] = {row.method: [] for row in rows}
    areas = []
    for fair, view, inside, index in honest(plain):
        areas.append(float(inside.mean()))
        for row in rows:
            found = methods[row.method].explain(fair, view, ClassTarget(index)).attribution
            positive = np.maximum(found, 0)
            row.honest += 1
            row.inside += int(inside.flat[peak(found)] and found.max() > 0)
            masses[row.method].append(
                float(positive[inside].sum() / max(float(positive.sum()), 1e-30))
            )
    for row in rows:
        row.mass = round(float(np.median(masses[row.method])), 3) if areas else 0.0
        row.area = round(float(np.median(areas)), 3) if areas else 0.0
    return rows


def read() -> list[Row]:
    """Return what was measured last."""
    return [Row(**row) for row in json.loads(DATA.read_text())]


def lines(rows: list[Row]) -> list[str]:
    """Return the table, by family and place as the methods stand in a list."""
    from ui.method_list import by_family

    by_name = {row.method: row for row in rows}
    made = [
        "| family | method | peak on the mark | within 8 px of it | blank | honest: peak in the "
        "outline | weight in the outline |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for family, methods in by_family().items():
        for cls in methods:
            row = by_name.get(cls.name)
            if row is None:
                continue
            title = f"{cls.title} (any class)" if cls.class_agnostic else cls.title
            cells = [
                family, title, f"{row.on} of {row.photos}", f"{row.near} of {row.photos}",
                str(row.blank), f"{row.inside} of {row.honest}", f"{100 * row.mass:.0f} %",
            ]  # fmt: skip
            made.append(f"| {' | '.join(cells)} |")
    return made


def drawn(page: str, rows: list[Row]) -> str:
    """Return the page with the table in its place."""
    return placed(page, lines(rows))


def placed(page: str, table: list[str]) -> str:
    """Return a page with a table between its markers."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = page.partition(begin)
    return before + begin + "\n".join(table) + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Measure, keep, draw and print."""
    from xai_core.explainer import explaining

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(explaining("classification")), metavar="NAME"
    )
    only = parser.parse_args().only
    kept = {row.method: row for row in read()} if only and DATA.exists() else {}
    for row in measured(only or explaining("classification")):
        kept[row.method] = row
    rows = [kept[name] for name in sorted(kept)]
    text = ",\n ".join(json.dumps(dataclasses.asdict(row)) for row in rows)
    DATA.write_text(f"[\n {text}\n]\n")
    PAGE.write_text(drawn(PAGE.read_text(), rows))
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
