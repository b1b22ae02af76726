"""Maps of few passes: the page is what was measured, its sums are right, and one photo again."""

import json

import numpy as np
import pytest

from benchmarks import aise, few_passes, openvino_xai
from tests.fakes.linear import LinearModel


def test_the_page_is_what_was_measured() -> None:
    told = json.loads(few_passes.DATA.read_text())
    page = few_passes.PAGE.read_text()
    assert page == few_passes.drawn(page, told), "docs/few-passes.md is stale: --draw"
    rows = [few_passes.read(row) for row in told["rows"]]
    kinds = {(row.network, row.budget, row.way) for row in rows}
    assert len(kinds) == len(rows) == len(few_passes.NETWORKS) * 2 * len(few_passes.WAYS)
    for row in rows:
        assert len(row.insertion) == len(row.deletion) == few_passes.PHOTOS
        assert row.passes <= row.budget
        mean = np.mean([a - b for a, b in zip(row.insertion, row.deletion, strict=True)])
        assert f"| {few_passes.title(row.way)} |" in page
        assert f"| {mean:.3f} ± " in page
    for row in rows:
        if row.way == few_passes.OURS:
            (peer,) = (
                each for each in rows
                if (each.network, each.budget, each.way)
                == (row.network, row.budget, few_passes.PEER)
            )  # fmt: skip
            assert row.less.mean() > peer.less.mean()


def test_one_photo_again_is_what_was_kept() -> None:
    (network, *_) = few_passes.NETWORKS
    told = [few_passes.read(row) for row in json.loads(few_passes.DATA.read_text())["rows"]]
    rows = few_passes.measured((network,), 1, (150,), (few_passes.OURS, few_passes.PEER))
    for row in rows:
        (kept,) = (
            each for each in told
            if (each.network, each.budget, each.way) == (network, 150, row.way)
        )  # fmt: skip
        assert row.insertion[0] == pytest.approx(kept.insertion[0], abs=0.02)
        assert row.deletion[0] == pytest.approx(kept.deletion[0], abs=0.02)


def test_insertion_and_deletion_are_the_closed_form_of_a_line() -> None:
    """Of two classes whose scores differ by 0 for any photo, both curves lie at one half."""
    case = few_passes.Case(LinearModel(np.zeros((2, 8, 8, 3), np.float32)), np.ones((8, 8, 3)), 1)
    attribution = np.arange(64, dtype=np.float32).reshape(8, 8)
    assert few_passes.curves(case, attribution) == pytest.approx((0.5, 0.5))
    weights = np.zeros((2, 8, 8, 3), np.float32)
    weights[1, 7, 7] = 50  # one pixel decides, and a good map has it first
    view = np.zeros((8, 8, 3), np.float32)
    view[7, 7] = 1
    case = few_passes.Case(LinearModel(weights), view, 1)
    good, bad = (few_passes.curves(case, sign * attribution, 16) for sign in (1, -1))
    gone = 1 / (1 + np.exp(-150 / 64))  # the mean colour stands there
    assert good[1] == pytest.approx((0.5 * (1 + gone) + 15 * gone) / 16, abs=1e-5)
    assert bad[1] == pytest.approx((15 + 0.5 * (1 + gone)) / 16, abs=1e-5)


def test_the_transcription_is_what_the_package_itself_gives() -> None:
    page = few_passes.PAGE.read_text()
    assert page == openvino_xai.drawn(page), "docs/few-passes.md is stale"
    found = [openvino_xai.Beside(**each) for each in openvino_xai.read()["found"]]
    assert {(each.network, each.passes) for each in found} == {
        (network, budget) for network in few_passes.NETWORKS for budget in few_passes.BUDGETS
    }
    for each in found:
        assert each.same > 0.99999


def test_the_peer_moves_its_windows_to_the_planted_place() -> None:
    view = np.ones((24, 24, 3), np.float32)
    asked = []

    def scores(views: np.ndarray) -> np.ndarray:
        asked.append(len(views))
        return views[:, 4:9, 14:19].mean((1, 2, 3)).astype(np.float64)

    found = aise.explained(scores, view, 150)
    # the optimiser ends a round that it has begun
    assert 150 <= sum(asked) <= 200
    assert set(asked) == {1}
    peak = np.unravel_index(found.argmax(), found.shape)
    assert np.abs(np.array(peak) - (6, 16)).max() <= 4
