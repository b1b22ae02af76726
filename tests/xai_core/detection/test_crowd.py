"""Where maps of several boxes lie: drawn by hand, and on a detector."""

import dataclasses

import numpy as np
import pytest

from tests.fakes import boxes
from xai_core.detection import crowd
from xai_core.explainer import explaining, make
from xai_core.target import BoxTarget

FAR = ((0.0, 0.0, 4.0, 4.0), (0.0, 4.0, 4.0, 8.0), (6.0, 6.0, 8.0, 8.0))


@pytest.fixture(scope="module")
def real():
    model, view = boxes.detector(), boxes.view()
    targets = [boxes.target(model, view, place) for place in (0, 3, 5)]
    method = make("grad-cam", {}, size=model.input_size)
    return method.explain_all(model, view, targets)


def drawn(real, maps, places=FAR):
    """Return explanations of boxes of class 0 whose maps are these."""
    return [
        dataclasses.replace(
            real[0],
            attribution=np.asarray(values, np.float32),
            question=dataclasses.replace(real[0].question, target=BoxTarget(place, 0)),
        )
        for values, place in zip(maps, places, strict=True)
    ]


def test_shares_are_counted_pixel_by_pixel(real):
    flat = np.ones((8, 8))
    flat[7, 0] = -50  # what speaks against a box is no evidence for it
    own, left, none = np.zeros((3, 8, 8))
    own[1, 1], own[1, 5] = 3, 1
    left[2, 5] = 2
    made = drawn(real, (own, left, flat))
    first, second, third = crowd.shares(made)
    assert (first.own, first.others, first.elsewhere) == (0.75, 0.25, 0.0)
    assert (second.own, second.others) == (1.0, 0.0)
    assert (third.own, third.others) == pytest.approx((4 / 63, 32 / 63))
    assert third.elsewhere == pytest.approx(27 / 63)
    said = crowd.sentences("It", drawn(real, (own, left, none)))
    assert said[0] == (
        "It: of what speaks for a box 88\u00a0% lies in that box, 12\u00a0% in the other 2 boxes "
        "and 0\u00a0% in none of them, on average."
    )
    like = np.corrcoef(own.ravel(), left.ravel())[0, 1]
    assert said[1].startswith(f"Two boxes\u2019 maps correlate with {like:.2f} on average")
    assert said[2] == "1 map is blank and counted in none of these."
    assert crowd.sentences("It", drawn(real, (none, none, none))) == [
        "It: the maps of all 3 boxes are blank."
    ]


def test_what_two_boxes_share_is_each_ones_own(real):
    places = ((0.0, 0.0, 4.0, 4.0), (2.0, 2.0, 6.0, 6.0))
    (one, other) = crowd.shares(drawn(real, np.ones((2, 8, 8)), places))
    assert (one.own, one.others) == (16 / 64, 12 / 64) == (other.own, other.others)


def test_a_photos_own_numbers_are_said(real):
    (first, *_) = real
    positive = np.maximum(first.attribution, 0)
    top, left, bottom, right = first.target.box
    middle = np.arange(boxes.SIDE) + 0.5
    own = np.outer((middle >= top) & (middle <= bottom), (middle >= left) & (middle <= right))
    (share, *_) = crowd.shares(real)
    assert share.own == pytest.approx(positive[own].sum() / positive.sum(), rel=1e-5)
    assert crowd.sentences("Grad-CAM", real)[0].startswith("Grad-CAM: of what speaks for a box ")


def test_a_method_that_averages_and_one_that_does_not_are_known():
    found = {cls.slopes_are for cls in explaining("detection").values()}
    assert found == {"", "averaged", "by cell"}
