"""A guest's package outside the tree: each idea is one file, and everything serves it.

The package lies in tests/fakes/guest_house and is copied out of the tree; nothing else of ours
knows it.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import cli
from benchmarks import methods
from loaders import catalogue
from loaders.load import load
from loaders.options import Options
from tests.fakes import guest_house
from tests.pages.conftest import app, wall  # noqa: F401 - fixtures
from tests.pages.test_offering import answered, desk, figure, filmed, opened, parts, words
from workers.client import Wall
from xai_core import discovery, explainer, film, plain, task
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import make
from xai_core.model import RunsFrom
from xai_core.question import Question
from xai_core.target import BoxTarget, ClassTarget, Target

HOUSE = "guest_house"


@pytest.fixture(autouse=True, scope="module")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Name a copy of the package, outside the tree, as an extension; take it back afterwards."""
    place = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(
        Path(guest_house.__file__).parent,
        place / HOUSE,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        whole = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("PYTHONPATH", whole)
        patch.setenv(discovery.EXTENSIONS, HOUSE)
        for owner, name in ((explainer, "_REGISTRY"), (task, "_REGISTRY"), (film, "_FILMS")):
            patch.setattr(owner, name, dict(getattr(owner, name)))
        discovery.find.cache_clear()
        yield
    discovery.find.cache_clear()
    for module in [name for name in sys.modules if name.split(".")[0] == HOUSE]:
        del sys.modules[module]


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    """Return what the command line says."""
    assert cli.main(argv) == 0
    return json.loads(capsys.readouterr().out)


def test_methods_lists_them_with_family_and_parameters(capsys: Any) -> None:
    rows = {row["name"]: row for row in told(capsys, "methods")}
    row = rows["quadrants"]
    assert (row["family"], row["needs"]) == ("activation maps", [RunsFrom.__name__])
    (asked,) = (each for each in row["parameters"] if each["name"] == "parts")
    assert (asked["flag"], asked["default"], asked["range"]) == ("--parts", 2, [1, 8])
    assert rows["borrowed-distance"]["engines"] == ["their-library"]


@pytest.mark.parametrize("model", ["shapes", "shapes_keras"])
def test_a_method_that_runs_on_from_a_layer(capsys: Any, tmp_path: Path, model: str) -> None:
    said = told(
        capsys, "explain", model, "star", "--method", "quadrants", "--parts", "3",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert said["parameters"]["parts"] == 3
    assert said["parameters"]["layer"]  # the one that it took
    assert said["grain"]["rows"] == said["grain"]["columns"] == 3
    assert "--method quadrants" in said["command"]
    assert "--parts 3" in said["command"]
    written = np.load(tmp_path / "attribution.npy")
    assert len(np.unique(written)) > 1
    assert json.loads((tmp_path / "explanation.json").read_text())["title"] == "Quadrants"


def test_a_method_of_a_library_only(capsys: Any, tmp_path: Path) -> None:
    said = told(
        capsys, "explain", "shapes", "star", "--method", "borrowed-distance", "--out", str(tmp_path)
    )
    assert said["engine"] == "their-library"
    assert make("borrowed-distance", {}).chosen().name == "their-library"


def test_its_help_names_the_flags(capsys: Any, tmp_path: Path) -> None:
    status = cli.main(
        [
            "explain",
            "shapes",
            "star",
            "--method",
            "quadrants",
            "--rooms",
            "3",
            "--out",
            str(tmp_path),
        ]
    )
    assert status == 2
    assert "--parts" in capsys.readouterr().err


def test_a_task_trains_streams_and_leaves_its_network(tmp_path: Path) -> None:
    real = Wall(spool=tmp_path)
    try:
        handle = real.session("guest").hold("plain")
        handle.loading.result(120)
        job = handle.run("schooling", rate=0.1, epochs=3)
        result = job.result(120)
        shown = job.snapshot().arrays["weights"]
        # a slow transcription: three steps of descent on (3 x + 1) at 0, 1 and 2
        slope = offset = 0.0
        for _ in range(3):
            off = [slope * x + offset - (3 * x + 1) for x in (0.0, 1.0, 2.0)]
            by = sum(each * x for each, x in zip(off, (0.0, 1.0, 2.0), strict=True)) / 3
            slope, offset = slope - 0.2 * by, offset - 0.2 * sum(off) / 3
        np.testing.assert_allclose(result.arrays["weights"], [slope, offset])
        assert len(result.arrays["losses"]) == 3
        assert shown.shape == (2,)
        at = handle.run("recital", at=2.0).result(120).scalars["y"]
        assert at == pytest.approx(slope * 2 + offset)
        with pytest.raises(ParamError, match="rate"):
            handle.run("schooling", rate=7.0)
    finally:
        real.close()


def test_targets_on_a_fake_detector(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = 200
    pixels[:, :16] = 40
    box = (0.0, 16.0, 32.0, 32.0)
    task.tasks()  # finds it, as the worker does
    rival = sys.modules[f"{HOUSE}.targets.rival"].Rival(box=box)
    real = Wall(spool=tmp_path)
    try:
        handle = real.session("guest").hold("onnx", task.named("open-detector")())
        handle.loading.result(120)
        values = {"patch_height": 16, "patch_width": 16, "stride_height": 16, "stride_width": 16,
                  "value": 0.0}  # fmt: skip
        for target, drops in (
            (BoxTarget(box=box, index=1, asks="object"), [[0, 200 / 255 / 2], [0, 200 / 255 / 2]]),
            (rival, [[-20 / 255, 100 / 255], [-20 / 255, 100 / 255]]),
        ):
            question = Question(method="occlusion", target=target, values=values)
            said = handle.run("explain", pixels=pixels, question=question).result(120)
            assert said.question.target == target
            corners = said.attribution[8::16, 8::16]
            np.testing.assert_allclose(corners, drops, atol=1e-5)
        question = Question(method="quadrants", target=rival)
        job = handle.run("explain", pixels=pixels, question=question)
        with pytest.raises(UnsupportedModel, match="Quadrants needs what a detector has not"):
            job.result(120)
    finally:
        real.close()


def test_a_guest_s_target_crosses_as_data() -> None:
    task.tasks()
    made = sys.modules[f"{HOUSE}.targets.rival"].Rival(box=(1.0, 2.0, 3.0, 4.0))
    data, arrays = plain.pack(Question(method="occlusion", target=made))
    back = plain.unpack(Question, json.loads(json.dumps(data)), arrays)
    assert back.target == made
    assert isinstance(back.target, Target)


def test_the_page_says_why_it_cannot_serve_and_draws_what_can(app: AppTest) -> None:  # noqa: F811
    opened(app)
    app.selectbox(key="method").set_value("quadrants").run()
    assert "Quadrants needs" in words(app)
    app.selectbox(key="method").set_value("borrowed-distance").run()
    slider = next(each for each in app.slider if each.label.startswith("Power"))
    slider.set_value(2.0).run()
    answered(app)
    assert desk(app).answer.explanation.parameters == {"power": 2.0}
    drawn = figure(app)
    assert "Borrowed distance" in json.dumps(drawn)


def test_the_docs_are_written_of_them_too() -> None:
    own = methods.text(HOUSE)
    assert "### Quadrants" in own
    assert "Which part of a layer's map the score cannot do without." in own
    assert "needs a network that can be run from one of its layers on" in own
    assert "| `--parts` | 2 |" in own
    assert "engines: their-library" in own
    assert "Grad-CAM" not in own
    assert "Quadrants" not in methods.text()  # our own list is of our own


def test_the_methods_page_lists_them(app: AppTest) -> None:  # noqa: F811
    app.run()
    app.switch_page("pages/methods.py").run()
    assert not app.exception
    titles = [header.value for header in app.header]
    assert {"Quadrants", "Borrowed distance"} <= set(titles)
    assert "Which part of a layer" in words(app) or "worth to the class" in words(app)


def test_a_method_s_steps_are_drawn_on_the_page(app: AppTest) -> None:  # noqa: F811
    opened(app)
    app.selectbox(key="method").set_value("borrowed-distance").run()
    answered(app)
    filmed(app)
    (shown,) = parts(app, "player")
    assert shown["captions"] == ["The photo", "Its distances"]


def test_steps_of_a_method_with_layers(tmp_path: Path) -> None:
    entry = next(each for each in catalogue.models() if each.name == "shapes")
    model = load(entry.path, Options(), name="shapes")
    view = np.random.default_rng(0).random((*model.input_size, 3), np.float32)
    made = make("quadrants", {"parts": 2}).explain(model, view, ClassTarget(0))
    drawn = film.film_of(made, view)
    assert drawn is not None
    assert [frame.caption for frame in drawn.frames] == ["Row 1 of 2", "Row 2 of 2"]
