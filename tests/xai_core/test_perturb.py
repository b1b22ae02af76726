"""Mask sources against plain array arithmetic."""

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.grids import Grids
from xai_core.perturb import (
    BASELINES,
    Dense,
    MaskSource,
    Patches,
    Segments,
    at_once,
    baseline,
    stream,
)
from xai_core.upsample import resize

SIZE = (9, 11)


def sources() -> list[MaskSource]:
    rng = np.random.default_rng(0)
    return [
        Dense(rng.random((7, *SIZE), np.float32)),
        Segments(rng.integers(0, 5, SIZE).astype(np.int32), rng.random((6, 5)) > 0.5),
        Patches(SIZE, (4, 3), (3, 2)),
        Patches(SIZE, (4, 3), (3, 2), edges=False),
        Grids(SIZE, 9, grid=3, keep=0.5, seed=0),
    ]


@pytest.mark.parametrize("source", sources(), ids=lambda source: type(source).__name__)
def test_apply_is_blending(source: MaskSource) -> None:
    rng = np.random.default_rng(1)
    image, base = rng.random((2, *SIZE, 3), np.float32)
    masks = np.empty((len(source), *SIZE), np.float32)
    source.write(masks, 0)
    expected = masks[..., None] * image + (1 - masks[..., None]) * base
    seen = []
    for part, output in stream(lambda views: views.copy(), image, source, base, 4):
        assert len(output) == part.stop - part.start <= 4
        seen.append(output)
    np.testing.assert_allclose(np.concatenate(seen), expected, atol=1e-6)


def test_patches_reach_every_edge_with_whole_patches() -> None:
    for size, patch, stride in [((9, 11), (4, 3), (3, 2)), ((8, 8), (8, 8), (1, 1))]:
        source = Patches(size, patch, stride)
        masks = np.empty((len(source), *size), np.float32)
        source.write(masks, 0)
        hidden = 1 - masks
        assert (hidden.sum((1, 2)) == patch[0] * patch[1]).all()
        assert (hidden.sum(0) > 0).all()


def test_patches_without_edges_stop_where_the_next_does_not_fit() -> None:
    assert len(Patches((9, 11), (4, 3), (3, 2), edges=False)) == 2 * 5


@pytest.mark.parametrize("first", [1, 7, 20])
def test_patches_are_added_up_as_one_by_one(first: int) -> None:
    source, values = Patches(SIZE, (4, 3), (3, 2)), np.random.default_rng(2).normal(size=20)
    expected = np.zeros(SIZE)
    for index in range(min(first, len(source))):
        expected[source.window(index)] += values[index]
    made = source.total(values[: min(first, len(source))])
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_stream_reuses_one_buffer() -> None:
    image = np.zeros((*SIZE, 3), np.float32)
    pointers = {
        output
        for _, output in stream(
            lambda views: views.__array_interface__["data"][0],  # type: ignore[arg-type, return-value]
            image,
            Patches(SIZE, (1, 1), (1, 1)),
            image,
            8,
        )
    }
    assert len(pointers) == 1


def test_fewer_large_views_go_through_at_once() -> None:
    sizes = [(28, 28), (128, 128), (224, 224), (299, 299), (512, 512), (5000, 4000)]
    assert [at_once(size, 16) for size in sizes] == [16, 16, 8, 4, 1, 1]
    assert at_once((28, 28), 8) == 8


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(name: str) -> None:
    image = np.random.default_rng(2).random((16, 16, 3), np.float32)
    result = baseline(name, image)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    expected = {"black": 0.0, "grey": 0.5, "white": 1.0}
    if name in expected:
        assert (result == expected[name]).all()
    elif name == "mean":
        np.testing.assert_allclose(result[3, 5], image.mean((0, 1)), rtol=1e-6)
    elif name == "blur":
        assert result.std() < image.std() / 4


def test_unknown_baseline() -> None:
    with pytest.raises(ParamError, match=r"A baseline must be one of .*, got 'pink'"):
        baseline("pink", np.zeros((4, 4, 3), np.float32))


def test_resize_is_opencv_and_tensorflow() -> None:
    import cv2
    import tensorflow as tf

    small = np.random.default_rng(5).random((7, 5)).astype(np.float32)
    linear = resize(small, (50, 31), "linear")
    np.testing.assert_allclose(linear, cv2.resize(small, (31, 50)), atol=1e-5)
    cubic = tf.image.resize(small[..., None], (50, 31), method="bicubic").numpy()[..., 0]
    # TensorFlow reads its cubic from a table of 1024 entries
    np.testing.assert_allclose(resize(small, (50, 31), "cubic"), cubic, atol=1e-3)
    assert set(np.unique(resize(small, (50, 31), "nearest"))) <= set(np.unique(small))
