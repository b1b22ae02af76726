"""`train-mlp`: the page's values as flags, and the files that it leaves."""

import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from commands import _training, parse
from commands.train_mlp import _settings
from loaders import digit_sets
from tests.fakes.publisher import publishing
from tests.fakes.wall import Wall
from workers.fetch import Cache
from xai_core.training.digits import digits
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


@pytest.fixture
def no_processes(monkeypatch, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(Wall, "folder", spool)
    monkeypatch.setattr(_training, "Wall", Wall)


def test_it_learns_a_folder_of_pictures(tmp_path, capsys, no_processes):
    for name, shade in (("cat", 30), ("dog", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for at in range(25):
            image = Image.fromarray(np.full((9, 7), shade + at, np.uint8))
            image.save(tmp_path / "pets" / name / f"{at}.png")
    (tmp_path / "pets" / "notes.txt").write_text("none of a class")
    words = ["--data", str(tmp_path / "pets"), "--hidden-size", "8", "--epochs", "2"]
    assert cli.main(["train-mlp", *words, "--out", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == "pets"
    with np.load(tmp_path / "out" / "recording.npz", allow_pickle=False) as file:
        assert file["probes"].shape == (10, 63)


def test_a_published_set_is_fetched_or_said_to_be_out_of_reach(
    tmp_path, capsys, no_processes, monkeypatch
):
    monkeypatch.setattr(digit_sets, "LEARNED", 60)
    monkeypatch.setattr(digit_sets, "HELD", 50)
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 60), ("test", 50)):
        parts[f"x_{part}"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        parts[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    file = io.BytesIO()
    np.savez(file, **parts)
    words = ["--set", "mnist", "--hidden-size", "8", "--epochs", "2", "--out", str(tmp_path / "o")]
    with publishing(file.getvalue()) as server:
        found = dataclasses.replace(digit_sets.find("mnist"), files=(server.remote("mnist.npz"),))
        monkeypatch.setattr(digit_sets, "SETS", (found,))
        monkeypatch.setattr(Wall, "cache", Cache(tmp_path / "cache", scheme="http"))
        assert cli.main(["train-mlp", *words]) == 0
        assert json.loads(capsys.readouterr().out)["data"] == "whole MNIST"
        server.status = 404
        monkeypatch.setattr(Wall, "cache", Cache(tmp_path / "empty", scheme="http"))
        assert cli.main(["train-mlp", *words]) == 3
        assert "answered 404" in capsys.readouterr().err


def test_checkpoints_of_one_s_own_are_looked_at(tmp_path, capsys, no_processes):
    paths = []
    for at in range(2):
        torch.manual_seed(at)
        net = torch.nn.Sequential(torch.nn.Linear(784, 6), torch.nn.ReLU(), torch.nn.Linear(6, 10))
        paths.append(tmp_path / f"epoch-{at}.pt")
        torch.save(net.state_dict(), paths[-1])
    words = ["--networks", *map(str, paths), "--out", str(tmp_path / "out")]
    assert cli.main(["train-mlp", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["layers"]["layer 1"]["units"] == 6
    with np.load(tmp_path / "out" / "recording.npz", allow_pickle=False) as file:
        assert file["layer 1"].shape == (2, 100, 6)
        data = digits()
        score = net(torch.tensor(np.concatenate([data.x, data.held_x]) / np.float32(255)))
        truth = torch.tensor(np.concatenate([data.y, data.held_y]))
        right = float((score.argmax(1) == truth).float().mean())
    assert said["curves"]["accuracy"] == pytest.approx(right, abs=1e-3)
    assert cli.main(["train-mlp", *words, "--epochs", "3"]) == 2
    assert "the flags of a training do not go along" in capsys.readouterr().err
    assert cli.main(["train-mlp", "--networks", "none.pt", *words[-2:]]) == 3
    assert "there is no such file" in capsys.readouterr().err


def test_it_learns_a_reader_s_own_samples(tmp_path, capsys, no_processes):
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
