"""RISE against its closed form, a slow transcription of the paper, Xplique and a long run."""

import json
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import zoom

from benchmarks import rise as long_run
from loaders.preprocessing import preset
from loaders.torch.model import TorchModel
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from tests.hostile.conftest import SOAK
from xai_core.engines import xplique
from xai_core.errors import ParamError
from xai_core.explainer import make
from xai_core.explainers.rise import Rise
from xai_core.grids import Grids, enlarging
from xai_core.masked_mean import MaskedMean
from xai_core.perturb import baseline
from xai_core.target import ClassTarget

SIZE = (20, 26)


def written(masks: Grids) -> np.ndarray:
    made = np.empty((len(masks), *masks.size), np.float32)
    masks.write(made, 0)
    return made


def test_masks_are_the_papers() -> None:
    masks = Grids(SIZE, 12, grid=4, keep=0.4, seed=3)
    made = written(masks)
    assert masks.cell == (5, 7)
    for mask, cells, (top, left) in zip(made, masks.cells, masks.shifts, strict=True):
        # enlarged to one cell more than the view holds, and cut out at a shift of up to a cell
        large = zoom(cells.astype(float), (25 / 4, 35 / 4), order=1, mode="nearest", grid_mode=True)
        np.testing.assert_allclose(mask, large[top : top + 20, left : left + 26], atol=1e-6)


def test_each_mask_is_shifted_on_its_own_and_shows_its_share_everywhere() -> None:
    masks = Grids(SIZE, 6000, grid=4, keep=0.3, seed=1)
    assert len(np.unique(masks.shifts, axis=0)) == 5 * 7
    np.testing.assert_array_equal(
        masks.shifts[:40], Grids(SIZE, 40, grid=4, keep=0.3, seed=1).shifts
    )
    np.testing.assert_array_equal(masks.cells[:40], Grids(SIZE, 40, grid=4, keep=0.3, seed=1).cells)
    np.testing.assert_allclose(written(masks).mean(0), 0.3, atol=0.03)
    assert enlarging(1, 3).tolist() == [[1], [1], [1]]


def spread_of(size: tuple[int, int], grid: int) -> np.ndarray:
    """Return how any two pixels' masks vary together for a variance of 1 of a cell, `[p, p]`."""
    total, count = 0.0, 0
    cell = [-(-side // grid) for side in size]
    down, across = (enlarging(grid, (grid + 1) * each) for each in cell)
    for top in range(cell[0]):
        for left in range(cell[1]):
            one = np.kron(down[top : top + size[0]], across[left : left + size[1]])
            total, count = total + one.astype(np.float64) @ one.T, count + 1
    return total / count


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_is_unbiased_on_a_linear_model(base: str) -> None:
    size, keep = (8, 9), 0.4
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, *size, 3)).astype(np.float32)
    image = rng.random((*size, 3), np.float32)
    method = Rise(masks=20_000, grid=3, keep=keep, value=0.25, base=base, batch=128)
    result = method.explain(LinearModel(weights), image, ClassTarget(1))
    each = (weights[1] * (image - 0.25)).sum(-1).ravel()  # what showing a pixel adds
    expected = (keep * (1 - keep) * spread_of(size, 3) @ each / keep).reshape(size)
    if base == "zero":
        expected += (weights[1] * 0.25).sum() + keep * each.sum()
    off = (result.attribution - expected) / result.arrays["standard_error"]
    assert np.abs(off).max() < 4.5  # of 72 pixels that move together
    assert np.std(expected) > 5 * result.scalars["standard_error"]


