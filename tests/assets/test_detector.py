"""The built-in detector: what it says of itself, measured on a part of the scenes held out."""

import json

import numpy as np
import pytest

from assets import make_crowds, make_detector, readme
from loaders import catalogue
from loaders.load import load


@pytest.fixture(scope="module")
def model():
    entry = catalogue.detectors()[0]
    return load(entry.path, entry.options, name=entry.name, wanted="detection")


def test_it_finds_what_it_never_saw(model):
    """On the first held-out scenes, with torchvision's own suppression."""
    crowds = make_detector.draw(make_detector.HELD_OUT, 20)
    said = make_detector.measure(model.native(), crowds)
    assert said["precision"] > 0.9
    assert said["recall"] > 0.9


def test_the_readme_says_its_figures():
    (row,) = json.loads(make_detector.INDEX.read_text())
    text = " ".join(readme.README.read_text(encoding="utf-8").split())
    figures = row["accuracy"]
    assert (
        f"its precision is {100 * figures['precision']:.1f} % and its recall "
        f"{100 * figures['recall']:.1f} %" in text
    )
    assert f"learns from {make_detector.TRAIN_SCENES:,} scenes" in text
    assert f"On {make_detector.HELD_OUT_SCENES} such scenes" in text
    assert len(row["classes"]) == 6


def test_boxes_turn_with_their_photo():
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[1:3, 2:7] = 255
    for way in range(8):
        turned, boxes = make_detector.turned(photo, np.array([[2, 1, 7, 3]], np.float32), way)
        left, top, right, bottom = boxes[0].astype(int)
        inside = np.zeros((8, 8), bool)
        inside[top:bottom, left:right] = True
        np.testing.assert_array_equal(turned[..., 0] == 255, inside)


def test_found_boxes_count_once():
    truths = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    found = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 24]], np.float32)
    assert make_detector.matches(found, [0, 0, 1], truths, [0, 1]) == 1
    assert make_detector.matches(found[:1], [1], truths, [0, 1]) == 0


@pytest.mark.parametrize("name", [name for name, *_ in make_crowds.PHOTOS])
def test_it_finds_what_stands_on_the_photos_that_ship(model, name):
    from PIL import Image

    rows = json.loads(make_crowds.INDEX.read_text())
    (row,) = (row for row in rows if row["name"] == name)
    with Image.open(make_crowds.FOLDER / row["file"]) as photo:
        view, _ = model.preprocessing.view(np.array(photo))
    (found,) = model.detect(view[None])
    sure = found.scores >= 0.5
    names = sorted(model.labels[label] for label in found.labels[sure])
    assert names == sorted(thing["name"] for thing in row["things"])
