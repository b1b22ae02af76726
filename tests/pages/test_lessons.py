"""The pages on methods: the lesson, a run with the formula's numbers, experiments side by side."""

import base64
import dataclasses
import html
import io
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from tests.pages.test_offering import answered, desk, opened, parts, run_button, words
from ui import grid, lesson_page, state, text
from xai_core import guess, lesson
from xai_core.explainer import explainers, make
from xai_core.lesson import Sized, lesson_of
from xai_core.report import amount
from xai_core.target import ClassTarget

INVITES = "Press Run, and the formula is written out"
PAGES = {
    "grad_cam": "grad-cam",
    "occlusion": "occlusion",
    "rise": "rise",
    "lime": "lime",
    "kernelshap": "kernelshap",
    "integrated_gradients": "integrated-gradients",
}


@pytest.fixture(params=PAGES)
def taught(request, wall, monkeypatch):
    """Return a method's page, ready to run, and the method."""
    monkeypatch.setattr(state, "key", lambda: "one browser")
    path = ROOT / "pages" / f"{request.param}.py"
    app = AppTest.from_file(str(path), default_timeout=PATIENCE)
    return opened(app), explainers()[PAGES[request.param]]


def test_a_page_teaches_before_anything_has_run(taught):
    app, cls = taught
    told = lesson_of(cls.name)
    assert app.title[0].value == cls.title
    said = html.unescape(words(app))
    for sentence in (told.know, *told.sentences):
        assert sentence in said
    formula = parts(app, "formula")[0]
    assert {piece["symbol"] for line in formula["lines"] for piece in line} - {""} == set(
        told.symbols
    )
    assert formula["cells"] == []
    assert len(parts(app, "player")) == 1
    assert "Recording: " in words(app)
    assert INVITES in words(app)
    settings = cls.declared()
    for param in settings.values():  # every setting is there, one of a linked pair for both
        if not param.linked and (not param.engines or "ours" in param.engines):
            labels = [
                each.label
                for kind in (app.slider, app.selectbox, app.toggle, app.number_input)
                for each in kind
            ]
            assert any(label.startswith(param.title) for label in labels), param.title


def test_a_run_writes_the_formula_out(taught):
    app, cls = taught
    answered(app)
    answer = desk(app).answer
    assert answer.explanation.method == cls.name
    formula = parts(app, "formula")[0]
    made = lesson.worked(answer.explanation, answer.scene.prediction.view)
    assert formula["cells"] == list(made.lines)
    assert [part["key"] for part in formula["parts"]] == [part.key for part in made.parts]
    assert len(parts(app, "figure")) == 1
    label = answer.scene.card.labels[answer.explanation.target.classes()[0]]
    assert (
        f"The numbers are those of run 1: {cls.title} for <b>{label}</b>, on "
        f"<b>{answer.scene.photo.name}</b>." in words(app)
    )


def test_a_preset_sets_the_controls_and_says_what_to_watch(taught):
    app, cls = taught
    preset = lesson_of(cls.name).presets[-1]
    next(each for each in app.button if each.key == f"preset-{preset.title}").click().run()
    assert preset.watch in html.unescape(words(app))
    answered(app)
    used = desk(app).answer.explanation.parameters
    for name, value in preset.values.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= used[name]:
            assert used[name] == value
        else:
            assert used[name] <= value  # cut to what this view allows


def test_a_mask_follows_the_sliders_before_anything_runs(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = opened(AppTest.from_file(str(ROOT / "pages" / "rise.py"), default_timeout=PATIENCE))
    view = desk(app).prediction.view

    def drawn():
        shown = next(each.proto.body for each in app.get("html") if "v-preview" in each.proto.body
                     and "<style" not in each.proto.body)  # fmt: skip
        coded = re.findall(r"base64,([^\"]+)", shown)[0]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))))[..., 0]

    def expected(number, **values):
        method = make("rise", values, size=view.shape[:2])
        mask = np.empty((1, *view.shape[:2]), np.float32)
        method.grids(Sized(view.shape[:2])).write(mask, number)
        return np.rint(mask[0] * 255)

    np.testing.assert_array_equal(drawn(), expected(0))
    next(each for each in app.button if each.key == "preview-another").click().run()
    np.testing.assert_array_equal(drawn(), expected(1))
    next(each for each in app.slider if each.label.startswith("Grid")).set_value(4).run()
    slider = next(each for each in app.slider if each.label.startswith("Preservation"))
    slider.set_value(0.8).run()
    np.testing.assert_array_equal(drawn(), expected(1, grid=4, keep=0.8))
    assert "Mask 2 of the " in words(app)
    assert desk(app).run is None
    assert desk(app).answer is None


