"""A layer as a film: a frame an epoch, whose pixels are the recording's own bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from workers.tasks.training_film import TrainingFilm
from xai_core import colormaps
from xai_core.errors import ParamError
from xai_core.task import Bench, silent
from xai_core.training import heat_film
from xai_core.training.recording import Writer


def layer(epochs=5, rows=20, columns=16):
    writer = Writer()
    for epoch in range(epochs):
        values = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
        writer.add(np.maximum(0, values - 40 * epoch))
    return writer.made()


def test_pixels_are_the_recording_s():
    frames = layer()
    order = list(range(15, -1, -1))
    curves = {"loss": [3.0, 2.0, 1.0, 0.5, 0.2]}
    drawn = heat_film.pictures(
        frames, title="MLP", white=200.0, labels="01", curves=curves, order=order
    )
    assert len(drawn) == 5
    assert len({each.shape for each in drawn}) == 1
    across, down = heat_film.WIDE // 16, heat_film.HIGH // 20
    values = frames.decoded()
    table = colormaps.table("magma")
    for epoch, row, place in ((0, 3, 2), (2, 19, 0), (4, 9, 15)):
        x = heat_film.LEFT + across * place + across // 2
        y = heat_film.TOP + down * row + down // 2
        level = min(255, round(float(values[epoch, row, order[place]]) * 255 / 200))
        assert np.array_equal(drawn[epoch][y, x], table[level])
    assert not np.array_equal(drawn[0][: heat_film.TOP], drawn[1][: heat_film.TOP])  # the number


@pytest.mark.parametrize("kind", ["webp", "gif", "webm"])
def test_a_file_has_as_many_frames_as_epochs(kind, tmp_path):
    task = TrainingFilm(
        frames=layer(), heading="MLP", white=100.0, labels=("0", "1"), kind=kind,
        curves={"loss": (3.0, 2.0, 1.0, 0.5, 0.2)},
    )  # fmt: skip
    made = task.run(Bench(), silent)
    task.check(made, None)
    data = made.arrays["file"].tobytes()
    if kind == "webm":
        import cv2

        path = tmp_path / "film.webm"
        path.write_bytes(data)
        film = cv2.VideoCapture(str(path))
        count = 0
        while film.read()[0]:
            count += 1
        assert count == 5
    else:
        assert Image.open(io.BytesIO(data)).n_frames == 5
    with pytest.raises(ParamError, match="must name each column once"):
        TrainingFilm(frames=layer(), heading="", white=1.0, labels=(), kind=kind, order=(0, 0))
