"""Where maps lie on photos whose reason is known: a part of the table, and the page."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import peaks
from tests.hostile.conftest import SOAK
from xai_core.explainer import explaining

QUICK = ("grad-cam", "grad-cam++", "hirescam", "xgrad-cam", "layercam", "ablationcam", "eigencam",
         "reciprocam", "cam", "fem", "saliency", "gradient-x-input", "guided-backprop",
         "occlusion")  # fmt: skip


def held(row: peaks.Row, kept: peaks.Row) -> None:
    """Hold a part of a row's photos to all of them: no more hits than all have, nor more misses."""
    for name in ("on", "near", "blank"):
        hits, all_hits = getattr(row, name), getattr(kept, name)
        assert hits <= all_hits
        assert row.photos - hits <= kept.photos - all_hits
    assert row.inside <= kept.inside
    assert row.honest - row.inside <= kept.honest - kept.inside


def test_peaks_lie_on_the_mark_and_in_the_shape() -> None:
    """On the first photos of the benchmark: the same seeds, so the same photos."""
    kept = {row.method: row for row in peaks.read()}
    count = 2 if SOAK else 1
    rows = peaks.measured(QUICK, photos=count, plain=count)
    assert [row.method for row in rows] == list(QUICK)
    for row in rows:
        assert (row.photos, row.honest, row.blank) == (count, count, 0)
        held(row, kept[row.method])
        assert row.mass > 1.5 * row.area  # chance would put the outline's share into it


@pytest.mark.parametrize("name", ["lime", "rise"] if SOAK else ["lime"])
def test_slow_ones_lie_where_the_table_says(name: str) -> None:
    (row,) = peaks.measured([name], photos=1, plain=0)
    held(row, next(kept for kept in peaks.read() if kept.method == name))


def test_the_middle_of_the_largest_strongest_patch_is_the_peak() -> None:
    values = np.zeros((6, 9), np.float32)
    values[0, 0] = values[2:5, 4:7] = 1
    assert peaks.peak(values) == 3 * 9 + 5
    values[5, 8] = 2
    assert peaks.peak(values) == 5 * 9 + 8
    values[:] = 0
    values[1, 1:5] = -1  # what speaks against is no peak
    assert values.flat[peaks.peak(values)] == 0


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows, page = peaks.read(), peaks.PAGE.read_text()
    assert page == peaks.drawn(page, rows)
    assert {row.method for row in rows} == set(explaining("classification"))
    for row in rows:
        assert row.photos == row.honest == 50
        assert 0 <= row.on <= row.near <= 50 - row.blank
        assert row.area == rows[0].area
    by_name = {row.method: row for row in rows}
    for name in ("fem", "occlusion", "rise", "lime"):  # what the page says of them
        row = by_name[name]
        assert f"{row.on} of 50 lie on it, {row.near} of 50 within" in " ".join(page.split()), name
    assert f"The outline holds {100 * rows[0].area:.0f} % of the photo" in page
    same = [by_name[name] for name in ("cam", "grad-cam", "hirescam", "xgrad-cam")]
    assert len({(row.on, row.near, row.inside) for row in same}) == 1
    assert np.ptp([row.mass for row in same]) < 0.01


def test_honest_photos_hold_a_shape_that_is_named_rightly() -> None:
    for model, view, inside, index in peaks.honest(1):
        assert model.logits(view[None]).argmax() == index
        assert 0.02 < inside.mean() < 0.15
