"""Good answers of tasks, each with the task that asked and the card that is known."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.workers.test_results import CARD, PIXELS, explained
from workers.tasks.decode import Decode, Photo
from workers.tasks.film import DrawFilm, FilmFile
from workers.tasks.inversion_film import DrawGrowth
from workers.tasks.read_samples import ReadOut, ReadSamples
from workers.tasks.recognise import Found, Recognise
from workers.tasks.train_mlp import TrainMlp
from workers.tasks.try_edit import TryEdit
from xai_core import reel
from xai_core.card import Card
from xai_core.film import Film, Frame, Step, Table
from xai_core.probes.edits import Drawn
from xai_core.probes.inversion import Invert, Inverted
from xai_core.probes.inversion_film import Growth
from xai_core.probes.maximisation import Maximise, Maximised
from xai_core.result import Result
from xai_core.target import ClassTarget
from xai_core.task import Bench, Task, silent
from xai_core.training.mlp import MlpSettings
from xai_core.training.samples import Samples

Answer = tuple[Task, Card | None, Result]

VIEW = np.random.default_rng(2).random((2, 3, 3), np.float32)
NO_FILE = np.zeros(0, np.uint8)


def samples() -> Samples:
    """Return ten pictures of 2 x 2 of two classes."""
    numbers = np.random.default_rng(3).integers(0, 256, (40, 4), dtype=np.uint8)
    return Samples(x=numbers, y=np.arange(40) % 2, classes=("a", "b"), sides=(2, 2), word="a set")


def trained() -> Answer:
    """Return a training of two epochs, as a worker makes it."""
    settings = MlpSettings(epochs=2, hidden_size=4, batch_size=8)
    task = TrainMlp(settings=settings, samples=samples())
    with tempfile.TemporaryDirectory() as folder:
        made = task.run(Bench(folder=Path(folder)), silent)
    return task, None, dataclasses.replace(made, files={})


def inverted() -> Answer:
    """Return the inversion of a layer after one step."""
    picture = np.zeros((1, 2, 3, 3), np.uint8)
    made = Inverted(
        layers=("l",),
        done=1,
        photo=picture[0],
        pictures=picture,
        frames=np.stack([picture, picture]),
        at=np.array([0, 1], np.int32),
        distances=np.ones((2, 1), np.float32),
        correlations=np.zeros(1),
        first=1,
        chance=0.5,
        firsts=np.zeros(1, np.int32),
        chances=np.full(1, 0.5, np.float32),
    )
    return Invert(pixels=PIXELS, layers=("l",), steps=10), CARD, made


def maximised() -> Answer:
    """Return the maximisation of a class after one step."""
    picture, target = np.zeros((2, 3, 3), np.uint8), ClassTarget(1)
    halves = np.full((2, 2), 0.5, np.float32)
    made = Maximised(
        target=target,
        done=1,
        picture=picture,
        frames=np.stack([picture, picture]),
        at=np.array([0, 1], np.int32),
        scores=np.ones(2, np.float32),
        probabilities=halves,
        photo=0.1,
        photo_chances=halves[0],
    )
    return Maximise(target=target, pixels=PIXELS, steps=10), CARD, made


def filmed() -> reel.Reel:
    """Return a film of one frame with one step and its table."""
    frame = Frame(np.zeros((4, 5, 3), np.uint8), "Nothing yet.")
    table = Table(("cell", "score"), (("1", "0.5"),))
    told = Step("Each part in turn.", (frame,), table)
    made = Film(title="A film", frames=(frame, frame), seconds=0.2, still=frame, steps=(told,))
    return reel.encoded(made, silent)


def edited(model: Any) -> Answer:
    """Return what a model says of a box that is hidden."""
    drawn = Drawn("box", ((0.0, 0.0), (2.0, 2.0)))
    photo = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    task = TryEdit(pixels=photo, drawn=drawn, act="hide", draws=2)
    return task, CARD, task.run(Bench(model=model), silent)


def more(model: Any) -> Iterator[Answer]:
    """Return a training, inversions, films, an edit and what is read of files."""
    yield trained()
    yield inverted()
    yield maximised()
    yield DrawFilm(explanation=explained(), view=VIEW), None, filmed()
    grown = np.zeros((1, 1, 2, 3, 3), np.uint8)
    shown = Growth(
        title="It grows", frames=grown, names=("l",), lines=(("0",),), captions=("It begins.",)
    )
    yield DrawGrowth(growth=shown), None, dataclasses.replace(filmed(), steps=())
    data = np.frombuffer(b"GIF89a and the rest", np.uint8)
    film = FilmFile(explanation=explained(), view=VIEW, kind="gif")
    yield film, None, Result(arrays={"file": data})
    yield edited(model)
    yield Decode(data=NO_FILE), None, Photo(pixels=PIXELS, format="PNG", notes=("It was turned.",))
    yield ReadSamples(data=NO_FILE, called="a.npz"), None, ReadOut(samples=samples())
    yield Recognise(path=Path("m")), None, Found(kind="torch")
