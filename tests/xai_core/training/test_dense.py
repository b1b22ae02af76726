"""A dense network in numpy, against torch."""

import numpy as np
import pytest
import torch
from torch import nn

from xai_core.training.dense import Dense


@pytest.fixture
def both():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4))
    arrays = {}
    for at, layer in enumerate(net[::2], 1):
        arrays |= {f"weight {at}": layer.weight.detach().numpy()}
        arrays |= {f"bias {at}": layer.bias.detach().numpy()}
    return net, Dense.of(arrays)


def test_answers_and_gradients_are_torch_s(both):
    net, dense = both
    x = torch.rand(5, 20, requires_grad=True)
    answers = dense.answers(x.detach().numpy())
    for hidden, end in zip(answers, (2, 4, 5), strict=True):
        assert hidden == pytest.approx(net[:end](x).detach().numpy(), abs=1e-5)
    assert dense.probabilities(x.detach().numpy()) == pytest.approx(
        net(x).softmax(1).detach().numpy(), abs=1e-5
    )
    for layer, end in enumerate((1, 3, 5)):
        (wanted,) = torch.autograd.grad(net[:end](x)[:, 3].sum(), x)
        assert dense.gradients(x.detach().numpy(), layer, 3) == pytest.approx(
            wanted.numpy(), abs=1e-5
        )


def test_integrated_gradients_add_up(both):
    _, dense = both
    x = np.random.default_rng(1).random(20, dtype=np.float32)
    scores = dense.answers(np.stack([x, np.zeros_like(x)]))[-1]
    wanted = (scores[0, 2] - scores[0, 1]) - (scores[1, 2] - scores[1, 1])
    made = dense.integrated(x, against=1, target=2, steps=512)
    assert made.sum() == pytest.approx(wanted, abs=float(0.01 * abs(wanted) + 1e-3))
    assert dense.integrated(np.zeros(20, np.float32), 1, 2).tolist() == [0] * 20


def test_what_excites_a_unit_does(both):
    _, dense = both
    corners = (np.arange(1 << 12)[:, None] >> np.arange(12) & 1).astype(np.float32)
    corners = np.pad(corners, ((0, 0), (0, 8)))
    found = dense.exciting(0, 2)
    best = (found @ dense.weights[0][2]).item()
    assert best >= (corners @ dense.weights[0][2]).max()
    grey = np.full((1, 20), 0.5, np.float32)
    before = dense.answers(grey)[0] @ dense.weights[1][1]
    after = dense.answers(dense.exciting(1, 1)[None])[0] @ dense.weights[1][1]
    assert after[0] > before[0]
