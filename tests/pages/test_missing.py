"""The box for what a refused file lacks: there when it helps, and it loses nothing."""

import json

import pytest

from tests.pages.conftest import settle
from tests.pages.test_offering import desk, opened, words
from ui import another_model

SOURCE = "import torch\nclass Net(torch.nn.Module): pass\n"
NETWORK = json.dumps({"class_name": "Sequential", "config": {"layers": []}})


def refused(app, data):
    opened(app)
    desk(app).upload_model("mine.pth", data, desk(app).model.options)
    return settle(app, lambda app: desk(app).opening is None and desk(app).refused)


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
    assert any("mine\\.pth" in each.value for each in app.markdown)
    assert any("torch.export.save" in each.value for each in app.code)
    app.button(key="refused-open").click().run()
    assert "There is no source yet" in words(app)
    assert desk(app).refused is not None
    app.text_area(key="refused-source").set_value("x = 1").run()
    app.button(key="refused-open").click().run()
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    assert desk(app).model is before
    assert app.text_area(key="refused-source").value == "x = 1"
    app.text_area(key="refused-source").set_value(SOURCE).run()
    app.text_input(key="refused-build").set_value(" Net() ").run()
    app.button(key="refused-open").click().run()
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model_error == ""
    assert (desk(app).model.options.source, desk(app).model.options.build) == (SOURCE, "Net()")
    assert len(files(desk(app))) == 1
    assert "again-source" in [each.key for each in app.text_area]
    assert app.text_area(key="again-source").value == SOURCE
    app.text_area(key="again-source").set_value(SOURCE + "# again").run()
    app.button(key="again-open").click().run()
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.options.source == SOURCE + "# again"


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


class Sent:
    """An upload that has arrived."""

    def __init__(self, session, name, data):
        self.name, self.path = name, session.add_file(name, data)


def test_what_it_lacked_may_be_sent_after_it(app, monkeypatch):
    refused(app, b"no class")
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    another_model.arrived(desk(app), [Sent(desk(app).session, "net.txt", SOURCE.encode())])
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.name == "mine.pth"
    assert desk(app).model.options.source == SOURCE
    assert files(desk(app)) == [desk(app).model.path]


@pytest.mark.parametrize("order", [1, -1])
def test_files_that_come_together_are_opened_as_one(app, monkeypatch, order):
    opened(app)
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    session = desk(app).session
    sent = [
        Sent(session, "weights.txt", b"no class\0"),
        Sent(session, "source.bin", SOURCE.encode()),
        Sent(session, "a", "\n".join(["one", "two", "three", "four", "five", "six"]).encode()),
    ][::order]
    another_model.arrived(desk(app), sent)
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.name == "weights.txt"
    assert desk(app).model.options.source == SOURCE
    assert desk(app).model.card.labels == ("one", "two", "three", "four", "five", "six")
    assert files(desk(app)) == [desk(app).model.path]


def test_files_that_do_not_belong_together_cost_a_sentence(app, monkeypatch):
    opened(app)
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    session, before = desk(app).session, desk(app).model
    sent = [Sent(session, "a.pth", b"\0tiny"), Sent(session, "b.pth", b"\0tiny")]
    another_model.arrived(desk(app), sent)
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
    app.text_input(key="refused-answers-size").set_value("64")
    button = next(b for b in app.button if b.label == "Open with these answers")
    button.click().run()
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).refused is None
    assert desk(app).model.options.size == (64, 64)
    # and what was guessed can be said of the open one
    head = next(each for each in app.selectbox if each.label == "The outputs are")
    head.set_value("sigmoid")
    button = next(b for b in app.button if b.label == "Open with these answers")
    button.click().run()
    settle(app, lambda app: desk(app).opening is None and desk(app).prediction)
    assert desk(app).model.options.head == "sigmoid"
    assert desk(app).model.options.size == (64, 64)


def test_a_built_in_model_has_nothing_to_say(app):
    opened(app)
    assert "The outputs are" not in [each.label for each in app.selectbox]


ONNX = b"\x08\x08\x12\x0ano weights\x3a\x04\x12\x02ab"


def test_weights_that_are_missing_join_the_model_when_they_come(app, monkeypatch):
    opened(app)
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    before, session = desk(app).model, desk(app).session
    desk(app).upload_model("net.onnx", ONNX, before.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    assert "drop the missing file there" in words(app)
    another_model.arrived(desk(app), [Sent(session, "net.onnx.data", b"\0" * 40)])
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


def test_a_model_and_its_weights_come_together(app, monkeypatch):
    opened(app)
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    before, session = desk(app).model, desk(app).session
    sent = [Sent(session, "net.onnx.data", b"\0" * 40), Sent(session, "net.onnx", ONNX)]
    another_model.arrived(desk(app), sent)
    settle(app, lambda app: desk(app).model is not before and desk(app).prediction)
    assert desk(app).model.name == "net.onnx"
    assert len(files(desk(app))) == 2


def test_another_model_after_one_that_lacks_weights_is_just_opened(app, monkeypatch):
    opened(app)
    monkeypatch.setattr(another_model, "close", lambda popover: None)
    session = desk(app).session
    desk(app).upload_model("net.onnx", ONNX, desk(app).model.options)
    settle(app, lambda app: desk(app).opening is None and desk(app).refused)
    another_model.arrived(desk(app), [Sent(session, "other.pth", b"PK\x03\x04tiny")])
    settle(app, lambda app: desk(app).model.name == "other.pth" and desk(app).prediction)
    assert len(files(desk(app))) == 1
