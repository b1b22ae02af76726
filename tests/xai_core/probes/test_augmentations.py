"""Changes of a photo, and maps brought back: known shapes are where they were, to half a pixel."""

import numpy as np
import pytest

from loaders.preprocessing import preset
from xai_core.errors import ParamError
from xai_core.model import Geometry
from xai_core.probes._augmented import LONGEST, Change, reduced, small
from xai_core.probes._places import back, stay
from xai_core.probes.augmentations import AUGMENTATIONS, changed, moved, named
from xai_core.region import Region

SIZE = (120, 160)


def discs(size=SIZE):
    """Return a photo of a few discs, and the place (row, column) and colour of each."""
    rows, columns = np.indices(size) + 0.5
    photo = np.full((*size, 3), 90, np.uint8)
    places = [(45.0, 60.0), (70.0, 95.0), (52.0, 100.0)]
    for channel, (row, column) in enumerate(places):
        photo[np.hypot(rows - row, columns - column) < 8, channel] = 230
    return photo, places


def middle(weights):
    """Return the weights' centre in pixels from the upper left corner."""
    rows, columns = np.indices(weights.shape) + 0.5
    total = weights.sum()
    return float((rows * weights).sum() / total), float((columns * weights).sum() / total)


def brought(name, strength, photo, prepared, channel):
    """Return the map of a perfect eye, that sees one colour, in the photo's own view."""
    made = changed(name, photo, strength)
    own, was = prepared.view(photo)
    view, now = prepared.view(made.pixels)
    ground = 90 / 255 + 0.12
    sees = np.clip(view[..., channel] - view.mean(2) - 0.02, 0, None)
    found = back(sees.astype(np.float32), was, now, made.places)
    truth = np.where(own[..., channel] > ground + 0.2, own[..., channel], 0)
    return found, truth, was


MOVES = [each.name for each in AUGMENTATIONS.values() if each.moves]


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_map_is_brought_back_to_half_a_pixel(name, fit):
    import dataclasses

    prepared = dataclasses.replace(preset("unit", (96, 96)), fit=fit)
    photo, places = discs()
    strength = {"turned-left": 23, "turned-right": 40, "zoomed-in": 0.4, "zoomed-out": 0.4,
                "cropped": 0.13, "shifted": 0.11}.get(name, 1)  # fmt: skip
    checked = 0
    for channel in range(3):
        found, truth, was = brought(name, strength, photo, prepared, channel)
        known = np.isfinite(found)
        if not known[truth > 0].all():
            continue  # it was cut off
        row, column = middle(np.where(known & (found > 0.1), found, 0))
        wanted = middle(truth)
        assert (row, column) == pytest.approx(wanted, abs=0.25)
        # and that is where the disc is in the photo
        top, left, bottom, right = was.box
        on_photo = (top + row / 96 * (bottom - top), left + column / 96 * (right - left))
        pixel = max(bottom - top, right - left) / 96
        assert on_photo == pytest.approx(places[channel], abs=0.5 * pixel)
        checked += 1
    assert checked >= 1


def test_left_and_right_are_not_confused():
    """Break the way back, and the shapes are elsewhere."""
    prepared = preset("unit", (96, 96))
    photo, _ = discs()
    made = changed("mirrored", photo, 1)
    view, now = prepared.view(made.pixels)
    sees = (view[..., 0] > 0.6).astype(np.float32)
    right, wrong = (back(sees, now, now, places) for places in (made.places, stay))
    assert middle(right)[1] == pytest.approx(60 / 160 * 96, abs=0.5)
    assert middle(wrong)[1] == pytest.approx(100 / 160 * 96, abs=0.5)


def test_a_positive_turn_goes_left():
    photo = np.zeros((101, 101, 3), np.uint8)
    photo[48:53, 90:95] = 255  # right of the middle
    up = changed("turned-left", photo, 90).pixels
    assert middle(up.sum(2).astype(float))[0] < 20
    down = changed("turned-right", photo, 90).pixels
    assert middle(down.sum(2).astype(float))[0] > 80


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - set(MOVES)))
def test_colours_stay_where_they_are(name):
    photo, _ = discs()
    made = changed(name, photo, AUGMENTATIONS[name].usual)
    assert made.places is stay
    assert made.pixels.shape == photo.shape
    assert (made.pixels != photo).any()
    assert (changed(name, photo, AUGMENTATIONS[name].usual).pixels == made.pixels).all()


