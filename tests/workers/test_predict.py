"""What is found of a photo when a model is asked about it."""

from types import SimpleNamespace

import numpy as np
import pytest

from loaders.preprocessing import preset
from workers.tasks.predict import BLANK, Predict
from xai_core.model import Head
from xai_core.task import Bench


def said(pixels: np.ndarray) -> str:
    model = SimpleNamespace(
        preprocessing=preset("unit", (32, 32)),
        head=Head("softmax"),
        logits=lambda views: np.zeros((len(views), 3), np.float32),
    )
    found = Predict(pixels=pixels).run(Bench(model=model), lambda *_: None).findings
    assert {(each.level, each.about) for each in found} <= {("warning", "photo")}
    return " ".join(each.message for each in found)


def plain(level: int) -> np.ndarray:
    return np.full((64, 64, 3), level, np.uint8)


@pytest.mark.parametrize("level", [0, 130, 255])
def test_a_photo_of_one_colour_is_blank(level: int) -> None:
    assert "is blank, of one colour" in said(plain(level))


def test_noise_in_the_dark_is_almost_blank() -> None:
    pixels = plain(10)
    pixels[16:32, :, 1] += BLANK - 4
    assert f"almost blank: none of its colours differ by more than {BLANK - 4} of" in said(pixels)


def test_a_faint_thing_or_a_small_one_is_something() -> None:
    faint, small = plain(10), plain(255)
    faint[16:32, :, 1] += BLANK
    small[10:12, 10:12] = 0
    assert said(faint) == said(small) == ""


def test_a_small_photo_may_be_blank_besides() -> None:
    found = said(np.zeros((8, 8, 3), np.uint8))
    assert "is small (8 x 8 pixels)" in found
    assert "is blank" in found
