"""A model that leaves something open waits beside the desk, and loses nothing."""

import pytest

from loaders.preprocessing import Options
from tests.ui.conftest import until

NAMES = tuple("abcdef")


@pytest.fixture
def waiting(desk):
    """Return a desk beside which a model waits for its class names."""
    desk.upload_model("mine.pth", b"mine", Options(), ask=True)
    until(desk, lambda: desk.found is not None)
    return desk


def test_a_model_that_leaves_something_open_waits(waiting):
    assert waiting.found.name == "mine.pth"
    assert waiting.model.name == "m.pt"
    assert waiting.model.handle.state == "ready"
    assert not waiting.pending


def test_a_model_that_leaves_nothing_open_does_not_wait(desk):
    desk.upload_model("mine.pth", b"mine", Options(classes=NAMES), ask=True)
    until(desk, lambda: desk.model.name == "mine.pth")
    assert desk.found is None


def test_without_an_answer_it_opens_as_it_is(waiting):
    found, before = waiting.found, waiting.model
    waiting.answer_found(classes=None)
    assert waiting.model is found  # it is not loaded again
    assert (waiting.found, before.handle.state, before.path.exists()) == (None, "closed", False)


def test_with_an_answer_it_opens_once_and_asks_no_more(waiting):
    found = waiting.found
    waiting.answer_found(preprocessing="raw")
    assert waiting.found is found  # until the other has loaded
    until(waiting, lambda: waiting.model.name == "mine.pth")
    assert waiting.model.options.preprocessing == "raw"
    assert (waiting.found, found.handle.state) == (None, "closed")
    assert waiting.model.path.exists()


def test_an_answer_that_cannot_be_leaves_it_waiting(waiting):
    waiting.found.path.write_bytes(b"not a model")
    waiting.answer_found(preprocessing="raw")
    until(waiting, lambda: not waiting.pending)
    assert (waiting.found.name, waiting.error_of) == ("mine.pth", "mine.pth")
    assert waiting.found.handle.state == "ready"
    assert waiting.found.path.exists()


def test_discarded_it_leaves_no_file(waiting):
    path = waiting.found.path
    waiting.discard()
    assert (waiting.found, path.exists()) == (None, False)
    assert waiting.model.name == "m.pt"


def test_another_file_takes_its_place_and_room(waiting):
    found = waiting.found
    waiting.upload_model("other.pth", b"other", Options(), ask=True)
    assert (found.handle.state, found.path.exists()) == ("closed", False)
    until(waiting, lambda: waiting.found is not None)
    assert waiting.found.name == "other.pth"


def test_a_built_in_model_that_opens_meanwhile_leaves_it_waiting(waiting, tmp_path):
    found, path = waiting.found, tmp_path / "ours.pth"
    path.write_bytes(b"ours")
    waiting.open_model(path, Options(), name="Ours", word="ours", built_in=True)
    until(waiting, lambda: waiting.model.name == "Ours")
    assert waiting.found is found
    assert found.handle.state == "ready"
    waiting.answer_found()
    assert waiting.model is found


def test_what_was_on_its_way_does_not_take_the_answered_ones_place(waiting, tmp_path):
    found, path = waiting.found, tmp_path / "ours.pth"
    path.write_bytes(b"ours")
    waiting.open_model(path, Options(), name="Ours", word="ours", built_in=True)
    coming = waiting.opening
    waiting.answer_found()
    assert (waiting.model, waiting.opening) == (found, None)
    assert coming.handle.state == "closed"
    until(waiting, lambda: not waiting.pending)
    assert waiting.model is found


def test_a_refusal_names_its_file(desk):
    desk.upload_model("bad.pth", b"not a model", Options(), ask=True)
    until(desk, lambda: not desk.pending)
    assert desk.error_of == "bad.pth"
    desk.upload_model("good.pth", b"good", Options())
    assert (desk.model_error, desk.error_of) == ("", "")
