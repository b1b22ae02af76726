"""Every method on the pages, on a network of torch and one of Keras: title, figure, numbers."""

import base64

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.fakes import tiny
from tests.fakes import wall as fakes
from tests.pages.conftest import settle
from tests.pages.test_lessons import PAGES
from tests.pages.test_offering import desk, figure, opened, parts, run_button
from ui import grid
from xai_core.explainer import explainers, explaining

MADE = {"torch": tiny.torch_model, "keras": tiny.keras_model}


@pytest.fixture(params=MADE)
def app(request, wall, monkeypatch):
    """Return the app, open on its first page, with a small network of one framework."""
    monkeypatch.setattr(fakes, "LinearModel", lambda options, name: MADE[request.param]())
    made = opened(AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE))
    assert desk(made).model.card.framework == request.param
    return made


def ran(app, name):
    """Run the method that is set, and hold what is drawn to what came out."""
    before = desk(app).answer
    run_button(app).click()
    settle(app, lambda app: desk(app).run is None and desk(app).answer is not before)
    answer, shown = desk(app).answer, figure(app)
    assert (answer.explanation.method, answer.explanation.engine) == (name, "ours")
    assert np.ptp(answer.explanation.attribution) > 0
    values = np.frombuffer(base64.b64decode(shown["map"]["values"]), "<f4").reshape(tiny.SIZE)
    np.testing.assert_array_equal(values, answer.explanation.attribution)
    return answer


def test_every_method_draws_its_own_map_on_every_page(app):
    title = app.title[0].value
    assert title == "Your model, behind glass"
    maps = {}
    for name in explaining("classification"):
        app.selectbox(key="method").set_value(name)
        maps[name] = ran(app, name).explanation.attribution
        assert app.title[0].value == title
    told = set()
    for slug, name in PAGES.items():
        app.switch_page(f"pages/{slug}.py")
        settle(app, run_button)
        assert app.title[0].value == explainers()[name].title
        np.testing.assert_array_equal(ran(app, name).explanation.attribution, maps[name])
        told.add(name)
    assert len(told) == 6
    app.switch_page("pages/compare.py")
    settle(app, lambda app: any(button.key == "run-grid" for button in app.button))
    assert app.title[0].value == "Side by side"
    app.multiselect(key="grid-models").set_value(app.multiselect(key="grid-models").value[:1])
    app.multiselect(key="grid-photos").set_value(app.multiselect(key="grid-photos").value[:1])
    app.multiselect(key="grid-methods").set_value(list(told)[:1]).run()
    app.button(key="run-grid").click()
    settle(app, lambda app: grid.of(desk(app)) and not desk(app).pending)
    assert len(parts(app, "compared")[0]["panels"]) == len(grid.of(desk(app)).cells)
