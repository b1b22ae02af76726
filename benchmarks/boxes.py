"""Where each method's map of one box lies, on scenes of several shapes that no training saw.

`python -m benchmarks.boxes` measures it, keeps it in docs/boxes.json and draws the table of
docs/boxes.md; `--only NAME ...` measures some methods again, and `--keep FILE` writes down what
each scene gave, so that a run that was broken off goes on from there. Every method is set as it
comes, but for those in `VALUES`, which say how on the page.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peaks
from benchmarks.peaks import peak
from xai_core.detection import boxes, context
from xai_core.target import BoxTarget, overlaps

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "boxes.json", DOCS / "boxes.md"
SCENES, SPLIT = 100, 5  # splits 0, 1, 3 and 4 served other ends
HIDDEN = 0.1
"""Share of the box's pixels that the deletion hides, the strongest of the map."""

VALUES: Mapping[str, dict[str, Any]] = {
    "d-rise": {"masks": 500},
    "ablationcam": {"ratio": 0.1},
}


@dataclasses.dataclass
class Row:
    """How one method fared on `scenes` boxes, one of each scene.

    In how many the peak lies `inside` the box; the median share of positive weight in it (`mass`)
    where the box has the share `area` of the photo; the median share of the box's score that is
    left once the strongest tenth of a box's area is hidden with the mean colour (`left`), and when
    as much of the photo is at random (`random`); and the `passes` of one run.
    """

    method: str
    scenes: int = 0
    inside: int = 0
    mass: float = 0.0
    area: float = 0.0
    left: float = 0.0
    random: float = 0.0
    passes: int = 0


def cases(count: int) -> Iterator[tuple[Any, NDArray[np.float32], BoxTarget]]:
    """Yield the built-in detector, a view and one box of it that is right, chosen by the seed."""
    from assets.make_detector import SEED, draw
    from loaders import catalogue
    from loaders.load import load

    entry = catalogue.detectors()[0]
    model: Any = load(entry.path, entry.options, name=entry.name, wanted="detection")
    crowds = draw(SPLIT, count)
    for number, (photo, truths, classes) in enumerate(
        zip(crowds.photos, crowds.boxes, crowds.labels, strict=True)
    ):
        view, _ = model.preprocessing.view(photo)
        (found,) = model.candidates(view[None])
        right = []
        for at in boxes.kept(found):
            over = overlaps(found.boxes[at].tolist(), truths[:, [1, 0, 3, 2]])
            if (over * (classes == found.labels[at])).max() >= 0.5:
                right.append(int(at))
        if right:
            at = int(np.random.default_rng([SEED, SPLIT, number]).choice(right))
            box = tuple(float(side) for side in found.boxes[at])
            yield model, view, BoxTarget(box, int(found.labels[at]))  # type: ignore[arg-type]


PARTS = ("mass", "area", "left", "random")
"""The fields of a row that are medians over the scenes."""


def measured(names: Iterable[str], scenes: int = SCENES, keep: Path | None = None) -> list[Row]:
    """Return a row for each method.

    `keep` is a file of lines of JSON: what it knows of a scene is not measured again.
    """
    from xai_core.explainer import make

    rows = {name: Row(name) for name in names}
    known = _known(keep)
    values: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for number, (model, view, target) in enumerate(cases(scenes)):
        for name, row in rows.items():
            method = make(name, VALUES.get(name, {}), size=model.input_size)
            row.passes = method.cost(model).passes
            found = known.get((name, number))
            if found is None:
                found = _scene(method, model, view, target, number)
                if keep is not None:
                    line = {"method": name, "scene": number, **found}
                    with keep.open("a", encoding="utf-8") as file:
                        file.write(f"{json.dumps(line)}\n")
            values[name].append(found)
    for name, row in rows.items():
        row.scenes = len(values[name])
        row.inside = round(sum(each["inside"] for each in values[name]))
        for part in PARTS:
            every = [each[part] for each in values[name]]
            setattr(row, part, round(float(np.median(every)), 3) if every else 0.0)
    return list(rows.values())


def _known(keep: Path | None) -> dict[tuple[str, int], dict[str, float]]:
    lines = keep.read_text("utf-8").splitlines() if keep is not None and keep.is_file() else []
    read = [json.loads(line) for line in lines]
    return {(each.pop("method"), each.pop("scene")): each for each in read}


def _scene(method: Any, model: Any, view: Any, target: BoxTarget, number: int) -> dict[str, float]:
    """Return whether the peak of a method's map is inside, and the four shares."""
    whole = float(target.of_views(model, view[None])[0])
    found = method.explain(model, view, target)
    facts = context.facts(found, target)
    inside = context.within(target, found.view)
    order = np.argsort(-found.attribution, axis=None, kind="stable")
    count = max(1, round(HIDDEN * float(inside.sum())))
    by_chance = np.random.default_rng(number).permutation(order.size)
    left, random = (
        _without(model, view, target, places[:count]) / whole for places in (order, by_chance)
    )
    peaked = bool(inside.flat[peak(found.attribution)] and found.attribution.max() > 0)
    return {
        "inside": float(peaked),
        "mass": float(facts["inside"]),
        "area": float(facts["area"]),
        "left": left,
        "random": random,
    }


def _without(model: Any, view: Any, target: BoxTarget, places: Any) -> float:
    hidden = view.copy().reshape(-1, 3)
    hidden[places] = view.mean((0, 1))
    return float(target.of_views(model, hidden.reshape(1, *view.shape))[0])


def read() -> list[Row]:
    """Return what was measured last."""
    return [Row(**row) for row in json.loads(DATA.read_text())]


def lines(rows: list[Row]) -> list[str]:
    """Return the table, by family and place as the methods stand in a list."""
    from xai_core.explainer import explaining

    known = explaining("detection")
    ordered = sorted(rows, key=lambda row: (known[row.method].family, known[row.method].place))
    made = [
        "| method | passes | boxes | peak in the box | weight in the box | score left without the "
        "strongest | without as much at random |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in ordered:
        title = known[row.method].title
        agnostic = " (any box)" if known[row.method].class_agnostic else ""
        values = VALUES.get(row.method, {})
        said = "".join(f", {name} {value:g}" for name, value in values.items())
        made.append(
            f"| {title}{agnostic}{said} | {row.passes} | {row.scenes} | {row.inside} of "
            f"{row.scenes} | {100 * row.mass:.0f} % | {100 * row.left:.0f} % | "
            f"{100 * row.random:.0f} % |"
        )
    return made


def drawn(page: str, rows: list[Row]) -> str:
    """Return the page with the table in its place."""
    return peaks.placed(page, lines(rows))


def main() -> None:
    """Measure, keep and draw."""
    import torch

    from xai_core.explainer import explaining

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=explaining("detection"))
    parser.add_argument("--keep", type=Path, metavar="FILE")
    asked = parser.parse_args()
    rows = {row.method: row for row in read()} if asked.only else {}
    for row in measured(asked.only or list(explaining("detection")), keep=asked.keep):
        rows[row.method] = row
    DATA.write_text(json.dumps([dataclasses.asdict(row) for row in rows.values()], indent=1) + "\n")
    PAGE.write_text(drawn(PAGE.read_text(), list(rows.values())))
    print("\n".join(lines(list(rows.values()))))


if __name__ == "__main__":
    main()
