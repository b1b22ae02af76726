"""Films through the wall: the same as drawn directly, and nothing else comes for one."""

import dataclasses
import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.fakes import tiny
from tests.workers.extension.tasks.hostile import FalseFilm
from workers import kinds
from workers.process import _Ear
from workers.protocol import Declared, ProtocolError
from workers.tasks.film import FILE, DrawFilm, FilmFile
from xai_core import encode, film
from xai_core.errors import JobError, UnsupportedModel
from xai_core.explainer import make
from xai_core.target import ClassTarget

VIEW = tiny.view(3)
VALUES = {
    "grad-cam": {},
    "occlusion": {"patch_height": 8, "patch_width": 7},
    "lime": {"samples": 60, "segmentation": "grid", "segments": 12},
}


@pytest.fixture(scope="module")
def runs():
    model = tiny.torch_model()
    return {
        name: make(name, values, size=tiny.SIZE).explain(model, VIEW, ClassTarget(0))
        for name, values in VALUES.items()
    }


@pytest.fixture
def session(wall):
    made = wall.session("films")
    yield made
    made.close()


@pytest.mark.parametrize("method", VALUES)
def test_the_worker_s_film_is_the_one_drawn_here(session, runs, method):
    wanted = film.film_of(runs[method], VIEW)
    job = session.run(DrawFilm(explanation=runs[method], view=VIEW))
    made = job.result(120)
    pictures = [*wanted.frames, wanted.still]
    shown = [*made.frames, made.still]
    for step, told in zip(wanted.steps, made.steps, strict=True):
        assert (told.sentence, told.table) == (step.sentence, step.table)
        pictures += step.pictures
        shown += told.pictures
    assert (made.title, made.seconds) == (wanted.title, wanted.seconds)
    assert len(made.frames) == len(wanted.frames)
    for frame, picture in zip(pictures, shown, strict=True):
        assert picture.caption == frame.caption
        assert picture.data == encode.webp(frame.picture)
        assert picture.size == frame.picture.shape[:2]
    if method == "lime":
        assert sum(len(step.pictures) for step in made.steps) > 5
    assert 0 < job.snapshot().total <= len(shown)


@pytest.mark.parametrize("kind", encode.KINDS)
def test_the_worker_s_file_holds_the_film(session, runs, kind):
    explanation = runs["grad-cam"]
    made = session.run(FilmFile(explanation=explanation, view=VIEW, kind=kind)).result(120)
    wanted = film.film_of(explanation, VIEW)
    data = made.arrays["file"].tobytes()
    if kind != "webm":  # which has the time in it
        assert data == encode.animated(wanted, kind)
        assert Image.open(io.BytesIO(data)).n_frames == len(wanted.frames)
    assert len(data) > 1000


def test_what_holds_no_film_is_said(session, runs):
    bare = dataclasses.replace(runs["occlusion"], arrays={})
    asked = {"explanation": bare, "view": VIEW}
    for task in (DrawFilm(**asked), FilmFile(**asked, kind="gif")):
        with pytest.raises(UnsupportedModel, match="The engine ours hands out nothing"):
            session.run(task).result(120)


def test_arrays_that_lie_end_in_a_sentence(session, runs):
    taken = runs["grad-cam"]
    arrays = dict(taken.arrays) | {"channels": np.full_like(taken.arrays["channels"], 1e38)}
    with pytest.raises(UnsupportedModel, match="nothing of its inner work"):
        session.run(
            DrawFilm(explanation=dataclasses.replace(taken, arrays=arrays), view=VIEW)
        ).result(120)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("png", "no plain WebP still"),
        ("long", "no plain WebP still"),
        ("wide", "a picture of 24 x 16383 pixels"),
        ("sizes", "frames of several sizes"),
        ("frames", "a film of 121 frames"),
        ("fast", "frames of 1e-06 s"),
        ("wordy", "a sentence of 1001 letters"),
        ("table", "a table of 401 cells"),
        ("steps", "a film of 17 steps"),
        ("type", "the array 'still.file' is <f4"),
        ("bytes", "the array 'frames.0.file' is |u1"),
        ("strange", "does not declare"),
    ],
)
def test_a_worker_that_was_taken_over_gives_no_film(session, runs, what, why):
    job = session.run(FalseFilm(explanation=runs["grad-cam"], view=VIEW, what=what))
    with pytest.raises(JobError, match=rf"made no sense \(.*{why}"):
        job.result(120)


def test_the_liar_s_own_film_is_good(session, runs):
    job = session.run(FalseFilm(explanation=runs["grad-cam"], view=VIEW, what=""))
    assert len(job.result(120).frames) > 3


def test_words_that_are_markup_stay_words(session, runs):
    job = session.run(FalseFilm(explanation=runs["grad-cam"], view=VIEW, what="markup"))
    assert job.result(120).frames[0].caption == "<script>alert(1)</script>"


def test_a_file_of_another_kind_or_too_long_is_refused(runs):
    task = FilmFile(explanation=runs["grad-cam"], view=VIEW, kind="webm")
    good = task.run(None, None)
    task.check(good, None)
    for data in (b"<html>", b"GIF89a" + bytes(20), struct.pack("<I", 7) * 9):
        wrong = dataclasses.replace(good, arrays={"file": np.frombuffer(data, np.uint8)})
        with pytest.raises(ValueError, match="no webm"):
            task.check(wrong, None)
    _Ear(task, None).admit("result", {}, [Declared("arrays.file", "|u1", (FILE,))])
    with pytest.raises(ProtocolError):
        _Ear(task, None).admit("result", {}, [Declared("arrays.file", "|u1", (FILE + 1,))])


def test_the_kind_that_draws_serves_the_tasks():
    for task in (DrawFilm, FilmFile):
        assert kinds.KINDS[task.worker].draws
