"""The rest of a page waits for its picture: as long as the browser says nothing, and no longer."""

import gc
import threading

import pytest
import streamlit as st
from starlette.applications import Starlette

from tests.fakes.asgi import ask
from ui import first


@pytest.fixture
def tab(monkeypatch):
    """Return a tab's own values, with a browser at its other end."""
    held = {}
    monkeypatch.setattr(st, "session_state", held)
    monkeypatch.setattr(first, "exists", lambda: True)
    monkeypatch.setattr(first, "PATIENCE", 60)
    return held


def test_the_rest_comes_when_the_browser_says_that_the_picture_stands(tab):
    app = Starlette(routes=first.routes())
    first.begin()
    where, ended = first.address(), threading.Event()

    def rest():
        first.wait()
        ended.set()

    thread = threading.Thread(target=rest)
    thread.start()
    assert ask(app, "GET", first.PATH + "/another").status == 204
    assert not ended.wait(0.05)
    assert ask(app, "GET", where).status == 204
    assert ended.wait(60)
    thread.join()
    first.wait()  # and waits no more on this page
    assert first.address() == where
    first.begin()
    assert first.address() != where


def test_a_browser_may_say_it_before_anybody_waits(tab):
    first.begin()
    ask(Starlette(routes=first.routes()), "GET", first.address())
    first.wait()


def test_the_rest_comes_where_nothing_is_said(tab, monkeypatch):
    monkeypatch.setattr(first, "PATIENCE", 0.01)
    first.begin()
    first.wait()
    monkeypatch.setattr(first, "PATIENCE", 60)
    first.wait()  # it had its chance


def test_without_a_browser_nothing_waits(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})
    first.begin()
    assert first.address() == ""
    first.wait()


def test_nothing_is_kept_of_tabs_that_are_gone(tab):
    first.begin()
    name = first.address().rpartition("/")[2]
    assert name in first._all
    tab.clear()
    gc.collect()
    assert name not in first._all
