"""The masking curve: no number on its axes is cut off at an edge of the picture."""

import dataclasses
import re

import numpy as np
import pytest

from tests.fakes.linear import LinearModel
from xai_core.probes.masking import Masking
from xai_core.report import curve
from xai_core.target import ClassTarget
from xai_core.task import silent

SIZE = (20, 16)
WIDEST = 0.7
"""Of the letters' height: more than a digit, a space and a per cent sign take on average."""


@pytest.mark.parametrize(("way", "of"), [("hide", "logit"), ("keep", "logit"), ("hide", "unit")])
def test_each_number_of_the_axes_ends_inside_the_picture(way, of):
    rng = np.random.default_rng(1)
    model = LinearModel(rng.normal(size=(3, *SIZE, 3)).astype(np.float32))
    task = Masking(
        pixels=np.zeros((4, 4, 3), np.uint8),
        attribution=rng.random(SIZE).astype(np.float32),
        target=ClassTarget(1),
        draws=2,
        way=way,
    )
    made = task.masked(model, rng.random((*SIZE, 3), np.float32), silent)
    if of == "unit":  # a score, and one of many letters
        plain = {"probabilities": None, "firsts": None}
        parts = {
            name: dataclasses.replace(
                getattr(made, name), scores=getattr(made, name).scores * -0.000123, **plain
            )
            for name in ("whole", "blank", "strongest", "least", "brightest", "random")
        }
        made = dataclasses.replace(made, **parts)
    drawn = curve.svg(made, 3)
    wide = float(re.search(r'viewBox="0 0 (\d+) ', drawn)[1])
    size = float(re.search(r'font-size="(\d+)"', drawn)[1])
    found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)">([^<]+)<', drawn)
    assert sum(anchor == "middle" for _, anchor, _ in found) == len(curve.TICKS)
    assert "100\u00a0%" in {name for _, _, name in found}
    for x, anchor, name in found:
        width = WIDEST * size * len(name)
        left = float(x) - width * {"middle": 0.5, "end": 1.0}[anchor]
        assert left >= 0, name
        assert left + width <= wide, name
