"""What is shown of an LSTM: the recording's own bytes and days, and what a turned gate does."""

import dataclasses

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.training import lstm_cells, lstm_gates, lstm_learner, lstm_read, lstm_view, prices
from xai_core.training.lstm import LstmSettings
from xai_core.training.lstm_view import Look

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def look() -> Look:
    settings = LstmSettings(hidden_size=6, window=8, epochs=3, layers=2, learning_rate=0.02)
    return Look(lstm_learner.train(settings, prices.sine(steps=120)))


def test_a_pixel_is_the_gate_of_its_unit_day_and_epoch(look) -> None:
    """Read back: the byte of a unit, day and epoch is the gate that the recording holds there."""
    made = look.map(1, "forget", "by memory")
    assert made.coded.shape == (3, 6, len(look.days))
    values = look.recording.frames["layer 2 forget"].decoded()
    for epoch, row, day in ((0, 0, 0), (1, 3, 17), (2, 5, 50)):
        assert made.coded[epoch, row, day] / 255 == pytest.approx(
            values[epoch, day, made.rows[row]], abs=1e-6
        )
    run = look.network.run(look.windows.x)
    exact = run.last(1, "forget")[:, made.rows].T
    assert np.abs(made.coded[-1] / 255 - exact).max() <= 0.5 / 255 + 1e-6
    memory = look.memory(1).steps[made.rows]
    assert (np.diff(memory) <= 0).all()


@pytest.mark.parametrize("what", lstm_cells.SHOWN["lstm"][1:])
def test_other_gates_are_drawn_at_the_end(look, what: str) -> None:
    made = look.map(0, what, "as is")
    exact = look.gate(0, what).T
    back = (made.coded[0].astype(float) - 128) / 127 * made.top if made.signed else (
        made.coded[0] / 255
    )  # fmt: skip
    assert np.abs(back - exact).max() < 0.01 * made.top
    with pytest.raises(ParamError, match="no 'nothing'"):
        look.gate(0, "nothing")


def test_many_epochs_are_thinned_and_the_last_one_stays(look, monkeypatch) -> None:
    monkeypatch.setattr(lstm_view, "MOST", 6 * len(look.days) * 2)
    made = look.map(0, "forget", "as is")
    assert made.epochs.tolist() == [0, 2]
    assert look.forecasts(made.epochs)[1] == pytest.approx(look.recording.forecast[2])


def test_what_feeds_a_forecast_adds_up_to_it(look) -> None:
    fed = look.feeds(len(look.days) - 1)
    assert len(fed.labels) == 8
    assert fed.labels[-1] == look.labels[-1]
    at_mean = look.network.run(np.zeros((1, 8, 1))).outputs
    base = look.windows.center + look.windows.scale * at_mean[0]
    assert fed.base == pytest.approx(base, abs=1e-3 * look.windows.scale)
    most = int(np.abs(fed.shares).argmax())
    way = "raises" if fed.shares[most] > 0 else "lowers"
    moved = f"{way} it by {abs(fed.shares[most]):.2f}"
    assert f"{fed.labels[most]} feeds it most: it {moved}" in fed.words
    assert f"against the {fed.base:.2f}" in fed.words


def test_two_maps_side_by_side_mean_the_same_by_a_colour(look) -> None:
    one = look.map(0, "cell", "as is")
    other = dataclasses.replace(one, top=2 * one.top)
    left, right = lstm_view.alike(one, other)
    assert left.top == right.top == other.top
    assert right is other
    gap = (left.coded - 128.0) * left.top - (one.coded - 128.0) * one.top
    assert np.abs(gap).max() <= left.top / 2 * 1.001
    gate = look.map(0, "forget", "as is")
    assert lstm_view.alike(gate, gate) == (gate, gate)


def test_the_same_days_feed_all_forecasts_at_once(look) -> None:
    fed = look.feeds(len(look.days) - 1)
    # of all forecasts at once, along a shorter path
    every = look.fed
    assert every.shape == (len(look.days), 8)
    size = np.abs(fed.shares).max()
    assert every[-1] == pytest.approx(fed.shares, abs=0.01 * size)


