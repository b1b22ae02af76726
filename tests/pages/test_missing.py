"""The box for what a refused file lacks: there when it helps, and it loses nothing."""

import json

import pytest

from loaders.options import ON_READING, Options
from tests.pages.conftest import settle, show
from tests.pages.test_offering import desk, opened, words
from ui import another_model
from ui.arrived import arrived

SOURCE = "import torch\nclass Net(torch.nn.Module): pass\n"
NETWORK = json.dumps({"class_name": "Sequential", "config": {"layers": []}})


def refused(app, data):
    """Have a file refused while the dialog is open in which it was sent."""
    show(opened(app), another_model.TITLE)
    desk(app).upload_model("mine.pth", data, Options())
    return settle(app, lambda app: desk(app).opening is None and desk(app).refused)


def press(app, label):
    next(each for each in app.button if each.label == label).click().run()


def box(app, label):
    """Return the box or the choice of that title."""
    shown = (*app.text_input, *app.text_area, *app.selectbox)
    return next(each for each in shown if each.label == label)


def labels(app):
    return [each.label for each in (*app.text_area, *app.get("file_uploader"))]


def files(desk):
    return [path for path in desk.session.folder.rglob("*") if path.is_file()]


def test_the_box_is_there_only_when_it_helps(app):
    opened(app)
    assert "Paste the source" not in labels(app)
    desk(app).upload_model("bad.pt", b"not a model", desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).model_error)
    assert "Paste the source" not in labels(app)
    assert files(desk(app)) == []


def test_a_refused_file_waits_for_its_source(app):
    refused(app, b"no class")
    before = desk(app).model
    assert "The file holds weights &lt;b&gt;without&lt;/b&gt; their network." in words(app)
    assert "<b>mine.pth</b> was not opened." in words(app)
    assert any("torch.export.save" in each.value for each in app.code)
    press(app, "Open with this source")
    assert "There is no source yet" in words(app)
    assert desk(app).refused is not None
    box(app, "Paste the source").set_value("x = 1").run()
    press(app, "Open with this source")
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    assert desk(app).model is before
    assert box(app, "Paste the source").value == "x = 1"
    box(app, "Paste the source").set_value(SOURCE).run()
    box(app, "How it is built").set_value(" Net() ").run()
    press(app, "Open with this source")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model_error == ""
    assert "Paste the source" not in labels(app)  # the dialog has closed
    assert (desk(app).model.options.source, desk(app).model.options.build) == (SOURCE, "Net()")
    assert len(files(desk(app))) == 1
    show(app, ON_READING)
    assert box(app, "Paste the source").value == SOURCE
    before = desk(app).model
    box(app, "Paste the source").set_value(SOURCE + "# again").run()
    press(app, "Open with this source")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.options.source == SOURCE + "# again"


def test_what_was_pasted_for_one_file_is_not_there_for_the_next(app):
    refused(app, b"no class")
    box(app, "Paste the source").set_value(SOURCE).run()
    box(app, "How it is built").set_value("Net()").run()
    desk(app).upload_model("next.pth", b"no class", Options())
    settle(app, lambda app: desk(app).refused and desk(app).refused.model.name == "next.pth")
    assert box(app, "Paste the source").value == ""
    assert box(app, "How it is built").value == ""


def test_a_refusal_stands_in_a_box_that_names_its_file(app):
    opened(app)
    desk(app).upload_model("bad.pth", b"not a model", Options())
    settle(app, lambda app: desk(app).opening is None and desk(app).model_error)
    assert "<b>bad.pth</b> was not opened." in words(app)
    assert "go-on" not in [each.key for each in app.button]  # nothing would help
    press(app, "Dismiss")
    assert "bad.pth" not in words(app)
    desk(app).upload_model("mine.pth", b"no class", Options())
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    assert "Paste the source" not in labels(app)
    press(app, "Send what it lacks")
    assert "Paste the source" in labels(app)
    assert words(app).count("<b>mine.pth</b> was not opened.") == 1
    press(app, "Choose another model")
    assert (desk(app).refused, files(desk(app))) == (None, [])
    assert "Built-in models" in [each.label for each in app.selectbox]


def test_weights_alone_wait_for_their_network(app):
    refused(app, b"no network")
    assert "Paste the source" not in labels(app)
    assert "The file that model.to_json() gave" in labels(app)
    desk(app).supply(architecture=NETWORK)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.options.architecture == NETWORK


