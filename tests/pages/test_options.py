"""Every option has its control in the dialog that it declares, and in no other."""

import dataclasses
import threading

import pytest

from loaders import options
from loaders.class_names import read_classes
from loaders.options import ON_CARD, ON_NAMES, ON_READING, Options
from loaders.preprocessing import preset
from tests.conftest import PATIENCE
from tests.fakes.wall import Handle
from tests.pages.conftest import settle, show
from tests.pages.test_missing import box, labels, press, refused
from tests.pages.test_offering import desk, opened, words
from ui import another_model, option_form
from xai_core.model import Finding

ELSEWHERE = {options.ON_JSON: "asked of a file of weights alone"}
"""Places that an open model's card has not, and why."""

SHOWN_IN = {options.ON_SOURCE: ON_READING}
"""Places that lie in another's dialog."""


def uploaded(app, asked=Options(), name="mine.pth"):  # noqa: B008 - frozen
    """Put a visitor's own model on the desk."""
    opened(app)
    desk(app).upload_model(name, b"tiny", asked)
    return settle(app, lambda app: desk(app).model.name == name and desk(app).prediction)


def controls(app):
    """Return the titles of the controls that the page shows."""
    shown = (*app.text_input, *app.text_area, *app.selectbox)
    return [each.label for each in shown]


def flags(said):
    """Return the flags of the command line that a page's words name."""
    return [param.flag for param in Options.declared().values() if f"{param.flag} " in f"{said} "]


def title(param):
    return f"{param.title}, one a line" if param.kind == "names" else param.title


@pytest.mark.parametrize("dialog", [ON_CARD, ON_NAMES, ON_READING])
def test_an_open_models_dialogs_ask_each_option_once(app, dialog):
    uploaded(app)
    closed = controls(app)
    press(app, dialog)
    shown = controls(app)
    for param in Options.declared().values():
        asked = shown.count(title(param)) - closed.count(title(param))
        here = SHOWN_IN.get(param.place, param.place) == dialog
        assert asked == here, (param.name, shown)


def test_every_option_has_a_place():
    places = {SHOWN_IN.get(param.place, param.place) for param in Options.declared().values()}
    assert places == {ON_CARD, ON_NAMES, ON_READING, *ELSEWHERE}


def test_weights_alone_are_asked_for_their_network(app):
    refused(app, b"no network")
    assert Options.declared()["architecture"].title in labels(app)


def test_what_was_asked_stands_in_the_form_and_is_sent_back_as_it_was(app):
    asked = Options(mean=(103.939 / 255, 0.25, 0.1), size=(64, 64), fit="crop", preprocessing="raw")
    uploaded(app, asked)
    before = desk(app).model
    show(app, ON_CARD)
    box(app, "Interpolation").set_value("nearest")
    press(app, "Apply")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.options.mean == asked.mean
    assert desk(app).model.options.asked == asked.asked | {"interpolation": "nearest"}
    assert "Interpolation" not in controls(app)  # the dialog has closed


def test_each_wrong_answer_is_refused_in_the_pages_words_and_none_is_taken(app):
    show(opened(app), ON_CARD)
    before = desk(app).model
    box(app, "Size").set_value("5000x5000")
    box(app, "Mean").set_value("103.9, 116, 123")
    box(app, "Fit").set_value("pad")
    press(app, "Apply")
    said = words(app).replace("&#x27;", "'")
    assert "'Size' must be height x width, each from 16 to 2048 pixels. '5000x5000' is not." in said
    assert "'Mean' must be one number or one for each channel, with commas, from -4 to 4" in said
    assert not flags(said)
    assert not desk(app).pending
    assert desk(app).model is before
    assert box(app, "Size").value == "5000x5000"


def test_answers_that_do_not_go_together_are_said_beside_the_first(app):
    show(opened(app), ON_CARD)
    box(app, "Shorter side before a crop").set_value("256")
    box(app, "Fit").set_value("pad")
    press(app, "Apply")
    assert "&#x27;Shorter side before a crop&#x27; belongs to &#x27;Fit&#x27; crop" in words(app)
    assert not flags(words(app))


def test_what_the_model_refuses_is_said_in_the_dialog_that_stays(app):
    show(opened(app), ON_CARD)
    box(app, "Shorter side before a crop").set_value("32")
    press(app, "Apply")
    settle(app, lambda app: desk(app).opening is None and desk(app).model_error)
    said = words(app).replace("&#x27;", "'")
    assert said.count("'Shorter side before a crop' must be at least the view's shorter side") == 1
    assert not flags(said)
    assert box(app, "Shorter side before a crop").value == "32"


