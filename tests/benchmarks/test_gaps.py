"""What integrated gradients leaves over: the page, and a part of it measured again."""

from __future__ import annotations

import pytest

from benchmarks import gaps
from loaders import catalogue
from tests.hostile.conftest import SOAK


def test_what_was_measured_holds_and_stands_on_the_page() -> None:
    rows = gaps.read()
    assert gaps.PAGE.read_text() == gaps.drawn(gaps.PAGE.read_text(), rows)
    assert [(row.model, row.steps) for row in rows] == [
        (entry.name, steps) for entry in catalogue.models() for steps in (50, 300)
    ]
    photos = {sample.path.stem for sample in catalogue.photos()}
    for row in rows:
        assert row.gaps.keys() == photos
        assert row.median < 0.01
    few, many = rows[::2], rows[1::2]
    for one, other in zip(few, many, strict=True):
        assert other.median < one.median / 3


@pytest.mark.parametrize("name", ["shapes_shortcut"])
def test_a_part_of_it_comes_out_again(name: str) -> None:
    kept = {row.steps: row for row in gaps.read() if row.model == name}
    for row in gaps.measured((50, 300) if SOAK else (50,), [name], photos=1):
        assert len(row.gaps) == 1
        for photo, gap in row.gaps.items():
            # the rounding of another machine may lie to the other side of a ReLU's bend
            assert gap == pytest.approx(kept[row.steps].gaps[photo], abs=0.0005)
            assert 0 < gap < 0.01
