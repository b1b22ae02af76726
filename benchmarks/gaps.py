"""How far the parts of integrated gradients fall short of the score, for the class that is named.

`python -m benchmarks.gaps` measures it over the built-in models and photos, keeps it in
docs/gaps.json and draws the table of docs/gaps.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "gaps.json", DOCS / "gaps.md"
METHOD = "integrated-gradients"
STEPS = (50, 300)


@dataclasses.dataclass
class Row:
    """The gaps of one built-in model with so many steps, by photo, as parts of the score's change.

    Each is of the first class's logit, on the way from black, everything else set as it comes.
    """

    model: str
    steps: int
    gaps: dict[str, float]

    @property
    def median(self) -> float:
        """The median over the photos."""
        return float(np.median(list(self.gaps.values())))

    @property
    def largest(self) -> float:
        """The largest of the photos."""
        return max(self.gaps.values())


def measured(
    steps: Iterable[int] = STEPS, models: Iterable[str] = (), photos: int | None = None
) -> list[Row]:
    """Return a row for each built-in model, or each that is named, and number of steps."""
    from loaders import catalogue
    from loaders.images import decode
    from loaders.load import load
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    named = set(models) or {entry.name for entry in catalogue.models()}
    rows = []
    for entry in catalogue.models():
        if entry.name not in named:
            continue
        model = load(entry.path, entry.options, name=entry.name)
        asked = []
        for sample in catalogue.photos()[:photos]:
            view, _ = model.preprocessing.view(decode(sample.path.read_bytes()).pixels)
            first = ClassTarget(int(model.logits(view[None])[0].argmax()))
            asked.append((sample.path.stem, view, first))
        for count in steps:
            method = make(METHOD, {"steps": count}, size=model.input_size)
            gaps = {
                name: round(method.explain(model, view, first).scalars["gap_share"], 7)
                for name, view, first in asked
            }
            rows.append(Row(entry.name, count, gaps))
    return rows


def read() -> list[Row]:
    """Return what was measured last."""
    return [Row(**row) for row in json.loads(DATA.read_text())]


def lines(rows: list[Row]) -> list[str]:
    """Return the table: a row for each model and number of steps, then one of all."""
    from loaders import catalogue

    titles = {entry.name: entry.title for entry in catalogue.models()}
    made = [
        "| model | steps | photos | median gap | largest gap | under 1 % |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    whole = [
        Row("", steps, {f"{row.model}/{name}": gap for row in rows if row.steps == steps
                        for name, gap in row.gaps.items()})
        for steps in sorted({row.steps for row in rows})
    ]  # fmt: skip
    for row in [*rows, *whole]:
        under = sum(gap < 0.01 for gap in row.gaps.values())
        cells = [
            titles.get(row.model, "**all**"), str(row.steps), str(len(row.gaps)),
            f"{100 * row.median:.3f} %", f"{100 * row.largest:.3f} %",
            f"{under} of {len(row.gaps)}",
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
