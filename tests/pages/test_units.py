"""A question about a unit of a layer: asked on a page, as the command line asks it."""

import contextlib
import io
import json
import shlex

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import cli
from commands import _opened
from tests.conftest import PATIENCE, ROOT
from tests.fakes import tiny
from tests.fakes import wall as fakes
from tests.pages.test_links import query
from tests.pages.test_offering import answered, desk, figure, opened, run_button, words
from ui import ask, links, state, takeaway
from xai_core.target import ClassTarget, UnitTarget


@pytest.fixture
def network(wall, monkeypatch):
    """Return a function that has the pages open a small network with layers."""
    monkeypatch.setattr(state, "key", lambda: "one browser")

    def network(framework="torch"):
        made = {"torch": tiny.torch_model, "keras": tiny.keras_model}[framework]
        made()  # what it imports is not waited for by a page
        monkeypatch.setattr(fakes, "LinearModel", lambda options, name: made())

    return network


def page(slug="", **asked):
    """Open a page by an address."""
    app = AppTest.from_file(str(ROOT / (f"pages/{slug}.py" if slug else "app.py")),
                            default_timeout=PATIENCE)  # fmt: skip
    for name, value in asked.items():
        app.query_params[name] = value
    return opened(app)


def control(app, kind, start):
    """Return the one control whose key begins so."""
    return next(each for each in getattr(app, kind) if str(each.key).startswith(start))


def measured_on_a_unit(app, layer, channel):
    app.segmented_control(key="measured-on").set_value("unit").run()
    control(app, "selectbox", "unit-layer").set_value(layer).run()
    control(app, "number_input", "unit-channel").set_value(channel).run()


def from_the_command_line(app, folder, monkeypatch):
    """Return the map and the record that the printed command writes."""
    command = shlex.split(app.code[0].value)
    monkeypatch.setattr(_opened, "Wall", fakes.Wall)
    monkeypatch.chdir(folder)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert cli.main([*command[2:-1], str(folder / "out")]) == 0
    written = folder / "out" / "attribution.npy"
    return np.load(written, allow_pickle=False), json.loads(said.getvalue())


@pytest.mark.parametrize(
    ("framework", "slug"),
    [("torch", ""), ("torch", "integrated_gradients"), ("keras", "integrated_gradients")],
)
def test_a_unit_is_explained_as_the_command_line_does(
    network, framework, slug, tmp_path, monkeypatch
):
    network(framework)
    app = page(slug)
    if not slug:
        app.selectbox(key="method").set_value("saliency").run()
    rows = desk(app).model.card.layers
    row = rows[1]
    measured_on_a_unit(app, row.name, 2)
    assert app.selectbox[0].disabled  # no class is asked about
    answered(app)
    answer = desk(app).answer
    made = answer.explanation
    assert made.target == UnitTarget(row.name, 2)
    assert np.ptp(made.attribution) > 0
    assert f"What does channel 2 of <b>{row.name}</b> answer to?" in words(app)
    assert f"Half of the evidence for channel 2 of <b>{row.name}</b> lies in" in words(app)
    assert "a number of the network&#x27;s inside, which names no class" in words(app)
    caption = "".join(part for part, _ in figure(app)["captions"]["map"])
    assert f"for channel 2 of \u201c{row.name}\u201d" in caption
    record = takeaway.whole(answer)
    assert record["asked"] == {
        "kind": "unit", "words": f"channel 2 of \u201c{row.name}\u201d",
    }  # fmt: skip
    assert (record["target"]["layer"], record["target"]["channel"]) == (row.name, 2)
    assert f"--unit {row.name}:2" in app.code[0].value
    again, printed = from_the_command_line(app, tmp_path, monkeypatch)
    np.testing.assert_array_equal(again, made.attribution)
    assert printed["command"] == app.code[0].value
    assert printed["sentences"] == record["sentences"]


def test_another_number_makes_the_answer_an_earlier_one(network):
    network()
    app = page("integrated_gradients")
    row = desk(app).model.card.layers[-1]
    measured_on_a_unit(app, row.name, 1)
    answered(app)
    assert f"Measured on channel 1 of <b>{row.name}</b>, and no class" in words(app)
    control(app, "number_input", "unit-channel").set_value(0).run()
    assert f"Shown: channel 1 of <b>{row.name}</b>. Press Run" in words(app)
    app.segmented_control(key="measured-on").set_value("logit").run()
    assert not app.selectbox[0].disabled
    assert "and no class" not in words(app)


def test_a_channel_lies_within_its_layer(network):
    network()
    app = page("integrated_gradients")
    rows = desk(app).model.card.layers
    few = min(rows, key=lambda row: row.channels)
    many = max(rows, key=lambda row: row.channels)
    assert few.channels < many.channels
    measured_on_a_unit(app, many.name, many.channels - 1)
    box = control(app, "number_input", "unit-channel")
    assert (box.min, box.max) == (0, many.channels - 1)
    control(app, "selectbox", "unit-layer").set_value(few.name).run()
    box = control(app, "number_input", "unit-channel")
    assert (box.value, box.max) == (few.channels - 1, few.channels - 1)


def test_the_address_carries_the_unit(network):
    network()
    app = page(method="occlusion", unit="1:3")
    assert "ignored" not in words(app)
    assert query(app)["unit"] == "1:3"
    assert not {"target", "of"} & set(query(app))
    asked = answered(app) and desk(app).answer.question
    assert (asked.method, asked.target) == ("occlusion", UnitTarget("1", 3))


@pytest.mark.parametrize("bad", ["1:999", "nowhere:0", "1", ":", "1:-1", "1:\u0664", "x" * 9999])
def test_a_unit_that_is_not_there_is_said(network, bad):
    network()
    app = page(unit=bad)
    assert f"unit <b>{bad[:40]}</b>" in words(app)
    assert query(app)["target"]
    assert isinstance((answered(app) and desk(app).answer).question.target, ClassTarget)


def test_a_run_that_is_brought_back_brings_its_unit(network, monkeypatch):
    network()
    app = page("integrated_gradients")
    measured_on_a_unit(app, "1", 1)
    answered(app)
    app.segmented_control(key="measured-on").set_value("logit").run()
    assert query(app)["target"]
    once = [desk(app).answer]
    monkeypatch.setattr(links, "note", lambda desk: once and ask.restore(desk, once.pop()))
    app.run()
    assert query(app)["unit"] == "1:1"
    assert app.segmented_control(key="measured-on").value == "unit"


@pytest.mark.parametrize(("method", "engine", "way"), [
    ("reciprocam", "", "another method"), ("grad-cam", "grad-cam", "the engine ours"),
    ("saliency", "xplique", "the engine ours"),
])  # fmt: skip
def test_who_explains_classes_only_says_so_before_it_runs(network, method, engine, way):
    network()
    app = page(method=method, unit="1:3", **({"engine": engine} if engine else {}))
    said = f"explains classes, and no unit of a layer. Choose {way}"
    assert said in words(app)
    assert run_button(app).disabled


def test_a_model_without_layers_says_so(wall, monkeypatch):
    monkeypatch.setattr(state, "key", lambda: "one browser")
    for name in ("layers", "activations", "activation_gradients"):
        monkeypatch.delattr(fakes.LinearModel, name)
    app = page(method="occlusion")
    assert not run_button(app).disabled
    app.segmented_control(key="measured-on").set_value("unit").run()
    assert "shows no layer whose output is a map" in words(app)
    assert run_button(app).disabled
