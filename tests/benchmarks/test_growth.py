"""The page of how cost grows: it is what was measured, and its powers are those of the points."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import growth


def test_the_page_is_what_was_measured() -> None:
    told = json.loads(growth.DATA.read_text())
    page = growth.PAGE.read_text()
    assert page == growth.drawn(page, told), "docs/growth.md is stale: -m benchmarks.growth --draw"
    points = {(each["model"], each["side"], each["passes"]): each for each in told["points"]}
    assert set(points) == {run for runs in growth.SERIES.values() for run in runs}
    runs = [points[run] for run in growth.SERIES["passes"]]
    x, y = (np.log([run[name] for run in runs]) for name in ("passes", "seconds"))
    slope = ((x - x.mean()) * (y - y.mean())).sum() / np.square(x - x.mean()).sum()
    assert f"CPU time grows as the passes to the power {slope:.2f} (from 250 to 16,000)" in page
    held = [run["memory"] for run in runs]
    assert f"a run held {min(held):.0f} to {max(held):.0f} MB more however many its passes" in page
    with Image.open(growth.PLOT) as plot:
        assert plot.size == (1000, 460)
    assert growth.PLOT.stat().st_size < 100_000


def test_a_power_is_that_of_planted_points() -> None:
    x = np.array([1.0, 3.0, 10.0, 70.0])
    assert growth.exponent(list(zip(x, 5 * x**1.5, strict=True))) == pytest.approx(1.5)


def test_multiplications_are_those_of_the_closed_form() -> None:
    from torch import nn

    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 5),
    )  # fmt: skip
    assert growth.multiplications(module, 10) == 10 * 10 * 8 * 3 * 9 + 8 * 5
