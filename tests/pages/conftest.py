"""Pages on a wall without processes, so that they run in a second."""

import gc
import json
import time

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from loaders import catalogue, recordings
from tests.conftest import PATIENCE, ROOT
from tests.fakes.wall import Wall
from ui import dialogs, state

CLASSES = ["arrow", "crescent", "cross", "heart", "ring", "star"]


@pytest.fixture(autouse=True, scope="module")
def _a_small_heap():
    """Keep what other tests imported out of the collection that ends each run of a page."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def wall(tmp_path, monkeypatch):
    """Return the fake wall that the pages will use."""
    assets = tmp_path / "assets"
    (assets / "models").mkdir(parents=True)
    (assets / "photos").mkdir()
    (assets / "models" / "tiny.pth").write_bytes(b"tiny")
    rows = [
        {"name": name, "title": title, "framework": "torch", "trained_on": "Drawn shapes.",
         "file": "tiny.pth", "classes": CLASSES}
        for name, title in (("shapes", "Shapes"), ("shapes_shortcut", "Shapes with a shortcut"))
    ]  # fmt: skip
    (assets / "models" / "models.json").write_text(json.dumps(rows))
    (assets / "models" / "detectors.json").write_text("[]")
    # Large patches, so that the fake model's 8x8 cells differ.
    photo = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    photo = photo.repeat(20, 0).repeat(20, 1)
    for name in ("star", "heart_marked"):
        Image.fromarray(photo).save(assets / "photos" / f"{name}.png")
    rows = [{"title": name.title(), "file": f"{name}.png"} for name in ("star", "heart_marked")]
    (assets / "photos" / "photos.json").write_text(json.dumps(rows))
    (assets / "recordings").symlink_to(ROOT / "assets" / "recordings")
    monkeypatch.setattr(catalogue, "ASSETS", assets)
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(Wall, "folder", spool)
    monkeypatch.setattr(Wall, "held", False)
    monkeypatch.setattr(state, "Wall", Wall)
    caches = (catalogue.models, catalogue.detectors, catalogue.photos, recordings.recordings)
    for cache in caches:
        cache.cache_clear()
    for cache in (state.wall, state.visitors):
        cache.cache_clear()
    yield Wall
    state.visitors().close()
    for cache in (state.wall, state.visitors):
        cache.cache_clear()
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def app(wall):
    """Return the app on its first page, not yet run."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)


def settle(app, until):
    """Run the app until `until(app)` holds: what a browser's polling does."""
    limit = time.monotonic() + PATIENCE
    while True:
        app.run()
        assert not app.exception, app.exception[0].message
        if until(app):
            return app
        assert time.monotonic() < limit, "the page did not get there"


def show(app, dialog):
    """Open a dialog, as its button does, and draw it."""
    app.session_state[dialogs.OPEN] = dialog
    return app.run()
