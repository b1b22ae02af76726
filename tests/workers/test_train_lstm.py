"""An LSTM's training behind the wall: told, paused, stopped; a file of prices is read there."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PATIENCE
from tests.lasting import Lent
from tests.workers.conftest import wait_for
from workers.tasks.train_lstm import LstmFile, ReadPrices, TrainLstm
from xai_core.errors import ParamError
from xai_core.training import prices
from xai_core.training.course import Turn
from xai_core.training.lstm import LstmSettings

SERIES = prices.sine(steps=120)


@pytest.fixture(scope="module")
def wall():
    made = Lent()
    yield made
    made.close()


@pytest.fixture(scope="module")
def held(wall):
    """Hold one torch worker, in which every test trains."""
    return wall.session("trains").hold("torch")


def small(epochs=3, turns=(), **values):
    given = {"hidden_size": 5, "window": 6, "seed": 5} | values
    return TrainLstm(series=SERIES, settings=LstmSettings(epochs=epochs, **given), turns=turns)


def test_it_trains_and_a_branch_goes_on(held):
    made = held.run(small(layers=2)).result(PATIENCE)
    assert (len(made), made.first, made.chosen) == (3, 0, 2)
    assert set(made.frames) == {"layer 1 forget", "layer 2 forget"}
    assert made.files["model"].stat().st_size > 4 * made.settings.weights
    assert made.series.name == "Sine"
    again = held.run(small(layers=2, turns=(Turn(0, {}),))).result(PATIENCE)
    assert (again.first, len(again)) == (1, 2)
    assert np.array_equal(again.weights, made.weights)
    assert len(again.after(made)) == 3


def test_it_shows_its_last_epoch_and_stops_where_it_is_told(held):
    job = held.run(small(epochs=200, batch_size=1))
    wait_for(lambda: "curves" in job.snapshot().arrays, PATIENCE)
    assert job.snapshot().arrays["frame.layer 1 forget"].shape[1] == 5
    job.command("stop")
    made = job.result(PATIENCE)
    assert 1 <= len(made) < 200
    assert made.notes[0].startswith(f"Stopped in epoch {len(made)}")


def test_what_would_be_refused_later_is_refused_at_once():
    with pytest.raises(ParamError, match="Choose a window of at most"):
        small(window=110)


def test_the_recording_of_another_training_is_no_answer(held):
    made = held.run(small()).result(PATIENCE)
    for other in (small(learning_rate=0.1), small(epochs=2)):
        with pytest.raises(ValueError, match="a recording of other"):
            other.check(made, None)


def test_a_file_is_read_behind_the_wall(wall):
    session = wall.session("reads")
    data = np.frombuffer(b"date,value\n2022-01-03,1.5\n2022-01-04,2", np.uint8)
    made = session.run(ReadPrices(data=data, called="mine.csv")).result(PATIENCE)
    assert made.series.values.tolist() == [1.5, 2.0]
    bad = np.frombuffer(b"date,value\n2022-01-03,abc", np.uint8)
    with pytest.raises(ParamError, match=r"mine.csv: row 2 has 'abc' where a number is needed"):
        session.run(ReadPrices(data=bad, called="mine.csv")).result(PATIENCE)


def test_as_many_curves_and_epochs_as_there_are_cross_the_wall(held):
    made = held.run(small(epochs=120, hidden_size=2)).result(PATIENCE)
    assert [len(curve) for curve in made.curves.values()] == [120] * 4
    assert made.forecast.shape[0] == 120


def test_a_film_has_a_frame_for_each_epoch(wall, held):
    made = held.run(small(epochs=7)).result(PATIENCE)
    made = dataclasses.replace(made, files={})
    job = wall.session("films").run(LstmFile(recording=made, layer=0, by="as is", kind="webp"))
    with Image.open(io.BytesIO(job.result(PATIENCE).arrays["file"].tobytes())) as film:
        assert film.n_frames == 7