@pytest.mark.parametrize(
    ("slug", "preset", "passes"),
    [("rise", "20,000 masks on a grid of 13", "20,001"), ("occlusion", "Fine", "197")],
)
def test_a_large_run_shows_its_map_so_far_and_ends_when_cancelled(
    wall, monkeypatch, slug, preset, passes
):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    path = ROOT / "pages" / f"{slug}.py"
    app = opened(AppTest.from_file(str(path), default_timeout=PATIENCE))
    next(each for each in app.button if each.key == f"preset-{preset}").click().run()
    wall.held = True
    run_button(app).click()
    settle(app, lambda app: parts(app, "figure"))
    told = app.get("progress")[0].proto.text
    assert f" of {passes} passes" in told
    run = desk(app).run
    title = explainers()[run.question.method].title
    asked = run.question.target.words(run.scene.card.labels)
    assert told.startswith(text.markdown(f"{title} for {asked}: "))
    shown = parts(app, "figure")[0]
    assert shown["partial"]
    values = np.frombuffer(base64.b64decode(shown["map"]["values"]), "<f4").reshape(64, 64)
    assert np.isfinite(values).any()
    app.button(key="cancel").click().run()
    assert desk(app).run is None
    assert "Cancelled." in words(app)
    assert not run_button(app).disabled


def test_an_experiment_runs_side_by_side(taught):
    app, cls = taught
    told = lesson_of(cls.name)
    for each in (told.traps[0], *told.experiments[-1:]):
        slot = f"{lesson_page.SLOT}{cls.name}:{each.title}"
        next(button for button in app.button if button.key == slot).click()
        settle(app, lambda app, slot=slot: grid.of(desk(app), slot) and not desk(app).pending)
        made = grid.of(desk(app), slot)
        assert all(cell.answer is not None for cell in made.cells), made.cells[0].problem
        assert len(made.cells) == len(each.made(desk(app).model.card)) * (1 + len(each.variants))
        shown = parts(app, "compared")[0]
        maps = [panel for panel in shown["panels"] if panel["map"] is not None]
        assert len(maps) == len(made.cells)
        assert each.watch in html.unescape(words(app))
        kept = [key for key in desk(app).results if key.startswith(lesson_page.SLOT)]
        assert kept == [slot]  # one experiment at a time


@pytest.mark.parametrize(("chosen", "of", "said"), [
    ("logit", "logit", "by its score (logit)."),
    ("probability", "probability", "by its probability."),
    ("unit", "logit", "by its score (logit), and not the unit that is set."),
])  # fmt: skip
def test_an_experiment_explains_the_number_that_is_chosen(wall, monkeypatch, chosen, of, said):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    path = ROOT / "pages" / "occlusion.py"
    app = opened(AppTest.from_file(str(path), default_timeout=PATIENCE))
    app.segmented_control(key="measured-on").set_value(chosen).run()
    assert f"Explained is the model's first answer, {said}" in html.unescape(words(app))
    slot = f"{lesson_page.SLOT}occlusion:{lesson_of('occlusion').traps[0].title}"
    next(button for button in app.button if button.key == slot).click()
    settle(app, lambda app: grid.of(desk(app), slot) and not desk(app).pending)
    made = grid.of(desk(app), slot)
    first = desk(app).prediction.top[0]
    assert {cell.answer.question.target for cell in made.cells} == {ClassTarget(first, of=of)}


@pytest.mark.parametrize("taught", ["grad_cam", "kernelshap"], indirect=True)
def test_a_run_of_another_method_is_not_shown_here(taught):
    app, cls = taught
    other = next(name for name in PAGES.values() if name != cls.name)
    held = desk(app)
    from tests.ui.conftest import ask

    held.start(ask(method=other))
    settle(app, lambda app: not desk(app).pending)
    assert held.answer.explanation.method == other
    assert lesson_page.own(held, cls) is None
    assert run_button(app) is not None
    assert parts(app, "formula")[0]["cells"] == []
    assert INVITES not in words(app)  # this visit's runs stand above


@pytest.mark.parametrize("taught", ["grad_cam", "kernelshap"], indirect=True)
def test_what_is_shown_invites_to_no_run_where_the_visit_s_runs_stand_below(taught):
    app, _ = taught
    answered(app)
    desk(app).photo = dataclasses.replace(desk(app).photo, id=10**6, name="Another")
    settle(app, lambda app: not desk(app).pending)
    assert "Shown: the last run, on " in words(app)
    assert "Press Run" not in words(app)


