"""The published models on the page: the list, a download and its end, and no network."""

import dataclasses
import shutil

import pytest

from loaders import catalogue
from tests.conftest import PATIENCE, ROOT
from tests.fakes.publisher import Remote, publishing
from tests.pages.conftest import settle, show
from tests.pages.test_offering import answered, desk, opened, words
from ui import another_model, pretrained
from workers.fetch import Cache
from xai_core.errors import JobError

NAME = "torchvision/resnet50"


@pytest.fixture
def offering(app, wall, tmp_path, monkeypatch):
    """Return a function that opens the page with one published model, from a given address."""
    shutil.copy(ROOT / "assets" / "imagenet_classes.txt", tmp_path / "assets")
    catalogue.imagenet_labels.cache_clear()
    monkeypatch.setattr(wall, "cache", Cache(tmp_path / "cache", scheme="http"))

    def begin(remote):
        given = {"url": remote.url, "checksum": remote.checksum, "bytes": remote.bytes}
        given["frame"] = {"size": (64, 64), "resize": 72}  # the fake model's
        entry = dataclasses.replace(catalogue.find(NAME), **given)
        monkeypatch.setattr(catalogue, "pretrained", lambda: (entry,))
        opened(app)
        show(app, another_model.TITLE)
        return settle(app, lambda app: any(box.key == pretrained.KEY for box in app.selectbox))

    return begin


def chosen(app):
    app.selectbox(pretrained.KEY).select(NAME).run()
    app.button("open-pretrained").click()
    return app


def test_a_title_says_what_is_known():
    entry = catalogue.find("resnet50")
    assert pretrained.title(entry, held=False) == (
        "ResNet50, torchvision: 25.6 M parameters, 80.9\u00a0% top-1, 103 MB"
    )
    assert pretrained.title(entry, held=True).endswith("80.9\u00a0% top-1, already downloaded")
    bare = dataclasses.replace(entry, top1=None, bytes=None)
    assert pretrained.title(bare, held=False) == "ResNet50, torchvision: 25.6 M parameters"


def test_a_published_model_is_fetched_and_opened(offering):
    with publishing(b"weights" * 3000) as publisher:
        publisher.hold_back()
        app = chosen(offering(publisher.remote()))
        settle(app, lambda app: any(button.key == "cancel-fetching" for button in app.button))
        assert desk(app).model.word == "shapes_shortcut"
        publisher.let_go.set()
        settle(app, lambda app: desk(app).model.word == NAME)
    assert "ResNet50 (torchvision)" in words(app)
    assert "80.9\u00a0% top-1 by torchvision&#x27;s own figure" in words(app)
    assert desk(app).model.options.resize == 72
    answered(opened(app))
    assert app.code[0].value.startswith(f"python cli.py explain {NAME} ")
    assert "--resize" not in app.code[0].value
    show(app, another_model.TITLE)
    assert app.selectbox(pretrained.KEY).options[0].endswith("already downloaded")


def test_without_a_network_nothing_is_lost(offering):
    app = chosen(offering(Remote("http://127.0.0.1:9/resnet50.pth")))
    settle(app, lambda app: desk(app).model_error)
    assert "ResNet50 could not be downloaded: 127.0.0.1 cannot be reached" in words(app)
    assert "The built-in models work without a network." in words(app)
    assert desk(app).model.word == "shapes_shortcut"
    assert desk(app).prediction is not None


def test_a_cancelled_download_leaves_the_model(offering):
    with publishing(b"weights" * 3000) as publisher:
        publisher.hold_back()
        app = chosen(offering(publisher.remote()))
        settle(app, lambda app: any(button.key == "cancel-fetching" for button in app.button))
        app.button("cancel-fetching").click()
        settle(app, lambda app: desk(app).fetching is None)
        assert not desk(app).pending
        assert desk(app).model.word == "shapes_shortcut"
        assert not any(button.key == "cancel-fetching" for button in app.button)


def test_another_model_ends_the_download(offering):
    with publishing(b"weights" * 3000) as publisher:
        publisher.hold_back()
        app = chosen(offering(publisher.remote()))
        settle(app, lambda app: desk(app).fetching is not None)
        job = desk(app).slots.work("fetching").job
        show(app, another_model.TITLE)
        app.button("open-built-in").click()
        settle(app, lambda app: desk(app).model.word == "shapes")
        with pytest.raises(JobError, match="cancelled"):
            job.result(PATIENCE)
        assert desk(app).fetching is None
