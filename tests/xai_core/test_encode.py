"""Each kind of file is decoded again by another reader than ours."""

import io

import numpy as np
import pytest
from PIL import Image

from xai_core import encode
from xai_core.errors import ParamError
from xai_core.film import Film, Frame

SIZES = [(64, 96), (63, 95)]


def film(size, count=7, seconds=0.25):
    """Return a film whose frames are flat greys, from dark to light."""
    frames = tuple(
        Frame(np.full((*size, 3), 20 + 30 * at, np.uint8), f"Grey {at}.") for at in range(count)
    )
    return Film(title="Greys", frames=frames, seconds=seconds, still=frames[-1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_pillows_kinds_hold_every_frame_in_its_size_and_time(kind, size):
    image = Image.open(io.BytesIO(encode.animated(film(size), kind)))
    assert image.format == kind.upper()
    assert image.n_frames == 7
    assert image.size == size[::-1]
    durations = []
    for at in range(7):
        image.seek(at)
        image.load()
        durations.append(image.info["duration"])
        assert abs(np.asarray(image.convert("RGB")).mean() - (20 + 30 * at)) < 3
    assert durations == [250] * 6 + [250 * encode.LAST]
    assert image.info["loop"] == 0


@pytest.mark.parametrize("size", SIZES)
def test_webm_holds_every_frame(tmp_path, size):
    import cv2

    path = tmp_path / "film.webm"
    path.write_bytes(encode.animated(film(size), "webm"))
    read = cv2.VideoCapture(str(path))
    try:
        assert read.get(cv2.CAP_PROP_FPS) == pytest.approx(4)
        for at in range(7):
            good, picture = read.read()
            assert good
            assert picture.shape == (64, 96, 3)  # odd sides are made even
            assert abs(picture.mean() - (20 + 30 * at)) < 4
        assert not read.read()[0]
    finally:
        read.release()
    assert path.read_bytes()[:4] == b"\x1aE\xdf\xa3"  # a Matroska file


@pytest.mark.parametrize("size", SIZES)
def test_stills_joined_to_a_film_are_what_they_were(size):
    given = film(size)
    stills = [encode.webp(frame.picture) for frame in given.frames]
    joined = encode.joined(stills, given.seconds)
    assert encode.parted(joined) == stills
    image = Image.open(io.BytesIO(joined))
    assert (image.format, image.n_frames, image.size) == ("WEBP", 7, size[::-1])
    assert image.info["loop"] == 0
    durations = []
    for at, still in enumerate(stills):
        image.seek(at)
        image.load()
        durations.append(image.info["duration"])
        alone = np.asarray(Image.open(io.BytesIO(still)).convert("RGB"), int)
        assert np.abs(np.asarray(image.convert("RGB")) - alone).max() <= 1
    assert durations == [250] * 6 + [250 * encode.LAST]


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", encode.webp(np.zeros((4, 4, 3), np.uint8))],
    ids=["empty", "GIF", "still"],
)
def test_what_is_no_film_of_stills_is_refused(data):
    with pytest.raises(ValueError, match="no film of plain stills"):
        encode.parted(data)


def test_another_kind_is_refused_by_name():
    with pytest.raises(ParamError, match="webp, gif, webm, got 'mp4'"):
        encode.animated(film((8, 8)), "mp4")


def test_films_are_bounded():
    with pytest.raises(ValueError, match="from 1 to 120, got 121"):
        film((4, 4), 1) and Film(
            title="", frames=(film((4, 4), 1).still,) * 121, seconds=1, still=film((4, 4), 1).still
        )
    with pytest.raises(ValueError, match="at most 640"):
        Frame(np.zeros((641, 4, 3), np.uint8), "")
    with pytest.raises(ValueError, match="one size"):
        Film(title="", frames=(film((4, 4), 1).still, film((4, 5), 1).still), seconds=1,
             still=film((4, 4), 1).still)  # fmt: skip