def test_is_the_slow_transcription() -> None:
    model, view, target = tiny.torch_model(), tiny.view(2), ClassTarget(0, against=2)
    method = Rise(masks=60, grid=5, keep=0.3, fill="blur", base="zero", seed=4)
    masks, hidden = written(method.grids(model)), baseline("blur", view)
    scores, total = [], np.zeros(tiny.SIZE)
    for mask in masks:  # eq. 6
        logits = model.logits((view * mask[..., None] + hidden * (1 - mask[..., None]))[None])[0]
        scores.append(float(logits[0] - logits[2]))
        total += scores[-1] * mask
    result = method.explain(model, view, target)
    np.testing.assert_allclose(result.attribution, total / (60 * 0.3), atol=1e-4)
    np.testing.assert_allclose(result.arrays["scores"], scores, atol=1e-5)
    own = np.array(scores)[:, None, None] * masks / 0.3
    np.testing.assert_allclose(
        result.arrays["standard_error"], own.std(0, ddof=1) / 60**0.5, rtol=1e-3
    )
    level = Rise(masks=60, grid=5, keep=0.3, fill="blur", seed=4).explain(model, view, target)
    ratio = np.tensordot(np.array(scores), masks, 1) / masks.sum(0) - np.mean(scores)
    np.testing.assert_allclose(level.attribution, ratio, atol=1e-4)
    assert level.scalars["mean_score"] == pytest.approx(np.mean(scores), abs=1e-5)


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_the_error_is_what_other_seeds_differ_by(base: str) -> None:
    rng = np.random.default_rng(0)
    model = LinearModel(rng.normal(size=(2, 8, 9, 3)).astype(np.float32))
    view = rng.random((8, 9, 3), np.float32)
    runs = [
        Rise(masks=300, grid=3, seed=seed, base=base, batch=100).explain(
            model, view, ClassTarget(1)
        )
        for seed in range(80)
    ]
    maps = np.stack([run.attribution for run in runs])
    said = np.sqrt(np.mean([run.scalars["standard_error"] ** 2 for run in runs]))
    assert np.sqrt(maps.var(0, ddof=1).mean()) == pytest.approx(said, rel=0.1)
    # two maps that each agree so far with the endless one agree with each other by the product
    agree = np.corrcoef(maps.reshape(80, -1))[np.triu_indices(80, 1)].mean()
    expected = np.mean([run.scalars["expected_agreement"] for run in runs])
    assert agree == pytest.approx(expected**2, abs=0.03 if base == "mean" else 0.15)


def test_the_error_falls_as_the_root_of_the_masks() -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    result = Rise(masks=3200, grid=3, batch=64).explain(model, view, ClassTarget(1))
    passes, errors, agreements = result.arrays["convergence"].T
    assert passes[-1] == 3200
    assert len(passes) > 10
    assert (np.diff(passes) > 0).all()
    assert (np.diff(agreements[-5:]) > 0).all()
    early = int(np.searchsorted(passes, 700))
    assert errors[early] / errors[-1] == pytest.approx((3200 / passes[early]) ** 0.5, rel=0.1)
    assert errors[-1] == pytest.approx(result.scalars["standard_error"])
    assert agreements[-1] == pytest.approx(result.scalars["expected_agreement"])


@pytest.mark.parametrize("of", ["logit", "probability"])
def test_is_xpliques_at_equal_masks(monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    import tensorflow as tf
    from xplique.attributions import Rise as Theirs

    model, view, target = tiny.keras_model(), tiny.view(2), ClassTarget(1, of=of)  # type: ignore[arg-type]
    method = Rise(masks=100, grid=5, keep=0.4, value=0.2, seed=5)
    masks, at = written(method.grids(model)), 0

    def ours(one: tf.Tensor, binary: tf.Tensor, value: float) -> tuple[tf.Tensor, tf.Tensor]:
        nonlocal at
        part = tf.constant(masks[at : at + len(binary)][..., None])
        at += len(binary)
        return part * one[None] + (1 - part) * value, part

    monkeypatch.setattr(Theirs, "_apply_masks", staticmethod(tf.function(ours)))
    given = {"masks": 100, "grid": 5, "keep": 0.4, "value": 0.2, "seed": 5}
    theirs = xplique.rise(model, view, target, **given)
    assert at == 100
    result = method.explain(model, view, target)
    made = result.attribution + result.scalars["mean_score"]
    np.testing.assert_allclose(made, theirs, atol=1e-4)
    assert np.ptp(theirs) > 1e-3


def test_xplique_finds_the_same_map() -> None:
    model, view = tiny.keras_model(), tiny.view(2)
    maps = [
        Rise(masks=2000, grid=3, engine=engine).explain(model, view, ClassTarget(1)).attribution
        for engine in ("ours", "xplique")
    ]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.95


def test_a_batch_is_what_goes_through_at_once() -> None:
    model, sizes = tiny.torch_model(), []
    model.native().register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    Rise(masks=50, grid=3, batch=20).explain(model, tiny.view(), ClassTarget(0))
    assert sizes == [1, 20, 20, 10]


def test_fewer_go_through_at_once_where_the_view_is_large() -> None:
    from torch import nn

    network, sizes = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)), set()
    model = TorchModel(
        network, name="flat", kind="test", architecture="flat", labels=("a", "b"),
        preprocessing=preset("unit", (299, 299)),
    )  # fmt: skip
    model.native().register_forward_pre_hook(lambda module, args: sizes.add(len(args[0])))
    view = np.zeros((299, 299, 3), np.float32)
    for name, values in (("rise", {"masks": 50}), ("occlusion", {}), ("lime", {"samples": 40})):
        sizes.clear()
        make(name, values, size=(299, 299)).explain(model, view, ClassTarget(0))
        assert max(sizes) == 4, name
    theirs = make("rise", {}, engine="xplique", size=(299, 299))
    assert theirs.batch == 16  # what it does not honour is as it was declared


