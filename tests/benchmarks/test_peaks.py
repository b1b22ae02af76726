"""Where maps lie on photos whose reason is known: a part of the table, and the page."""

from __future__ import annotations

import numpy as np

from benchmarks import peaks
from xai_core.explainer import explainers

QUICK = ("grad-cam", "grad-cam++", "hirescam", "xgrad-cam", "layercam", "ablationcam", "eigencam",
         "reciprocam", "cam", "fem", "saliency", "gradient-x-input", "guided-backprop")  # fmt: skip


def test_peaks_lie_on_the_mark_and_in_the_shape() -> None:
    """On the first photos of the benchmark: the same seeds, so the same photos."""
    rows = peaks.measured(QUICK, photos=2, plain=2)
    assert [row.method for row in rows] == list(QUICK)
    for row in rows:
        assert (row.photos, row.honest, row.blank) == (2, 2, 0)
        if row.method == "fem":  # it marks several cells alike
            assert row.near >= 1
        else:
            assert row.on == 2
        assert row.inside >= 1
        assert row.mass > 1.5 * row.box  # chance would put the box's share into it


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows = peaks.read()
    assert peaks.PAGE.read_text() == peaks.drawn(peaks.PAGE.read_text(), rows)
    named = {row.method for row in rows}
    family = {name for name, cls in explainers().items() if cls.family == "activation maps"}
    assert family <= named <= set(explainers())
    family = {name for name, cls in explainers().items() if cls.family == "gradients"}
    assert family <= named
    for row in rows:
        assert row.photos == row.honest == 50
        assert 0 <= row.on <= row.near <= 50 - row.blank
    by_name = {row.method: row for row in rows}
    fem = by_name["fem"]
    assert f"{fem.on} of 50 lie\n  on it, {fem.near} of 50" in peaks.PAGE.read_text()
    same = [by_name[name] for name in ("cam", "grad-cam", "hirescam", "xgrad-cam")]
    assert len({(row.on, row.near, row.inside) for row in same}) == 1
    assert np.ptp([row.mass for row in same]) < 0.01


def test_honest_photos_hold_a_shape_that_is_named_rightly() -> None:
    for model, view, inside, index in peaks.honest(1):
        assert model.logits(view[None]).argmax() == index
        assert 0.02 < inside.mean() < 0.4
