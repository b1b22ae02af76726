"""The pre-processing doctor on the Offering: tried, told, and gone with another photo."""

import pytest
from streamlit.testing.v1 import AppTest

from loaders import doctor as told
from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from ui import doctor


def desk(app):
    return app.session_state["desk"]


def words(app):
    return " ".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def page(wall):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    return settle(app, lambda app: "desk" in app.session_state and desk(app).prediction)


def test_the_others_are_tried_and_told(page):
    assert not page.get("exception")
    page.button(key="doctor-run").click().run()
    settle(page, lambda app: doctor.SLOT in desk(app).results and not desk(app).slots)
    trials = desk(page).results[doctor.SLOT].trials
    assert trials[0].own
    assert trials[0].known is None
    labels = desk(page).model.card.labels
    said = words(page)
    for sentence in told.sentences(trials, labels):
        assert sentence.split("\u201c")[0] in said
    chance = desk(page).prediction.probabilities
    assert trials[0].top == chance.argmax()
    assert trials[0].probability == pytest.approx(chance.max(), abs=1e-4)
    key = next(each.key for each in page.selectbox if str(each.key).startswith("doctor-known"))
    page.selectbox(key=key).set_value(2).run()
    page.button(key="doctor-run").click().run()
    settle(page, lambda app: (found := desk(app).results.get(doctor.SLOT))
           and found.trials[0].known is not None)  # fmt: skip
    assert desk(page).results[doctor.SLOT].trials[0].known == pytest.approx(chance[2], abs=1e-4)
    assert "Known class" in words(page)
