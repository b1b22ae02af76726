"""`invert`: pictures of layers, of a class and of a unit, with JSON, film and report."""

import json

import numpy as np
import pytest
from PIL import Image

import cli
from commands import _opened
from tests.fakes.wall import Wall


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(Wall, "folder", spool)
    monkeypatch.setattr(_opened, "Wall", Wall)


def run(capsys, *words):
    status = cli.main(["invert", "shapes", "star", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_layers_with_film_and_report(capsys, tmp_path):
    out = tmp_path / "out"
    status, said, err = run(capsys, "--steps", 30, "--variation=0", "--report", "--out", out)
    assert status == 0
    assert "30 of 30 steps" in err or "Inversion" in err
    made = json.loads(said)
    assert made["layers"][0]["layer"] == "features.0"
    assert made["layers"][0]["nearer"] > 1
    assert (made["steps"], made["parameters"]["variation"]) == (30, 0.0)
    names = {"picture-1.png", "film.webp", "inversion.json", "report.html"}
    assert {each.name for each in out.iterdir()} == names
    with Image.open(out / "picture-1.png") as picture, Image.open(out / "film.webp") as film:
        assert np.asarray(picture).shape == (64, 64, 3)
        assert getattr(film, "n_frames", 1) > 1
    written = json.loads((out / "inversion.json").read_text())
    assert written == {name: value for name, value in made.items() if name != "files"}
    report = (out / "report.html").read_text()
    assert report.count("<img") == 2
    assert "Content-Security-Policy" in report
    for sentence in made["sentences"]:
        assert sentence.split("\u201c")[0] in report


@pytest.mark.parametrize(
    ("asked", "target"),
    [(("--target", "star"), "\u201cstar\u201d"), (("--unit", "features.0:1"), "channel 1 of")],
)
def test_a_class_and_a_unit(capsys, tmp_path, asked, target):
    status, said, _ = run(capsys, *asked, "--steps", 20, "--out", tmp_path / "out")
    assert status == 0
    made = json.loads(said)
    assert target in made["target"]
    assert made["score"] > made["score_of_noise"]


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("--layer", "a", "--target", "star"), 2, "only one kind"),
        (("--jitter", "3"), 2, "Inversion has no flag --jitter"),
        (("--steps", "1"), 2, "--steps must be from 10"),
        (("--target", "cow"), 2, "--target must be a class name"),
        (("--unit", "features.0"), 2, "LAYER:CHANNEL"),
        (("--layer", "nowhere"), 2, "nowhere"),
    ],
)
def test_what_is_refused(capsys, tmp_path, words, status, error):
    found, _, err = run(capsys, *words, "--out", tmp_path / "out")
    assert found == status
    assert error in err
    assert not (tmp_path / "out").exists()
