"""A training behind the wall: told, paused, stepped, stopped, taken up again."""

import numpy as np
import pytest

from tests.conftest import PATIENCE
from tests.lasting import Lent
from tests.workers.conftest import wait_for
from workers.tasks.train_mlp import TrainMlp
from xai_core.errors import ParamError
from xai_core.training.course import Turn
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_units import About, about
from xai_core.training.samples import Samples


@pytest.fixture(scope="module")
def trained():
    """Hold one torch worker, in which every test trains."""
    wall = Lent()
    handle = wall.session("trains").hold("torch")
    yield handle
    wall.close()


def small(epochs=3, turns=(), **values):
    given = {"hidden_size": 16, "batch_size": 500, "seed": 5} | values
    return TrainMlp(settings=MlpSettings(epochs=epochs, **given), turns=turns)


def test_it_trains_and_a_branch_goes_on(trained, tmp_path):
    made = trained.run(small(layers=2)).result(PATIENCE)
    assert (len(made), made.first, made.chosen) == (3, 0, 2)
    assert set(made.frames) == {"layer 1", "layer 2"}
    assert made.arrays["weight 1"].shape == (16, 784)
    assert made.files["model"].stat().st_size > 4 * 16 * 784
    assert made.arrays["mistakes"].shape[1] == 784
    said = made.arrays["mistake classes"]
    assert (said[:, 0] != said[:, 1]).all()
    again = trained.run(small(layers=2, turns=(Turn(0, {"dropout": 0.0}),))).result(PATIENCE)
    assert (again.first, len(again)) == (1, 2)
    assert np.array_equal(again.arrays["weight 2"], made.arrays["weight 2"])
    assert len(again.after(made)) == 3


def test_what_would_be_refused_later_is_refused_at_once():
    with pytest.raises(ParamError, match="million values"):
        small(epochs=200, layers=4, hidden_size=1024)
    with pytest.raises(ParamError, match="may change"):
        small(turns=(Turn(0, {"seed": 3.0}),))


def test_a_step_is_an_epoch(trained):
    job = trained.run(small(epochs=200, batch_size=8))
    wait_for(lambda: job.snapshot().done, PATIENCE)
    job.command("pause")
    wait_for(lambda: job.snapshot().paused, PATIENCE)
    trained_epochs = []
    for _ in range(3):
        at = job.snapshot().done
        job.command("step")
        wait_for(
            lambda at=at: job.snapshot().done > at and job.snapshot().done % 500 == 0, PATIENCE
        )
        shown = job.snapshot().arrays
        assert shown["frame.layer 1"].shape == (100, 16)
        trained_epochs.append(len(shown["curves"]))
    assert np.diff(trained_epochs).tolist() == [1, 1]
    assert job.snapshot().done == 500 * trained_epochs[-1]
    job.command("stop")
    made = job.result(PATIENCE)
    assert len(made) == trained_epochs[-1]
    assert made.notes[0].startswith(f"Stopped in epoch {len(made)}")


def test_samples_of_one_s_own_cross_the_wall(trained):
    y = np.arange(60, dtype=np.int64) % 3
    x = np.random.default_rng(0).integers(0, 256, (60, 12), dtype=np.uint8)
    own = Samples(x=x, y=y, classes=("a", "b", "c"), sides=(3, 4), word="own.npz")
    task = TrainMlp(settings=MlpSettings(hidden_size=8, epochs=2), samples=own)
    made = trained.run(task).result(PATIENCE)
    assert made.frames["layer 1"].sides == (12, 8)
    assert about(made) == About(("a", "b", "c"), (3, 4), "samples", "own.npz")
