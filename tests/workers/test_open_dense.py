"""Dense networks of one's own are read behind the wall, and believed only where they fit."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.conftest import PATIENCE
from tests.lasting import Lent
from workers.tasks.open_dense import OpenDense
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.training.opened import MOST
from xai_core.training.samples import Samples


@pytest.fixture(scope="module")
def session():
    wall = Lent()
    yield wall.session("opens")
    wall.close()


def samples():
    rng = np.random.default_rng(0)
    return Samples(
        x=rng.integers(0, 256, (60, 9)).astype(np.uint8),
        y=np.arange(60) % 3,
        classes=("a", "b", "c"),
        sides=(3, 3),
        word="own.npz",
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_script_and_others_cross_the_wall(session, tmp_path):
    """What a TorchScript brings runs in the sandbox; what comes back is looked at."""
    torch.manual_seed(0)
    nn = torch.nn
    made = nn.Sequential(nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    other = nn.Sequential(nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, 3))
    for name, network in (("one", made), ("two", other)):
        torch.jit.trace(network.eval(), torch.zeros(1, 9)).save(tmp_path / f"{name}.pt")
    paths = [session.add_file(f"{name}.pt", tmp_path / f"{name}.pt") for name in ("one", "two")]
    held = session.hold("torch", read=paths)
    task = OpenDense(paths=tuple(paths[:1]), names=("one.pt",), samples=samples())
    recording = held.run(task).result(PATIENCE)
    assert [recording.frames[name].sides for name in ("layer 1", "layer 2")] == [(12, 5), (12, 4)]
    assert np.allclose(recording.arrays["weight 3"], made[4].weight.detach().numpy())
    assert recording.notes == ()  # its own answers were compared
    task.check(recording, None)
    with pytest.raises(UnsupportedModel, match=r"two.pt: .* another activation"):
        held.run(
            OpenDense(paths=(paths[1],), names=("two.pt",), samples=samples())
        ).result(PATIENCE)  # fmt: skip
    for change in (
        {"words": {**recording.words, "opened": '["two.pt"]'}},
        {"arrays": {**recording.arrays, "weight 2": np.zeros((4, 6), np.float32)}},
        {"arrays": {**recording.arrays, "bias 2": np.zeros(3, np.float32)}},
        {"arrays": {**recording.arrays, "weight 3": np.zeros((2, 4), np.float32)}},
        {"frames": {"layer 1": recording.frames["layer 1"]}},
        {"frames": {"layer 1": recording.frames["layer 2"]}},
    ):
        with pytest.raises((ValueError, KeyError)):
            task.check(dataclasses.replace(recording, **change), None)


def test_too_many_files_and_other_scalings_are_refused(tmp_path):
    path = tmp_path / "one.pt"
    with pytest.raises(ParamError, match=f"From 1 to {MOST} checkpoints"):
        OpenDense(paths=(path,) * (MOST + 1), names=("one.pt",) * (MOST + 1))
    with pytest.raises(ParamError, match="scaling must be one of"):
        OpenDense(paths=(path,), names=("one.pt",), scaling="-2 to 2")
