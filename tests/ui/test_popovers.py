"""A popover that is closed is another one from then on: no browser can leave it open."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE
from tests.pages.conftest import unfold


def script():
    import streamlit as st

    from ui.popovers import close, key, shut

    with st.popover("First", key=key("first"), on_change="rerun"):
        if st.button("Close from the script"):
            close("first")
        st.button("Close from a callback", on_click=shut, args=("first",))
    st.popover("Second", key=key("second"), on_change="rerun")


def drawn(app):
    """Return the id and the state of both popovers, as the browser gets them."""
    blocks = [block.proto.popover for block in app.main.children.values()]
    return [(block.id, block.open) for block in blocks]


@pytest.mark.parametrize("button", ["Close from the script", "Close from a callback"])
def test_a_closed_popover_is_drawn_as_another_one(button):
    app = AppTest.from_function(script, default_timeout=PATIENCE).run()
    first, second = drawn(app)
    for times in range(2):
        unfold(app, "first")
        unfold(app, "second")
        app.run()
        assert [was_open for _, was_open in drawn(app)] == [True, True], times
        opened = drawn(app)[0]
        next(each for each in app.button if each.label == button).click().run()
        closed, other = drawn(app)
        assert closed[1] is False
        assert closed[0] != opened[0]
        assert other == (second[0], True)
    assert first[1] is False
