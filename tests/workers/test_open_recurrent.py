"""A recurrent network of one's own is read behind the wall, and believed only where it fits."""

import dataclasses

import numpy as np
import pytest
import torch

from loaders import recurrent
from tests.conftest import PATIENCE
from tests.lasting import Lent
from workers.tasks.open_recurrent import Opened, OpenRecurrent
from xai_core.errors import UnsupportedModel


@pytest.fixture(scope="module")
def session():
    wall = Lent()
    yield wall.session("opens")
    wall.close()


def test_its_weights_cross_the_wall_and_it_runs_without_a_framework(session, tmp_path):
    torch.manual_seed(0)
    state = torch.nn.LSTM(1, 5, 2).state_dict() | {"fc.weight": torch.ones(1, 5)}
    torch.save(state, tmp_path / "own.pt")
    path = session.add_file("own.pt", tmp_path / "own.pt")
    held = session.hold("torch", read=[path])
    made = held.run(OpenRecurrent(path=path)).result(PATIENCE)
    assert (made.recurrent, made.units, made.inputs, made.head) == ("lstm", (5, 5), 1, True)
    x = np.random.default_rng(0).normal(size=(3, 7, 1))
    there, _ = recurrent.read(tmp_path / "own.pt")
    assert made.network.run(x).outputs == pytest.approx(there.run(x).outputs)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "line.pt")
    other = session.add_file("line.pt", tmp_path / "line.pt")
    held = session.hold("torch", read=[other])
    with pytest.raises(UnsupportedModel, match="LSTM or GRU layers is needed"):
        held.run(OpenRecurrent(path=other)).result(PATIENCE)


@pytest.mark.parametrize(
    "change",
    [
        {"units": (5, 4)},
        {"units": ()},
        {"inputs": 2},
        {"inputs": 0},
        {"head": True},
        {"numbers": np.full(140, np.nan)},
        {"numbers": np.zeros(139)},
    ],
)
def test_what_does_not_fit_is_no_answer(change):
    good = Opened(
        recurrent="lstm", inputs=1, units=(5,), head=False, numbers=np.zeros(160), said="one"
    )
    assert good.network.layers[0].units == 5
    with pytest.raises(ValueError, match=r"layers|weights"):
        dataclasses.replace(good, **change)
