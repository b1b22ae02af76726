"""The hiding test finds the shortcut that the built-in model has learned."""

from __future__ import annotations

import numpy as np

from benchmarks import hiding


def test_the_mark_is_found_and_chance_does_not_find_it() -> None:
    """On the first photos of the benchmark: the same seeds, so the same photos and regions."""
    rows = hiding.measured(photos=4, fills=("grey", "blur"), shares=(0.05,))
    for row in rows:
        assert (row.photos, row.taken) == (4, 4)
        assert row.back == 4
        assert row.most == 0
        assert row.drawn <= row.draws / 10
        assert row.passes >= 3


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows = hiding.read()
    assert hiding.PAGE.read_text() == hiding.drawn(hiding.PAGE.read_text(), rows)
    assert [(row.fill, row.share) for row in rows] == [
        (fill, share) for fill in hiding.FILLS for share in hiding.SHARES
    ]
    for row in rows:
        assert (row.photos, row.draws) == (20, 200)
        if row.share == 0.05 and row.fill != "black":
            assert row.back >= 18
            assert row.most <= 2
            assert row.drawn <= 2 * row.draws / row.photos  # two of twenty


def test_the_photos_are_turned_by_the_mark_alone() -> None:
    model, star = hiding.shortcut()
    for case in hiding.cases(model, star, 3):
        assert model.logits(case.view[None]).argmax() == star != case.label
        assert 0.003 < case.marked.mean() < 0.01
        rows, columns = np.nonzero(case.marked)
        side = case.view.shape[0]
        for middle in (rows.mean(), columns.mean()):
            assert min(middle, side - middle) < 0.15 * side
