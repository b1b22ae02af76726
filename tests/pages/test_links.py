"""The address carries the question, and nothing of it that is hostile or foreign does harm."""

import dataclasses
from urllib.parse import parse_qsl

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from tests.pages.test_offering import answered, desk, opened, parts, run_button, words
from ui import links, state
from xai_core.target import ClassTarget


def query(app):
    """Return what the browser's address is told to carry."""
    drawn = parts(app, "address")
    return dict(parse_qsl(drawn[0]["query"])) if drawn else None


@pytest.fixture
def follow(app):
    """Return a function that opens an address."""

    def follow(**asked):
        for name, value in asked.items():
            app.query_params[name.replace("_", "-")] = value
        return opened(app)

    return follow


def test_the_address_follows_the_controls(app):
    opened(app)
    assert query(app) == {
        "model": "shapes_shortcut", "photo": "heart_marked", "method": "grad-cam",
        "target": desk(app).model.card.labels[desk(app).prediction.top[0]],
    }  # fmt: skip
    app.selectbox(key="method").set_value("occlusion").run()
    assert set(query(app)) == {"model", "photo", "method", "target"}
    slider = next(each for each in app.slider if each.label.startswith("Patch height"))
    slider.set_value(12).run()
    assert query(app)["patch-height"] == query(app)["patch-width"] == "12"
    assert "The address of this page" not in words(app)
    answered(app)
    assert "The address of this page opens the question as it is set here." in words(app)


def test_an_address_sets_everything(follow):
    app = follow(
        model="shapes", photo="star", method="occlusion", target="ring", against="heart",
        patch_height="12", patch_width="11", fill="blur", of="probability",
    )  # fmt: skip
    assert desk(app).model.word == "shapes"
    assert desk(app).photo.name == "Star"
    asked = answered(app) and desk(app).answer.question
    assert (asked.method, asked.target) == ("occlusion", ClassTarget(4, 3, "probability"))
    chosen = {name: asked.values[name] for name in ("patch_height", "patch_width", "fill")}
    assert chosen == {"patch_height": 12, "patch_width": 11, "fill": "blur"}
    assert query(app) == {
        "model": "shapes", "photo": "star", "method": "occlusion", "target": "ring",
        "against": "heart", "patch-height": "12", "patch-width": "11", "fill": "blur",
        "of": "probability",
    }  # fmt: skip
    assert "ignored" not in words(app)


LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "no such"}, "model <b>no such</b>"),
        ({"photo": "../../secret"}, "photo <b>../../secret</b>"),
        ({"method": "<b>bold</b>"}, "method <b>&lt;b&gt;bold&lt;/b&gt;</b>"),
        ({"method": "occlusion", "patch_height": "-3"}, "patch-height <b>-3</b>"),
        ({"method": "occlusion", "patch_height": "512"}, "patch-height <b>512</b>"),
        ({"method": "occlusion", "value": "nan"}, "value <b>nan</b>"),
        ({"method": "occlusion", "engine": "theirs"}, "engine <b>theirs</b>"),
        ({"method": "grad-cam", "layer": "os.system"}, "layer <b>os.system</b>"),
        ({"target": "600"}, "target <b>600</b>"),
        ({"of": "odds"}, "of <b>odds</b>"),
        ({"target": "\u0664"}, "target <b>\u0664</b>"),
        ({"target": LONG}, f"target <b>{'x' * 40}</b>"),
        ({LONG: "1"}, f"{'x' * 30} <b>1</b>"),
        ({"target": "star", "against": "star"}, "against <b>star</b>"),
        ({f"a{at}": "1" for at in range(900)}, " and 57 more."),
        ({"model": "no such", "target": "star"}, "target <b>star</b>"),
    ],
)  # fmt: skip
def test_what_is_unknown_or_wrong_is_said_and_the_rest_taken(follow, asked, said):
    app = follow(**asked)
    assert "is ignored: " in words(app)
    assert said in words(app)
    assert desk(app).model.word == "shapes_shortcut"
    assert run_button(app) is not None
    if "method" in asked and asked["method"] == "occlusion":
        assert app.selectbox(key="method").value == "occlusion"


