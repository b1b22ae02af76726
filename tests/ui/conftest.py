"""A desk on a wall without processes, with a model and a photo on it."""

import time

import numpy as np
import pytest
from PIL import Image

from loaders.preprocessing import Options
from tests.conftest import PATIENCE
from tests.fakes.wall import Wall
from ui.desk import Desk
from xai_core.question import Question
from xai_core.target import ClassTarget


@pytest.fixture
def wall(tmp_path, monkeypatch):
    monkeypatch.setattr(Wall, "folder", tmp_path)
    monkeypatch.setattr(Wall, "held", False)
    made = Wall()
    yield made
    made.close()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels.repeat(24, 0).repeat(24, 1)).save(path)
    return path.read_bytes()


def until(desk, ready):
    limit = time.monotonic() + PATIENCE
    while not ready():
        desk.step()
        desk.measure()  # as a page does once it is drawn
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def desk(wall, photo):
    desk = Desk(wall.session("one"))
    desk.upload_model("m.pt", b"m", Options())
    desk.open_photo(photo, name="photo.png", word="photo.png")
    until(desk, lambda: desk.prediction is not None and not desk.pending)
    return desk


def ask(**changes):
    given = {"method": "occlusion", "engine": "ours", "values": {}, "target": ClassTarget(0)}
    return Question(**(given | changes))
