"""Counter-tests where the truth is planted: the mark of one model, the outlines of the other.

`python -m benchmarks.counter` measures them, keeps them in docs/counter.json and draws the table of
docs/counter.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hiding import SEED, SIDE, cases, shortcut
from benchmarks.peaks import honest

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "counter.json", DOCS / "counter.md"
PHOTOS, DRAWS = 50, 10
FILLS = ("mean", "inpainted")
Area = NDArray[np.bool_]
View = NDArray[np.float32]


@dataclasses.dataclass
class Row:
    """What was done to `photos` photos, in how many it gave what was planted (`held`).

    `drawn` of `draws` regions of the same shape and size elsewhere gave it, too; `free` of them
    that touch nothing of the planted place (none where parts are kept or pasted).
    """

    done: str
    gives: str
    photos: int = 0
    held: int = 0
    draws: int = 0
    drawn: int = 0
    apart: int = 0
    free: int = 0


def _elsewhere(area: Area, rng: np.random.Generator) -> list[Area]:
    from xai_core.probes.areas import shifts

    moves = shifts(area.shape, DRAWS, rng).tolist()
    return [np.asarray(np.roll(area, move, (0, 1))) for move in moves]


def _first(model: Any, views: list[View]) -> NDArray[np.int64]:
    return np.asarray(model.logits(np.stack(views)).argmax(1))


def _counted(
    row: Row, model: Any, view: View, area: Area, fill: str, seed: int, label: int, *, keep: bool
) -> None:
    """Hide an area, or all else (`keep`), here and elsewhere; `label` is that of the whole."""
    from xai_core.probes.fills import filled

    others = _elsewhere(area, np.random.default_rng(seed))
    hidden = [~each if keep else each for each in (area, *others)]
    own, *drawn = _first(model, [filled(view, each, fill) for each in hidden]).tolist()
    got = [(each == label) == keep for each in drawn]
    away = [not (each & area).any() for each in others]
    row.photos += 1
    row.held += int((own == label) == keep)
    row.draws += len(got)
    row.drawn += sum(got)
    row.apart += sum(away)
    row.free += sum(one and other for one, other in zip(got, away, strict=True))


def pasted(model: Any, star: int, photos: int) -> Iterator[tuple[int, int]]:
    """Paste the mark of one photo into others that are called something else; their labels.

    Each pair is the label before and after. No photo is left out for what comes of it.
    """
    from assets.scenes import CLASSES, MARK, scene
    from xai_core.probes.edits import Drawn, edited

    others = [name for name in CLASSES if name != model.labels[star]]
    rng = np.random.default_rng(SEED)
    found = drawn = 0
    while found < photos and drawn < 10 * photos:
        drawn += 1
        plain, _ = scene(rng, SIDE, [others[drawn % len(others)]])
        giver, things = scene(rng, SIDE, [others[(drawn + 1) % len(others)]], mark=True)
        mark = next(each for each in things if each.name == MARK)
        outline = np.concatenate(mark.outline) * SIDE
        points = tuple((float(y), float(x)) for x, y in outline)
        made = edited(giver, Drawn("polygon", points), "paste", into=plain)
        labels = _first(model, [model.preprocessing.view(each)[0] for each in (plain, made)])
        if labels[0] == star:
            continue
        found += 1
        yield int(labels[0]), int(labels[1])


def measured(photos: int = PHOTOS) -> list[Row]:
    """Return a row for each thing that is done."""
    model, star = shortcut()
    rows = []
    for fill in FILLS:
        row = Row(f"shortcut model: the mark hidden ({WORDS[fill]})", "no star any more")
        back = Row(f"shortcut model: the mark hidden ({WORDS[fill]})", "and the old label is back")
        for at, case in enumerate(cases(model, star, photos)):
            _counted(row, model, case.view, case.marked, fill, at, star, keep=False)
            back.photos += 1
            back.held += int(_hidden(model, case.view, case.marked, fill) == case.label)
        rows += [row, back]
    row = Row("shortcut model: the mark cut out of one photo and pasted into another", "a star")
    for _, after in pasted(model, star, photos):
        row.photos += 1
        row.held += int(after == star)
    rows.append(row)
    for fill in FILLS:
        gone = Row(f"honest model: the shape hidden ({WORDS[fill]})", "another label")
        kept = Row(f"honest model: all but the shape hidden ({WORDS[fill]})", "the same label")
        for at, (fair, view, inside, index) in enumerate(honest(photos)):
            _counted(gone, fair, view, inside, fill, at, index, keep=False)
            _counted(kept, fair, view, inside, fill, at, index, keep=True)
        rows += [gone, kept]
    return [*rows, *boxed(photos)]


def boxed(photos: int) -> list[Row]:
    """Return a row for each fill that hides the box about the shape, and not the shape alone."""
    rows = []
    for fill in FILLS:
        row = Row(f"honest model: the box about the shape hidden ({WORDS[fill]})", "another label")
        for at, (fair, view, inside, index) in enumerate(honest(photos)):
            down, across = (np.asarray(inside.any(axis)) for axis in (1, 0))
            _counted(row, fair, view, _box(down, across), fill, at, index, keep=False)
        rows.append(row)
    return rows


def _box(down: Area, across: Area) -> Area:
    """Return all between the first and the last row and column."""
    spans = [
        np.maximum.accumulate(e) & np.maximum.accumulate(e[::-1])[::-1] for e in (down, across)
    ]
    return np.asarray(spans[0][:, None] & spans[1][None])


WORDS = {"mean": "the mean colour", "inpainted": "what stands round it, continued"}


def _hidden(model: Any, view: View, area: Area, fill: str) -> int:
    from xai_core.probes.fills import filled

    return int(_first(model, [filled(view, area, fill)])[0])


def read() -> list[Row]:
    """Return what was measured last."""
    return [Row(**row) for row in json.loads(DATA.read_text())]


def lines(rows: list[Row]) -> list[str]:
    """Return the table."""
    made = [
        "| what is done | what it gives | photos | the same region elsewhere gives it "
        "| of these draws, those that touch nothing of it |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for row in rows:
        drawn = f"{row.drawn} of {row.draws}" if row.draws else ""
        free = f"{row.free} of {row.apart}" if row.draws else ""
        cells = [row.done, row.gives, f"{row.held} of {row.photos}", drawn, free]
        made.append(f"| {' | '.join(cells)} |")
    return made


def page(text: str, rows: list[Row]) -> str:
    """Return the page with the table in its place."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = text.partition(begin)
    return before + begin + "\n".join(lines(rows)) + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Measure, keep, draw and print."""
    rows = measured()
    text = ",\n ".join(json.dumps(dataclasses.asdict(row)) for row in rows)
    DATA.write_text(f"[\n {text}\n]\n")
    PAGE.write_text(page(PAGE.read_text(), rows))
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