def test_a_gate_that_is_not_turned_moves_nothing_and_a_shut_one_forgets(look) -> None:
    still = look.turned(0, 1.0)
    assert still.moved == pytest.approx(0, abs=1e-12)
    assert still.compared.model == pytest.approx(look.compared.model)
    shut = look.turned(0, 0.0)
    assert shut.after.steps.max() < 0.1
    assert shut.moved > 0
    one = look.turned(0, 0.5, unit=2)
    changed = ~np.isclose(one.after.steps, one.before.steps, rtol=0.02)
    assert changed[2]
    rate = 1 / one.before.steps[2]
    assert one.after.steps[2] == pytest.approx(1 / (rate + np.log(2)), rel=0.05)
    assert "Unit 2 remembers" in one.words
    with pytest.raises(ParamError, match="units 0 to 5"):
        look.turned(0, 1.0, unit=6)


def test_days_are_asked_about_by_the_layer_s_own_gate(look) -> None:
    found = look.ask(1, 10, 12)
    again = lstm_gates.ask(look.gate(1), 10, 12)
    assert np.array_equal(found.starts, again.starts)
    assert set(lstm_view.orders()) == set(lstm_gates.ORDERS)


def test_a_network_of_one_s_own_reads_a_series_as_it_is_told() -> None:
    own = lstm_cells.from_torch("gru", _gru(1))
    series = prices.sine(steps=120)
    look = lstm_read.read_by(own, series, 8, "0 to 1")
    scaled = (series.values - series.values.min()) / np.ptp(series.values)
    run = own.run(scaled[40:48][None, :, None])
    day = int(np.flatnonzero(look.days == 47)[0])
    assert look.gate(1)[day] == pytest.approx(run.layers[1]["update"][0, -1])
    assert (look.remembers, look.labels[-1]) == ("update", "step 119")
    assert "gate's mean" in look.memory(0).words
    assert look.map(0, "hidden", "as is").signed
    whole = lstm_read.read_by(own, series, 8, "as it is")
    assert not np.allclose(whole.gate(0), look.gate(0))
    with pytest.raises(ParamError, match="reads 3 numbers a step"):
        lstm_read.read_by(lstm_cells.from_torch("gru", _gru(3)), series, 8, "0 to 1")
    with pytest.raises(ParamError, match="fewer than a window of 200"):
        lstm_read.read_by(own, series, 200, "0 to 1")


def test_a_forecast_of_one_s_own_stands_beside_the_naive_one() -> None:
    """Weights by hand: a cell that shuts everything out, and a line whose offset is its answer."""
    series = prices.sine(steps=120)
    zero = {name: np.zeros_like(each) for name, each in _gru(1).items()}
    zero |= {"head.weight": np.zeros((1, 4)), "head.bias": np.array([0.5])}
    own = lstm_cells.from_torch("gru", zero)
    look = lstm_read.read_by(own, series, 8, "0 to 1", 3)
    middle = series.values.min() + 0.5 * np.ptp(series.values)
    assert look.forecast == pytest.approx(np.full(len(look.days), middle))
    truth = series.values[10:]  # windows end at 7 and later, and forecast 3 steps on
    assert look.compared is not None
    assert look.compared.count == len(truth)
    assert look.compared.model == pytest.approx(np.abs(middle - truth).mean())
    assert look.compared.naive == pytest.approx(np.abs(series.values[7:-3] - truth).mean())
    assert f"On {len(truth)} shown steps" in look.compared.words
    assert look.ahead().tolist() == list(range(3, len(look.days) + 3))
    gap = dataclasses.replace(series, days=series.days + 10 * (np.arange(120) >= 60))
    assert gap.gaps == (60,)
    broken = lstm_read.read_by(own, gap, 8, "0 to 1", 3)
    assert broken.compared is not None
    assert broken.compared.count == len(truth) - 7 - 3  # windows, and forecasts, across it
    blind: dict[str, np.ndarray] = {name: each for name, each in zero.items() if "head" not in name}
    bare = lstm_read.read_by(lstm_cells.from_torch("gru", blind), series, 8, "0 to 1")
    assert (bare.forecast, bare.compared) == (None, None)
    with pytest.raises(ParamError, match="from 1 to 60 steps ahead, got 61"):
        lstm_read.read_by(own, series, 8, "0 to 1", 61)


def _gru(inputs: int) -> dict[str, np.ndarray]:
    import torch

    torch.manual_seed(0)
    net = torch.nn.GRU(inputs, 4, 2)
    return {name: each.detach().numpy() for name, each in net.named_parameters()}
