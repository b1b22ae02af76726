"""After how many masks a run's halves agree, how near its map is then, and what a line saves RISE.

`python -m benchmarks.settling` measures it, keeps it in docs/settling.json and draws its part of
docs/few-passes.md. Each method is run once to its usual end on each photo, and its scores are kept;
that it ends earlier, or takes fewer masks, is then played again on the same scores, and compared
with a longer run of another seed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import datetime
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.few_passes import DOCS, NETWORKS, PAGE, Case

Array = NDArray[np.float32]

DATA = DOCS / "settling.json"
BEGIN, END = "<!-- settling: begin -->\n", "<!-- settling: end -->\n"
WAYS = {"rise": ("masks", 2000, 4000), "lime": ("samples", 1000, 2000),
        "kernelshap": ("samples", 1000, 2000)}  # fmt: skip
"""What a method draws, how many of them a run takes at the most, and how many the longer one."""
PHOTOS = 10
"""Of each network."""
ASKED = (0.7, 0.8, 0.9)
PLAIN, SHARE = 1024, 0.55
"""Masks of plain RISE, and which share of them a line is to need for the same agreement."""
COUNTS = (256, 320, 384, 448, 512, int(SHARE * PLAIN), 640, 768, 896, PLAIN)
APART = 4
"""Pixels from one compared place of a map to the next."""
_BATCH = 16


class Replay:
    """A model whose masked photos were scored before: the first of them, in order."""

    def __init__(self, model: Any, scores: NDArray[Any]) -> None:
        self.model, self.known = model, np.asarray(scores, np.float32)
        self.input_size, self.head, self.labels = model.input_size, model.head, model.labels

    def logits(self, images: Array) -> Array:
        """Ask the model itself."""
        found: Array = self.model.logits(images)
        return found

    def masked_scores(
        self, image: Array, masks: Any, baseline: Array, targets: Any, batch: int = 0
    ) -> Iterator[tuple[slice, Array]]:
        """Yield what was known."""
        for start in range(0, len(masks), _BATCH):
            part = slice(start, min(start + _BATCH, len(masks)))
            yield part, self.known[part, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One photo under one method.

    For each agreement of halves that was asked: the masks that were `used`, whether the halves
    agreed then, and how the map `agrees` with that of a longer run (rank correlation). For RISE,
    the correlation with it of plain RISE's map of 1,024 masks, and of a line's of some counts.
    """

    network: str
    way: str
    used: tuple[int, ...]
    ended: tuple[bool, ...]
    agrees: tuple[float, ...]
    whole: float
    plain: float = 0.0
    lined: tuple[float, ...] = ()


def run(case: Case, way: str, model: Any, values: dict[str, Any]) -> Any:
    """Return what a method makes of a photo, asked of the class's score."""
    from xai_core.explainer import make
    from xai_core.target import ClassTarget
    from xai_core.task import silent

    size = (case.view.shape[0], case.view.shape[1])
    method = make(way, values, size=size)
    return method.chosen().run(method, model, case.view, ClassTarget(case.index), silent)


def places(raw: Any) -> NDArray[Any]:
    """Return the map where two are compared: each superpixel's value, or some places."""
    weights = getattr(raw.grain, "weights", None)
    found: NDArray[Any] = raw.attribution[::APART, ::APART] if weights is None else weights
    return found.ravel()


def settled(network: str, way: str, case: Case, *, most: int = 0, longer: int = 0) -> Row:
    """Return one photo's row."""
    from xai_core.halves import alike

    what, usual, long = WAYS[way]
    most, longer = most or usual, longer or long
    steadied = {"line": True} if way == "rise" else {}  # the same map on average, steadier
    far = places(run(case, way, case.model, {what: longer, "seed": 1, **steadied}))
    whole = run(case, way, case.model, {what: most, "seed": 0})
    replay = Replay(case.model, whole.arrays["scores"])
    ends = [run(case, way, replay, {what: most, "seed": 0, "stop_at": asked}) for asked in ASKED]
    plain, lined = 0.0, []
    if way == "rise":
        plain = correlation(run(case, way, replay, {what: min(PLAIN, most)}), far)
        lined = [
            correlation(run(case, way, replay, {what: count, "line": True}), far)
            for count in COUNTS
            if count <= most
        ]
    return Row(
        network=network,
        way=way,
        used=tuple(int(end.scalars[f"{what}_used"]) for end in ends),
        ended=tuple(
            bool(end.scalars["halves_agree_low"] >= asked)
            for end, asked in zip(ends, ASKED, strict=True)
        ),
        agrees=tuple(round(alike(places(end), far), 4) for end in ends),
        whole=round(alike(places(whole), far), 4),
        plain=round(plain, 4),
        lined=tuple(round(each, 4) for each in lined),
    )


def correlation(raw: Any, far: NDArray[Any]) -> float:
    """Return Pearson's correlation of a map with a longer run's."""
    return float(np.corrcoef(places(raw), far)[0, 1])


def measured(kept: Sequence[Row] = ()) -> Iterator[Row]:
    """Yield a row for each network, photo and method that is not among those kept."""
    for network, cases in NETWORKS.items():
        done = {way: sum((row.network, row.way) == (network, way) for row in kept) for way in WAYS}
        if min(done.values()) >= PHOTOS:
            continue
        for number, case in enumerate(islice(cases(PHOTOS), PHOTOS)):
            case.model.settled()
            for way in WAYS:
                if done[way] <= number:
                    yield settled(network, way, case)