def test_an_empty_control_shows_what_is_done_and_no_bare_value(app):
    show(opened(app), ON_CARD)
    shown = {each.label: each.proto.placeholder for each in (*app.text_input, *app.selectbox)}
    assert shown["Mean"] == "Automatic: 0.5, 0.5, 0.5"
    assert shown["Size"] == "Automatic: 64x64"
    assert shown["Fit"] == "Automatic: stretch"
    assert shown["Shorter side before a crop"] == "For example 256"
    assert box(app, "Values").options[0] == "Automatic: symmetric"


@pytest.mark.parametrize("param", Options.declared().values(), ids=lambda param: param.name)
def test_no_placeholder_looks_like_a_value(param):
    for applied in (None, preset("unit", (64, 64))):
        assert option_form.shown(param, applied).startswith(("Automatic", "For example "))


# What belongs to one file


def sent(app, name, *findings):
    """Have a file arrive that leaves something open."""
    show(app, another_model.TITLE)
    desk(app).upload_model(name, b"tiny", Options(), ask=True)
    settle(app, lambda app: desk(app).found and desk(app).found.name == name)
    if findings:
        handle = desk(app).found.handle
        handle.card = dataclasses.replace(handle.card, findings=findings)
        app.run()


def behind(app):
    """Return the titles of the choices behind 'More answers'."""
    (more,) = [each for each in app.expander if each.label == "More answers"]
    return [each.label for each in more.selectbox]


SAID = Finding("warning", "Nothing in the file says how its photos were prepared.", "preprocessing")


def test_a_file_is_asked_what_it_leaves_open_and_no_more(app):
    opened(app)
    sent(app, "mine.pth")
    said = words(app)
    assert "<b>mine.pth</b> is read: a PyTorch state dict, recognised as linear, with 6" in said
    assert "The file does not name its classes." in said
    assert SAID.message not in said
    rest = behind(app)
    assert {"Values", "Framework", "Where it comes from"} <= set(rest)
    sent(app, "mine.pth", SAID)
    assert SAID.message in words(app)
    assert "Values" not in behind(app)
    assert controls(app).count("Values") == 1


def test_its_answers_open_it_and_the_dialog_closes(app):
    opened(app)
    sent(app, "mine.pth", SAID)
    before = desk(app).model
    box(app, "Values").set_value("raw")
    box(app, "Class names, one a line").set_value("a\nb\nc")
    press(app, "Open the model")
    assert "The model has 6 classes, and these are 3 names." in words(app)
    assert desk(app).model is before
    box(app, "Class names, one a line").set_value("a\nb\nc\nd\ne\nf")
    press(app, "Open the model")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.name == "mine.pth"
    assert desk(app).model.options == Options(preprocessing="raw", classes=tuple("abcdef"))
    assert "Values" not in controls(app)


def test_answers_for_one_file_do_not_stay_for_the_next(app):
    opened(app)
    sent(app, "one.pth", SAID)
    before = desk(app).model
    box(app, "Class names, one a line").set_value("a\nb\nc\nd\ne\nf")
    box(app, "Values").set_value("raw")
    box(app, "Framework").set_value("torch")
    box(app, "Where it comes from").set_value("custom-head")
    press(app, "Open the model")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.options.asked.keys() == {
        "classes", "preprocessing", "framework", "origin"
    }  # fmt: skip
    sent(app, "two.pth", SAID)
    assert desk(app).found.options == Options()
    assert box(app, "Class names, one a line").value == ""
    assert box(app, "Values").value == "auto"
    assert box(app, "Where it comes from").value == "custom"
    # and none that was refused
    box(app, "Class names, one a line").set_value("wrong")
    press(app, "Open the model")
    assert box(app, "Class names, one a line").value == "wrong"
    sent(app, "three.pth", SAID)
    assert box(app, "Class names, one a line").value == ""
    before = desk(app).model
    press(app, "Open the model")
    assert desk(app).model.options == Options()
    assert desk(app).model is not before
    assert "Values" not in controls(app)  # the dialog has closed


