"""Maps of 150 and of 300 passes: ours beside others at the same count, by insertion and deletion.

`python -m benchmarks.few_passes` measures it, keeps it in docs/few-passes.json and draws the table
of docs/few-passes.md. Insertion less deletion (Petsiuk et al. 2018, section 4.1): the pixels that a
map ranks first are put into the blurred photo, and taken out of the photo, and the probability of
the class is averaged over both curves.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "few-passes.json", DOCS / "few-passes.md"
REAL = Path(__file__).resolve().parents[2] / "shared"
PHOTOS, BUDGETS, STEPS, SIDE = 20, (150, 300), 20, 160
SURE = 0.3
"""A crop whose likeliest class has less than this is not taken."""
OURS, PEER = "adaptive-masks", "AISE"
WAYS = (OURS, "rise", "occlusion", PEER)
TITLES = {PEER: "AISE, transcribed"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A photo to explain: its model, its view, and the index of the class."""

    model: Any
    view: Array
    index: int

    def chances(self, views: Array) -> NDArray[np.float64]:
        """Return the probability of the class for views `[n, h, w, 3]`."""
        parts = [
            self.model.head.probabilities(self.model.logits(views[at : at + 8]))[:, self.index]
            for at in range(0, len(views), 8)
        ]
        found: NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One way at one budget: insertion and deletion of each photo, and the passes it took."""

    network: str
    way: str
    budget: int
    passes: int
    insertion: tuple[float, ...]
    deletion: tuple[float, ...]

    @property
    def less(self) -> NDArray[np.float64]:
        """Insertion less deletion, `[photos]`."""
        found: NDArray[np.float64] = np.subtract(self.insertion, self.deletion)
        return found


def scenes(photos: int) -> Iterator[Case]:
    """Yield seeded scenes of one shape, which the built-in model names rightly."""
    from benchmarks.peaks import honest

    for model, view, _, index in honest(photos):
        yield Case(model, view, index)


def crops(photos: int) -> Iterator[Case]:
    """Yield seeded crops of photos for a network that was trained on ImageNet, where it is here."""
    import skimage.data
    import torch
    from PIL import Image
    from torchvision import models

    from loaders.preprocessing import preset
    from loaders.torch.model import TorchModel

    path = REAL / "models" / "imagenet_mobilenet_v2.pth"
    if not path.exists():
        return
    torch.set_num_threads(1)
    module = models.mobilenet_v2(weights=None)
    module.load_state_dict(torch.load(path, map_location="cpu"))
    names = models.MobileNet_V2_Weights.IMAGENET1K_V2.meta["categories"]
    model = TorchModel(
        module.eval(), name="MobileNetV2, ImageNet", kind="state dict",
        architecture="mobilenet_v2", preprocessing=preset("imagenet", (SIDE, SIDE)),
        labels=tuple(names),
    )  # fmt: skip
    model.settled()
    whole = [
        np.asarray(Image.open(REAL / "images" / "dog_and_cat.png").convert("RGB")),
        skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket(),
    ]  # fmt: skip
    rng, drawn, found = np.random.default_rng(16), 0, 0
    while found < photos and drawn < 10 * photos:
        photo = whole[drawn % len(whole)]
        drawn += 1
        side = int(min(photo.shape[:2]) * rng.uniform(0.65, 1))
        top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
        crop = Image.fromarray(photo[top : top + side, left : left + side])
        view = np.array(crop.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
        view /= 255
        chances = model.head.probabilities(model.logits(view[None]))[0]
        if chances.max() >= SURE:
            found += 1
            yield Case(model, view, int(chances.argmax()))


NETWORKS: dict[str, Callable[[int], Iterator[Case]]] = {
    "built-in shapes": scenes,
    "MobileNetV2, ImageNet": crops,
}


def curves(case: Case, attribution: Array, steps: int = STEPS) -> tuple[float, float]:
    """Return the mean probability while pixels are put in, and while they are taken out."""
    from xai_core.perturb import baseline

    order = np.argsort(-attribution.ravel(), kind="stable")
    places = np.empty(order.size, np.int64)
    places[order] = np.arange(order.size)
    rank = places.reshape(attribution.shape)
    empty, grey = baseline("blur", case.view), baseline("mean", case.view)
    views = np.empty((2 * (steps + 1), *case.view.shape), np.float32)
    for step in range(steps + 1):
        first = (rank < order.size * step / steps)[..., None]
        views[step] = np.where(first, case.view, empty)
        views[steps + 1 + step] = np.where(first, grey, case.view)
    found = case.chances(views)
    return tuple(float(np.trapezoid(half) / steps) for half in np.split(found, 2))  # type: ignore[return-value]


def explained(case: Case, way: str, budget: int, seed: int) -> tuple[Array, int]:
    """Return a map of at most so many passes, and how many it took."""
    from benchmarks import aise
    from xai_core.explainer import make
    from xai_core.target import ClassTarget

    if way == PEER:
        passes = 6 * (budget // 6)
        return aise.explained(case.chances, case.view, budget), passes
    size = (case.view.shape[0], case.view.shape[1])
    made = make(way, settings(way, budget, size, seed), size=size)
    found = made.explain(case.model, case.view, ClassTarget(case.index, of="probability"))
    return found.attribution, found.passes


def settings(way: str, budget: int, size: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return the settings by which one of our methods takes at most so many passes."""
    if way != "occlusion":
        return {"masks": budget - 1, "seed": seed} if way == "rise" else {"passes": budget}
    each = int((budget - 1) ** 0.5)  # patches along each side, each twice as long as its stride
    stride = [-(-side // (each + 1)) for side in size]
    patch = [side - (each - 1) * step for side, step in zip(size, stride, strict=True)]
    return {
        "patch_height": max(patch[0], stride[0]), "patch_width": max(patch[1], stride[1]),
        "stride_height": stride[0], "stride_width": stride[1],
    }  # fmt: skip


def measured(
    networks: tuple[str, ...] = tuple(NETWORKS),
    photos: int = PHOTOS,
    budgets: tuple[int, ...] = BUDGETS,
    ways: tuple[str, ...] = WAYS,
    first: int = 0,
) -> list[Row]:
    """Return a row for each network, budget and way, without the first so many photos."""
    rows = []
    for network in networks:
        found: dict[tuple[str, int], list[tuple[float, float, int]]] = {}
        for seed, case in enumerate(NETWORKS[network](photos)):
            if seed < first:
                continue
            for budget in budgets:
                for way in ways:
                    attribution, passes = explained(case, way, budget, seed)
                    scores = curves(case, attribution)
                    found.setdefault((way, budget), []).append((*scores, passes))
            print(network, seed + 1, flush=True)
        for (way, budget), each in found.items():
            rows.append(
                Row(
                    network=network,
                    way=way,
                    budget=budget,
                    passes=max(passes for *_, passes in each),
                    insertion=tuple(round(inserted, 4) for inserted, _, _ in each),
                    deletion=tuple(round(deleted, 4) for _, deleted, _ in each),
                )
            )
    return rows


def joined(kept: list[Row], more: list[Row]) -> list[Row]:
    """Return rows of some photos with what was measured of those that follow them."""
    after = {(row.network, row.way, row.budget): row for row in more}
    made = []
    for row in kept:
        other = after.get((row.network, row.way, row.budget))
        if other is not None:
            row = dataclasses.replace(
                row,
                passes=max(row.passes, other.passes),
                insertion=row.insertion + other.insertion,
                deletion=row.deletion + other.deletion,
            )
        made.append(row)
    return made


def title(way: str) -> str:
    """Return what a way is called."""
    from xai_core.explainer import explainers

    return TITLES.get(way) or explainers()[way].title


def lines(rows: list[Row]) -> list[str]:
    """Return the table, and below it how often ours is above RISE."""
    made = [
        "| network | passes | way | insertion | deletion | insertion less deletion | above AISE |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    peers = {(row.network, row.budget): row for row in rows if row.way == PEER}
    for row in rows:
        peer = peers.get((row.network, row.budget))
        above = "" if peer in (None, row) else f"{(row.less > peer.less).sum()} of {len(row.less)}"
        error = row.less.std(ddof=1) / len(row.less) ** 0.5
        made.append(
            f"| {row.network} | {row.passes} | {title(row.way)} | {np.mean(row.insertion):.3f} "
            f"| {np.mean(row.deletion):.3f} | {row.less.mean():.3f} ± {error:.3f} | {above} |"
        )
    plain = {(row.network, row.budget): row for row in rows if row.way == "rise"}
    said = [
        f"on {(row.less > plain[row.network, row.budget].less).sum()} of {len(row.less)} photos of "
        f"{row.network} at {row.budget}"
        for row in rows
        if row.way == OURS and (row.network, row.budget) in plain
    ]
    if said:
        made += ["", f"{title(OURS)} is above RISE at the same count {', '.join(said)} passes."]
    return made


def drawn(page: str, told: dict[str, Any]) -> str:
    """Return the page with the table in its place."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = page.partition(begin)
    where = f"Measured {told['date']} on {told['machine']}."
    table = [*lines([read(row) for row in told["rows"]]), "", where]
    return before + begin + "\n".join(table) + "\n" + end + rest.partition(end)[2]


def read(row: dict[str, Any]) -> Row:
    """Return a row that was kept."""
    return Row(**{**row, "insertion": tuple(row["insertion"]), "deletion": tuple(row["deletion"])})


def main() -> None:
    """Measure, keep, draw and print."""
    from benchmarks.speed import page

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="only draw the page again")
    parser.add_argument("--only", choices=list(NETWORKS), help="measure one network again")
    parser.add_argument("--more", action="store_true", help="measure the photos that lack alone")
    parser.add_argument("--way", choices=WAYS, help="measure one way again")
    asked = parser.parse_args()
    if not asked.draw:
        ways = (asked.way,) if asked.way else WAYS
        networks = (asked.only,) if asked.only else tuple(NETWORKS)
        told = json.loads(DATA.read_text())["rows"] if asked.only or asked.more or asked.way else []
        kept = [
            read(row)
            for row in told
            if asked.more or row["network"] not in networks or row["way"] not in ways
        ]
        if asked.more:
            found = kept
            for network in networks:
                done = min(len(row.insertion) for row in kept if row.network == network)
                found = joined(found, measured((network,), first=done))
        else:
            found = [*kept, *measured(networks, ways=ways)]
        order = list(NETWORKS)
        found.sort(key=lambda row: (order.index(row.network), row.budget, WAYS.index(row.way)))
        rows = [json.dumps(dataclasses.asdict(row)) for row in found]
        date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        head = f'"date": {json.dumps(date)},\n "machine": {json.dumps(page.machine())}'
        DATA.write_text(f'{{\n {head},\n "rows": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n")
    told = json.loads(DATA.read_text())
    PAGE.write_text(drawn(PAGE.read_text(), told))
    print("\n".join(lines([read(row) for row in told["rows"]])))


if __name__ == "__main__":
    main()
