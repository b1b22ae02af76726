"""A page is one file: it says what it needs, and has the model, the photo and its controls."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE
from tests.pages.conftest import settle
from ui import state


def script():
    import streamlit as st

    from ui import kept, page, views

    with page.opened("A new page", "What it is for.", needs=(page.MODEL, page.PHOTO)) as here:
        here.head()
        st.slider("Warmth", 0, 10, 3, key=kept.control("warmth"))
        st.slider("Passing", 0, 10, 3, key="passing")
        if here.desk.prediction is not None:
            views.line(f"{here.desk.model.name} has seen {here.desk.photo.name}")
        here.place_progress()


def bare():
    from ui import page, views

    with page.opened("A page of words", "Nothing is needed.") as here:
        here.head()
        views.line(f"model: {here.desk.model}")


@pytest.fixture(autouse=True)
def _one_browser(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")


def opened(page):
    made = AppTest.from_function(page, default_timeout=PATIENCE)
    return settle(made, lambda app: not app.session_state["desk"].pending)


def words(app):
    return " ".join(element.proto.body for element in app.get("html"))


def test_a_page_has_what_it_needs():
    app = opened(script)
    assert app.title[0].value == "A new page"
    assert "Shapes with a shortcut has seen Heart_Marked" in words(app)


def test_a_page_that_needs_nothing_opens_nothing():
    assert "model: None" in words(opened(bare))


def test_model_and_photo_are_one_for_all_pages():
    first = opened(script)
    model = first.session_state["desk"].model
    assert model.name in words(opened(bare))
    assert opened(script).session_state["desk"].model is model


def test_a_kept_control_comes_back_in_another_tab():
    first = opened(script)
    first.slider(key="warmth").set_value(8).run()
    first.slider(key="passing").set_value(8).run()
    second = opened(script)
    assert second.slider(key="warmth").value == 8
    assert second.slider(key="passing").value == 3
