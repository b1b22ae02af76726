import numpy as np
import pytest

from tests.fakes.explained import explanation
from tests.xai_core.test_report import explained, numbers
from xai_core import region
from xai_core.errors import ParamError
from xai_core.grain import Superpixels
from xai_core.model import Geometry
from xai_core.region import Region
from xai_core.target import ClassTarget

RNG = np.random.default_rng(4)
ASKED = "\u201cstar\u201d"
FINE = 24
"""Steps a side into which the slow count cuts each pixel of the photo."""


def slow(values, geometry, marked):
    """Drop a lattice of points on the photo and count, for each, the cell that it lies in."""
    top, left, bottom, right = geometry.box
    held = np.zeros(values.shape)
    fine = (np.arange(FINE) + 0.5) / FINE
    area = ((bottom - top) / values.shape[0]) * ((right - left) / values.shape[1])
    for row in range(marked.top, marked.bottom):
        for column in range(marked.left, marked.right):
            down = np.floor((row + fine - top) / (bottom - top) * values.shape[0]).astype(int)
            across = np.floor((column + fine - left) / (right - left) * values.shape[1]).astype(int)
            for one in down[(down >= 0) & (down < values.shape[0])]:
                for other in across[(across >= 0) & (across < values.shape[1])]:
                    held[one, other] += 1 / FINE**2 / area
    return held


GEOMETRIES = {
    "whole": Geometry.whole((6, 8)),
    "stretched": Geometry((12, 8), (0.0, 0.0, 12.0, 8.0), (6, 8)),
    "cropped": Geometry((10, 20), (1.0, 4.0, 9.0, 15.0), (6, 8)),
    "padded": Geometry((6, 12), (-3.0, 0.0, 9.0, 12.0), (6, 8)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("corner", [(0, 0, 3, 5), (2, 3, 6, 8), (1, 0, 5, 2)])
def test_the_shares_equal_a_count_of_points(name, corner):
    geometry, marked = GEOMETRIES[name], Region(*corner)
    values = RNG.normal(size=(6, 8)).astype(np.float32)
    found = region.facts(explained(values, signed=True, geometry=geometry), marked)
    held = slow(values, geometry, marked)
    for side, name in ((values, "evidence"), (-values, "against")):
        wanted = (np.maximum(side, 0) * held).sum() / np.maximum(side, 0).sum()
        assert found[name] == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_an_even_map_gives_each_region_its_area(name):
    geometry = GEOMETRIES[name]
    top, left = (int(max(at, 0)) for at in geometry.box[:2])
    bottom, right = (int(min(pair)) for pair in zip(geometry.box[2:], geometry.photo, strict=True))
    tall, wide = bottom - top, right - left
    found = region.facts(
        explained(np.ones((6, 8)), geometry=geometry),
        Region(top, left, top + tall // 2, left + wide // 4),
    )
    area = (tall // 2) * (wide // 4) / (tall * wide)
    assert found["area"] == pytest.approx(area)
    assert found["seen"] == 1
    # beside a padded photo lies evidence that no region of the photo holds
    inside = tall * wide / np.prod(np.subtract(geometry.box[2:], geometry.box[:2]))
    assert found["evidence"] == pytest.approx(area * inside)


def test_parts_of_pixels_count_by_the_part():
    geometry = Geometry((4, 4), (0.0, 0.0, 4.0, 4.0), (2, 2))
    found = region.facts(
        explained([[1, 0], [0, 3]], geometry=geometry), Region(0, 0, 1, 1)
    )  # a quarter of the first cell
    assert found["evidence"] == pytest.approx(1 / 16)
    assert found["area"] == pytest.approx(1 / 16)


def test_a_region_outside_the_view_is_not_seen():
    geometry = Geometry((10, 20), (0.0, 5.0, 10.0, 15.0), (5, 5))
    made = explained(np.ones((5, 5)), geometry=geometry)
    found = region.facts(made, Region(0, 0, 10, 5))
    assert found == {"evidence": 0, "against": 0, "area": 0, "seen": 0}
    assert region.sentences(made, Region(0, 0, 10, 5), ASKED) == [
        "The model does not see the marked region."
    ]
    half = region.sentences(made, Region(0, 0, 10, 10), ASKED)
    assert half[0].startswith(
        "The marked region holds 50\u00a0% of the evidence for \u201cstar\u201d"
    )
    assert "of what the model sees of the photo, just its share." in half[0]
    assert half[1] == "The model does not see 50\u00a0% of the region."


def test_the_sentence_says_share_area_and_density():
    values = np.zeros((10, 10))
    values[:2, :5] = 1
    values[5:] = 0.2
    said = region.sentences(explained(values), Region(0, 0, 2, 5), ASKED)
    assert numbers(said[0]) == [50, 10]
    assert said[0].endswith("of the photo, 5 times its share.")
    assert len(said) == 1


def test_a_signed_map_has_both_sides_said():
    values = np.zeros((10, 10))
    values[0, :4], values[9, :5] = 1, -1
    values[0, 9] = -5
    said = region.sentences(explained(values, signed=True), Region(0, 0, 1, 10), ASKED)
    assert numbers(said[0]) == [100, 10]
    assert said[1] == "Of what speaks against, it holds 50\u00a0%, 5 times its share."
    said = region.sentences(explained(values, signed=True), Region(2, 0, 4, 10), ASKED)
    assert said == [
        f"The marked region holds none of the evidence for {ASKED} on 20\u00a0% of the photo.",
        "Of what speaks against, it holds none.",
    ]


def test_a_blank_map_has_nothing_to_share():
    said = region.sentences(explained(np.zeros((4, 4))), Region(0, 0, 2, 2), ASKED)
    assert said == [
        "The marked region is 25\u00a0% of the photo, and the map holds no evidence for "
        "\u201cstar\u201d."
    ]


def test_a_map_of_parts_is_measured_by_their_weights():
    """A large and a small superpixel of the same weight hold the same evidence."""
    labels = np.zeros((4, 4), np.int32)
    labels[0, 0] = 1
    weights = np.array([0.5, 0.5])
    made = explanation(weights[labels].astype(np.float32),
        signed=True, target=ClassTarget(0), method="lime", parameters={}, engine="ours",
        grain=Superpixels(labels=labels, weights=weights),
    )  # fmt: skip
    assert region.facts(made, Region(0, 0, 1, 1))["evidence"] == pytest.approx(0.5)


@pytest.mark.parametrize("box", [[0, 0, 1, 1], [2, 3, 10, 20], [0.0, 0.0, 10.0, 20.0]])
def test_what_a_browser_sends_is_read_back_as_it_was(box):
    found = Region.read(box, (10, 20))
    assert found.box == box
    assert all(type(at) is int for at in found.box)


@pytest.mark.parametrize(
    "box",
    [
        None, "0123", {}, [], [0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1], [3, 0, 2, 1], [0, 5, 1, 5],
        [-1, 0, 1, 1], [0, 0, 11, 1], [0, 0, 1, 21], [0, 0, 0.5, 1], [0, 0, float("nan"), 1],
        [0, 0, float("inf"), 1], [0, 0, 1e308, 1], [0, 0, True, 1], ["0", 0, 1, 1], [None] * 4,
        [[0], 0, 1, 1], [0, 0, 10**5000, 1],
    ],
)  # fmt: skip
def test_rubbish_from_a_browser_is_refused(box):
    with pytest.raises(ParamError, match="A region"):
        Region.read(box, (10, 20))
