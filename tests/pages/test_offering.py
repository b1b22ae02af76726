import base64
import dataclasses
import html
import io
import json
import re
import threading

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from loaders import catalogue
from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle, show
from ui import layers_told, method_list, model_card, photo_card, state, takeaway
from workers.tasks.predict import Predict
from xai_core import colormaps, film, render
from xai_core.card import Pace
from xai_core.errors import JobError
from xai_core.explainer import explainers, explaining
from xai_core.region import Region
from xai_core.report.run import OWN_NUMBER


def desk(app):
    return app.session_state["desk"]


def words(app):
    return " ".join(element.proto.body for element in app.get("html"))


def run_button(app):
    return next((button for button in app.button if button.label.startswith("Run")), None)


def opened(app):
    return settle(app, lambda app: desk(app).prediction is not None and run_button(app))


def answered(app):
    run_button(app).click()
    return settle(app, lambda app: desk(app).answer is not None and desk(app).run is None)


def test_a_press_of_run_outlives_a_drawing_that_is_cut_short(app, monkeypatch):
    opened(app)
    honest, cut = photo_card.show, []

    def show(*given, **more):
        if not cut:  # as a slider's value does that comes a moment after the press
            cut.append(True)
            st.rerun()
        honest(*given, **more)

    monkeypatch.setattr(photo_card, "show", show)
    answered(app)
    assert cut == [True]
    assert len(desk(app).runs) == 1
    app.run()
    assert desk(app).run is None  # once


def filmed(app):
    """Open how it came about, and wait until the film is drawn."""
    app.session_state["how"] = True
    return settle(app, lambda app: parts(app, "player"))


def parts(app, name):
    """Return what the browser gets for each of our components of one name."""
    found = [element.proto for element in app.get("bidi_component")]
    return [json.loads(proto.json) for proto in found if name in proto.component_name]


def figure(app):
    """Return what the browser gets to draw the answer from."""
    drawn = parts(app, "figure")
    assert len(drawn) == 1
    return drawn[0]


def test_the_page_opens_with_the_shortcut_model_and_its_photo(app):
    opened(app)
    assert app.title[0].value == "Your model, behind glass"
    assert "Shapes with a shortcut" in words(app)
    assert "Heart_Marked" in words(app)
    assert len(parts(app, "bars")[0]["rows"]) == 5
    assert "Press Run to see what it looked at" in words(app)


def test_what_a_reader_seldom_needs_of_a_model_is_folded(app):
    opened(app)
    (folded,) = (each for each in app.expander if each.label == model_card.FOUND)
    inside = [each.proto.body for each in folded.get("html")]
    outside = [each.proto.body for each in app.get("html") if each.proto.body not in inside]
    card = desk(app).model.card
    for said in ("sandboxed: files, network, processes", f"{card.parameters:,} parameters"):
        assert any(said in body for body in inside)
        assert not any(said in body for body in outside)
    assert any(model_card.in_and_out(card) in body for body in outside)


def test_what_holds_a_model_less_is_in_sight(app):
    opened(app)
    card = desk(app).model.card
    open_to = dataclasses.replace(card, sandbox={"files": True, "network": False})
    desk(app).model.handle.card = open_to
    app.run()
    said = [body for body in map(str, (each.proto.body for each in app.get("html")))
            if "not sandboxed from: network, processes" in body]  # fmt: skip
    assert len(said) == 2  # beside the name, and among what was found


def test_what_each_layer_does_is_behind_a_click(app):
    opened(app)
    shown = show(app, layers_told.TITLE)
    assert layers_told.NOTHING in words(shown)  # the fake model's pass was not watched
    assert any(each.label == layers_told.TITLE for each in app.button)


