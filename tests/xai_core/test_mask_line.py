"""The line through RISE's masks: the same map on average, from fewer masks."""

import numpy as np
import pytest

from tests.fakes.linear import LinearModel
from xai_core.explainers.rise import Rise
from xai_core.grids import Grids
from xai_core.mask_line import MaskLine
from xai_core.masked_mean import MaskedMean
from xai_core.target import ClassTarget

SIZE, KEEP = (20, 26), 0.4


def bent(masks: np.ndarray) -> np.ndarray:
    """Score masks by a line and a product of two others."""
    first, second = np.random.default_rng(0).normal(size=(2, *SIZE))
    line, other = (np.tensordot(masks, each - each.mean(), 2) for each in (first, second))
    return line + 0.05 * line * other


def mapped(count: int, seed: int, *, line: bool) -> np.ndarray:
    grids = Grids(SIZE, count, grid=4, keep=KEEP, seed=seed)
    masks = np.empty((count, *SIZE), np.float32)
    grids.write(masks, 0)
    scores, part = bent(masks.astype(np.float64)).astype(np.float32), np.zeros(SIZE)
    if line:
        found = MaskLine(grids, scores, KEEP)
        scores, part = found.rest.astype(np.float32), found.part
    mean = MaskedMean(SIZE, float(scores.mean()))
    mean.add(masks, scores)
    return mean.map() + part


def test_half_of_the_masks_give_a_map_as_steady_and_the_mean_is_the_same() -> None:
    long = mapped(20_000, 99, line=False)
    lined = np.array([mapped(150, seed, line=True) for seed in range(20)])
    plain = np.array([mapped(300, seed, line=False) for seed in range(20)])
    miss, missed = (np.square(each - long).mean() for each in (lined, plain))
    assert miss < missed
    # what is left of the difference of means is the noise of 20 runs
    assert np.square(lined.mean(0) - long).mean() < 3 * miss / 20


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_a_linear_model_needs_few_masks(base: str) -> None:
    rng, size = np.random.default_rng(0), (16, 16)
    weights = np.kron(rng.normal(size=(2, 4, 4, 1)), np.ones((1, 4, 4, 3))).astype(np.float32)
    model, image = LinearModel(weights), np.ones((*size, 3), np.float32)
    told = {"grid": 3, "base": base, "batch": 100}
    long = Rise(masks=8000, **told).explain(model, image, ClassTarget(1))  # type: ignore[arg-type]
    lined, plain = (
        Rise(masks=200, line=line, seed=5, **told).explain(model, image, ClassTarget(1))  # type: ignore[arg-type]
        for line in (True, False)
    )
    miss, missed = (np.abs(each.attribution - long.attribution).max() for each in (lined, plain))
    assert miss < missed / 1.5
    assert lined.scalars["explained_by_line"] > 0.95
    assert lined.scalars["standard_error"] < plain.scalars["standard_error"] / 2
    assert lined.way.startswith("A straight line in what each block of the photo shows foresees")
    np.testing.assert_array_equal(lined.arrays["scores"], plain.arrays["scores"])