def test_the_sentence_goes_once_the_question_changes(follow):
    app = follow(target="600")
    app.run()
    assert "is ignored" in words(app)
    app.selectbox(key="method").set_value("occlusion").run()
    app.run()
    assert "is ignored" not in words(app)


def test_what_is_one_s_own_stays_out_of_the_address(app):
    opened(app)
    bench = desk(app)
    bench.upload_model("secret-name.pt", b"mine", bench.model.options)
    noise = np.zeros((8, 8, 3), np.uint8)
    from xai_core import render

    bench.open_photo(render.png(noise), name="secret.png", word="secret.png")
    settle(app, lambda app: desk(app).model.name == "secret-name.pt" and desk(app).prediction
           and desk(app).photo.name == "secret.png" and not desk(app).pending)  # fmt: skip
    asked = query(app)
    assert (asked["model"], asked["photo"]) == ("own", "own")
    assert asked["target"].isdigit()
    assert "secret" not in str(asked)
    answered(app)
    assert "Your model file and your photo cannot be in it" in words(app)


def test_whoever_lacks_the_sender_s_own_is_told(follow):
    app = follow(model="own", photo="own", target="5", method="occlusion")
    assert "made with a model file of the sender" in words(app)
    assert "made with a photo of the sender" in words(app)
    assert "target <b>5</b>" in words(app)
    assert app.selectbox(key="method").value == "occlusion"


@pytest.mark.parametrize("opens", [True, False])
def test_an_address_does_not_take_one_s_own_model_away_unasked(app, opens):
    opened(app)
    desk(app).upload_model("mine.pt", b"mine", desk(app).model.options)
    settle(app, lambda app: desk(app).model.name == "mine.pt" and desk(app).prediction)
    del app.session_state[links._READ]  # as in a new tab
    app.query_params["model"], app.query_params["target"] = "shapes", "ring"
    settle(app, lambda app: not desk(app).pending)
    assert desk(app).model.name == "mine.pt"
    assert "The address asks for <b>Shapes</b>. What you sent yourself stays" in words(app)
    app.button(key="link-open" if opens else "link-keep").click().run()
    settle(app, lambda app: not desk(app).pending and run_button(app))
    assert (desk(app).model.word == "shapes") is opens
    assert ("target <b>ring</b>" in words(app)) is not opens


def test_no_method_has_a_setting_of_a_reserved_name():
    from xai_core.explainer import explaining

    for cls in explaining("classification").values():
        assert not {param.flag[2:] for param in cls.declared().values()} & set(links.NAMES)


def test_no_address_opens_an_object_detector(follow, monkeypatch):
    from loaders import catalogue

    detector = catalogue.models()[0]
    monkeypatch.setattr(catalogue, "detectors", lambda: (dataclasses.replace(
        detector, name="boxes", task="detection"),))  # fmt: skip
    app = follow(model="boxes")
    assert "model <b>boxes</b>" in words(app)
    assert desk(app).model.word == "shapes_shortcut"


# the pages of one method


@pytest.fixture
def lesson(wall, monkeypatch):
    """Return a function that opens the address of a page of one method."""
    monkeypatch.setattr(state, "key", lambda: "one browser")

    def lesson(slug="occlusion", **asked):
        app = AppTest.from_file(str(ROOT / "pages" / f"{slug}.py"), default_timeout=PATIENCE)
        for name, value in asked.items():
            app.query_params[name.replace("_", "-")] = value
        return opened(app)

    return lesson


def test_a_lesson_s_address_sets_everything(lesson):
    app = lesson(
        model="shapes", photo="star", target="ring", against="heart", patch_height="12",
        patch_width="11", fill="blur", of="probability",
    )  # fmt: skip
    assert (desk(app).model.word, desk(app).photo.name) == ("shapes", "Star")
    assert "ignored" not in words(app)
    assert query(app) == {
        "model": "shapes", "photo": "star", "target": "ring", "against": "heart",
        "patch-height": "12", "patch-width": "11", "fill": "blur", "of": "probability",
    }  # fmt: skip
    asked = answered(app) and desk(app).answer.question
    assert (asked.method, asked.target) == ("occlusion", ClassTarget(4, 3, "probability"))
    assert asked.values["patch_width"] == 11
    assert "The address of this page opens the question as it is set here." in words(app)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "grad-cam"}, "method <b>grad-cam</b>"),
        ({"model": "../../secret"}, "model <b>../../secret</b>"),
        ({"photo": "<img src=x>"}, "photo <b>&lt;img src=x&gt;</b>"),
        ({"value": "nan"}, "value <b>nan</b>"),
        ({"engine": "theirs"}, "engine <b>theirs</b>"),
        ({"target": LONG}, f"target <b>{'x' * 40}</b>"),
        ({LONG: "1"}, f"{'x' * 30} <b>1</b>"),
        ({f"a{at}": "1" for at in range(900)}, " and 57 more."),
    ],
)
def test_a_lesson_says_what_of_its_address_does_not_fit(lesson, asked, said):
    app = lesson(**asked)
    assert "is ignored: " in words(app)
    assert said in words(app)
    assert query(app).keys() == {"model", "photo", "target"}


