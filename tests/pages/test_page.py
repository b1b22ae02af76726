"""A page is one file: it says what it needs, and has the model, the photo and its controls."""

import threading

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE
from tests.pages.conftest import settle
from ui import state


def script():
    import streamlit as st

    from ui import kept, page, views

    with page.opened("A new page", "What it is for.", needs=(page.MODEL, page.PHOTO)) as here:
        st.slider("Warmth", 0, 10, key=kept.control("warmth", 3))
        st.slider("Passing", 0, 10, 3, key="passing")
        if here.desk.prediction is not None:
            views.line(f"{here.desk.model.name} has seen {here.desk.photo.name}")
        here.place_progress()


def bare():
    from ui import page, views

    with page.opened("A page of words", "Nothing is needed.") as here:
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


APP = """
import streamlit as st

st.navigation([st.Page("first.py", default=True), st.Page("second.py"), st.Page("third.py")]).run()
"""
FIRST = """
import streamlit as st

from ui import kept, page

with page.opened("First", "It has a control.", needs=(page.MODEL, page.PHOTO)) as here:
    st.slider("Warmth", 0, 10, key=kept.control("warmth", 3))
    st.slider("Passing", 0, 10, key="passing")
"""
SECOND = """
from ui import page, views
from workers.tasks.predict import Predict

LOOKING = "looking"


def draw(desk, work):
    views.line(f"under way: {work.what}, {work.job.snapshot().state}")


with page.opened("Second", "It runs a task of its own.", needs=(page.MODEL, page.PHOTO)) as here:
    desk = here.desk
    if desk.prediction is not None and not {*desk.results, *desk.notes} and not desk.slots:
        desk.begin(LOOKING, desk.model.handle, Predict(pixels=desk.photo.pixels), what="a look")
    if LOOKING in desk.results:
        views.line(f"looked: {desk.results[LOOKING].probabilities.argmax()}")
    here.place_progress({LOOKING: draw})
"""


@pytest.fixture
def house(tmp_path):
    """Return an app of three pages, each one file and a place in one line."""
    third = SECOND.replace("{LOOKING: draw}", "{}")
    for name, text in (("app", APP), ("first", FIRST), ("second", SECOND), ("third", third)):
        (tmp_path / f"{name}.py").write_text(text)
    app = AppTest.from_file(str(tmp_path / "app.py"), default_timeout=60)
    return settle(app, lambda app: not app.session_state["desk"].pending)


def test_another_page_and_back_keeps_the_controls(house):
    assert not house.warning
    house.slider(key="warmth").set_value(8).run()
    house.slider(key="passing").set_value(8).run()
    house.switch_page("second.py").run()
    assert house.title[0].value == "Second"
    house.switch_page("first.py").run()
    assert house.slider(key="warmth").value == 8
    assert house.slider(key="passing").value == 0
    assert not house.warning


@pytest.fixture
def gate(house, monkeypatch):
    """Return what the model waits for from now on before it says anything."""
    opened, model = threading.Event(), house.session_state["desk"].model.handle.model
    says = model.logits
    monkeypatch.setattr(model, "logits", lambda images: opened.wait(20) and says(images))
    yield opened
    opened.set()


def test_a_page_runs_a_task_of_its_own_and_draws_it(house, gate):
    desk = house.session_state["desk"]
    house.switch_page("second.py").run()
    assert "under way: a look" in words(house)
    gate.set()
    settle(house, lambda app: not desk.pending)
    assert f"looked: {desk.prediction.top[0]}" in words(house)
    assert "under way" not in words(house)


def test_a_page_draws_only_what_it_places(house, gate):
    desk = house.session_state["desk"]
    house.switch_page("third.py").run()
    assert desk.pending
    assert "under way" not in words(house)
    gate.set()
    settle(house, lambda app: not desk.pending)
    assert f"looked: {desk.prediction.top[0]}" in words(house)
