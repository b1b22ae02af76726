"""The doctor's limits chosen on other models: on trials whose leads are planted."""

import math

import pytest

from benchmarks import doctor_limits
from benchmarks.doctor_limits import Asking, counted, left_out, lines, reach
from loaders.doctor import LIMITS, Trial


def asking(right, lead, known=True):
    """Return a photo on which another preset is more plausible by `lead`."""

    def one(preset, own, log):
        chance = math.exp(log) if known else None
        return Trial(
            preset=preset, channels="rgb", fit="stretch", resize=0, own=own, top=0,
            probability=0.5, entropy=-log / math.log(2), known=chance,
        )  # fmt: skip

    return Asking(right, known, [one("unit", True, -1 - lead), one("raw", False, -1)])


MODELS = {
    "calm": [asking(True, 0.2), asking(False, 1.2), asking(False, 1.2, known=False)],
    "loud": [asking(True, 1.7), asking(False, 2.2), asking(False, 9.0)],
    "its twin": [asking(True, 1.7), asking(False, 2.2)],
}
KIN = {"calm": "a", "loud": "b", "its twin": "b"}


def test_what_is_said_is_counted():
    every = [each for askings in MODELS.values() for each in askings]
    assert counted(every) == (0, 3, 3, 4, 0, 0, 0, 1)
    assert counted(MODELS["loud"], LIMITS.__class__(margin=1.5)) == (1, 1, 2, 2, 0, 0, 0, 0)


def test_each_is_judged_by_what_the_others_choose():
    found = left_out(MODELS, KIN)
    limits, counts = found["calm"]
    assert limits.margin == 2.0  # over 1.7, which is a false alarm, and under 2.2
    assert counts == (0, 1, 0, 1, 0, 0, 0, 1)
    limits, counts = found["loud"]  # its twin has no say: 0.2 and 1.2 alone
    assert limits.margin in (0.5, 1.0)
    assert counts == (1, 1, 2, 2, 0, 0, 0, 0)


def test_how_far_a_limit_may_move():
    every = [each for askings in MODELS.values() for each in askings]
    low, high = reach(every, "margin")
    assert low == pytest.approx(1.7, rel=doctor_limits.STEP - 1)
    assert high == pytest.approx(2.2, rel=doctor_limits.STEP - 1)
    assert low >= 1.7
    assert high < 2.2
    said = lines(MODELS, KIN)
    assert said[-4].startswith("| none: as they are | 2 | 0.2 | 1.6 | 0 of 3 | 3 of 4 |")
    assert said[-5].startswith("| all, each left out |  |  |  | 2 of 3 | 3 of 4 | 0 of 0 | 0 of 1")
    assert said[-2].startswith(
        f"No figure changes while the lead lies from {low:.3g} to {high:.3g},"
    )
