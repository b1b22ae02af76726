"""When runs settle: the page is what was measured, its sums are right, and a replay is a run."""

import json

import numpy as np
import pytest

from benchmarks import few_passes, settling
from benchmarks.settling import ASKED, COUNTS, PHOTOS, PLAIN, WAYS, Row
from tests.fakes.linear import LinearModel
from xai_core.explainer import make
from xai_core.halves import alike
from xai_core.target import ClassTarget


def test_the_page_is_what_was_measured() -> None:
    told = json.loads(settling.DATA.read_text())
    page = settling.PAGE.read_text()
    assert page == settling.drawn(page, told), "docs/few-passes.md is stale: --draw"
    rows = [settling.read(row) for row in told["rows"]]
    for network in few_passes.NETWORKS:
        for way in WAYS:
            assert sum((row.network, row.way) == (network, way) for row in rows) == PHOTOS
    for row in rows:
        most = WAYS[row.way][1]
        for used, ended in zip(row.used, row.ended, strict=True):
            assert used == most or ended
        assert list(row.used) == sorted(row.used)
        assert list(row.ended) == sorted(row.ended, reverse=True)
        assert len(row.lined) == (len(COUNTS) if row.way == "rise" else 0)
    early, late = (sum(row.ended[at] for row in rows) / len(rows) for at in (0, -1))
    assert early > 0.5  # what the page says of them
    assert late < 0.1
    for network in few_passes.NETWORKS:
        lime, shap = (
            np.median([row.used[0] for row in rows if (row.network, row.way) == (network, way)])
            for way in ("lime", "kernelshap")
        )
        assert lime < shap
    least = {way: [row for row in rows if (row.network, row.way) == ("MobileNetV2, ImageNet", way)]
             for way in WAYS}  # fmt: skip
    assert not any(row.ended[0] for row in least["kernelshap"])
    agree = {way: np.median([row.whole for row in own]) for way, own in least.items()}
    assert agree["kernelshap"] < min(agree["rise"], agree["lime"])
    rise = [row for row in rows if row.way == "rise"]
    assert settling.needed(rise) <= settling.SHARE * PLAIN  # the goal


@pytest.mark.parametrize(
    ("plain", "wanted"),
    [(-0.1, 256), (0.1, 320), (0.15, 352), (0.7, 768), (2.0, float("inf"))],
)
def test_what_a_line_needs_is_read_between_two_counts(plain: float, wanted: float) -> None:
    """A line agrees by 0, 0.1, 0.2 and so on at 256, 320, 384 masks and so on."""
    rows = [
        Row(
            network="", way="rise", used=(), ended=(), agrees=(), whole=0.0, plain=plain + off,
            lined=tuple(0.1 * at for at in range(len(COUNTS))),
        )
        for off in (-0.01, 0.01)
    ]  # fmt: skip
    assert settling.needed(rows) == pytest.approx(wanted)


@pytest.mark.parametrize("way", WAYS)
def test_a_replay_ends_where_the_run_itself_does(way: str) -> None:
    weights = np.random.default_rng(1).normal(size=(2, 24, 24, 3)).astype(np.float32)
    weights[1, 6:14, 6:14] += 4
    case = few_passes.Case(LinearModel(weights), np.ones((24, 24, 3), np.float32) * 0.9, 1)
    row = settling.settled("x", way, case, most=300, longer=400)
    what, size = WAYS[way][0], (24, 24)
    for at, asked in enumerate(ASKED):
        method = make(way, {what: 300, "seed": 0, "stop_at": asked}, size=size)
        made = method.explain(LinearModel(weights), case.view, ClassTarget(1))
        assert row.used[at] == made.scalars[f"{what}_used"]
        assert row.ended[at] == (made.scalars["halves_agree_low"] >= asked)
        more = {"line": True} if way == "rise" else {}
        far = make(way, {what: 400, "seed": 1, **more}, size=size).explain(
            LinearModel(weights), case.view, ClassTarget(1)
        )
        expected = alike(settling.places(made), settling.places(far))
        assert row.agrees[at] == pytest.approx(expected, abs=1e-3)
