import pytest

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
