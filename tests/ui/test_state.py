import time

import pytest

from tests.fakes.wall import Wall
from ui import state


@pytest.fixture
def wall(tmp_path, monkeypatch):
    monkeypatch.setattr(Wall, "folder", tmp_path)
    monkeypatch.setattr(state, "GRACE", 0.2)
    made = Wall()
    yield made
    made.close()


def test_models_end_soon_after_their_visitor_left(wall):
    session = wall.session("a")
    state.Presence("a", wall).leave()
    assert not session.closed
    limit = time.monotonic() + 5
    while not session.closed:
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_who_comes_back_in_time_loses_nothing(wall):
    session = wall.session("a")
    state.Presence("a", wall).leave()
    state.Presence("a", wall)
    time.sleep(0.5)
    assert not session.closed


def test_who_reconnects_without_a_word_loses_nothing_and_leaves_later(wall, monkeypatch):
    session = wall.session("a")
    connected = [True]
    monkeypatch.setattr(state, "here", lambda key: connected[0])
    state.Presence("a", wall).leave()
    time.sleep(0.5)
    assert not session.closed
    connected[0] = False
    limit = time.monotonic() + 5
    while not session.closed:
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_one_who_leaves_takes_nobody_along(wall):
    first, second = wall.session("a"), wall.session("b")
    state.Presence("b", wall)
    state.Presence("a", wall).leave()
    limit = time.monotonic() + 5
    while not first.closed:
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert not second.closed
