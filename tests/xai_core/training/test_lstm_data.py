"""Windows: split by time, scaled by the training part, none across a gap; the naive forecast."""

import numpy as np
import pytest

from xai_core.errors import ParamError
from xai_core.training import lstm_data, prices
from xai_core.training.prices import Series


def series(values, source="file", days=None, name="Mine") -> Series:
    days = np.arange(len(values)) + 19000 if days is None else days
    values = np.asarray(values, np.float64)
    return Series(name=name, source=source, days=np.asarray(days, np.int64), values=values)


def test_the_split_is_by_time_and_scaling_knows_the_training_part_alone() -> None:
    rising = series(np.arange(1.0, 101))
    made = lstm_data.windows(rising, window=5, horizon=3, share=0.7)
    assert made.cut == 70
    assert made.targets[: made.train].max() == 69
    assert made.targets[made.train :].min() == 70
    assert made.center == pytest.approx(np.arange(1, 71).mean())
    assert made.scale == pytest.approx(np.arange(1, 71).std())
    # another future changes nothing of what is learned from
    other = series([*np.arange(1.0, 71), *np.full(30, 1e6)])
    again = lstm_data.windows(other, window=5, horizon=3, share=0.7)
    assert np.array_equal(made.x[: made.train], again.x[: made.train])
    assert np.array_equal(made.y[: made.train], again.y[: made.train])


@pytest.mark.parametrize("features", lstm_data.FEATURES)
@pytest.mark.parametrize("horizon", [1, 4])
def test_a_perfect_network_forecasts_the_value_itself(features: str, horizon: int) -> None:
    rng = np.random.default_rng(0)
    own = series(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 90))))
    made = lstm_data.windows(own, window=6, horizon=horizon, features=features, share=0.7)
    assert made.values(made.y) == pytest.approx(own.values[made.ends + horizon])
    assert made.x.shape[2] == (5 if features == "close and calendar" else 1)
    if features == "return":
        at = 10
        end = made.ends[at]
        moves = np.diff(np.log(own.values))
        shown = made.x[at, :, 0] * moves[: made.cut - 1].std() + moves[: made.cut - 1].mean()
        assert shown == pytest.approx(moves[end - 6 : end])
    found = lstm_data.compared(made, made.y, horizon)
    assert found.model == pytest.approx(0, abs=1e-9)
    assert found.high < 0
    assert found.words.startswith("The model beats the naive forecast.")


def test_no_window_reaches_across_a_gap() -> None:
    days = [*range(100), *range(160, 260)]
    own = series(np.sin(np.arange(200.0)), days=days)
    made = lstm_data.windows(own, window=5, horizon=2, share=0.7)
    for end, target in zip(made.ends, made.targets, strict=True):
        assert (end - 4 < 100) == (target < 100)
    whole = lstm_data.windows(series(np.sin(np.arange(200.0))), window=5, horizon=2, share=0.7)
    assert len(whole.ends) - len(made.ends) == 6


@pytest.mark.parametrize(
    ("own", "given", "words"),
    [
        (series(np.arange(30.0)), {"window": 40}, "Choose a window of at most 19"),
        (series(np.arange(6.0)), {"window": 40}, "Choose a longer series"),
        (series(np.full(100, 7.0)), {"window": 5}, "Mine is constant over its training part (7"),
        (series(np.arange(-5.0, 95)), {"window": 5, "features": "return"}, "values above zero"),
        (prices.sine(), {"window": 5, "features": "close and calendar"}, "has no dates"),
    ],
)
def test_a_series_that_does_not_serve_is_refused_in_a_sentence(own, given, words) -> None:
    with pytest.raises(ParamError) as caught:
        lstm_data.windows(own, share=0.7, **given)
    assert words in str(caught.value)


def test_the_naive_forecast_is_the_last_value_and_compares_equal_to_itself() -> None:
    walk = prices.walk()
    made = lstm_data.windows(walk, window=5, share=0.7)
    last = (walk.values[made.ends] - made.center) / made.scale
    found = lstm_data.compared(made, last, 1)
    steps = np.abs(np.diff(walk.values))[made.ends[made.train :]]
    assert found.naive == pytest.approx(steps.mean())
    assert found.difference == pytest.approx(0)
    assert found.verdict.startswith("The model does not beat the naive forecast")


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for at in range(200):
        low, high = lstm_data.interval(rng.normal(0.3, 1, 100), 5, seed=at)
        inside += low <= 0.3 <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_words_show_digits_that_tell_the_ends_from_nothing() -> None:
    found = lstm_data.Compared(
        model=3.5, naive=2.8, low=0.004, high=1.6, count=75, unit="USD", step="day"
    )
    assert "+0.004 to +1.600" in found.words
    assert found.words.startswith("The model is worse")
