"""`train-mlp`: the page's values as flags, and the files that it leaves."""

import json

import numpy as np
import pytest

import cli
from commands import _training, parse
from commands.train_mlp import _settings
from tests.fakes.wall import Wall
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_presets import preset


def test_each_value_of_the_page_is_a_flag(tmp_path):
    args = parse(["train-mlp", "--hidden-size", "32", "--optimiser", "sgd", "--out", str(tmp_path)])
    assert _settings(args) == MlpSettings(hidden_size=32, optimiser="sgd")
    args = parse(["train-mlp", "--preset", "noise", "--epochs", "3", "--out", str(tmp_path)])
    assert _settings(args).label_noise == preset("noise").settings().label_noise
    assert _settings(args).epochs == 3


def test_it_leaves_the_recording_the_curves_and_a_model_that_opens(tmp_path, capsys):
    words = ["--hidden-size", "16", "--epochs", "2", "--batch-size", "500", "--out", str(tmp_path)]
    assert cli.main(["train-mlp", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["epochs"] == 2
    assert said["fit"] == "underfits"
    assert said["settings"]["hidden_size"] == 16
    with np.load(tmp_path / "recording.npz", allow_pickle=False) as file:
        assert file["layer 1"].shape == (2, 100, 16)
    assert (tmp_path / "curves.csv").read_text().startswith("epoch,training loss,validation loss")
    assert cli.main(["inspect", str(tmp_path / "model.pt")]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["input_size"], seen["channels"], seen["classes"]) == ([28, 28], 1, 10)


def test_it_learns_a_reader_s_own_samples(tmp_path, capsys, monkeypatch):
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(Wall, "folder", spool)
    monkeypatch.setattr(_training, "Wall", Wall)
    y = np.arange(60) % 3
    np.savez(tmp_path / "own.npz", x=np.eye(3)[y].repeat(4, 1), y=y)
    words = ["--data", str(tmp_path / "own.npz"), "--hidden-size", "8", "--epochs", "2"]
    assert cli.main(["train-mlp", *words, "--out", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == "own.npz"
    (tmp_path / "own.npz").write_bytes(b"no")
    assert cli.main(["train-mlp", *words, "--out", str(tmp_path / "out")]) == 3
    assert "own.npz is no NPZ" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "1000"], "--epochs must be a whole number from 1 to 200, got '1000'"),
        (["--learning-rate", "fast"], "--learning-rate must be from 1e-06 to 100"),
        (["--layers", "4", "--hidden-size", "1024", "--epochs", "200"], "million values"),
    ],
)
def test_a_bad_value_is_one_line(words, said, tmp_path, capsys):
    assert cli.main(["train-mlp", *words, "--out", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert said in line
    assert len(line.splitlines()) == 1
