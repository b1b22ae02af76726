"""What the browser is told and says of a marked region; tests/browser has the rest."""

import types

import pytest
from streamlit.testing.v1 import AppTest

from ui import figure
from xai_core.region import Region

BOX = [1, 2, 5, 8]


def page(given):
    import numpy as np
    import streamlit as st

    from ui import figure
    from xai_core.model import Geometry

    words = dict.fromkeys(("photo", "map", "over"), "")
    figure.show(
        key="a",
        name="answer-7",
        photo=np.zeros((6, 9, 3), np.uint8),
        attribution=np.eye(3, dtype=np.float32),
        geometry=Geometry((6, 9), (0.0, 0.0, 6.0, 9.0), (3, 3)),
        signed=False,
        captions={part: [(word, False)] for part, word in words.items()},
        alternatives=words,
        unit="",
        region=given["region"],
        on_region=given["heard"].append,
        on_look=given["looks"].append,
    )
    for word in given["said"]:
        st.session_state["a"].marked = word
        given["sent"]["on_marked_change"]()
    given["sent"]["on_look_change"]()


class Figure:
    """A figure whose browser is this test."""

    def __init__(self):
        self.heard, self.sent = [], {}
        self.given = {"heard": self.heard, "sent": self.sent, "looks": []}
        self.app = AppTest.from_function(page, kwargs={"given": self.given})
        self.app.session_state["a"] = types.SimpleNamespace(marked=None, look={"opacity": 30})

    def draw(self, region, *said):
        """Draw it with a region on the desk, and say something; return what the browser got."""
        self.given |= {"region": region, "said": said}
        self.app.run()
        assert not self.app.exception
        return self.sent["data"]["region"]


@pytest.fixture
def drawn(monkeypatch):
    made = Figure()
    monkeypatch.setattr(figure, "_component", lambda name: lambda **sent: made.sent.update(sent))
    return made


def test_a_mark_comes_back_as_a_region(drawn):
    drawn.draw(None, {"id": "answer-7", "box": BOX}, {"id": "answer-7", "box": None})
    assert drawn.heard == [Region(1, 2, 5, 8), None]


@pytest.mark.parametrize(
    "said",
    [
        None, 7, "answer-7", [], {}, {"id": "answer-7", "box": [0, 0, 7, 1]}, {"box": BOX},
        {"id": "answer-6", "box": BOX}, {"id": "answer-6", "box": None},
        {"id": "answer-7", "box": {"top": 0}}, {"id": "answer-7", "box": "<b>"},
    ],
)  # fmt: skip
def test_rubbish_is_ignored_and_the_browser_told_what_holds(drawn, said):
    region = Region(0, 0, 2, 2)
    before = drawn.draw(region, said)
    assert drawn.heard == []
    after = drawn.draw(region)
    assert after["box"] == region.box
    assert after["turn"] != before["turn"]


def test_what_the_browser_marked_is_not_repeated_to_it(drawn):
    before = drawn.draw(None, {"id": "answer-7", "box": BOX})
    assert drawn.draw(drawn.heard[-1]) == before


def test_what_another_tab_marked_is_told_once(drawn):
    told = [drawn.draw(None), drawn.draw(Region(*BOX)), drawn.draw(None)]
    assert [each["box"] for each in told] == [None, BOX, None]
    assert len({each["turn"] for each in told}) == 3
    assert drawn.draw(None) == told[-1]


def test_how_it_is_drawn_is_told_and_kept_for_the_next(drawn):
    drawn.draw(None)
    assert drawn.given["looks"] == [{"opacity": 30}]
    assert drawn.sent["data"]["handed"]
