"""The page on inversion: pictures of layers and of a class, with what is said of them."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from ui import inversion_runs
from xai_core.target import ClassTarget, UnitTarget


def desk(app):
    return app.session_state["desk"]


def words(app):
    return " ".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def page(wall):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    app.switch_page("pages/inversion.py")
    return settle(app, lambda app: "desk" in app.session_state and desk(app).prediction)


def films(app):
    return [each for each in app.get("bidi_component") if "player" in each.proto.component_name]


def made(app, kind):
    def there(app):
        found = inversion_runs.of(desk(app), kind)
        return found is not None and found.film is not None and not desk(app).slots

    settle(app, there)
    return inversion_runs.of(desk(app), kind)


def test_the_title_and_what_run_would_give(page):
    assert page.title[0].value == "What is left of the photo?"
    assert "Press Run" in words(page)
    assert not films(page)
    assert page.multiselect[0].value == ["features.0"]


def test_layers_are_inverted_and_played(page):
    page.slider(key=next(s.key for s in page.slider if "variation" in s.key)).set_value(0.0).run()
    page.button(key="run").click().run()
    found = made(page, "layers")
    page.run()
    assert len(films(page)) == 1
    assert found.asked.task.variation == 0
    result = found.result
    said = words(page)
    for sentence in found.sentences:
        assert sentence.split("\u201c")[0] in said
    # recomputed: what is left, by the fake's own cells
    model = found.asked.model.handle.model
    view, _ = model.preprocessing.view(found.asked.photo.pixels)
    code = model.activations(view[None], "")[0]
    left = ((model.activations(result.pictures / 255, "")[0] - code) ** 2).sum() / (code**2).sum()
    assert result.distances[-1, 0] == pytest.approx(left, rel=1e-3)
    assert f"{100 * left:.2g}" in said
    assert f"correlation {result.correlations[0]:.2f}" in said
    record = json.loads(json.dumps(found.record))
    assert record["layers"][0]["layer"] == "features.0"
    assert record["parameters"]["variation"] == 0
    report = inversion_runs.report(found)
    assert report.count("<img") == 2
    assert all(sentence.split("\u201c")[0] in report for sentence in found.sentences)
    assert found.film.frames[0].caption.startswith("After 0 of 200 steps")


def test_a_class_and_a_unit_are_maximised(page):
    page.get("button_group")[0]  # the kind of picture
    page.session_state["picture-kind"] = "target"
    page.run()
    page.button(key="run").click().run()
    found = made(page, "target")
    page.run()
    assert found.asked.task.target == ClassTarget(desk(page).prediction.top[0])
    assert "the probability of" in found.sentences[0]
    assert found.sentences[0].split("\u201c")[0] in words(page)
    page.session_state["measured-on"] = "unit"
    page.run()
    page.button(key="run").click().run()
    settle(page, lambda app: "channel 0" in inversion_runs.of(desk(app), "target").sentences[0])
    assert inversion_runs.of(desk(page), "target").asked.task.target == UnitTarget("features.0", 0)


def test_no_layer_no_run(page):
    page.multiselect[0].set_value([]).run()
    assert page.button(key="run").disabled
    assert "Choose at least one layer" in words(page)


def test_cancel_keeps_the_last_one(page, wall, monkeypatch):
    page.button(key="run").click().run()
    first = made(page, "layers")
    slot = inversion_runs.SLOTS["layers"]
    inversion_runs.begin(desk(page), first.asked)
    desk(page).stop(slot)
    page.run()
    assert inversion_runs.of(desk(page), "layers") is first
    assert "Cancelled." in words(page)
