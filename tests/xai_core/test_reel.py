"""A film as it is served: what is in it, and how a picture's size is read without decoding it."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.xai_core.test_encode import film
from xai_core import encode
from xai_core.film import Step, Table
from xai_core.reel import Picture, Reel, encoded

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(1, 1), (24, 28), (63, 95), (640, 3), (470, 640)])
def test_the_size_is_the_one_that_pillow_reads(size):
    data = encode.webp(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    image = Image.open(io.BytesIO(data))
    assert encode.webp_size(data) == image.size[::-1] == size


def saved(kind, **how):
    out = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(out, kind, **how)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        saved("PNG"),
        saved("WEBP", lossless=True),
        saved("WEBP", save_all=True, append_images=[Image.new("RGB", (9, 7))]),
        saved("WEBP") + b"<script>",
        saved("WEBP")[:-1],
    ],
    ids=["empty", "head", "PNG", "lossless", "animated", "longer", "shorter"],
)
def test_another_file_is_refused(data):
    with pytest.raises(ValueError, match="no plain WebP still"):
        encode.webp_size(data)
    with pytest.raises(ValueError, match="no plain WebP still"):
        Picture(np.frombuffer(data, np.uint8), "")


def test_a_picture_is_bounded():
    wide = encode.webp(np.zeros((2, 641, 3), np.uint8))
    with pytest.raises(ValueError, match="a picture of 2 x 641 pixels"):
        Picture(np.frombuffer(wide, np.uint8), "")
    file = np.frombuffer(encode.webp(np.zeros((2, 2, 3), np.uint8)), np.uint8)
    with pytest.raises(ValueError, match="1001 letters"):
        Picture(file, "x" * 1001)
    with pytest.raises(ValueError, match="no file"):
        Picture(file[None], "")


def test_a_film_keeps_its_words_and_counts_its_pictures():
    given = film((40, 30))
    step = Step("A sentence.", (given.still,), Table(("Head",), (("cell",),)))
    object.__setattr__(given, "steps", (step,))
    counted = []
    made = encoded(given, lambda done, total: counted.append((done, total)))
    assert counted == [(at, 9) for at in range(1, 10)]
    for picture, frame in zip(
        (*made.frames, made.still), (*given.frames, given.still), strict=True
    ):
        image = Image.open(io.BytesIO(picture.data))
        assert (image.format, image.size) == ("WEBP", (30, 40))
        assert np.abs(np.asarray(image.convert("RGB"), int) - frame.picture).max() < 4
    assert [frame.caption for frame in made.frames] == [frame.caption for frame in given.frames]
    assert (made.title, made.seconds, made.still.caption) == ("Greys", 0.25, "Grey 6.")
    (told,) = made.steps
    assert (told.sentence, told.table, told.pictures[0].size) == (
        "A sentence.",
        step.table,
        (40, 30),
    )
    data, arrays = made.to_wire()
    back = Reel.from_wire(data, arrays)
    assert [frame.data for frame in back.frames] == [frame.data for frame in made.frames]
    with pytest.raises(ValueError, match="read-only"):
        back.frames[0].file[0] = 0