def test_a_changed_photo_has_a_row_of_its_own(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = opened(AppTest.from_file(str(ROOT / "pages" / "grad_cam.py"), default_timeout=PATIENCE))
    told = next(each for each in lesson_of("grad-cam").experiments if each.variants)
    slot = f"{lesson_page.SLOT}grad-cam:{told.title}"
    next(button for button in app.button if button.key == slot).click()
    settle(app, lambda app: grid.of(desk(app), slot) and not desk(app).pending)
    shown = parts(app, "compared")[0]
    photos = [each["about"].partition(":")[0] for each in shown["panels"]]
    rows = [photos[at : at + shown["columns"]] for at in range(0, len(photos), shown["columns"])]
    assert all(len(set(row)) == 1 for row in rows)
    assert len(rows) == 1 + len(told.variants)
    # each begins with its photo alone, under what the model says of it
    assert list(shown["heads"]["columns"]) == ["The photo", "Grad-CAM", "Saliency"]
    firsts = shown["panels"][:: shown["columns"]]
    assert all(each["map"] is None and each["photo"] in shown["photos"] for each in firsts)
    assert len({each["photo"] for each in firsts}) == len(rows)
    assert all(", says " in each["about"] for each in firsts)


def test_two_networks_stand_side_by_side_and_say_which(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = opened(AppTest.from_file(str(ROOT / "pages" / "grad_cam.py"), default_timeout=PATIENCE))
    told = next(each for each in lesson_of("grad-cam").experiments if each.networks)
    said = html.unescape(words(app))
    assert "The networks: Shapes and Shapes with a shortcut." in said
    assert "With ResNet50 (Keras) and Xception (Keras), downloaded under Change model" in said
    slot = f"{lesson_page.SLOT}grad-cam:{told.title}"
    next(button for button in app.button if button.key == slot).click()
    settle(app, lambda app: grid.of(desk(app), slot) and not desk(app).pending)
    made = grid.of(desk(app), slot)
    assert [each.name for each in made.networks] == ["Shapes", "Shapes with a shortcut"]
    assert all(cell.answer is not None for cell in made.cells)
    about = [panel["about"] for panel in parts(app, "compared")[0]["panels"]]
    assert [each.partition(": ")[2] or each for each in about] == about or len(set(about)) == 2


def test_published_networks_are_taken_where_they_are(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    monkeypatch.setattr(wall, "holds", lambda self, entry: True, raising=False)
    app = opened(AppTest.from_file(str(ROOT / "pages" / "grad_cam.py"), default_timeout=PATIENCE))
    told = next(each for each in lesson_of("grad-cam").experiments if each.networks)
    monkeypatch.setattr(type(desk(app).session), "holds", lambda self, entry: True)
    app.run()
    said = html.unescape(words(app))
    assert "The networks: ResNet50 (Keras) and Xception (Keras)." in said
    assert "downloaded under Change model" not in said
    assert told.watch not in said


def test_fem_shows_its_threshold_beside_grad_cam(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = opened(AppTest.from_file(str(ROOT / "pages" / "grad_cam.py"), default_timeout=PATIENCE))
    slot = f"{lesson_page.SLOT}grad-cam:FEM beside it"
    next(button for button in app.button if button.key == slot).click()
    settle(app, lambda app: grid.of(desk(app), slot) and not desk(app).pending)
    said = html.unescape(words(app))
    assert "plus 1 of them, is" in said
    assert "plus 2 of them, is" in said


def test_a_guess_is_answered_by_the_model_itself(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = opened(AppTest.from_file(str(ROOT / "pages" / "lime.py"), default_timeout=PATIENCE))
    seen = desk(app).seen
    label = seen.card.labels[seen.prediction.top[0]]
    assert f"The model says <b>{label}</b>. Each ninth of the photo" in words(app)
    before = len(desk(app).runs)
    app.selectbox(key="guess-place").set_value(2).run()
    assert "falls without each" not in words(app)  # nothing is told before the guess is made
    next(button for button in app.button if button.key == "guess-ask").click()
    settle(app, lambda app: "falls without each" in words(app))
    held = desk(app).results["guess"]
    told = guess.seen(held.explanation, seen.prediction.view, 2, seen.card.labels)
    said = html.unescape(words(app)).replace("<b>", "\u201c").replace("</b>", "\u201d")
    for sentence in told.sentences:
        assert sentence in said
    assert "top right" in told.sentences[0]
    for fall in told.falls.ravel():
        assert amount(float(fall)) in said
    assert len(desk(app).runs) == before
