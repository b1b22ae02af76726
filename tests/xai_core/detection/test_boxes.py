"""Boxes: which stay, held to torchvision's own suppression, and where they lie in the photo."""

import numpy as np
import pytest

from xai_core.detection.boxes import in_photo, kept
from xai_core.model import Detections, Geometry


def some(seed, count=80):
    rng = np.random.default_rng(seed)
    corner, side = rng.uniform(0, 60, (count, 2)), rng.uniform(4, 40, (count, 2))
    boxes = np.concatenate([corner, corner + side], 1).astype(np.float32)
    scores = -np.sort(-rng.random(count)).astype(np.float32)
    return Detections(boxes, rng.integers(0, 3, count).astype(np.int32), scores)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_the_same_boxes_stay_as_in_torchvision(seed, overlap, threshold):
    import torch
    from torchvision.ops import batched_nms

    found = some(seed)
    good = found.scores >= threshold
    boxes = torch.from_numpy(found.boxes[good][:, [1, 0, 3, 2]])
    scores, labels = torch.from_numpy(found.scores[good]), torch.from_numpy(found.labels[good])
    expected = batched_nms(boxes, scores, labels, overlap).numpy()
    np.testing.assert_array_equal(kept(found, threshold, overlap), expected)


def test_none_stays_of_none():
    nothing = Detections(np.empty((0, 4), np.float32), np.empty(0, np.int32), np.empty(0, "f4"))
    assert kept(nothing).shape == (0,)
    assert in_photo(nothing.boxes, Geometry.whole((8, 8))).shape == (0, 4)


def test_boxes_are_brought_to_the_photo_and_cut_at_its_edges():
    # a photo of 60 x 120, padded to a square of 120 and seen at 40 x 40
    geometry = Geometry(photo=(60, 120), box=(-30, 0, 90, 120), view=(40, 40))
    boxes = np.array([[10, 0, 30, 40], [20, 10, 22, 12], [0, 0, 40, 40]], np.float32)
    expected = [[0, 0, 60, 120], [30, 30, 36, 36], [0, 0, 60, 120]]
    np.testing.assert_allclose(in_photo(boxes, geometry), expected)
