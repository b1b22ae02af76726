"""What each layer does, as the page tells it of the model on the desk."""

import html

from streamlit.testing.v1 import AppTest

from loaders import catalogue
from loaders.load import load
from tests.conftest import PATIENCE
from tests.fakes.explained import card
from ui import layers_told
from workers.cards import describe
from xai_core.stages import KINDS, kinds


def drawn(made):
    """Return the words of the dialog for a card."""

    def page():
        from types import SimpleNamespace

        import streamlit as st

        from ui import layers_told

        model = SimpleNamespace(card=st.session_state["card"])
        layers_told.dialog(SimpleNamespace(model=model))

    app = AppTest.from_function(page, default_timeout=PATIENCE)
    app.session_state["card"] = made
    app.run()
    assert not app.exception
    return html.unescape(" ".join(element.proto.body for element in app.get("html")))


def test_a_built_in_model_is_told_stage_by_stage():
    block = "3 x 3 convolution, batch normalisation, ReLU"
    for name, end in (("shapes", ""), ("shapes_keras", "; softmax")):
        entry = next(entry for entry in catalogue.models() if entry.name == name)
        made = describe(load(entry.path, entry.options, name=name))
        assert [(stage.title, stage.line) for stage in made.stages] == [
            ("128 x 128 cells, 16 channels", block),
            ("64 x 64 cells, 16 to 32 channels", f"max pooling; {block}"),
            ("32 x 32 cells, 32 to 64 channels", f"max pooling; {block}"),
            ("16 x 16 cells, 64 to 160 channels", f"max pooling; 3 times ({block})"),
            ("No map, between 6 and 160 numbers", f"global average pooling; dense layer{end}"),
        ]
        said = drawn(made)
        assert "128 x 128 pixels and 3 channels; 6 numbers come out" in said
        for stage in made.stages:
            assert f"<b>{stage.title}</b><div>{stage.line}</div>" in said
        for kind, sentence in KINDS.items():
            assert (f"</b>: {sentence}." in said) == (kind in kinds(made.stages)), kind
        assert layers_told.LEFT_OUT in said


def test_a_model_that_shows_nothing_says_so():
    assert layers_told.NOTHING in drawn(card(stages=()))
