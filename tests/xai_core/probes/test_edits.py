"""A part that a reader draws: its pixels are counted, and what is done with it is seen."""

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.probes.edits import Drawn, edited, words
from xai_core.probes.fills import FILLS

SIZE = (40, 60)


def photo():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def box(top, left, bottom, right, by=(0, 0)):
    return Drawn("box", ((top, left), (bottom, right)), by=by)


def test_a_box_has_its_pixels():
    area = box(5, 8, 15, 20).area(SIZE)
    assert area.sum() == 10 * 12
    assert area[5:15, 8:20].all()
    assert (box(15, 20, 5, 8).area(SIZE) == area).all()


def test_a_polygon_has_its_pixels():
    square = Drawn("polygon", ((10, 10), (10, 30), (30, 30), (30, 10))).area(SIZE)
    assert square[11:29, 11:29].all()
    assert not square[:9].any()
    assert square.sum() == pytest.approx(400, rel=0.06)
    corner = Drawn("polygon", ((0, 0), (0, 40), (40, 0))).area(SIZE)
    assert corner.sum() == pytest.approx(800, rel=0.06)
    assert corner[2, 2]
    assert not corner[38, 38]


def test_a_brush_goes_along_its_points():
    area = Drawn("brush", ((20, 10), (20, 50)), width=6).area(SIZE)
    assert area[18:23, 12:48].all()
    assert not area[:15].any()
    assert not area[26:].any()
    assert Drawn("brush", ((20, 10),), width=1).area(SIZE).sum() == 1
    assert Drawn("brush", ((20.0, 20.0),), width=11).area(SIZE).sum() == pytest.approx(95, abs=15)


@pytest.mark.parametrize("fill", FILLS)
def test_hide_and_keep(fill):
    pixels, part = photo(), box(5, 8, 15, 20)
    area = part.area(SIZE)
    hidden, kept = (edited(pixels, part, act, fill=fill) for act in ("hide", "keep"))
    assert (hidden[~area] == pixels[~area]).all()
    assert (kept[area] == pixels[area]).all()
    assert (hidden[area] != pixels[area]).mean() > 0.5
    assert (kept[~area] != pixels[~area]).mean() > 0.5


def test_move_and_paste():
    pixels, part = photo(), box(5, 8, 15, 20, by=(12, 30))
    away, twice = (edited(pixels, part, act) for act in ("move", "paste"))
    for made in (away, twice):
        assert (made[17:27, 38:50] == pixels[5:15, 8:20]).all()
    assert (twice[5:15, 8:20] == pixels[5:15, 8:20]).all()
    assert (away[5:15, 8:20] != pixels[5:15, 8:20]).mean() > 0.5
    untouched = np.ones(SIZE, bool)
    untouched[5:15, 8:20] = untouched[17:27, 38:50] = False
    assert (away[untouched] == pixels[untouched]).all()


def test_paste_into_another_photo():
    pixels, other = photo(), np.zeros((80, 60, 3), np.uint8)
    made = edited(pixels, box(0, 0, 10, 10), "paste", into=other)
    assert (made[5:15, 0:10] == pixels[:10, :10]).all()  # its middle at an eighth of the height
    assert made.astype(bool).any(2).sum() <= 100
    assert not other.any()


def test_what_was_not_moved_stays():
    for act in ("move", "paste"):
        with pytest.raises(ParamError, match="Say where to first"):
            edited(photo(), box(5, 8, 15, 20), act)
    with pytest.raises(ParamError, match="outside the photo"):
        edited(photo(), box(0, 0, 5, 5, by=(-20, 0)), "paste")


def test_it_says_what_was_done():
    part = box(0, 0, 20, 30)
    assert words(part, "hide", SIZE) == "25\u00a0% of the photo hidden"
    assert words(part, "paste", SIZE, "Star") == "25\u00a0% of the photo pasted into Star"


GOOD = {"kind": "box", "points": [[1, 2], [30, 40]], "width": 0, "by": [0, 0]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "star"}, {"points": []}, {"points": [[1, 2]]}, {"points": [[1, 2], [3]]},
        {"points": [[1, 2], [3, float("nan")]]}, {"points": [[1, 2], [3, 400]]},
        {"points": [[-1, 2], [3, 4]]}, {"points": "x"}, {"width": -1}, {"width": 1e9},
        {"width": "3"}, {"by": [0]}, {"by": [1e6, 0]}, {"kind": "brush"},
        {"kind": "polygon"}, {"kind": "polygon", "points": [[1, 1]] * 5000},
        {"points": [[True, 2], [3, 4]]},
    ],
)  # fmt: skip
def test_what_a_browser_says_is_checked(wrong):
    assert Drawn.read(GOOD, SIZE).points == ((1.0, 2.0), (30.0, 40.0))
    with pytest.raises(ParamError):
        Drawn.read(GOOD | wrong, SIZE)
    for nothing in (None, 3, []):
        with pytest.raises(ParamError):
            Drawn.read(nothing, SIZE)


def test_a_part_without_a_pixel_is_refused():
    with pytest.raises(ParamError, match="Draw a larger one"):
        box(3, 3, 3, 3).area(SIZE)