def test_another_model_takes_the_refused_ones_place_and_room(app):
    refused(app, b"no class")
    assert len(files(desk(app))) == 1
    desk(app).upload_model("other.pth", b"tiny", desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model.name == "other.pth"
    assert len(files(desk(app))) == 1


def as_it_is(app, name):
    """Open a file that waits for its class names without them."""
    settle(app, lambda app: desk(app).found)
    show(app, another_model.TITLE)
    press(app, "Open the model")
    assert desk(app).model.name == name
    settle(app, lambda app: desk(app).prediction)
    assert desk(app).found is None


class Sent:
    """An upload that has arrived."""

    def __init__(self, session, name, data):
        self.name, self.path = name, session.add_file(name, data)


def test_what_it_lacked_may_be_sent_after_it(app):
    refused(app, b"no class")
    arrived(desk(app), [Sent(desk(app).session, "net.txt", SOURCE.encode())])
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.name == "mine.pth"
    assert desk(app).model.options.source == SOURCE
    assert files(desk(app)) == [desk(app).model.path]


@pytest.mark.parametrize("order", [1, -1])
def test_files_that_come_together_are_opened_as_one(app, order):
    opened(app)
    session = desk(app).session
    sent = [
        Sent(session, "weights.txt", b"no class\0"),
        Sent(session, "source.bin", SOURCE.encode()),
        Sent(session, "a", "\n".join(["one", "two", "three", "four", "five", "six"]).encode()),
    ][::order]
    arrived(desk(app), sent)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.name == "weights.txt"
    assert desk(app).model.options.source == SOURCE
    assert desk(app).model.card.labels == ("one", "two", "three", "four", "five", "six")
    assert files(desk(app)) == [desk(app).model.path]


def test_files_that_do_not_belong_together_cost_a_sentence(app):
    opened(app)
    session, before = desk(app).session, desk(app).model
    sent = [Sent(session, "a.pth", b"\0tiny"), Sent(session, "b.pth", b"\0tiny")]
    arrived(desk(app), sent)
    app.run()
    assert "&#x27;a.pth&#x27; and &#x27;b.pth&#x27; are both models" in words(app)
    assert desk(app).model is before
    assert files(desk(app)) == []


def test_what_a_file_leaves_open_can_be_said(app):
    refused(app, b"no size")
    before = desk(app).model
    assert "Nothing says the size of its photos. Say it with 'Size'." in words(app).replace(
        "&#x27;", "'"
    )
    box(app, "Size").set_value("64")
    press(app, "Open with these answers")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model.options.size == (64, 64)
    # and what was guessed can be said of the open one
    show(app, ON_READING)
    before = desk(app).model
    box(app, "The outputs are").set_value("sigmoid")
    press(app, "Open with these answers")
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.options.head == "sigmoid"
    assert desk(app).model.options.size == (64, 64)


def test_a_built_in_model_has_nothing_to_say(app):
    opened(app)
    assert ON_READING not in [each.label for each in app.button]


ONNX = b"\x08\x08\x12\x0ano weights\x3a\x04\x12\x02ab"


def test_weights_that_are_missing_join_the_model_when_they_come(app):
    opened(app)
    before, session = desk(app).model, desk(app).session
    desk(app).upload_model("net.onnx", ONNX, before.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    show(app, another_model.TITLE)
    assert "Drop the missing file here" in words(app)
    arrived(desk(app), [Sent(session, "net.onnx.data", b"\0" * 40)])
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model_error == ""
    kept = desk(app).model.path
    assert {path.name for path in files(desk(app))} == {kept.name, "net.onnx.data"}
    assert {path.parent for path in files(desk(app))} == {kept.parent}
    # and go with it
    desk(app).upload_model("other.pth", b"tiny", desk(app).model.options)
    settle(app, lambda app: desk(app).model.name == "other.pth" and desk(app).prediction)
    assert len(files(desk(app))) == 1


def test_a_model_and_its_weights_come_together(app):
    opened(app)
    session = desk(app).session
    sent = [Sent(session, "net.onnx.data", b"\0" * 40), Sent(session, "net.onnx", ONNX)]
    arrived(desk(app), sent)
    as_it_is(app, "net.onnx")
    assert len(files(desk(app))) == 2


def test_another_model_after_one_that_lacks_weights_is_just_opened(app):
    opened(app)
    session = desk(app).session
    desk(app).upload_model("net.onnx", ONNX, desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    arrived(desk(app), [Sent(session, "other.pth", b"PK\x03\x04tiny")])
    as_it_is(app, "other.pth")
    assert len(files(desk(app))) == 1
