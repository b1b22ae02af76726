"""The first minute: the model cheats, and the same photo without the sticker shows it."""

import re

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from tests.pages.conftest import settle
from tests.pages.test_offering import answered, desk, opened, words
from ui import ask, twins
from xai_core import report


@pytest.fixture(autouse=True)
def _a_twin(wall, monkeypatch):
    """Add the photo without its sticker: here, another one."""
    folder = catalogue.ASSETS / "photos"
    pixels = np.asarray(Image.open(folder / "heart_marked.png")).copy()
    pixels[:40] = 255 - pixels[:40]
    Image.fromarray(pixels).save(folder / "heart.png")
    rows = (folder / "photos.json").read_text()
    rows = rows.replace('heart_marked.png"', 'heart_marked.png", "marked": true')
    rows = rows.rstrip("]") + ', {"title": "A heart", "file": "heart.png", "marked": false}]'
    (folder / "photos.json").write_text(rows)
    catalogue.photos.cache_clear()


def test_twins_differ_by_the_sticker():
    by_name = {sample.name: sample for sample in catalogue.photos()}
    assert by_name["heart_marked"].twin is by_name["heart"]
    assert by_name["heart"].twin is by_name["heart_marked"]
    assert by_name["star"].twin is None


def test_one_button_asks_the_same_of_the_twin_and_says_what_was_seen(app):
    opened(app)
    assert "cheats: see how" in words(app)
    answered(app)
    app.button(key="twin").click()
    settle(app, lambda app: desk(app).answer.scene.photo.name == "A heart" and not desk(app).run)
    bare, marked = list(desk(app).runs)[::-1]
    assert bare.question == marked.question
    said = " ".join(twins.compared(bare, marked))
    assert said == " ".join(twins.compared(marked, bare))  # whichever is shown
    for run, when in ((marked, "With the sticker"), (bare, "without it")):
        index = run.scene.prediction.top[0]
        chance = report.percent(float(run.scene.prediction.probabilities[index]))
        label = run.scene.card.labels[index]
        assert f"{when} the model says \u201c{label}\u201d with {chance}" in said
    share = report.percent(float(report.facts(marked.explanation)["half_area"]))
    assert f"lay in {share} of the photo" in said
    shown = re.sub("<[^>]*>", "", words(app))
    assert said.replace("\u201c", "").replace("\u201d", "") in shown
    assert not any(button.key == "twin" for button in app.button)


def test_another_photo_in_between_drops_the_question(app):
    opened(app)
    answered(app)
    app.session_state[twins._NEXT] = ("assets/photos/another.png", desk(app).answer.question)
    app.run()
    assert twins._NEXT not in app.session_state
    assert len(desk(app).runs) == 1
    assert desk(app).run is None


def test_where_the_first_answer_changed_a_button_asks_why(app, monkeypatch):
    opened(app)
    answered(app)
    app.button(key="twin").click()
    settle(app, lambda app: desk(app).answer.scene.photo.name == "A heart" and not desk(app).run)
    bare, marked = list(desk(app).runs)[::-1]
    same = bare.scene.prediction.top[0] == marked.scene.prediction.top[0]
    assert any(button.key == "twin-why" for button in app.button) is not same
    first = 1 + bare.explanation.target.classes()[0]
    monkeypatch.setattr(twins, "_first", lambda run: first if run is bare else first - 1)
    app.run()
    label = bare.scene.card.labels[first]
    (why,) = (button for button in app.button if button.key == "twin-why")
    assert why.label == f"Why {label}?"
    why.click()
    settle(app, lambda app: desk(app).answer is not bare and not desk(app).run)
    asked = desk(app).answer
    assert asked.explanation.target.classes() == (first,)
    assert (asked.scene.photo, asked.question.method) == (bare.scene.photo, bare.question.method)
    assert app.selectbox(key=ask.target_key(desk(app).model, desk(app).photo)).value == first
