"""One's own LSTM and GRU: every gate as its framework has it, and what is not shown is refused."""

import numpy as np
import pytest

from loaders import recurrent
from xai_core.errors import UnsupportedModel

torch = pytest.importorskip("torch")


def steps(inputs=1):
    return np.random.default_rng(0).normal(size=(4, 9, inputs)).astype(np.float32)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_state_dict_of_torch_is_written_out(kind, tmp_path):
    torch.manual_seed(1)

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = getattr(torch.nn, kind)(1, 6, 2, batch_first=True)
            self.fc = torch.nn.Linear(6, 1)

        def forward(self, x):
            hidden, _ = self.rnn(x)
            return self.fc(hidden[:, -1])[:, 0], hidden

    own = Own().eval()
    path = tmp_path / "own.pt"
    torch.save(own.state_dict(), path)
    network, said = recurrent.read(path)
    assert said == f"2 {kind} layers of 6 and 6 units by PyTorch, and a line that forecasts."
    run = network.run(steps())
    with torch.no_grad():
        outputs, hidden = own(torch.tensor(steps()))
    assert np.abs(run.layers[-1]["hidden"] - hidden.numpy()).max() < 1e-5
    assert np.abs(run.outputs - outputs.numpy()).max() < 1e-5


def test_layers_of_several_modules_stand_one_on_the_other(tmp_path):
    torch.manual_seed(2)
    first = torch.nn.LSTM(1, 5, batch_first=True)
    second = torch.nn.LSTM(5, 3, batch_first=True)
    state = {f"encoder.{name}": each for name, each in first.state_dict().items()}
    state |= {f"decoder.{name}": each for name, each in second.state_dict().items()}
    path = tmp_path / "two.pt"
    torch.save({"model": state, "epoch": 3}, path)
    network, said = recurrent.read(path)
    assert said.endswith("of 5 and 3 units by PyTorch, and no line of its own that forecasts.")
    with torch.no_grad():
        hidden = second(first(torch.tensor(steps()))[0])[0].numpy()
    assert np.abs(network.run(steps()).layers[1]["hidden"] - hidden).max() < 1e-5


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: torch.nn.LSTM(1, 4, bidirectional=True), "in both directions"),
        (lambda: torch.nn.LSTM(1, 4, proj_size=2), "projects its hidden state"),
        (lambda: torch.nn.RNN(1, 4), "has 1 gates"),
        (lambda: torch.nn.Linear(4, 2), "none"),
    ],
)
def test_what_is_not_shown_is_refused_in_a_sentence(made, words, tmp_path):
    path = tmp_path / "other.pt"
    torch.save(made().state_dict(), path)
    with pytest.raises(UnsupportedModel) as caught:
        recurrent.read(path)
    assert words in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    net = torch.nn.LSTM(1, 4)
    with torch.no_grad():
        net.weight_hh_l0[0, 0] = float("nan")
    torch.save(net.state_dict(), tmp_path / "nan.pt")
    with pytest.raises(UnsupportedModel, match="no numbers"):
        recurrent.read(tmp_path / "nan.pt")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_of_keras_is_written_out(kind, ending, tmp_path):
    keras = pytest.importorskip("keras")
    layers = [
        keras.layers.Input((9, 1)),
        getattr(keras.layers, kind)(6, return_sequences=True),
        getattr(keras.layers, kind)(4),
        keras.layers.Dense(1),
    ]
    keras.utils.set_random_seed(3)
    model = keras.Sequential(layers)
    for layer in model.layers:  # biases that are not all zero
        layer.set_weights([w + 0.1 * np.random.default_rng(1).normal(size=w.shape)
                           for w in layer.get_weights()])  # fmt: skip
    path = tmp_path / f"own.{ending}"
    model.save(path)
    network, said = recurrent.read(path)
    assert said == f"2 {kind} layers of 6 and 4 units by Keras, and a line that forecasts."
    outputs = model.predict(steps(), verbose=0)[:, 0]
    assert np.abs(network.run(steps()).outputs - outputs).max() < 1e-5


def test_a_line_that_reads_another_layer_is_no_forecast(tmp_path):
    """As wide as the recurrent layer, and yet not reading it: taken for it, it would be wrong."""
    parts = torch.nn.ModuleDict(
        {"rnn": torch.nn.LSTM(1, 6), "fc": torch.nn.Linear(6, 6), "out": torch.nn.Linear(6, 1)}
    )
    torch.save(parts.state_dict(), tmp_path / "deep.pt")
    assert recurrent.read(tmp_path / "deep.pt")[0].head is None
    keras = pytest.importorskip("keras")
    given = [keras.layers.Input((9, 1)), keras.layers.LSTM(6)]
    dense = [keras.layers.Dense(6, "relu"), keras.layers.Dense(1)]
    keras.Sequential([*given, *dense]).save(tmp_path / "deep.keras")
    assert recurrent.read(tmp_path / "deep.keras")[0].head is None
    between = [
        keras.layers.Input((9, 1)), keras.layers.LSTM(6, return_sequences=True),
        keras.layers.Dense(6), keras.layers.LSTM(6),
    ]  # fmt: skip
    keras.Sequential(between).save(tmp_path / "between.keras")
    with pytest.raises(UnsupportedModel, match="between the recurrent ones"):
        recurrent.read(tmp_path / "between.keras")


def test_layers_of_keras_that_differ_are_refused(tmp_path):
    keras = pytest.importorskip("keras")
    for layer, words in (
        (keras.layers.GRU(3, reset_after=False), "reset_after=False"),
        (keras.layers.LSTM(3, activation="relu"), "'relu' as its activation"),
        (keras.layers.Bidirectional(keras.layers.LSTM(3)), "Bidirectional"),
    ):
        path = tmp_path / "other.keras"
        keras.Sequential([keras.layers.Input((9, 1)), layer]).save(path)
        with pytest.raises(UnsupportedModel, match=words):
            recurrent.read(path)