def test_partial_maps_grow_into_the_result() -> None:
    partials = []

    def keep(done: int, total: int, partial: np.ndarray | None = None) -> None:
        if partial is not None:
            partials.append(partial.copy())

    method = Rise(masks=100, grid=3)
    result = method.explain(tiny.torch_model(), tiny.view(), ClassTarget(0), progress=keep)
    assert len(partials) == 7
    np.testing.assert_array_equal(partials[-1], result.attribution)


def test_memory_is_flat_in_the_masks() -> None:
    size = (224, 224)
    masks = Grids(size, 20_000, grid=13, keep=0.5, seed=0)
    mean, buffer = MaskedMean(size, 0.0), np.empty((16, *size), np.float32)
    held = []
    tracemalloc.start()
    try:
        Grids(size, 20_000, grid=13, keep=0.5, seed=0)
        held.append(tracemalloc.get_traced_memory()[1])
        for start in range(0, 160, 16):
            masks.write(buffer, start)
            mean.add(buffer, np.ones(16, np.float32))
            tracemalloc.reset_peak()
        mean.steadiness()
        held.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert max(held) < 20e6  # of 4 GB that the masks would fill


def test_no_mask_that_hides_anything_is_said() -> None:
    model = LinearModel(np.zeros((2, *SIZE, 3), np.float32))
    result = Rise(masks=50, grid=3).explain(model, np.ones((*SIZE, 3), np.float32), ClassTarget(0))
    assert result.notes[0] == "The map is blank: RISE gave zero for every pixel."
    assert "does not depend on the photo" in result.notes[1]
    grey = np.full((*SIZE, 3), 0.5, np.float32)
    model = LinearModel(np.ones((2, *SIZE, 3), np.float32))
    result = Rise(masks=50, grid=3).explain(model, grey, ClassTarget(0))
    assert "hide with another colour" in result.notes[1]


def test_noise_and_a_probability_at_its_end_are_said() -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    few = Rise(masks=50, grid=7).explain(model, view, ClassTarget(1))
    assert "Four times as many masks halve the error" in few.notes[0]
    many = Rise(masks=1500, grid=2, batch=128).explain(model, view, ClassTarget(1))
    assert many.notes == ()
    weights = np.zeros((2, *SIZE, 3), np.float32)
    weights[0] = 1
    sure = LinearModel(weights)
    target = ClassTarget(0, of="probability")
    result = Rise(masks=50, grid=3).explain(sure, np.ones((*SIZE, 3), np.float32), target)
    assert any("saturated: it is 1 to within 0.001" in note for note in result.notes)


def test_more_cells_than_pixels_are_refused() -> None:
    model = LinearModel(np.ones((2, *SIZE, 3), np.float32))
    with pytest.raises(ParamError, match=r"Rise.grid must be from 2 to 20 cells, .* got 21"):
        Rise(grid=21).explain(model, np.ones((*SIZE, 3), np.float32), ClassTarget(0))
    for size in [(224, 224), (64, 90), (16, 16)]:
        Rise(**Rise.suggest(size)).grids(LinearModel(np.ones((1, *size, 3), np.float32)))
    assert Rise.suggest((224, 224)) == {"grid": 7, "masks": 1950, "batch": 8}
    assert Rise.suggest((224, 224), {"grid": 13})["masks"] == 6750


@pytest.mark.skipif(not SOAK, reason="it takes long: run by make soak")
def test_4000_masks_agree_with_the_stored_20000() -> None:
    kept = long_run.stored()
    assert (kept.masks, kept.grid) == (20_000, 7)
    found = long_run.explained(4000, 7, seed=kept.seed + 1)
    agreement = np.corrcoef(found.attribution.ravel(), kept.map.ravel())[0, 1]
    assert agreement >= 0.98
    assert agreement == pytest.approx(found.scalars["expected_agreement"], abs=0.02)
    assert json.loads(long_run.ABOUT.read_text())["model"] == "shapes_keras"