def test_a_run_shows_a_figure_with_one_scale_and_the_words(app):
    answered(opened(app))
    shown = figure(app)
    levels = np.frombuffer(base64.b64decode(shown["map"]["levels"]), np.uint8)
    assert levels.size == 64 * 64
    assert np.ptp(levels) > 100
    values = np.frombuffer(base64.b64decode(shown["map"]["values"]), "<f4").reshape(64, 64)
    np.testing.assert_array_equal(values, desk(app).answer.explanation.attribution)
    coded = base64.b64decode(shown["photo"].removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(Image.open(io.BytesIO(coded)), desk(app).photo.pixels)
    assert len(shown["ticks"]) == 3
    assert "Half of the evidence for" in words(app)
    assert "Before you believe it" in words(app)
    assert app.code[0].value.startswith(
        "python cli.py explain shapes_shortcut assets/photos/heart_marked.png --method grad-cam"
    )


def test_what_is_handed_on_is_drawn_as_the_reader_has_it(app):
    answered(opened(app))
    answer, looks = desk(app).answer, app.session_state["looks"]
    usual = takeaway.as_shown(answer, desk(app), looks)
    looks.hear({"colours": {"false": "viridis"}, "opacity": 30, "cells": True})
    table = colormaps.table("viridis")
    made = np.asarray(Image.open(io.BytesIO(takeaway.as_shown(answer, desk(app), looks))))
    assert (made == table[-1]).all(-1).any()  # the bar's end
    assert not (np.asarray(Image.open(io.BytesIO(usual))) == table[-1]).all(-1).any()
    over = np.asarray(Image.open(io.BytesIO(takeaway.png(answer, looks))))
    wanted = render.overlay(desk(app).photo.pixels, answer.explanation, opacity=0.3, cmap="viridis")
    np.testing.assert_array_equal(over, wanted)
    said = takeaway.reported([answer], desk(app), looks)
    assert said != takeaway.reported([answer], desk(app))


def test_that_percents_are_the_models_own_is_said_once(app):
    opened(app)
    assert html.unescape(words(app)).count(OWN_NUMBER) == 1
    answered(app)
    assert html.unescape(words(app)).count(OWN_NUMBER) == 1


def test_a_class_is_explained_by_its_score_or_its_probability(app):
    answered(opened(app))
    first = desk(app).answer
    assert first.explanation.target.of == "logit"
    assert "by probability" not in words(app)
    app.segmented_control(key="measured-on").set_value("probability").run()
    assert "by its score (logit). Press Run for what is set above." in words(app)
    run_button(app).click()
    settle(app, lambda app: desk(app).answer is not first and desk(app).run is None)
    answer = desk(app).answer
    label = answer.scene.card.labels[answer.explanation.target.index]
    assert answer.explanation.target == dataclasses.replace(
        first.explanation.target, of="probability"
    )
    assert f"Why <b>{label}</b> (by probability)?" in words(app)
    assert f"Half of the evidence for <b>{label}</b> (by probability) lies in" in words(app)
    assert takeaway.whole(answer)["target"]["of"] == "probability"
    assert "--of probability" in app.code[0].value
    assert "by probability" in "".join(part for part, _ in figure(app)["captions"]["map"])


def test_an_engine_that_reads_scores_only_says_so_before_it_runs(app):
    opened(app)
    app.selectbox(key="engine:grad-cam").set_value("xplique").run()
    app.segmented_control(key="measured-on").set_value("probability").run()
    assert "explains the score before it becomes a probability (logit) only" in words(app)
    assert run_button(app).disabled


def test_the_advice_to_run_another_method_goes_once_it_was_run(app):
    answered(opened(app))
    first = desk(app).answer
    advice = "To check it, run "
    assert advice in words(app)
    (advised,) = re.findall(advice + "(.+?) on the same", takeaway.whole(first)["check"])
    (name,) = (name for name, cls in explainers().items() if cls.title == advised)
    assert advice in takeaway.reported([first], desk(app))
    app.selectbox(key="method").set_value(name).run()
    answered(app)
    desk(app).with_runs(lambda runs: runs.show(first.id))
    app.run()
    assert desk(app).answer is first
    assert f"On the same question, {advised}" in words(app)
    assert advice not in words(app)
    report = takeaway.reported([first], desk(app))
    assert f"On the same question, {advised}" in report
    assert advice not in report


def test_photo_and_answer_belong_together_while_they_change(app, monkeypatch):
    opened(app)
    before, drawn = desk(app).seen, parts(app, "photo")[0]["id"]
    assert drawn == f"view-{before.model.id}-{before.photo.id}"
    goes_on, run = threading.Event(), Predict.run

    def waits(task, bench, progress):
        assert goes_on.wait(PATIENCE)
        return run(task, bench, progress)

    monkeypatch.setattr(Predict, "run", waits)
    try:
        given = catalogue.photos()[0].path.read_bytes()
        desk(app).open_photo(given, name="Next", word="next.png")
        settle(app, lambda app: desk(app).photo is not before.photo)
        assert desk(app).prediction is None
        assert parts(app, "photo")[0]["id"] == drawn
        assert len(parts(app, "bars")[0]["rows"]) == 5
        asked = [box for box in app.selectbox if box.label in ("Class to explain", "Method")]
        assert len(asked) == 2
        assert all(box.disabled for box in asked)
        assert run_button(app).disabled
        assert "looks at Next." in words(app)
    finally:
        goes_on.set()
    settle(app, lambda app: desk(app).prediction is not None)
    assert parts(app, "photo")[0]["id"] == f"view-{before.model.id}-{desk(app).photo.id}"
    assert not run_button(app).disabled
    assert "looks at Next." not in words(app)


def test_run_stays_where_it_is_when_an_engine_cannot_serve(app):
    opened(app)
    assert '<div class="v-quiet v-small v-under-run"></div>' in words(app)


def test_a_long_run_says_before_when_it_is_stopped(app):
    from ui.ask import end

    opened(app)
    app.selectbox(key="method").set_value("rise").run()
    card = dataclasses.replace(desk(app).model.card, pace=Pace(forward=50.0))
    desk(app).model.handle.card = card
    masks = next(s for s in app.slider if s.label.startswith("Masks"))
    masks.set_value(20_000).run()
    assert run_button(app).label == "Run (about 17\u00a0min)"
    assert "Stopped after 3.3\u00a0h at the latest" in words(app)
    assert end(59) == ""
    assert "Stopped after 3.3\u00a0h at the latest" in end(1000)
    assert "No run may take more than 6.0\u00a0h" in end(7 * 3600)
    # a run that may end before: at most so long, by the same estimate
    agree = next(s for s in app.slider if s.label.startswith("Stop at an agreement"))
    agree.set_value(0.9).run()
    assert run_button(app).label == "Run (at most 17\u00a0min)"
    assert "Adaptive masks is made for few passes: 150 passes, about 8\u00a0s here." in words(app)


def test_a_moved_slider_keeps_the_answer_and_says_so(app):
    opened(app)
    app.selectbox(key="method").set_value("occlusion").run()
    answered(app)
    before = desk(app).answer
    slider = next(s for s in app.slider if s.label.startswith("Patch height"))
    was = slider.value
    slider.set_value(was + 3).run()
    assert desk(app).answer is before
    assert f"Shown: patch height {was} px" in words(app)
    figure(app)


def test_lime_says_its_superpixels_and_shows_its_steps(app):
    opened(app)
    app.selectbox(key="method").set_value("lime").run()
    app.slider(key=next(s.key for s in app.slider if "Samples" in s.label)).set_value(200)
    answered(app)
    assert "of the evidence for" in words(app)
    assert "film-held" not in app.session_state  # nothing is drawn before it is opened
    assert any(each.label == "How it came about" for each in app.expander)
    filmed(app)
    assert words(app).count("data:image/webp") == 7
    assert "A straight line is fitted to the scores" in words(app)
    assert "(R2)" in words(app)
    assert "<th>Superpixel</th>" in words(app)


@pytest.mark.parametrize(
    "method", [name for name in explaining("classification") if film.drawn_for(name)]
)
def test_each_method_with_a_film_shows_it(app, method):
    opened(app)
    app.selectbox(key="method").set_value(method).run()
    answered(app)
    filmed(app)
    explanation, view = desk(app).answer.explanation, desk(app).answer.scene.prediction.view
    wanted = film.film_of(explanation, view)
    (shown,) = parts(app, "player")
    assert shown["captions"] == [frame.caption for frame in wanted.frames]
    assert len(shown["frames"]) == len(wanted.frames)
    assert shown["said"] == wanted.still.caption
    for url, frame in zip(shown["frames"], wanted.frames, strict=True):
        coded = base64.b64decode(url.removeprefix("data:image/webp;base64,"))
        assert Image.open(io.BytesIO(coded)).size == frame.picture.shape[1::-1]
    names = {each.proto.label for each in app.get("download_button")}
    assert {"Film as WebP", "Film as GIF", "Film as WebM"} <= names


def test_a_film_is_drawn_once_for_an_answer_and_anew_for_the_next(app):
    opened(app)
    answered(app)
    filmed(app)
    first = app.session_state["film-held"].job
    filmed(app)
    assert app.session_state["film-held"].job is first
    name = parts(app, "player")[0]["id"]
    answered(app)
    filmed(app)
    assert app.session_state["film-held"].job is not first
    assert parts(app, "player")[0]["id"] != name


def test_a_film_that_fails_says_why_and_can_be_asked_for_again(app, monkeypatch):
    def fails(*given):
        raise JobError("The worker ended <b>early</b>.")

    opened(app)
    answered(app)
    with monkeypatch.context() as patch:
        patch.setattr(film, "film_of", fails)
        app.session_state["how"] = True
        again = "film-again"
        settle(app, lambda app: any(each.key == again for each in app.button))
    assert "The film could not be drawn. The worker ended &lt;b&gt;early&lt;/b&gt;." in words(app)
    assert not parts(app, "player")
    app.button(key=again).click()
    filmed(app)


def test_an_engine_that_hands_out_nothing_is_named(app, monkeypatch):
    opened(app)
    answered(app)
    monkeypatch.setattr(film, "film_of", lambda *given: None)
    app.session_state["how"] = True
    settle(app, lambda app: "The engine ours hands out nothing" in words(app))
    assert not parts(app, "player")


def test_before_the_first_run_the_chosen_method_s_recording_stands_there(app):
    opened(app)
    invitation = "How Grad-CAM works: a recording"
    assert [each.label for each in app.expander].count(invitation) == 1
    assert not parts(app, "player")
    app.session_state["recorded-grad-cam"] = True
    app.run()
    (shown,) = parts(app, "player")
    assert (shown["label"], shown["id"]) == ("Recording", "recording-grad-cam")
    assert "Recording: Grad-CAM for <b>star</b>" in words(app)
    app.selectbox(key="method").set_value("occlusion").run()
    assert any(each.label == "How Occlusion works: a recording" for each in app.expander)
    assert "Recording: " not in words(app)
    answered(app)
    assert not any("recording" in each.label for each in app.expander)


def without(app, method, why):
    """Let a method not serve the model on the desk."""
    handle = desk(app).model.handle
    methods = dict(handle.card.methods)
    methods[method] = dataclasses.replace(methods[method], why_not=why)
    handle.card = dataclasses.replace(handle.card, methods=methods)


def test_a_model_begins_with_the_first_method_that_serves_it(app):
    opened(app)
    assert app.selectbox(key="method").value == "grad-cam"
    why = "Grad-CAM needs a layer whose output is a <map>."
    without(app, "grad-cam", why)
    app.run()
    box = app.selectbox(key="method")
    assert box.value == method_list.ordered(desk(app).model.card.methods)[0] != "grad-cam"
    assert run_button(app)
    assert "Grad-CAM (not for this model)" in box.options
    lost = [option.endswith("(not for this model)") for option in box.options]
    assert lost == sorted(lost)
    box.set_value("grad-cam").run()
    assert app.selectbox(key="method").value == "grad-cam"
    assert "needs a layer whose output is a &lt;map&gt;." in words(app)
    assert run_button(app) is None
    assert "Press Run" not in words(app)
    assert "Choose a method that serves this model to see what it looked at." in words(app)


def test_nobody_is_told_to_press_what_is_not_there(app):
    answered(opened(app))
    before = desk(app).model
    desk(app).reopen(classes=tuple("abcdef"))
    settle(app, lambda app: desk(app).model is not before and not desk(app).pending)
    assert "Press Run for what is set above." in words(app)
    without(app, "grad-cam", "It cannot.")
    app.session_state["method-chosen"] = True
    app.run()
    assert run_button(app) is None
    assert "Press Run" not in words(app)
    assert "Shown: the last run, with the earlier class names" in words(app)
    assert ". Choose a method that serves this model." in words(app)


def test_a_method_that_was_chosen_stays_with_the_next_model(app):
    opened(app)
    app.selectbox(key="method").set_value("occlusion").run()
    before = desk(app).model
    desk(app).reopen(classes=tuple("abcdef"))
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert app.selectbox(key="method").value == "occlusion"


def test_the_time_on_the_button_is_measured(app, wall, monkeypatch):
    monkeypatch.setattr(wall, "pace", Pace(forward=500.0, backward=1.0, tail=11_500.0))
    opened(app)
    settle(app, lambda app: not desk(app).pending)
    assert run_button(app).label == "Run (about 12\u00a0s)"
    app.selectbox(key="method").set_value("occlusion").run()
    assert run_button(app).label == "Run (about 2\u00a0min)"  # 226 passes of half a second


def test_another_page_and_back_loses_nothing(app):
    opened(app)
    app.selectbox(key="method").set_value("occlusion").run()
    answered(app)
    before = desk(app)
    app.switch_page("pages/methods.py").run()
    assert app.title[0].value == "Methods"
    app.switch_page("pages/offering.py").run()
    assert desk(app) is before
    assert app.selectbox(key="method").value == "occlusion"
    assert before.answer is not None
    assert "Half of the evidence for" in words(app)
    figure(app)


def test_pixels_are_bounded_by_the_view(app):
    opened(app)
    app.selectbox(key="method").set_value("occlusion").run()
    sliders = [slider for slider in app.slider if "(px)" in slider.label]
    assert sliders
    assert all(slider.max == 64 for slider in sliders)


def test_a_file_that_is_no_model_costs_one_sentence_and_nothing_else(app):
    opened(app)
    before = desk(app).model
    desk(app).upload_model("bad.pt", b"not a model", before.options)
    settle(app, lambda app: desk(app).opening is None)
    assert desk(app).model is before
    assert "This is not a model file. Upload a PyTorch or Keras model." in words(app)


def test_a_name_from_a_file_is_shown_as_text(app):
    opened(app)
    evil = '<img src=x onerror="alert(1)">**b**'
    desk(app).upload_model(evil, b"tiny", desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.name == evil
    assert "<img" not in words(app)
    assert "&lt;img src=x" in words(app)


def test_a_long_run_shows_its_progress_and_ends_when_cancelled(app, wall):
    opened(app)
    wall.held = True
    app.selectbox(key="method").set_value("occlusion").run()
    run_button(app).click()
    settle(app, lambda app: parts(app, "figure"))
    assert run_button(app).disabled
    assert " of 226 passes" in app.get("progress")[0].proto.text
    shown = figure(app)
    assert shown["partial"]
    # what no patch has hidden yet is told from what is zero
    unknown = np.frombuffer(base64.b64decode(shown["unknown"]), np.uint8).reshape(64, 64)
    values = np.frombuffer(base64.b64decode(shown["map"]["values"]), "<f4").reshape(64, 64)
    assert 0 < unknown.sum() < unknown.size
    np.testing.assert_array_equal(unknown == 1, np.isnan(values))
    app.button(key="cancel").click().run()
    assert desk(app).run is None
    assert "Cancelled." in words(app)
    assert not run_button(app).disabled


def test_two_visitors_have_two_desks(app, wall):
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    opened(app)
    desk(app).upload_model("secret-name.pt", b"tiny", desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    opened(other)
    assert "secret-name.pt" in words(app)
    assert "secret-name.pt" not in words(other)
    assert desk(app) is not desk(other)


def test_names_that_the_png_has_no_letters_for_are_told(app):
    opened(app)
    answered(app)
    assert "The PNG has no letters" not in words(app)
    desk(app).reopen(classes=tuple(f"\u732b{at}" for at in range(6)))
    settle(app, lambda app: not desk(app).pending and run_button(app))
    answered(app)
    assert "The PNG has no letters for \u732b and shows a box for each." in words(app)


def test_class_names_from_others_are_shown_as_text(app):
    opened(app)
    evil = "<img src=y onerror=alert(1)>"
    names = (evil, *(f"{evil} {index}" for index in range(5)))
    desk(app).reopen(classes=names)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.card.labels == tuple(names)
    answered(app)
    assert "<img" not in words(app)
    assert "&lt;img src=y" in words(app)


def test_a_marked_region_is_described_until_another_photo_comes(app):
    answered(opened(app))
    assert figure(app)["region"]["box"] is None
    photo = desk(app).photo
    desk(app).mark(photo, Region(0, 0, 40, 100))
    app.run()
    assert "The marked region holds" in words(app)
    assert "of the evidence for" in words(app)
    told = figure(app)["region"]
    assert told["box"] == [0, 0, 40, 100]
    app.run()
    assert figure(app)["region"] == told
    described = json.loads(takeaway.described(desk(app).answer))
    assert described["region"]["box"] == [0, 0, 40, 100]
    before = desk(app).answer
    answered(app)
    assert desk(app).answer is not before
    assert "The marked region holds" in words(app)
    desk(app).open_photo(catalogue.photos()[0].path.read_bytes(), name="Other", word="other.png")
    settle(app, lambda app: desk(app).photo is not photo and desk(app).prediction)
    answered(app)
    assert "The marked region" not in words(app)
    assert figure(app)["region"]["box"] is None


DIM = ".st-key-answer-picture { opacity"


def test_another_model_s_or_photo_s_answer_is_dimmed(app):
    answered(opened(app))
    assert DIM not in words(app)
    before = desk(app).photo
    desk(app).open_photo(before_png(before.pixels), name="other.png", word="other.png")
    settle(app, lambda app: desk(app).photo is not before and not desk(app).pending)
    assert DIM in words(app)
    assert "Shown: the last run, on" in words(app)
    answered(app)
    assert DIM not in words(app)


def before_png(pixels):
    out = io.BytesIO()
    Image.fromarray(255 - pixels).save(out, "PNG")
    return out.getvalue()


def test_a_tab_says_so_before_it_runs_on_what_another_tab_changed(app, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    opened(app)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    opened(other)
    before = desk(app).photo
    desk(other).open_photo(before_png(before.pixels), name="other.png", word="other.png")
    settle(other, lambda app: desk(app).photo is not before and not desk(app).pending)
    run_button(app).click().run()  # it still shows the photo of before
    assert desk(app).run is None
    assert desk(app).answer is None
    assert (
        "The photo was changed meanwhile, in another tab or here: it is other.png now. Look at it "
        "and press Run again."
    ) in re.sub("<[^>]*>", "", words(app)).replace("\u201c", "").replace("\u201d", "")
    answered(app)
    assert desk(app).answer.scene.photo.name == "other.png"


def test_the_files_that_the_command_reads_are_offered_beside_it(app):
    answered(opened(app))
    assert "The command reads these files" not in words(app)
    before = desk(app).model
    desk(app).reopen(classes=tuple("abcdef"))
    settle(app, lambda app: desk(app).model is not before and not desk(app).pending)
    answered(app)
    assert "--classes classes.txt" in app.code[0].value
    assert "The command reads these files" in words(app)
