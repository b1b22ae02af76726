"""Occlusion against its closed form, a slow transcription and Xplique."""

import numpy as np
import pytest

from loaders.onnx.model import OnnxModel
from tests.fakes import tiny
from tests.fakes.linear import LinearModel
from xai_core.errors import ParamError
from xai_core.explainers.occlusion import BRUTE, Occlusion
from xai_core.target import ClassTarget


def method(patch: tuple[int, int], stride: tuple[int, int], **values: object) -> Occlusion:
    return Occlusion(
        patch_height=patch[0],
        patch_width=patch[1],
        stride_height=stride[0],
        stride_width=stride[1],
        **values,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("stride", [(4, 4), (3, 5), (12, 12), (1, 1)])
def test_a_uniform_model_gets_a_flat_map(stride: tuple[int, int]) -> None:
    model = LinearModel(np.full((2, 40, 46, 3), 0.01, np.float32))
    image = np.full((40, 46, 3), 0.8, np.float32)
    result = method((12, 12), stride).explain(model, image, ClassTarget(0))
    expected = 12 * 12 * 3 * 0.01 * (0.8 - 0.5)
    np.testing.assert_allclose(result.attribution, expected, rtol=1e-3)


def test_one_pixel_patches_give_the_linear_model_back() -> None:
    weights = np.random.default_rng(0).normal(size=(2, 10, 12, 3)).astype(np.float32)
    image = np.random.default_rng(1).random((10, 12, 3), np.float32)
    result = method((1, 1), (1, 1), value=0.25).explain(LinearModel(weights), image, ClassTarget(1))
    np.testing.assert_allclose(result.attribution, (weights[1] * (image - 0.25)).sum(-1), atol=1e-4)


def test_is_the_slow_transcription() -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    result = method((7, 5), (3, 4)).explain(model, view, ClassTarget(0, against=2))
    total, count = np.zeros(tiny.SIZE), np.zeros(tiny.SIZE)

    def lead(image: np.ndarray) -> float:
        logits = model.logits(image[None])[0]
        return float(logits[0] - logits[2])

    for top in sorted({*range(0, tiny.SIZE[0] - 7 + 1, 3), tiny.SIZE[0] - 7}):
        for left in sorted({*range(0, tiny.SIZE[1] - 5 + 1, 4), tiny.SIZE[1] - 5}):
            hidden = view.copy()
            hidden[top : top + 7, left : left + 5] = 0.5
            total[top : top + 7, left : left + 5] += lead(view) - lead(hidden)
            count[top : top + 7, left : left + 5] += 1
    np.testing.assert_allclose(result.attribution, total / count, atol=1e-4)


def test_patches_that_do_not_fit_are_refused() -> None:
    model = LinearModel(np.ones((2, 16, 20, 3), np.float32))
    view = np.zeros((16, 20, 3), np.float32)
    with pytest.raises(ParamError, match=r"patch_height must be from 1 to 16 px, .*got 17"):
        method((17, 4), (4, 4)).explain(model, view, ClassTarget(0))
    with pytest.raises(ParamError, match=r"stride_width must be at most patch_width \(4 px\)"):
        method((4, 4), (4, 5))


def test_partial_maps_grow_into_the_result() -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    partials: list[np.ndarray] = []

    def keep(done: int, total: int, partial: np.ndarray | None = None) -> None:
        if partial is not None:
            partials.append(partial.copy())

    result = method((6, 6), (3, 3)).explain(model, view, ClassTarget(0), progress=keep)
    assert len(partials) > 2
    unknown = [int(np.isnan(partial).sum()) for partial in partials]  # what no patch has hidden
    assert unknown == sorted(unknown, reverse=True)
    assert unknown[0] > unknown[-1] == 0
    np.testing.assert_array_equal(partials[-1], result.attribution)


def test_suggestions_fit_any_view() -> None:
    for size in [(224, 224), (64, 64), (16, 300), (2, 2)]:
        values = Occlusion.suggest(size)
        assert values["patch_height"] <= size[0]
        Occlusion(**values)
    assert Occlusion.suggest((224, 224), {"patch_width": 10})["stride_width"] == 5


def test_brute_force_is_said_where_nothing_else_is_known() -> None:
    view = np.zeros((16, 20, 3), np.float32)
    given = method((8, 8), (8, 8))
    plain = given.explain(LinearModel(np.ones((2, 16, 20, 3), np.float32)), view, ClassTarget(0))
    assert plain.way == BRUTE
    assert not hasattr(OnnxModel, "shortcut")
    torch = given.explain(tiny.torch_model(), tiny.view(), ClassTarget(0))
    assert torch.way == ""  # too short a run to look for anything else
