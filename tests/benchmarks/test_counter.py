"""Planted truths: the mark makes the star, and the outline makes the shape."""

from __future__ import annotations

from benchmarks import counter
from tests.hostile.conftest import SOAK

PHOTOS = 4 if SOAK else 2


def test_what_is_planted_is_found_on_the_first_photos() -> None:
    """The same seeds as the benchmark's, so the same photos and regions."""
    rows = counter.measured(photos=PHOTOS)
    for row in rows:
        assert row.photos == PHOTOS
        if "shortcut" in row.done:
            assert row.held >= PHOTOS - 1, row
            assert row.free <= row.apart / 5


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows = counter.read()
    text = counter.PAGE.read_text()
    assert text == counter.page(text, rows)
    assert len(rows) == 11
    for row in rows:
        assert row.photos == counter.PHOTOS == 50
        if "hidden (" in row.done and row.gives == "no star any more":
            assert row.held >= 45
            assert row.free <= row.apart / 10
        if "pasted" in row.done:
            assert row.held >= 35
        if "all but the shape hidden (the mean" in row.done:
            assert row.held >= 45
        if "the shape hidden" in row.done and row.gives == "another label":
            assert row.free == 0  # a region elsewhere never does it
