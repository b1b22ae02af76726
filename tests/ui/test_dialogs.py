"""Dialogs: one at a time, open until they are closed, whatever runs in between."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE


def script():
    from types import SimpleNamespace

    import streamlit as st

    from ui import dialogs

    number = st.session_state.setdefault("number", 0)
    found = st.session_state.setdefault("found", None)
    said = st.session_state.setdefault("said", "")
    desk = SimpleNamespace(model=SimpleNamespace(id=number), opening=None, found=found)
    vars(desk).update(fetching=None, refused=None, model_error=said)
    dialogs.begin()

    def first(desk):
        st.text("the first")
        if st.button("Close from the script"):
            dialogs.close()
        st.button("Close from a callback", on_click=dialogs.shut)
        if st.button("Open another model"):
            dialogs.again()
        if st.button("Open one that is there"):
            st.session_state["number"] = 2
            dialogs.again()

    def second(desk):
        st.text("the second")

    for title in ("First", "Second", "Third"):
        st.button(title, on_click=dialogs.opens, args=(title,))
    third = dialogs.Dialog("Third", second, follows=dialogs.nothing)
    dialogs.draw(desk, [dialogs.Dialog("First", first), dialogs.Dialog("Second", second), third])
    held = [dialogs.holds(desk)]
    desk.model_error = "It was refused."
    held.append(dialogs.holds(desk))
    st.session_state["held"] = held


@pytest.fixture
def app():
    return AppTest.from_function(script, default_timeout=PATIENCE).run()


def press(app, label):
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception


def shown(app):
    return [each.value for each in app.text]


def test_none_is_open_before_its_button_is_pressed(app):
    assert shown(app) == []


@pytest.mark.parametrize("way", ["Close from the script", "Close from a callback"])
def test_a_dialog_stays_until_it_is_closed_and_opens_again(app, way):
    for _ in range(2):
        press(app, "First")
        app.run()
        assert shown(app) == ["the first"]
        press(app, way)
        assert shown(app) == []


def test_one_takes_the_others_place(app):
    press(app, "First")
    press(app, "Second")
    assert shown(app) == ["the second"]


def test_one_that_waits_closes_with_another_model(app):
    press(app, "First")
    press(app, "Open another model")
    assert shown(app) == ["the first"]  # it may be refused yet
    app.session_state["number"] = 1
    app.run()
    assert shown(app) == []


def test_one_that_waits_stays_while_a_file_has_questions(app):
    press(app, "First")
    press(app, "Open another model")
    app.session_state["number"], app.session_state["found"] = 1, "a file"
    app.run()
    assert shown(app) == ["the first"]
    app.session_state["number"], app.session_state["found"] = 2, None
    app.run()
    assert shown(app) == []


def test_one_that_need_not_wait_closes_at_once(app):
    press(app, "First")
    press(app, "Open one that is there")
    assert shown(app) == []


def test_one_that_does_not_wait_outlives_another_model(app):
    press(app, "First")
    app.session_state["number"] = 1
    app.run()
    assert shown(app) == ["the first"]


@pytest.mark.parametrize(("title", "held"), [("First", [True, False]), ("Third", [True, True])])
def test_the_page_waits_behind_a_dialog_that_shows_nothing_of_what_changed(app, title, held):
    assert app.session_state["held"] == [False, False]
    press(app, title)
    assert app.session_state["held"] == held
    app.session_state["dialog"] = "One of another page"
    app.run()
    assert app.session_state["held"] == [False, False]
