import io

import numpy as np
import pytest
from PIL import Image

from tests.fakes.explained import explanation
from xai_core import colormaps, render
from xai_core.errors import ParamError
from xai_core.model import Geometry
from xai_core.target import ClassTarget

RNG = np.random.default_rng(5)
CROP = Geometry(photo=(30, 40), box=(3.5, 8.25, 27.5, 32.25), view=(12, 12))


def explained(values, *, signed=False, geometry=None):
    return explanation(values, signed=signed, target=ClassTarget(0), method="m", parameters={},
        engine="ours", geometry=geometry,
    )  # fmt: skip


def slow_to_upload(values, geometry):
    """Each upload pixel on its own, by the textbook's bilinear formula."""
    height, width = values.shape
    top, left, bottom, right = geometry.box
    out = np.zeros(geometry.photo)
    for row in range(geometry.photo[0]):
        for column in range(geometry.photo[1]):
            y = (row + 0.5 - top) / (bottom - top)
            x = (column + 0.5 - left) / (right - left)
            if not (0 <= y < 1 and 0 <= x < 1):
                continue
            y = min(max(y * height - 0.5, 0), height - 1)
            x = min(max(x * width - 0.5, 0), width - 1)
            for r in {int(y), min(int(y) + 1, height - 1)}:
                for c in {int(x), min(int(x) + 1, width - 1)}:
                    out[row, column] += values[r, c] * (1 - abs(y - r)) * (1 - abs(x - c))
    return out


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("magma", "magma"),
        ("cividis", "cividis"),
        ("viridis", "viridis"),
        ("red-blue", "RdBu_r"),
        ("orange-purple", "PuOr_r"),
    ],
)
def test_colour_maps_follow_matplotlib(name, theirs):
    from matplotlib import colormaps as matplotlib_maps

    expected = matplotlib_maps[theirs](np.arange(256))[:, :3] * 255
    assert np.abs(colormaps.table(name) - expected).max() < 7


def test_the_bar_begins_at_zero_for_saliency_and_is_even_for_signed_maps():
    assert render.limits(np.array([[0.2, 3.0]]), signed=False) == (0.0, 3.0)
    assert render.limits(np.array([[1.0, -4.0]]), signed=True) == (-4.0, 4.0)
    assert render.limits(np.zeros((2, 2)), signed=False) == (0.0, 1.0)


def test_zero_is_the_middle_colour_of_a_signed_map_and_the_first_of_saliency():
    values = np.array([[-2.0, 0.0, 2.0]], np.float32)
    assert render.levels(values, signed=True).tolist() == [[0, 128, 255]]
    assert render.levels(np.array([[0.0, 5.0]]), signed=False).tolist() == [[0, 255]]
    assert render.levels(values, signed=True, vmax=1.0).tolist() == [[0, 128, 255]]


def test_maps_that_are_compared_share_a_scale():
    half = render.colours(np.array([[1.0]]), signed=False, vmax=2.0)
    assert (half == colormaps.table("magma")[128]).all()


def test_a_map_with_values_below_zero_is_drawn_round_zero():
    assert render.is_signed(explained(np.array([[1.0, -1.0]])))
    assert not render.is_signed(explained(np.array([[1.0, 0.0]])))
    assert render.scale(explained(np.array([[1.0, -3.0]]))) == (-3.0, 3.0)


def test_a_colour_map_of_the_other_kind_is_refused():
    with pytest.raises(ParamError, match="unsigned map is one of magma"):
        render.colours(np.ones((2, 2)), signed=False, cmap="red-blue")


@pytest.mark.parametrize(
    "geometry",
    [
        CROP,
        Geometry(photo=(9, 17), box=(0, 0, 9, 17), view=(12, 12)),
        Geometry(photo=(40, 20), box=(0, -10, 40, 30), view=(12, 12)),
    ],
    ids=["crop", "stretch", "pad"],
)
def test_the_way_back_to_the_upload_equals_the_slow_formula(geometry):
    values = RNG.normal(size=(12, 12)).astype(np.float32)
    found = render.to_upload(values, geometry)
    assert found.dtype == np.float32
    assert found.shape == geometry.photo
    np.testing.assert_allclose(found, slow_to_upload(values, geometry), atol=1e-5)


def test_outside_the_view_there_is_nothing():
    found = render.to_upload(np.ones((12, 12), np.float32), CROP)
    assert found[10, 20] == 1
    assert found[:3].max() == found[28:].max() == found[:, :8].max() == found[:, 33:].max() == 0


def test_a_view_that_is_the_upload_comes_back_unchanged():
    values = RNG.normal(size=(12, 12)).astype(np.float32)
    np.testing.assert_allclose(
        render.to_upload(values, Geometry.whole((12, 12))), values, atol=1e-6
    )


def test_the_overlay_colours_the_strongest_and_leaves_the_rest():
    photo = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    values = np.zeros((12, 12), np.float32)
    values[6, 6] = 2
    made = render.overlay(photo, explained(values, geometry=CROP), opacity=1.0)
    changed = (made != photo).any(-1)
    assert 0 < changed.sum() <= 25
    row, column = np.unravel_index(
        render.to_upload(values, CROP).argmax(), photo.shape[:2]
    )  # fmt: skip
    assert changed[row, column]
    assert (render.overlay(photo, explained(values, geometry=CROP), opacity=0.0) == photo).all()


def test_the_overlay_of_full_opacity_is_the_colour_where_the_evidence_is_strongest():
    photo = np.zeros((4, 4, 3), np.uint8)
    made = render.overlay(photo, explained(np.ones((4, 4))), opacity=1.0)
    assert (made == colormaps.table("magma")[255]).all()


def test_a_blank_map_leaves_the_photo():
    photo = RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    assert (render.overlay(photo, explained(np.zeros((12, 12)))) == photo).all()


def test_png_keeps_every_pixel():
    photo = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(render.png(photo)))) == photo).all()


def test_a_photo_for_the_screen_is_no_larger_than_asked():
    shown = Image.open(io.BytesIO(render.jpeg(np.zeros((900, 300, 3), np.uint8), longest=450)))
    assert shown.size == (150, 450)


def test_grey_is_pillows_luminance() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(pixels).convert("L"), np.int64)
    assert np.abs(render.grey(pixels)[..., 0] - theirs).max() <= 1