def test_a_lesson_s_address_has_nothing_of_one_s_own(lesson):
    app = lesson("grad_cam")
    desk(app).upload_model("secret.pt", b"mine", desk(app).model.options)
    settle(app, lambda app: desk(app).model.name == "secret.pt" and desk(app).prediction
           and not desk(app).pending)  # fmt: skip
    assert query(app)["model"] == "own"
    assert query(app)["target"].isdigit()
    assert "secret" not in str(query(app))


# a grid


@pytest.fixture
def compare(wall, monkeypatch):
    """Return a function that opens the address of a grid."""
    monkeypatch.setattr(state, "key", lambda: "one browser")

    def compare(**asked):
        app = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=PATIENCE)
        for name, value in asked.items():
            app.query_params[name] = value
        return settle(app, lambda app: any(each.key == "run-grid" for each in app.button))

    return compare


def chosen(app):
    return [app.multiselect(key=f"grid-{field}").value for field in ("models", "photos", "methods")]


def test_a_grid_s_address_follows_and_sets_it(compare):
    app = compare()
    assert query(app) == {
        "models": "shapes_shortcut,shapes", "photos": "heart_marked,star",
        "methods": ",".join(app.multiselect(key="grid-methods").value),
    }  # fmt: skip
    asked = {
        "models": "shapes", "photos": "star,heart_marked", "methods": "rise,occlusion",
        "target": "ring",
    }  # fmt: skip
    app = compare(**asked)
    assert chosen(app) == [["Shapes"], ["Star", "Heart_Marked"], ["rise", "occlusion"]]
    assert app.selectbox(key="grid-class").value == "ring"
    assert query(app) == asked
    assert "ignored" not in words(app)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"models": "shapes,../../secret"}, "models <b>../../secret</b>"),
        ({"photos": "<img src=x>"}, "photos <b>&lt;img src=x&gt;</b>"),
        ({"methods": "os.system,rise"}, "methods <b>os.system</b>"),
        ({"methods": LONG}, f"methods <b>{'x' * 40}</b>"),
        ({"models": "," * 5000}, "models <b>,,,,"),
        ({"target": "600"}, "target <b>600</b>"),
        ({LONG: "1"}, f"{'x' * 30} <b>1</b>"),
        ({f"a{at}": "1" for at in range(900)}, " and 57 more."),
        ({"models": "own"}, "made with models of the sender"),
        ({"photos": "own,star"}, "made with photos of the sender"),
        ({"prepared": "own"}, "set by hand, which it does not carry"),
    ],
)
def test_what_of_a_grid_is_unknown_is_said_and_the_rest_taken(compare, asked, said):
    app = compare(**asked)
    assert said in words(app)
    assert all(chosen(app))
    if asked.get("methods") == "os.system,rise":
        assert chosen(app)[2] == ["rise"]
    app.multiselect(key="grid-methods").set_value(["occlusion"]).run()
    app.run()
    assert said not in words(app)


def test_a_grid_s_address_has_nothing_of_one_s_own(compare):
    app = compare()
    desk(app).upload_model("secret.pt", b"mine", desk(app).model.options)
    settle(app, lambda app: desk(app).model.name == "secret.pt" and desk(app).prediction
           and not desk(app).pending)  # fmt: skip
    app.multiselect(key="grid-models").set_value(["secret.pt", "Shapes"]).run()
    assert query(app)["models"] == "own,shapes"
    assert "secret" not in str(query(app))
