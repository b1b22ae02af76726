"""Gates written out from weights: torch's own states, its own gradients, and closed forms."""

import numpy as np
import pytest

from xai_core.training import lstm_cells
from xai_core.training.lstm_cells import Layer, Network

torch = pytest.importorskip("torch")
KINDS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def made(kind: str, layers: int = 2, units: int = 7, inputs: int = 3):
    torch.manual_seed(3)
    net = KINDS[kind](inputs, units, layers, batch_first=True)
    head = torch.nn.Linear(units, 1)
    state = {name: each.detach().numpy() for name, each in net.named_parameters()}
    state |= {f"head.{name}": each.detach().numpy() for name, each in head.named_parameters()}
    x = torch.randn(5, 11, inputs)
    return net, head, lstm_cells.from_torch(kind, state), x


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_and_outputs_are_torch_s_own(kind: str) -> None:
    net, head, own, x = made(kind)
    with torch.no_grad():
        hidden, last = net(x)
        said = head(hidden[:, -1])[:, 0]
    run = own.run(x.numpy())
    assert np.abs(run.layers[-1]["hidden"] - hidden.numpy()).max() < 1e-5
    assert np.abs(run.outputs - said.numpy()).max() < 1e-5
    every = last[0] if kind == "lstm" else last
    for layer in range(2):
        assert np.abs(run.last(layer, "hidden") - every[layer].numpy()).max() < 1e-5
        if kind == "lstm":
            assert np.abs(run.last(layer, "cell") - last[1][layer].numpy()).max() < 1e-5


def test_every_gate_is_what_a_torch_cell_computes() -> None:
    """Torch hands out no gates, but its cell does with them what the equations say."""
    net, _, own, x = made("lstm", layers=1)
    run = own.run(x.numpy()).layers[0]
    with torch.no_grad():
        hidden = cell = torch.zeros(5, 7)
        for step in range(11):
            sums = x[:, step] @ net.weight_ih_l0.T + net.bias_ih_l0
            sums = sums + hidden @ net.weight_hh_l0.T + net.bias_hh_l0
            parts = sums.chunk(4, 1)
            gates = (
                parts[0].sigmoid(), parts[1].sigmoid(), parts[2].tanh(), parts[3].sigmoid()
            )  # fmt: skip
            for name, gate in zip(lstm_cells.GATES["lstm"], gates, strict=True):
                assert np.abs(run[name][:, step] - gate.numpy()).max() < 1e-5
            _, (hidden, cell) = net(x[:, step : step + 1], (hidden[None], cell[None]))
            hidden, cell = hidden[0], cell[0]
            assert np.abs(run["cell"][:, step] - cell.numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_torch_s_own(kind: str) -> None:
    net, head, own, x = made(kind)
    x.requires_grad_()
    head(net(x)[0][:, -1]).sum().backward()
    assert np.abs(lstm_cells.gradients(own.run(x.detach().numpy())) - x.grad.numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_what_feeds_a_forecast_adds_up_to_it(kind: str) -> None:
    """Completeness: the steps' shares are the forecast less that of a window at the mean."""
    _, _, own, x = made(kind)
    window = x.numpy()[:1].astype(float)
    both = own.run(np.concatenate([window, np.zeros_like(window)])).outputs
    fed = lstm_cells.feeds(own, window[0])
    assert fed.shape == (11, 3)
    assert fed.sum() == pytest.approx(both[0] - both[1], abs=1e-4)
    # a step that the network cannot see feeds nothing
    dark = window.copy()
    dark[0, 4] = 0
    assert np.all(lstm_cells.feeds(own, dark[0])[4] == 0)


def leaky(forget: float) -> Network:
    """One cell that takes in what it reads and keeps a fixed share of what it has."""
    far = 50.0
    reads = np.zeros((4, 1))
    reads[2, 0] = 1e-3  # small, so that tanh is the line that it is near zero
    bias = np.array([far, np.log(forget / (1 - forget)), 0.0, far])
    return Network(
        "lstm", (Layer(reads, np.zeros((4, 1)), bias, np.zeros(4)),), head=np.array([1000.0])
    )


def test_a_leaky_cell_forgets_as_its_closed_form_says() -> None:
    """One step of input 1 is left at 0.8 a step; with the gate turned by half, at 0.4."""
    x = np.zeros((1, 6, 1))
    x[0, 0, 0] = 1.0
    run = leaky(0.8).run(x)
    assert run.layers[0]["cell"][0, :, 0] * 1000 == pytest.approx(0.8 ** np.arange(6), rel=1e-5)
    turned = leaky(0.8).run(x, {0: np.array([0.5])})
    assert turned.layers[0]["cell"][0, :, 0] * 1000 == pytest.approx(0.4 ** np.arange(6), rel=1e-5)
    open_ = leaky(0.8).run(x, {0: np.array([9.0])})
    assert open_.layers[0]["forget"].max() == 1.0
    assert open_.outputs[0] == pytest.approx(1.0, rel=1e-5)
    # what feeds the forecast fades with its age
    window = np.ones((6, 1))
    fed = lstm_cells.feeds(leaky(0.8), window)[:, 0]
    assert fed == pytest.approx(0.8 ** np.arange(5, -1, -1), rel=1e-4)


def test_a_flat_vector_comes_back_by_name_and_nothing_else_does() -> None:
    named = lstm_cells.sides(1, 3, 2)
    flat = np.arange(lstm_cells.count(named), dtype=np.float32)
    own = lstm_cells.from_flat(flat, 1, 3, 2)
    assert own.layers[1].recalls.shape == (12, 3)
    assert own.offset == flat[-1]
    with pytest.raises(ValueError, match="weights of"):
        lstm_cells.from_flat(flat[:-1], 1, 3, 2)
    with pytest.raises(KeyError):
        lstm_cells.from_torch("lstm", {})
