"""One's own dense network: its layers are those of its framework, and any other is refused."""

import numpy as np
import pytest

from loaders import dense
from xai_core.errors import UnsupportedModel

torch = pytest.importorskip("torch")
nn = torch.nn


def made(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers)


def usual(*end):
    return made(
        nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 7), nn.ReLU(),
        nn.Linear(7, 3), *end,
    ).eval()  # fmt: skip


def x():
    return np.random.default_rng(1).random((6, 16), np.float32)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("end", [(), (nn.Softmax(1),), (nn.LogSoftmax(1),)], ids=["", "p", "log"])
@pytest.mark.parametrize("how", ["state", "module", "script"])
def test_its_layers_answer_as_torch_s(how, end, tmp_path, monkeypatch):
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    own, path = usual(*end), tmp_path / "own.pt"
    match how:
        case "state":
            torch.save({"model": own.state_dict(), "epoch": 3}, path)
        case "module":
            torch.save(own, path)
        case "script":
            torch.jit.trace(own, torch.zeros(1, 1, 4, 4)).save(path)
    network, compared = dense.read(path)
    assert compared == (how != "state")
    with torch.no_grad():
        scores = own[:7](torch.tensor(x())).numpy()
    assert np.abs(network.answers(x())[-1] - scores).max() < 1e-5
    assert [each.shape for each in network.weights] == [(12, 16), (7, 12), (3, 7)]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: made(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)), "another activation"),
        (lambda: made(nn.Linear(16, 8), nn.Linear(8, 3)), "another activation"),
        (lambda: made(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1)), "no score for each class"),
        (lambda: made(nn.Linear(16, 3)), "at least one hidden layer"),
        (lambda: made(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)), "other weights"),
        (lambda: made(nn.Linear(16, 5000), nn.ReLU(), nn.Linear(5000, 3)), "up to 4096 fit"),
    ],
)
def test_another_network_is_refused_in_a_sentence(made, words, tmp_path):
    path = tmp_path / "own.pt"
    torch.save(made().eval(), path)
    with pytest.raises(UnsupportedModel, match=words):
        dense.read(path)


def test_a_state_dict_must_be_a_chain_of_finite_layers():
    good = {name: each.numpy() for name, each in usual().state_dict().items()}
    broken = dict(good) | {"1.weight": np.full((12, 16), np.nan, np.float32)}
    with pytest.raises(UnsupportedModel, match="no numbers"):
        dense.from_state(broken)
    with pytest.raises(UnsupportedModel, match="one on the other"):
        dense.from_state(dict(good) | {"4.weight": np.zeros((7, 11)), "4.bias": np.zeros(7)})
    with pytest.raises(UnsupportedModel, match="does not fit"):
        dense.from_state(dict(good) | {"4.bias": np.zeros(6)})
    bare = {name: each for name, each in good.items() if name.endswith("weight")}
    assert not any(bias.any() for bias in dense.from_state(bare).biases)


@pytest.mark.parametrize("relu", [True, False])
def test_a_network_of_keras_answers_as_keras(relu, tmp_path):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    own = keras.Sequential(
        [
            keras.Input((4, 4)), layers.Flatten(),
            layers.Dense(9, activation="relu" if relu else "tanh"), layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )  # fmt: skip
    path = tmp_path / "own.keras"
    own.save(path)
    if not relu:
        with pytest.raises(UnsupportedModel, match="another activation"):
            dense.read(path)
        return
    network, compared = dense.read(path)
    assert compared
    shares = own(x().reshape(-1, 4, 4), training=False).numpy()
    assert np.abs(network.probabilities(x()) - shares).max() < 1e-5
