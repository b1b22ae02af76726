"""Every option has its control in the place that it declares, and in no other."""

import pytest

from loaders import options
from loaders.options import Options
from tests.pages.test_missing import labels, refused
from tests.pages.test_offering import desk, opened, settle, words

ELSEWHERE = {
    options.ON_MODEL: "asked before the file is sent",
    options.ON_JSON: "asked of a file of weights alone",
}
"""Places that an open model's card has not, and why."""


def controls(app):
    """Return the titles of the controls that the card shows, without what an upload is asked."""
    before = ("upload-", "framework", "origin")
    shown = (*app.text_input, *app.text_area, *app.selectbox, *app.segmented_control)
    return [each.label for each in shown if not str(each.key).startswith(before)]


def test_an_open_models_card_asks_each_option_once(app):
    opened(app)
    desk(app).upload_model("mine.pth", b"tiny", Options())
    settle(app, lambda app: desk(app).opening is None and desk(app).model.name == "mine.pth")
    shown = controls(app)
    for param in Options.declared().values():
        # the names' box stands in a popover that has their title
        title = "One a line" if param.kind == "names" else param.title
        asked = shown.count(title)
        assert asked == (param.place not in ELSEWHERE), (param.name, shown)


@pytest.mark.parametrize("name", ["framework", "origin"])
def test_what_an_upload_is_asked(app, name):
    opened(app)
    param = Options.declared()[name]
    (control,) = [each for each in app.segmented_control if each.label == param.title]
    assert control.options == [param.titles[each] for each in param.options]


def test_weights_alone_are_asked_for_their_network(app):
    refused(app, b"no network")
    assert Options.declared()["architecture"].title in labels(app)


def test_what_was_asked_stands_in_the_form_and_is_sent_back_as_it_was(app):
    opened(app)
    asked = Options(mean=(103.939 / 255, 0.25, 0.1), size=(64, 64), fit="crop", preprocessing="raw")
    desk(app).upload_model("mine.pth", b"tiny", asked)
    settle(app, lambda app: desk(app).model.name == "mine.pth" and desk(app).prediction)
    before = desk(app).model
    next(each for each in app.selectbox if each.label == "Interpolation").set_value("nearest")
    next(each for each in app.button if each.label == "Apply").click().run()
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.options.mean == asked.mean
    assert desk(app).model.options.asked == asked.asked | {"interpolation": "nearest"}


def test_a_refusal_is_in_the_pages_words(app):
    opened(app)
    next(each for each in app.text_input if each.label == "Size").set_value("12")
    next(each for each in app.button if each.label == "Apply").click().run()
    assert "&#x27;Size&#x27; must be HEIGHTxWIDTH in pixels from 16 to 2048" in words(app)
