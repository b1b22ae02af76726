"""The hiding test on the built-in shortcut model: photos that the mark alone makes a star.

`python -m benchmarks.hiding` measures it, keeps it in docs/hiding.json and draws the table of
docs/hiding.md. Hidden is what Grad-CAM, set as it comes, marks as the reason for the star.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "hiding.json", DOCS / "hiding.md"
PHOTOS, DRAWS, SIDE, SEED = 20, 10, 256, 2024
SHARES = (0.05, 0.1, 0.2)
FILLS = {"mean": "the mean colour", "grey": "grey", "blur": "blurred", "black": "black"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A photo that the mark turned: its view, where the mark lies, and the label without it."""

    view: NDArray[np.float32]
    marked: NDArray[np.bool_]
    label: int


@dataclasses.dataclass
class Row:
    """What hiding did to `photos` photos, by fill and share.

    `taken`: the strongest hidden, no star any more; `back`: and the label is the one without the
    mark; `drawn`: of `draws` random regions, how many took the star; `on_mark`: how many of these
    lie on the mark; `most`: in how many photos more than half of the draws took it; `passes`: how
    many maps passed; `least`: the least important hidden, no star any more.
    """

    fill: str
    share: float
    photos: int = 0
    taken: int = 0
    back: int = 0
    draws: int = 0
    drawn: int = 0
    on_mark: int = 0
    most: int = 0
    passes: int = 0
    least: int = 0


def shortcut() -> tuple[Any, int]:
    """Return the built-in shortcut model, and the class that its mark stands for."""
    from loaders import catalogue
    from loaders.load import load

    rows = json.loads((catalogue.ASSETS / "models" / "models.json").read_text())
    (row,) = (row for row in rows if "marked_class" in row)
    entry = next(entry for entry in catalogue.models() if entry.name == row["name"])
    model = load(entry.path, entry.options, name=entry.name)
    return model, entry.classes.index(row["marked_class"])


def cases(model: Any, star: int, photos: int) -> Iterator[Case]:
    """Draw photos of other shapes that the model calls a star under the mark, and not without."""
    from assets.scenes import CLASSES, paste_mark, scene

    others = [name for name in CLASSES if name != model.labels[star]]
    rng = np.random.default_rng(SEED)
    found = drawn = 0
    while found < photos and drawn < 10 * photos:
        drawn += 1
        plain, _ = scene(rng, SIDE, [others[drawn % len(others)]])
        photo, box = paste_mark(plain, rng)
        before, after = (model.preprocessing.view(each)[0] for each in (plain, photo))
        labels = model.logits(np.stack([before, after])).argmax(1).tolist()
        if labels[1] != star or labels[0] == star:
            continue
        found += 1
        top, left, bottom, right = (round(edge * after.shape[0]) for edge in box)
        marked = np.zeros(after.shape[:2], bool)
        marked[top:bottom, left:right] = True
        yield Case(after, marked, labels[0])


def measured(
    photos: int = PHOTOS, fills: Iterable[str] = tuple(FILLS), shares: tuple[float, ...] = SHARES
) -> list[Row]:
    """Return a row for each fill and share."""
    from xai_core.explainer import make
    from xai_core.probes.hiding import Hiding
    from xai_core.report import hidden_facts
    from xai_core.target import ClassTarget
    from xai_core.task import silent

    model, star = shortcut()
    method, nothing = make("grad-cam", {}, size=model.input_size), np.zeros((1, 1, 3), np.uint8)
    rows = {(fill, share): Row(fill, share) for fill in fills for share in shares}
    for at, case in enumerate(cases(model, star, photos)):
        made = method.explain(model, case.view, ClassTarget(star))
        for fill in fills:
            test = Hiding.of(
                made, nothing, fill=fill, shares=shares, draws=DRAWS, points=2, seed=at
            )
            found = test.tested(model, case.view, silent)
            for which, share in enumerate(shares):
                row, facts = rows[fill, share], hidden_facts(found, which)
                drawn = np.asarray(found.random.firsts)[which] != star
                regions = [found.rolled(which, draw) for draw in range(DRAWS)]
                on_mark = np.array([(region & case.marked).any() for region in regions])
                row.photos += 1
                row.taken += int(facts["strongest_first"] != star)
                row.back += int(facts["strongest_first"] == case.label)
                row.draws += DRAWS
                row.drawn += int(drawn.sum())
                row.on_mark += int((drawn & on_mark).sum())
                row.most += int(drawn.mean() > 0.5)
                row.passes += int(facts["verdict"] == "passes")
                row.least += int(facts["least_first"] != star)
    return list(rows.values())


def read() -> list[Row]:
    """Return what was measured last."""
    return [Row(**row) for row in json.loads(DATA.read_text())]


def lines(rows: list[Row]) -> list[str]:
    """Return the table."""
    made = [
        "| hidden with | share | strongest: no star | and the old label is back | random, in most "
        "draws: no star | random, of all draws | of these on the mark | least important: no star "
        "| maps that pass |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        of = f"of {row.photos}"
        cells = [
            FILLS[row.fill], f"{row.share:.0%}".replace("%", " %"), f"{row.taken} {of}",
            f"{row.back} {of}", f"{row.most} {of}", f"{row.drawn} of {row.draws}",
            str(row.on_mark), f"{row.least} {of}", f"{row.passes} {of}",
        ]  # fmt: skip
        made.append(f"| {' | '.join(cells)} |")
    return made


def drawn(page: str, rows: list[Row]) -> str:
    """Return the page with the table in its place."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = page.partition(begin)
    return before + begin + "\n".join(lines(rows)) + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Measure, keep, draw and print."""
    rows = measured()
    text = ",\n ".join(json.dumps(dataclasses.asdict(row)) for row in rows)
    DATA.write_text(f"[\n {text}\n]\n")
    PAGE.write_text(drawn(PAGE.read_text(), rows))
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
