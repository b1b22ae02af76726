import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE
from ui import forms
from xai_core.explainer import explainers
from xai_core.model import Layer

LAYERS = [Layer("a", "Conv2d", (28, 28), 8), Layer("b", "Conv2d", (7, 7), 8)]
EVERY = [
    (cls, engine.name, size)
    for cls in explainers().values()
    for engine in cls.engines
    for size in ((64, 64), (224, 224), (96, 160))
]


@pytest.mark.parametrize(("cls", "engine", "size"), EVERY)
def test_what_a_form_begins_with_is_a_valid_declaration(cls, engine, size):
    form = forms.Form(cls, engine, size=size, layers=LAYERS, default_layer="b", scope="x")
    made = cls(**form.start, engine=engine)
    assert made.engine == engine


@pytest.mark.parametrize(("cls", "engine", "size"), EVERY)
def test_pixels_never_exceed_the_view(cls, engine, size):
    for param in forms.honoured(cls, engine):
        if param.kind in ("integer", "real"):
            low, high = forms.bounds(param, size)
            assert param.lo <= low <= high <= param.hi
            if param.unit == "px":
                assert high <= max(size)
                assert low <= forms.initial(param, cls.suggest(size), size, LAYERS, "b") <= high


@pytest.mark.parametrize(("cls", "engine", "size"), EVERY)
def test_three_or_fewer_are_in_sight_and_none_is_lost(cls, engine, size):
    shown = forms.honoured(cls, engine)
    front, rest = forms.split(shown)
    assert len(front) <= 3
    assert not any(param.more for param in front)
    assert {param.name for param in (*front, *rest)} == {param.name for param in shown}


def test_two_that_are_linked_have_one_name():
    declared = explainers()["occlusion"].declared()
    sides = [forms.together(declared[f"{what}_height"], declared[f"{what}_width"])
             for what in ("patch", "stride")]  # fmt: skip
    assert sides == ["Patch height and width", "Stride height and width"]


def test_what_the_engine_does_not_honour_is_not_shown():
    for cls in explainers().values():
        for engine in cls.engines:
            names = {param.name for param in forms.honoured(cls, engine.name)}
            for name, param in cls.declared().items():
                assert (name in names) == (not param.engines or engine.name in param.engines)


def test_a_layer_begins_with_the_models_default():
    param = explainers()["grad-cam"].declared()["layer"]
    assert forms.initial(param, {}, (64, 64), LAYERS, "a") == "a"
    assert forms.initial(param, {}, (64, 64), LAYERS, "gone") == "b"
    assert forms.initial(param, {}, (64, 64), [], "") == ""


def drawn(size):
    """Return a page with the controls of a method whose height and width are linked."""

    def page(size):
        import streamlit as st

        from ui import forms
        from xai_core.explainer import explainers

        form = forms.Form(
            explainers()["occlusion"], "ours", size=size, layers=[], default_layer="", scope="x"
        )
        for param in (*form.front, *form.rest):
            form.widget(param)
        st.session_state["values"] = form.values()

    return AppTest.from_function(page, args=(size,), default_timeout=PATIENCE).run()


def sides(app):
    return tuple(app.session_state["values"][f"patch_{side}"] for side in ("height", "width"))


def sliders(app):
    """Return the patch's sliders by their labels."""
    return {each.label: each for each in app.slider if each.label.startswith("Patch")}


def lock(app):
    return app.toggle(key="linked:occlusion:patch_width:x")


BOTH, HEIGHT, WIDTH = "Patch height and width (px)", "Patch height (px)", "Patch width (px)"


def test_height_and_width_are_one_slider_until_they_are_unlinked():
    app = drawn((64, 64))
    assert lock(app).value
    assert list(sliders(app)) == [BOTH]
    sliders(app)[BOTH].set_value(21).run()
    assert sides(app) == (21, 21)
    app.run()
    assert sides(app) == (21, 21)
    lock(app).set_value(False).run()
    assert sides(app) == (21, 21)
    assert list(sliders(app)) == [HEIGHT, WIDTH]
    sliders(app)[HEIGHT].set_value(30).run()
    assert sides(app) == (30, 21)
    sliders(app)[WIDTH].set_value(9).run()
    assert sides(app) == (30, 9)
    lock(app).set_value(True).run()
    assert sides(app) == (30, 30)
    assert list(sliders(app)) == [BOTH]


def test_a_square_fits_into_a_view_that_is_none():
    app = drawn((96, 160))
    lock(app).set_value(False).run()
    sliders(app)[WIDTH].set_value(150).run()
    sliders(app)[HEIGHT].set_value(80).run()
    assert sides(app) == (80, 150)
    assert not lock(app).value
    lock(app).set_value(True).run()
    assert sides(app) == (80, 80)
    assert sliders(app)[BOTH].max == 96


def test_what_is_set_apart_from_elsewhere_is_unlinked():
    app = drawn((64, 64))
    app.session_state["occlusion:patch_width:x"] = 40
    app.run()
    assert not lock(app).value
    assert sides(app)[1] == 40
    assert sliders(app)[WIDTH].value == 40


def test_what_is_linked_is_a_number_of_the_same_kind():
    found = 0
    for cls in explainers().values():
        declared = cls.declared()
        for param in declared.values():
            if param.linked:
                first = declared[param.linked]
                assert (first.kind, first.unit) == (param.kind, param.unit)
                assert first.kind in ("integer", "real")
                assert not first.linked
                found += 1
    assert found >= 2
