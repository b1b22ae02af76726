"""An LSTM trains, repeats itself, is stopped and goes wrong, and keeps what it learned."""

import dataclasses
import io

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.training import lstm, lstm_cells, lstm_learner, prices
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Turn
from xai_core.training.lstm import LstmSettings

torch = pytest.importorskip("torch")
SMALL = LstmSettings(hidden_size=6, window=8, epochs=4, layers=2)
SERIES = prices.sine(steps=120)


class Stopping:
    """Asks to stop after so many reports."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.stopping = False

    def __call__(self, done, total, partial=None, arrays=None) -> None:
        self.left -= 1
        self.stopping = self.left <= 0


@pytest.fixture(scope="module")
def made() -> lstm.LstmRecording:
    return lstm_learner.train(SMALL, SERIES)


def test_a_seeded_training_repeats_exactly_and_another_seed_differs(made) -> None:
    torch.manual_seed(99)  # nothing depends on what others drew
    again = lstm_learner.train(SMALL, SERIES)
    assert np.array_equal(made.weights, again.weights)
    assert all(np.array_equal(made.curves[name], again.curves[name]) for name in made.curves)
    assert np.array_equal(made.frames["layer 2 forget"].data, again.frames["layer 2 forget"].data)
    other = lstm_learner.train(dataclasses.replace(SMALL, seed=1), SERIES)
    assert not np.array_equal(made.weights, other.weights)


def test_a_branch_with_nothing_changed_repeats_the_original(made) -> None:
    for kept in (Checkpoints(), None):
        turn = Turn(1, {})
        branch = lstm_learner.train(SMALL, SERIES, turns=[turn], kept=kept)
        assert branch.first == 2
        assert np.array_equal(branch.weights, made.weights)
    slower = lstm_learner.train(SMALL, SERIES, turns=[Turn(1, {"learning_rate": 1e-6})])
    assert not np.array_equal(slower.weights, made.weights)
    with pytest.raises(ParamError, match="A branch may change learning_rate"):
        lstm_learner.train(SMALL, SERIES, turns=[Turn(1, {"window": 3})])


def test_the_file_holds_the_network_that_the_recording_describes(made, tmp_path) -> None:
    """Torch opens the file without unpickling, and forecasts what the recording says."""
    lstm_learner.train(SMALL, SERIES, path=tmp_path / "lstm.pt")
    state = torch.load(tmp_path / "lstm.pt", weights_only=True)
    net = torch.nn.LSTM(1, 6, 2, batch_first=True)
    net.load_state_dict(
        {n.removeprefix("lstm."): t for n, t in state.items() if n.startswith("lstm.")}
    )
    with torch.no_grad():
        hidden, _ = net(torch.tensor(made.windows.x, dtype=torch.float32))
        said = hidden[:, -1] @ state["head.weight"][0] + state["head.bias"]
    outputs = made.network.run(made.windows.x).outputs
    assert np.abs(said.numpy() - outputs).max() < 1e-5
    values = made.windows.values(outputs)
    assert made.forecast[-1] == pytest.approx(values, rel=1e-5)


def test_the_frames_are_the_forget_gates_of_each_epoch(made) -> None:
    gate = made.network.run(made.windows.x).last(1, "forget")
    shown = made.frames["layer 2 forget"].decoded()
    assert shown.shape == (4, len(made.windows.ends), 6)
    assert np.abs(shown[-1] - gate).max() <= 0.5 / 255 + 1e-5
    assert np.abs(shown[0] - gate).max() > 0.01  # another epoch, other gates


def test_it_crosses_the_wall_whole(made) -> None:
    again = lstm.LstmRecording.from_wire(*made.to_wire())
    assert again.settings == SMALL
    assert np.array_equal(again.weights, made.weights)
    data, arrays = made.to_wire()
    with pytest.raises(ValueError, match="other weights"):
        lstm.LstmRecording.from_wire(data, arrays | {"weights": made.weights[:-1]})
    with pytest.raises(ValueError, match="other windows"):
        lstm.LstmRecording.from_wire(
            data, arrays | {"arrays.each forecast": np.zeros((4, 3), np.float32)}
        )


def test_a_sine_is_learned_and_a_random_walk_is_not() -> None:
    own = LstmSettings(hidden_size=16, epochs=25, learning_rate=0.02)
    sine = lstm_learner.train(own, prices.sine()).compared()
    assert sine.high < 0
    walk = lstm_learner.train(own, prices.walk()).compared()
    assert walk.high > 0
    assert "does not beat" in walk.verdict or "worse" in walk.verdict


def test_what_was_trained_is_kept_when_it_is_stopped(made) -> None:
    batches = -(-made.windows.train // SMALL.batch_size)
    stopped = lstm_learner.train(SMALL, SERIES, Stopping(2 * (batches + 1) + 1))
    assert len(stopped) == 2
    assert "what was trained up to epoch 1 is kept" in stopped.notes[0]
    two = lstm_learner.train(dataclasses.replace(SMALL, epochs=2), SERIES)
    assert np.array_equal(stopped.weights, two.weights)


def test_a_training_that_diverges_keeps_the_last_good_epoch(monkeypatch) -> None:
    whole = lstm_learner.LstmLearner.epoch
    made = []

    def epoch(self, tell) -> None:
        whole(self, tell)
        made.append(1)
        if len(made) == 3:
            with torch.no_grad():
                self._net["head"].weight.fill_(float("nan"))

    monkeypatch.setattr(lstm_learner.LstmLearner, "epoch", epoch)
    kept = lstm_learner.train(SMALL, SERIES)
    assert len(kept) == 2
    assert "stopped being a number" in kept.notes[0]
    assert np.isfinite(kept.weights).all()


@pytest.mark.parametrize(
    ("given", "steps", "words"),
    [
        ({"window": 110}, 100, "Choose a window of at most 89"),
        ({"hidden_size": 128, "window": 120, "layers": 2}, 5000, "An epoch would make"),
    ],
)
def test_what_is_too_large_is_refused_before_anything_is_made(given, steps, words) -> None:
    with pytest.raises(ParamError) as caught:
        LstmSettings(**given).windows(prices.sine(steps=steps))
    assert words in str(caught.value)


def test_downloads_are_the_recording_s_own_arrays(made) -> None:
    with np.load(io.BytesIO(made.npz()), allow_pickle=False) as file:
        assert np.array_equal(file["layer 1 forget"], made.frames["layer 1 forget"].coded())
        assert file["weights weight_hh_l0"].shape == (24, 6)
        assert file["value"] == pytest.approx(SERIES.values)
    lines = made.forecasts_csv().splitlines()
    assert len(lines) == 1 + len(made.windows.ends)
    assert lines[-1].endswith("held out")
    assert float(lines[-1].split(",")[3]) == pytest.approx(made.forecast[-1, -1], rel=1e-4)


def test_a_series_is_what_was_asked_for() -> None:
    assert lstm.series_of("walk", seed=4).values[5] == prices.walk(4).values[5]
    with pytest.raises(ParamError, match="upload a CSV"):
        lstm.series_of("file")
    assert lstm_cells.count(lstm_cells.sides(1, 32, 1)) == LstmSettings().weights
