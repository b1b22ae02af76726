"""Recordings against a run of today, and what they must say and weigh."""

import io

import numpy as np
import pytest
from PIL import Image

from assets import make_recordings
from loaders import catalogue
from loaders.recordings import recordings, write
from xai_core.explainer import explainers
from xai_core.reel import encoded
from xai_core.task import silent


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)


def apart(coded, wanted, side=16):
    """Return how far the colours of two pictures lie apart, at most, in the mean of a block."""
    height, width = (each // side * side for each in wanted.shape[:2])
    off = (coded - wanted)[:height, :width]
    blocks = off.reshape(height // side, side, width // side, side, 3).mean((1, 3))
    return np.abs(blocks).max()


def test_each_method_with_a_film_has_its_recording():
    missing = set(make_recordings.methods()) ^ set(recordings())
    assert not missing, "python -m assets.make_recordings --only NAME records it"
    assert len(recordings()) >= 3


@pytest.mark.parametrize("method", make_recordings.methods())
def test_a_recording_is_what_a_run_of_today_gives(method):
    film, said = make_recordings.record(method)
    kept = recordings()[method]
    for name in ("engine", "values", "target", "model", "photo"):
        assert getattr(kept, name) == said[name], name
    assert kept.captions == tuple(frame.caption for frame in film.frames)
    assert (kept.said, kept.title, kept.seconds) == (film.still.caption, film.title, film.seconds)
    reel = kept.reel()
    for picture, frame in zip((*reel.frames, reel.still), (*film.frames, film.still), strict=True):
        assert apart(pixels(picture.data), frame.picture) < 9


def test_recordings_are_of_what_ships_and_say_with_what_they_were_made():
    models = {each.name: each for each in catalogue.models()}
    photos = {each.name for each in catalogue.photos()}
    for method, kept in recordings().items():
        assert kept.target in models[kept.model].classes
        assert kept.photo in photos
        assert set(kept.values) == set(explainers()[method].declared())
        assert {"vitrine", "numpy", "torch"} <= set(kept.versions)


def test_they_are_small():
    sizes = [path.stat().st_size for path in make_recordings.FOLDER.iterdir()]
    assert sum(sizes) < 2_000_000


def test_what_is_written_is_what_is_read(tmp_path, monkeypatch):
    film, said = make_recordings.record("occlusion")
    reel = encoded(film, silent, quality=20, method=0)
    (tmp_path / "recordings").mkdir()
    write(tmp_path / "recordings", reel, said)
    monkeypatch.setattr(catalogue, "ASSETS", tmp_path)
    (kept,) = recordings.__wrapped__().values()
    assert [frame.data for frame in kept.reel().frames] == [frame.data for frame in reel.frames]
    assert kept.reel().still.data == reel.still.data
    assert kept.values == said["values"]
