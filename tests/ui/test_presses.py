"""A press is answered once: after a drawing that was cut short, too, and on its own page alone."""

import pytest
from streamlit.testing.v1 import AppTest


def _script():
    import streamlit as st

    from ui import presses

    state = st.session_state
    presses.begin(state.get("page", "one"))
    if state.pop("cut", False):
        st.rerun()
    if state.get("drawn", True) and presses.button("Go", key="go"):
        state["answered"] = state.get("answered", 0) + 1
    presses.end()


@pytest.fixture
def page():
    return AppTest.from_function(_script, default_timeout=60).run()


def answered(page):
    state = page.session_state
    return state["answered"] if "answered" in state else 0  # noqa: SIM401 - it has no `get`


def test_a_press_is_answered_once(page):
    page.button(key="go").click().run()
    assert answered(page) == 1
    page.run()
    assert answered(page) == 1


def test_a_drawing_that_is_cut_short_loses_no_press(page):
    page.session_state["cut"] = True
    page.button(key="go").click().run()
    assert answered(page) == 1


@pytest.mark.parametrize("change", [{"page": "two"}, {"drawn": False}])
def test_a_press_is_not_kept_for_later(page, change):
    for key, value in change.items():
        page.session_state[key] = value
    page.button(key="go").click().run()
    for key in change:
        del page.session_state[key]
    page.run()
    assert answered(page) == 0
