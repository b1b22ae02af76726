"""The trainings that ship: within their size, whole, and read as they were written."""

import dataclasses

import numpy as np
import pytest

from assets.make_trainings import MADE
from loaders.trainings import FOLDER, Shipped, shipped, write
from xai_core.training import mlp_verdict
from xai_core.training.mlp import MlpSettings


def test_they_are_small_together():
    files = sorted(FOLDER.glob("*.npz"))
    assert {path.stem for path in files} == set(MADE)
    assert sum(path.stat().st_size for path in files) < 5_000_000


@pytest.mark.parametrize("name", [name for name in MADE if name.startswith("mlp")])
def test_each_is_whole(name):
    found = shipped(name)
    settings = MlpSettings(**found.values)
    assert len(found.recording) == settings.epochs
    frames = found.recording.frames["layer 1"]
    assert frames.coded().shape == (settings.epochs, 100, settings.hidden_size)
    weight = found.recording.arrays["weight 1"]
    x = found.recording.arrays["probes"] / np.float32(255)
    hidden = np.maximum(0, x @ weight.T + found.recording.arrays["bias 1"])
    # the weights were rounded to 8 bits, the activations besides
    assert np.abs(hidden - frames.decoded()[-1]).max() < 0.05 * hidden.max()


def test_the_default_s_recording_is_under_a_megabyte():
    assert shipped("mlp").recording.frames["layer 1"].sides == (100, 512)
    assert len(shipped("mlp").recording) == 100
    assert shipped("mlp").recording.size < 1_000_000


def test_dark_lines_and_overfitting_are_two_things():
    dying, overfit = shipped("mlp-dying").recording, shipped("mlp-overfit").recording
    assert mlp_verdict.fit(dying) == "fits"
    assert mlp_verdict.dark(dying, "layer 1")[1] > 64
    assert mlp_verdict.fit(overfit) == "overfits"
    assert mlp_verdict.dark(overfit, "layer 1")[1] < 5


def test_it_is_read_as_it_was_written(tmp_path):
    found = shipped("mlp-dying")
    weight = np.random.default_rng(0).normal(size=(128, 784)).astype(np.float32)
    arrays = dict(found.recording.arrays) | {"weight 1": weight}
    recording = dataclasses.replace(found.recording, arrays=arrays)
    write(tmp_path / "x.npz", Shipped(name="x", recording=recording, values={}, versions={}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loaders.trainings.FOLDER", tmp_path)
        again = shipped.__wrapped__("x").recording
    gap = np.abs(again.arrays["weight 1"] - weight).max(1)
    assert (gap <= np.abs(weight).max(1) / 254 * 1.001).all()
    assert np.array_equal(again.frames["layer 1"].coded(), recording.frames["layer 1"].coded())
    assert again.curves.keys() == recording.curves.keys()