def needed(rows: Sequence[Row]) -> float:
    """Return by how many masks, on average, a line reaches plain RISE's mean agreement at 1,024.

    Between two counts it is read off a straight line; `inf` where none does.
    """
    plain = float(np.mean([row.plain for row in rows]))
    lined = np.mean([row.lined for row in rows], 0)
    reached = np.flatnonzero(lined >= plain)
    if not len(reached):
        return float("inf")
    first = int(reached[0])
    if first == 0:
        return float(COUNTS[0])
    low, high = lined[first - 1], lined[first]
    step = COUNTS[first] - COUNTS[first - 1]
    return float(COUNTS[first - 1] + step * (plain - low) / (high - low))


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the tables and what they say."""
    from xai_core.explainer import explainers

    made = [
        "| network | method | asked of the halves | ended by it | drawn, median | agrees with a "
        "longer run |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for network in NETWORKS:
        for way, (_, most, _) in WAYS.items():
            own = [row for row in rows if (row.network, row.way) == (network, way)]
            if not own:
                continue
            title = explainers()[way].title
            for at, asked in enumerate(ASKED):
                made.append(
                    f"| {network} | {title} | {asked:g} | {sum(row.ended[at] for row in own)} of "
                    f"{len(own)} | {np.median([row.used[at] for row in own]):,.0f} "
                    f"| {np.median([row.agrees[at] for row in own]):.2f} |"
                )
            made.append(
                f"| {network} | {title} | 1 |  | {most:,} "
                f"| {np.median([row.whole for row in own]):.2f} |"
            )
    made += ["", f"An agreement of {ASKED[0]:g} ends {ended(rows)}."]
    rise = [row for row in rows if row.way == "rise"]
    made += [
        "",
        f"| network | photos | plain, {PLAIN:,} | "
        + " | ".join(f"line, {count:,}" for count in COUNTS if count in _SHOWN)
        + " | the same agreement by |",
        "| --- | ---: | ---: | " + " | ".join("---:" for _ in _SHOWN) + " | ---: |",
    ]
    for network in [*NETWORKS, ""]:
        own = [row for row in rise if network in ("", row.network)]
        if own:
            lined = np.mean([row.lined for row in own], 0)
            cells = [
                network or "both", str(len(own)), f"{np.mean([row.plain for row in own]):.3f}",
                *(f"{lined[COUNTS.index(count)]:.3f}" for count in _SHOWN), share(needed(own)),
            ]  # fmt: skip
            made.append(f"| {' | '.join(cells)} |")
    at = COUNTS.index(int(SHARE * PLAIN))
    above = sum(row.lined[at] >= row.plain for row in rise)
    made += [
        "",
        f"With {COUNTS[at]:,} masks and a line the map agrees with the longer run's as well as "
        f"plain RISE's of {PLAIN:,}, or better, on {above} of {len(rise)} photos.",
    ]
    return made


def ended(rows: Sequence[Row]) -> str:
    """Say how many runs of each method the first agreement that was asked ended."""
    from xai_core.explainer import explainers

    said = []
    for way in WAYS:
        own = [row for row in rows if row.way == way]
        if own:
            count = sum(row.ended[0] for row in own)
            said.append(f"{count} of {len(own)} runs of {explainers()[way].title}")
    return ", ".join(said)


_SHOWN = (512, int(SHARE * PLAIN), PLAIN)


def share(masks: float) -> str:
    """Return how many masks, and which part of plain RISE's."""
    if masks == float("inf"):
        return f"more than {PLAIN:,}"
    few = "at most " if masks == COUNTS[0] else ""
    return f"{few}{masks:,.0f} masks, {masks / PLAIN:.2f}"


def drawn(page: str, told: dict[str, Any]) -> str:
    """Return the page with the tables in their place."""
    before, _, rest = page.partition(BEGIN)
    where = f"Measured {told['date']} on {told['machine']}."
    table = [*lines([read(row) for row in told["rows"]]), "", where]
    return before + BEGIN + "\n".join(table) + "\n" + END + rest.partition(END)[2]


def read(row: dict[str, Any]) -> Row:
    """Return a row that was kept."""
    told: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in row.items()
    }
    return Row(**told)


def write(rows: Sequence[Row]) -> None:
    """Keep what was measured."""
    from benchmarks.speed import page

    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    head = f'"date": {json.dumps(date)},\n "machine": {json.dumps(page.machine())}'
    text = ",\n  ".join(json.dumps(dataclasses.asdict(row)) for row in rows)
    DATA.write_text(f'{{\n {head},\n "rows": [\n  {text}\n ]\n}}\n')


def main() -> None:
    """Measure, keep, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="only draw the page again")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are there")
    asked = parser.parse_args()
    kept = json.loads(DATA.read_text())["rows"] if asked.draw or asked.resume else []
    rows = [read(row) for row in kept]
    if not asked.draw:
        for row in measured(list(rows)):
            rows.append(row)
            write(rows)
            print(row, flush=True)
    told = json.loads(DATA.read_text())
    PAGE.write_text(drawn(PAGE.read_text(), told))
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