@pytest.mark.parametrize("each", AUGMENTATIONS.values(), ids=list(AUGMENTATIONS))
def test_strength(each):
    photo, _ = discs()
    assert changed(each.name, photo, 0).pixels is photo
    steps = each.strengths(5)
    assert list(steps) == sorted(steps)
    assert steps[-1] == each.most
    assert 0 < each.usual <= each.most
    small_change, large = (
        np.abs(changed(each.name, photo, s).pixels.astype(float).mean() - photo.mean())
        if each.name in ("brighter", "darker")
        else 0
        for s in (each.most / 10, each.most)
    )
    assert small_change <= large
    with pytest.raises(ParamError, match="must be from 0 to"):
        changed(each.name, photo, each.most * 1.01)
    assert each.words(each.usual).startswith(each.title)


def test_known_values_of_colours():
    photo = np.full((8, 8, 3), 100, np.uint8)
    photo[:4] = 60
    assert (changed("brighter", photo, 0.5).pixels[7] == 150).all()
    assert (changed("darker", photo, 0.5).pixels[0] == 30).all()
    assert (changed("more-contrast", photo, 0.5).pixels[7] == 110).all()
    assert (changed("less-contrast", photo, 1).pixels == 80).all()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert (changed("grey", red, 1).pixels == 60).all()  # 0.299 of it


def test_a_box_moves_alone_and_its_places_with_it():
    photo = np.full((60, 80, 3), 50, np.uint8)
    photo[10:20, 10:20] = 250
    made = changed("shifted", photo, 0.25, box=Region(10, 10, 20, 20))
    assert (made.pixels[25:35, 30:40] == 250).all()
    assert made.pixels[10:20, 10:20].max() <= 60  # filled from round it
    rows, columns = np.array([15.5, 40.5, 28.5]), np.array([15.5, 70.5, 33.5])
    new_rows, new_columns = made.places(rows, columns)
    np.testing.assert_allclose(new_rows, [30.5, 40.5, np.nan])
    np.testing.assert_allclose(new_columns, [35.5, 70.5, np.nan])
    view = Geometry.whole((60, 80))
    sees = (made.pixels[..., 0] > 200).astype(np.float32)
    home = back(sees, view, view, made.places)
    assert middle(np.nan_to_num(home)) == pytest.approx((15, 15), abs=0.5)


def test_what_leaves_the_photo_is_gone():
    photo = np.zeros((20, 20, 3), np.uint8)
    area = np.zeros((20, 20), bool)
    area[5:9, 5:9] = True
    photo[area] = 200
    made = moved(photo, area, (0, 14))
    assert (made.pixels[5:9, 19] == 200).all()
    assert made.pixels[..., 0].astype(bool).sum() == 4


def test_what_is_not_seen_is_no_number():
    view = Geometry.whole((40, 40))
    photo = np.zeros((40, 40, 3), np.uint8)
    made = changed("cropped", photo, 0.25)
    now = Geometry(photo=(30, 30), box=(0.0, 0.0, 30.0, 30.0), view=(40, 40))
    found = back(np.ones((40, 40), np.float32), view, now, made.places)
    assert np.isnan(found[:10]).all()
    assert np.isnan(found[:, :10]).all()
    assert (found[10:, 10:] == 1).all()


def test_a_large_photo_is_reduced_and_its_box_with_it():
    photo = np.zeros((LONGEST * 2, LONGEST, 3), np.uint8)
    made, box = small(photo, Region(100, 50, 300, 150))
    assert made.shape[:2] == (LONGEST, LONGEST // 2)
    assert box.box == [50, 25, 150, 75]
    tiny = np.zeros((10, 10, 3), np.uint8)
    assert reduced(tiny) is tiny


def test_an_unknown_change_is_refused():
    with pytest.raises(ParamError, match="A change must be one of mirrored"):
        named("melted")
    assert Change("mirrored").strength == 0
