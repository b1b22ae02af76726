"""An LSTM's film: its frames are the recording's own arrays, read back from the pixels."""

import numpy as np
import pytest

from loaders import trainings
from xai_core import colormaps
from xai_core.film import SIDE
from xai_core.training import lstm_film
from xai_core.training.lstm import RECORDED, LstmRecording, LstmSettings
from xai_core.training.lstm_view import Look


@pytest.fixture(scope="module")
def look() -> Look:
    found = trainings.shipped(RECORDED, LstmRecording)
    assert found is not None
    return Look(found.recording)


def test_the_recording_that_ships_is_of_the_form_s_defaults(look) -> None:
    own = look.recording
    assert own.settings == LstmSettings()
    assert own.series.span() == "249 trading days from 3 January 2022 to 28 December 2022"
    assert trainings.FOLDER.joinpath(f"{RECORDED}.npz").stat().st_size < 300_000
    # forecasts are whole, and those of the weights
    values = look.windows.values(look.ends.outputs)
    assert own.forecast[-1] == pytest.approx(values, rel=1e-5)
    shown = own.frames["layer 1 forget"].decoded()[-1]
    assert np.abs(shown - look.gate(0)).max() <= 0.5 / 255 + 1e-5


def test_a_frame_s_pixels_are_the_gate_of_a_unit_a_day_and_an_epoch(look) -> None:
    made = look.map(0, "forget", "by memory")
    film = lstm_film.film(look, 0, "by memory")
    assert len(film.frames) == len(look.recording) == len(made.epochs)
    table = colormaps.table(lstm_film.TABLE)
    width = film.frames[0].picture.shape[1]
    tall = (film.frames[0].picture.shape[0] - lstm_film.TALL) // len(made.rows)
    for epoch, row, day in ((0, 0, 0), (30, 7, 100), (59, 31, 228)):
        x = int((day + 0.5) * width / len(look.days))
        pixel = film.frames[epoch].picture[row * tall + tall // 2, x]
        byte = made.coded[epoch, row, day]
        assert np.array_equal(pixel, table[byte])
        value = look.recording.frames["layer 1 forget"].decoded()[epoch, day, made.rows[row]]
        assert byte / 255 == pytest.approx(value, abs=1e-6)
    assert max(film.frames[0].picture.shape) <= SIDE