def test_a_file_that_comes_before_the_first_model_is_asked_about_all_the_same(app, monkeypatch):
    load, go_on = Handle._load, threading.Event()

    def held(handle, path, options, name):
        if "mine" not in name:
            go_on.wait(PATIENCE)
        return load(handle, path, options, name)

    monkeypatch.setattr(Handle, "_load", held)
    try:
        app.run()
        assert desk(app).opening.built_in
        sent(app, "mine.pth")  # which takes the first model's turn
        assert desk(app).model is None
    finally:
        go_on.set()
    settle(app, lambda app: desk(app).model)  # the first comes all the same, beside it
    assert desk(app).model.built_in
    assert "The file does not name its classes." in words(app)
    press(app, "Open the model")
    assert desk(app).model.name == "mine.pth"


def test_nothing_left_open_opens_at_once(app):
    show(opened(app), another_model.TITLE)
    asked = Options(classes=tuple("abcdef"))
    desk(app).upload_model("mine.pth", b"tiny", asked, ask=True)
    settle(app, lambda app: desk(app).model.name == "mine.pth" and desk(app).prediction)
    assert desk(app).found is None


def test_while_it_is_read_it_says_what_the_first_bytes_told(app, monkeypatch):
    show(opened(app), another_model.TITLE)
    load, go_on = Handle._load, threading.Event()

    def held(handle, *args):
        go_on.wait(PATIENCE)
        return load(handle, *args)

    monkeypatch.setattr(Handle, "_load", held)
    try:
        desk(app).upload_model("mine.pth", b"tiny", Options(), ask=True)
        desk(app).opening.handle.framework = ""
        app.run()
        assert "<b>mine.pth</b> has arrived. Its first bytes are being read ..." in words(app)
        seen = desk(app).version
        desk(app).opening.handle.framework = "keras"
        settle(app, lambda app: "<b>mine.pth</b> is a Keras file" in words(app))
        assert desk(app).version > seen  # which is what a page polls
        assert "Built-in models" not in controls(app)
    finally:
        go_on.set()
    settle(app, lambda app: desk(app).found)
    assert "The file does not name its classes." in words(app)


def test_dismissed_it_waits_in_a_box_that_names_it(app):
    opened(app)
    sent(app, "mine.pth")
    show(app, None)
    assert "<b>mine.pth</b> has arrived and waits for answers." in words(app)
    assert "Class names, one a line" not in controls(app)
    press(app, "Answer and open")
    assert "Class names, one a line" in controls(app)
    press(app, "Another file")
    assert desk(app).found is None
    assert "Built-in models" in controls(app)


# What leads to a control


def test_a_finding_leads_to_the_dialog_that_mends_it(app):
    uploaded(app)
    handle = desk(app).model.handle
    found = (
        SAID,
        Finding("warning", "It is in training mode.", "mode"),
        Finding("warning", "32 x 32 is taken.", "size"),
        Finding("info", "Its classes are numbered.", "labels"),
        Finding("warning", "The scores are in the first.", "output"),
    )
    handle.card = dataclasses.replace(handle.card, findings=found)
    app.run()
    links = {
        "Change the pre-processing": "Values",
        "Change how it is read": "The scores are in",
        "Give its class names": "Class names, one a line",
    }
    shown = [each.label for each in app.button if str(each.key).startswith("mend-")]
    assert sorted(shown) == sorted(links)  # once for the two that it mends
    said = words(app)
    assert said.index("It is in training mode.") < said.index("The scores are in the first.")
    assert said.index("32 x 32 is taken.") < said.index("Its classes are numbered.")
    for link, control in links.items():
        show(app, None)
        assert control not in controls(app)
        press(app, link)
        assert control in controls(app)


def test_class_names_are_fetched_back_and_read_as_the_same(app):
    names = ("0 newt", "1 mole", "[owl]", "a, b", "it's", "6")
    uploaded(app, Options(classes=names))
    show(app, ON_NAMES)
    (fetched,) = [each.proto for each in app.get("download_button") if each.proto.label]
    assert fetched.label == "classes.txt"
    assert read_classes(box(app, "Class names, one a line").value) == names
    before = desk(app).model
    press(app, "Apply")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.card.labels == names


def test_no_names_are_no_answer(app):
    show(uploaded(app), ON_NAMES)
    box(app, "Class names, one a line").set_value("")
    press(app, "Apply")
    assert "There are no class names yet" in words(app)
    assert not desk(app).pending
