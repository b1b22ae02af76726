"""Object detection: boxes from the candidates, a map for one, a part painted over."""

import dataclasses
import json
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from loaders import catalogue
from loaders.load import CLASSIFIES
from tests.conftest import PATIENCE, ROOT
from tests.fakes import boxes as fake
from tests.fakes import wall as fakes
from tests.fakes.publisher import publishing
from tests.pages.conftest import settle, show
from tests.pages.test_offering import desk, figure, parts, run_button, words
from ui import another_model, detect_boxes, detect_lessons, pretrained
from workers.fetch import Cache
from workers.tasks.detect import MOST
from xai_core.detection import boxes, changed, context, crowd
from xai_core.explainer import explainers, explaining


@pytest.fixture
def visit(wall, monkeypatch):
    """Return a function that opens the page on a small detector, from an address."""
    monkeypatch.setattr(fakes, "LinearModel", lambda options, name: fake.detector())
    assets = catalogue.ASSETS
    entry = {"name": "boxes", "title": "Boxes", "framework": "torch", "trained_on": "Nothing.",
             "file": "tiny.pth", "classes": list(fake.LABELS), "task": "detection"}  # fmt: skip
    (assets / "models" / "detectors.json").write_text(json.dumps([entry]))
    pixels = (fake.view(side=128) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(assets / "photos" / "six_shapes.png")
    rows = [{"title": "Six shapes", "file": "six_shapes.png"}]
    (assets / "photos" / "crowds.json").write_text(json.dumps(rows))
    catalogue.crowds.cache_clear()

    def visit(**asked):
        made = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
        for name, value in asked.items():
            made.query_params[name.replace("_", "-")] = value
        if not asked:
            made.run()
        made.switch_page("pages/object_detection.py")
        settle(made, lambda app: getattr(desk(app), "weighed", None) is not None)
        made.slider(key=detect_boxes.THRESHOLD).set_value(0.3)
        made.run()
        return made

    yield visit
    catalogue.crowds.cache_clear()


@pytest.fixture
def app(visit):
    """Return the page, open on a small detector and a photo of its own."""
    return visit()


def query(app):
    """Return what the browser's address is told to carry."""
    return dict(parse_qsl(parts(app, "address")[0]["query"]))


def drawn(app, key="boxes"):
    """Return what the browser gets to draw the photo with its boxes, the first of the page."""
    return parts(app, "vitrine_boxes")[0]


def stay(app):
    values = (
        app.slider(key=detect_boxes.THRESHOLD).value,
        app.slider(key=detect_boxes.OVERLAP).value,
    )
    return detect_boxes.shown(desk(app).weighed, *values)


def ran(app):
    before = desk(app).answer
    run_button(app).click()
    settle(app, lambda app: desk(app).run is None and desk(app).answer is not before)
    return desk(app).answer


def test_the_page_shows_what_the_detector_found(app):
    assert app.title[0].value == "Why this box?"
    shown, found = drawn(app), stay(app)
    assert shown["alternative"].startswith("Six shapes with ")
    listed = shown["boxes"]
    assert len(listed) == min(len(found.scores), detect_boxes.MANY) > 1
    placed = boxes.in_photo(found.boxes, desk(app).weighed.geometry)
    np.testing.assert_allclose(listed[0]["box"], placed[0], rtol=1e-5)
    assert [each["chosen"] for each in listed].count(True) == 1
    every = len(desk(app).weighed.candidates.scores)
    most = "the best " if every == MOST else ""
    assert f"of {most}{every} candidates that the detector weighed" in words(app)


def test_the_sliders_answer_without_a_new_pass(app):
    weighed, before = desk(app).weighed, len(drawn(app)["boxes"])
    app.slider(key=detect_boxes.OVERLAP).set_value(0.0)
    app.run()
    few = len(drawn(app)["boxes"])
    assert few < before
    assert few == len(boxes.kept(weighed.candidates.found, 0.3, 0.0))
    app.slider(key=detect_boxes.THRESHOLD).set_value(1.0)
    app.run()
    assert desk(app).weighed is weighed
    assert "No box reaches this score" in words(app)
    assert run_button(app) is None


def test_each_method_explains_the_chosen_box_and_names_it(app):
    maps = []
    for name, values in (("odam", {}), ("d-rise", {"masks": 50}), ("box-fixed-ablation", {})):
        app.selectbox(key="box-method").set_value(name)
        app.run()
        for field, value in values.items():
            (key,) = (each.key for each in app.slider if f"{name}:{field}" in (each.key or ""))
            app.slider(key=key).set_value(value)
            app.run()
        answer = ran(app)
        assert answer.explanation.method == name
        assert answer.explanation.attribution.any()
        maps.append(answer.explanation.attribution)
        said = context.sentences(answer.explanation, answer.explanation.target)
        assert said[0].split("“")[0] in words(app)
        assert explainers()[name].title in json.dumps(figure(app)["captions"])
    assert not np.allclose(maps[0], maps[2])
    assert "Percentages beside a class" in words(app)


def test_several_boxes_stand_side_by_side_from_one_set_of_passes(app):
    app.selectbox(key="box-method").set_value("d-rise")
    app.run()
    (key,) = (each.key for each in app.slider if "d-rise:masks" in (each.key or ""))
    app.slider(key=key).set_value(50)
    app.run()
    before = len(desk(app).runs)
    button = app.button("run-all")
    assert button.label.startswith("Run on 5 boxes (")
    button.click()
    settle(app, lambda app: desk(app).run is None and len(desk(app).runs) == before + 5)
    made = desk(app).together
    assert desk(app).answer is made[0]
    assert len({each.explanation.target.box for each in made}) == 5
    assert "One set of 51 passes answered for all of them" in words(app)
    (shown,) = parts(app, "vitrine_compared")
    assert len(shown["panels"]) == 5
    assert len({panel["about"].partition(", ")[2] for panel in shown["panels"]}) > 1
    desk(app).with_runs(lambda runs: runs.remove(made[0].id))
    app.run()
    assert len(parts(app, "vitrine_compared")[0]["panels"]) == 4
    app.selectbox(key="box-method").set_value("eigencam")
    app.run()
    assert not any(each.key == "run-all" for each in app.button)


def test_another_box_is_asked_about_by_the_list_and_has_another_map(app):
    first = ran(app)
    key = next(each.key for each in app.selectbox if each.label == "Why this box?")
    app.selectbox(key=key).set_value(1)
    app.run()
    assert [each["chosen"] for each in drawn(app)["boxes"]][1]
    second = ran(app)
    assert first.explanation.target != second.explanation.target
    assert not np.allclose(first.explanation.attribution, second.explanation.attribution)
    desk(app).with_runs(lambda runs: runs.show(first.id))  # as a click in the strip does
    app.run()
    assert app.selectbox(key=key).value == 0
    app.slider(key=detect_boxes.THRESHOLD).set_value(0.36)
    app.run()
    desk(app).with_runs(lambda runs: runs.show(second.id))
    app.run()
    again = run_button(app) and ran(app)
    assert again.explanation.target.box == pytest.approx(second.explanation.target.box, abs=1e-2)


def test_a_box_of_ones_own_asks_for_a_class(app):
    seen = desk(app).seen
    app.session_state[f"box-own:{detect_boxes.scope(seen)}"] = [10.0, 10.0, 60.0, 60.0]
    app.run()
    app.selectbox(key=f"box-asked:{detect_boxes.scope(seen)}").set_value(-1)
    app.run()
    app.selectbox(key="box-method").set_value("d-rise")
    app.run()
    key = next(each.key for each in app.selectbox if each.label == "What could stand there?")
    app.selectbox(key=key).set_value(2)
    (masks,) = (each for each in app.slider if "d-rise:masks" in (each.key or ""))
    masks.set_value(50)
    app.run()
    target = ran(app).explanation.target
    assert target.index == 2
    np.testing.assert_allclose(target.box, [5, 5, 30, 30])
    assert drawn(app)["boxes"][-1]["kind"] == "own"


def test_painted_over_the_detector_looks_again(app):
    next(button for button in app.button if button.label == "Look again").click()
    settle(app, lambda app: desk(app).without is not None)
    made = desk(app).without
    assert "Painted over" in words(app)
    after = made.detection.found
    at = boxes.kept(after, 0.3, 0.5)
    said = changed.sentences(
        stay(app),
        type(after)(after.boxes[at], after.labels[at], after.scores[at]),
        fake.LABELS,
    )
    assert said[-1].split("“")[0].strip() in words(app)
    assert (made.pixels != desk(app).photo.pixels).any()


def test_a_photo_is_coded_once(app, monkeypatch):
    monkeypatch.setattr(detect_boxes.views, "data_url", None)  # it may not be called again
    app.slider(key=detect_boxes.OVERLAP).set_value(0.4)
    app.run()
    assert not app.exception
    assert drawn(app)["photo"].startswith("data:image/jpeg")


def test_only_methods_on_boxes_are_offered(app):
    names = app.selectbox(key="box-method").options
    assert len(names) == len(explaining("detection"))


@pytest.mark.parametrize(
    "said",
    [None, 3, {"id": "x"}, {"id": "other", "box": [0, 0, 5, 5]}, {"id": "x", "box": [0, 0, 5]},
     {"id": "x", "box": [5, 0, 0, 5]}, {"id": "x", "box": [0, 0, float("nan"), 5]},
     {"id": "x", "box": [0, 0, 500, 5]}, {"id": "x", "box": [True, 0, 5, 5]}],
)  # fmt: skip
def test_what_a_browser_draws_is_taken_or_left(said):
    assert detect_boxes._heard(said, "x", (100, 100)) is None
    box = {"id": "x", "box": [1, 2, 30.5, 40]}
    assert detect_boxes._heard(box, "x", (100, 100)) == [1.0, 2.0, 30.5, 40.0]


def test_the_scripts_set_text_only():
    script = (Path(ROOT) / "ui" / "parts" / "boxes" / "boxes.js").read_text()
    assert "innerHTML" not in script


def test_the_address_carries_the_box_and_opens_it_again(app, visit):
    key = next(each.key for each in app.selectbox if each.label == "Why this box?")
    app.selectbox(key=key).set_value(1)
    app.run()
    app.selectbox(key="box-method").set_value("saliency")
    app.run()
    app.selectbox(key="box-asks").set_value("width")
    app.run()
    asked = query(app)
    first = ran(app).explanation.target
    assert asked == {
        "model": "boxes", "photo": "six_shapes", "method": "saliency", "asks": "width",
        "box": asked["box"], "target": fake.LABELS[first.index],
    }  # fmt: skip
    assert "The address of this page opens the question as it is set here." in words(app)
    again = visit(**asked)
    assert query(again) == asked
    second = ran(again).explanation.target
    assert second.box == pytest.approx(first.box, abs=1e-3)
    assert (second.index, second.asks) == (first.index, first.asks)
    assert "ignored" not in words(again)


def test_a_box_that_nobody_found_is_ones_own_and_a_bad_one_is_said(visit):
    def chosen(app):
        return next(each.value for each in app.selectbox if each.label == "Why this box?")

    app = visit(box="10,20,40,60.5", target="two", method="odam")
    assert chosen(app) == -1
    assert query(app)["box"] == "10.0,20.0,40.0,60.5"
    assert query(app)["target"] == "two"
    for bad in ("9,9,2,2", "1,2,3", "nan,0,4,4", "<b>"):
        app = visit(box=bad, target="two", method="odam", model="boxes")
        assert chosen(app) != -1
        assert "is ignored" in words(app)


def test_the_levels_of_the_backbone_are_shown_in_the_player(app):
    assert "What the levels hold" in words(app)
    app.button("ask-levels").click()
    settle(app, lambda app: parts(app, "vitrine_player"))
    (shown,) = parts(app, "vitrine_player")
    levels = [layer for layer in desk(app).model.card.layers if layer.kind == "level"]
    assert len(shown["frames"]) == 1 + len(levels)
    for caption, layer in zip(shown["captions"][1:], levels, strict=True):
        rows, columns = layer.map_size
        assert caption.startswith(f"Level {layer.name}: {rows} x {columns} cells")
    desk(app).results.clear()  # as another photo's would be
    app.run()
    assert not parts(app, "vitrine_player")


def test_a_map_that_knows_no_box_stands_beside_one_that_does(app):
    app.button("ask-box-blind").click()
    settle(app, lambda app: len(parts(app, "vitrine_compared")) == 2)
    assert "the same map, pixel for pixel" in words(app)
    assert "they differ by up to" in words(app)
    blind, sharp = (desk(app).results[slot].each for slot in ("box-blind", "box-sharp"))
    assert len({each.target.index for each in blind}) == 2
    np.testing.assert_array_equal(blind[0].attribution, blind[1].attribution)
    assert not np.allclose(sharp[0].attribution, sharp[1].attribution)


def test_how_far_averaged_gradients_mix_the_boxes_of_this_photo_is_measured(app):
    assert "Why averaged gradients mix objects up" in words(app)
    app.button("ask-box-mixed").click()
    settle(app, lambda app: len(parts(app, "vitrine_compared")) == 2)
    mixed, apart = (desk(app).results[slot].each for slot in ("box-mixed", "box-apart"))
    assert len({each.target for each in mixed}) == len(mixed) > 1
    assert [each.target for each in mixed] == [each.target for each in apart]
    for title, made in (("Grad-CAM", mixed), ("ODAM", apart)):
        for said in crowd.sentences(title, made):
            assert said in words(app)
    assert detect_lessons.SCALED in words(app)
    drawn_with = [shown["panels"] for shown in parts(app, "vitrine_compared")]
    assert {panel["top"] for panels in drawn_with for panel in panels} == {1.0}
    own = [np.mean([share.own for share in crowd.shares(made)]) for made in (mixed, apart)]
    assert own[0] < own[1]


def test_a_published_detector_is_fetched_and_opened(app, wall, tmp_path, monkeypatch):
    name = "torchvision/ssd300_vgg16"
    monkeypatch.setattr(wall, "cache", Cache(tmp_path / "cache", scheme="http"))
    monkeypatch.setattr(catalogue, "coco_labels", lambda: fake.LABELS)
    classifier = catalogue.find("resnet50")
    with publishing(b"weights" * 3000) as publisher:
        remote = publisher.remote()
        given = {"url": remote.url, "checksum": remote.checksum, "bytes": remote.bytes}
        entry = dataclasses.replace(catalogue.find(name), **given)
        monkeypatch.setattr(catalogue, "pretrained", lambda: (classifier, entry))
        show(app, another_model.TITLE)
        (chosen,) = (each for each in app.selectbox if each.key == pretrained.KEY)
        assert chosen.label == "Detectors pre-trained on COCO"
        assert chosen.options == ["SSD300_VGG16, torchvision: 35.6 M parameters, 25.1\u00a0% box "
                                  "mAP, 0.1 MB"]  # fmt: skip
        chosen.select(name).run()
        app.button("open-pretrained").click()
        settle(app, lambda app: desk(app).model.word == name and desk(app).weighed is not None)
    assert "SSD300_VGG16 (torchvision)" in words(app)
    assert "25.1\u00a0% box mAP by torchvision's own figure" in desk(app).model.about
    assert drawn(app)["boxes"]


def test_a_classifier_is_led_to_the_page_that_explains_it(app):
    page_of = desk(app)
    page_of.say(
        f"This file holds a classifier of photos, which finds no objects. {CLASSIFIES}", "m"
    )
    app.run()
    links = [element.proto for element in app.get("page_link")]
    assert [link.label for link in links] == ["Open Offering"]
    assert "was not opened" in words(app)
    page_of.say("It is damaged.", "m")
    app.run()
    assert not app.get("page_link")
