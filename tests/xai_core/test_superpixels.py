import numpy as np
import pytest

from xai_core import superpixels
from xai_core.errors import ParamError
from xai_core.params import SEGMENTATIONS

RNG = np.random.default_rng(4)
ODD = ((5, 17), (20, 34))  # rows and columns of a small patch that stands out


def photo() -> np.ndarray:
    """Return soft stains with one small bright patch, float32 [96, 128, 3]."""
    coarse = RNG.random((6, 8, 3), np.float32) * 0.3
    soft = coarse.repeat(16, 0).repeat(16, 1) + RNG.normal(0, 0.01, (96, 128, 3))
    soft[slice(*ODD[0]), slice(*ODD[1])] = (1, 0.9, 0)
    return np.clip(soft, 0, 1).astype(np.float32)


@pytest.mark.parametrize("algorithm", SEGMENTATIONS)
@pytest.mark.parametrize("number", [0, 4, 20, 60])
def test_segments_are_numbered_without_a_gap(algorithm: str, number: int) -> None:
    labels = superpixels.cut(photo(), algorithm, number)
    assert labels.dtype == np.int32
    assert labels.shape == (96, 128)
    count = labels.max() + 1
    np.testing.assert_array_equal(np.unique(labels), np.arange(count))
    if number:
        assert count <= (1.5 if algorithm == "slic" else 1.2) * number
        assert count >= 0.6 * number or algorithm == "slic"  # it finds little in a plain photo
    if number and algorithm == "quickshift":
        assert count == number


@pytest.mark.parametrize("algorithm", ["quickshift", "felzenszwalb"])
def test_a_small_part_that_stands_out_stays_alone(algorithm: str) -> None:
    labels = superpixels.cut(photo(), algorithm, 12)
    inside = labels[slice(*ODD[0]), slice(*ODD[1])]
    (index,) = np.unique(inside)
    assert (labels == index).sum() <= 2 * inside.size


def test_joining_takes_the_least_loss_first() -> None:
    row = np.array([0, 0, 0.1, 0.5, 0.55, 1], np.float32)
    view = np.repeat(row[None, :, None], 3, 2)
    fine = np.array([[0, 0, 1, 2, 3, 4]], np.int32)
    joined = [superpixels.joined(fine, view, number).tolist() for number in (4, 3, 2, 1)]
    assert joined[0] == [[0, 0, 1, 2, 2, 3]]  # 1/2 * .05^2 is less than 2/3 * .1^2
    assert joined[1] == [[0, 0, 0, 1, 1, 2]]
    assert joined[2] == [[0, 0, 0, 1, 1, 1]]
    assert joined[3] == [[0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_joining_is_the_slow_transcription(seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = rng.random((10, 12, 3), np.float32)
    labels = superpixels.cut(view, "grid", 60)
    slow = labels.copy()
    while len(np.unique(slow)) > 9:
        best = (np.inf, 0, 0)
        touching = {
            tuple(sorted(pair))
            for one, other in ((slow[1:], slow[:-1]), (slow[:, 1:], slow[:, :-1]))
            for pair in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
            if pair[0] != pair[1]
        }
        for one, other in touching:
            first, second = view[slow == one], view[slow == other]
            weight = len(first) * len(second) / (len(first) + len(second))
            loss = weight * ((first.mean(0) - second.mean(0)) ** 2).sum()
            best = min(best, (float(loss), one, other))
        slow[slow == best[2]] = best[1]
    _, expected = np.unique(slow, return_inverse=True)
    np.testing.assert_array_equal(superpixels.joined(labels, view, 9), expected.reshape(10, 12))


def test_only_neighbours_are_joined() -> None:
    view = np.repeat(np.array([[0, 1, 0, 1]], np.float32)[..., None], 3, 2)
    labels = superpixels.joined(np.array([[0, 1, 2, 3]], np.int32), view, 3)
    assert labels[0, 0] != labels[0, 2]


def test_a_grid_follows_the_views_shape() -> None:
    labels = superpixels.cut(np.zeros((20, 40, 3), np.float32), "grid", 8)
    assert labels.max() == 7
    assert (labels[:10, :10] == 0).all()
    assert (labels[10:, 30:] == 7).all()


def test_means_are_the_slow_ones() -> None:
    view, labels = photo(), superpixels.cut(photo(), "slic", 9)
    for index, colour in enumerate(superpixels.means(view, labels)):
        np.testing.assert_allclose(colour, view[labels == index].mean(0), atol=1e-6)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ParamError, match="one of quickshift, slic, felzenszwalb, grid, got magic"):
        superpixels.cut(np.zeros((4, 4, 3), np.float32), "magic", 2)
