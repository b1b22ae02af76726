"""How long a training takes: the parts of its work are counted, and a server's own pace is kept."""

import pytest

from loaders import trainings
from xai_core.training.lstm import LstmSettings, series_of
from xai_core.training.mlp import MlpSettings
from xai_core.training.pace import KEPT, Measured, Work


def test_the_work_is_counted():
    settings = MlpSettings(batch_size=3, hidden_size=4, layers=2, epochs=5, share=0.5)
    work = settings.work(20, 6, 7, 2)
    weights = 4 * 7 + 4 * 4 + 4 * 2
    assert work.steps == 5 * 4 * 3  # 10 samples in batches of 3, three layers of weights
    assert work.moved * 1e6 == pytest.approx(5 * 4 * weights)
    assert work.products * 1e6 == pytest.approx((3 * 5 * 10 + 5 * (10 + 6)) * weights)
    assert work.seconds((1, 10, 100)) == work.steps + 10 * work.moved + 100 * work.products
    series = series_of("sine", seed=0)
    recurrent = LstmSettings(window=8, epochs=2, layers=2, batch_size=16)
    made = recurrent.windows(series)
    assert recurrent.work(made).steps == 2 * -(-made.train // 16) * 8 * 2


def test_more_work_takes_longer_by_the_paces_that_ship():
    for kind in ("mlp", "lstm"):
        assert len(trainings.pace(kind)) == len(Work(1, 1, 1).parts())
    default = MlpSettings().work(4000, 1000, 784, 10).seconds(trainings.pace("mlp"))
    half = MlpSettings(epochs=50).work(4000, 1000, 784, 10).seconds(trainings.pace("mlp"))
    assert 5 < default < 60
    assert half == pytest.approx(default / 2)


def test_a_server_s_own_trainings_say_how_fast_it_is():
    measured = Measured()
    assert (measured.known, measured.share) == (False, 1.0)
    measured.note(30.0, 10.0)
    assert (measured.known, measured.share) == (True, 3.0)
    measured.note(100.0, 10.0)  # one slow one among others is no pace
    measured.note(30.0, 10.0)
    assert measured.share == 3.0
    measured.note(5.0, 0.0)
    assert measured.share == 3.0
    for _ in range(KEPT):
        measured.note(10.0, 10.0)
    assert measured.share == 1.0
