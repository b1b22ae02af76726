"""Answers of a worker that was taken over, generated: each is refused in a sentence, or sound."""

import copy
import dataclasses
import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from loaders.doctor import Trial
from loaders.options import Options
from tests.fakes import answers
from tests.hostile.conftest import SOAK
from tests.workers.test_results import CARD, PIXELS, PLACE, PREPARED, explained, said
from tests.workers.test_train_lstm import SERIES
from workers import results
from workers.tasks.companions import Companions, Names
from workers.tasks.detect import Detection, DetectObjects
from workers.tasks.examine import Examine, Examined
from workers.tasks.explain import Explain
from workers.tasks.explain_boxes import ExplainBoxes, Explanations
from workers.tasks.levels import LookAtLevels
from workers.tasks.load import Load, Loaded
from workers.tasks.measure import Measure, Measured
from workers.tasks.open_recurrent import Opened, OpenRecurrent
from workers.tasks.predict import Predict
from workers.tasks.sort_files import ReadText, Sorted, SortFiles
from workers.tasks.train_lstm import ReadPrices, TrainLstm
from workers.tasks.try_changes import TryChanges
from workers.tasks.try_strengths import TryStrengths
from xai_core import plain
from xai_core.card import Pace
from xai_core.detection.levels import Levels
from xai_core.errors import JobError
from xai_core.probes._augmented import Augmented, Cell, Change
from xai_core.result import Result
from xai_core.task import Bench, silent
from xai_core.training.lstm import LstmSettings

ANSWERS = 20_000 if SOAK else 5_000
SEED = 8
TASKS = 26
NOWHERE = Path("nowhere")

VALUES = (
    None, True, 0, -1, 3, 10**400, -(10**19), 1e308, -0.0, 1.5, float("nan"), float("inf"), "",
    "a", "<b>\x1b[31m", "\ud800", "../../etc/passwd", "x" * 9000, [], [[]], {}, {"kind": "class"},
    {"kind": "cells"}, [None] * 3, {"": {"": {}}}, ["a", "b"], [2, 3], [1 << 40, 2],
)  # fmt: skip


def deep():
    made = []
    for _ in range(60):
        made = [made]
    return made


def detection():
    return Detection(
        boxes=np.array([[0, 0, 1, 2]], np.float32), labels=np.array([1], np.int32),
        scores=np.array([0.5], np.float32), geometry=PLACE, seconds=0.1,
    )  # fmt: skip


def trial(own, top=0):
    return Trial(
        preset="unit", channels="rgb", fit="stretch", resize=0, own=own, top=top, probability=0.5,
        entropy=1.0, spread=2.0,
    )  # fmt: skip


class Model:
    """As much of a model as a change's strength needs."""

    preprocessing, labels, head, input_size = PREPARED, CARD.labels, CARD.head, CARD.input_size

    def logits(self, views):
        red = views[..., 0].mean((1, 2))
        return np.stack([red, 1 - red], 1).astype(np.float32)


def cells(task):
    halves = np.full(2, 0.5, np.float32)
    first, second = task.all_changes()
    whole = Cell(change=first, probabilities=halves, logits=halves, explanation=explained())
    return Augmented(question=task.question, cells=(whole, Cell(change=second, problem="no")))


def recurrent():
    sides = [(8, 1), (8, 2), (8,), (8,), (2,), (1,)]
    count = sum(int(np.prod(each)) for each in sides)
    return Opened(
        recurrent="lstm", inputs=1, units=(2,), head=True, numbers=np.zeros(count), said="x"
    )


def levels():
    maps = {"l": np.ones((2, 3, 3), np.float32)}
    return Levels(maps=maps, numbers={"l": (1,)}, channels={"l": 4})


def trained():
    """Return the task and the recording of a training of one epoch, as a worker makes it."""
    task = TrainLstm(series=SERIES, settings=LstmSettings(epochs=1, window=5, hidden_size=2))
    with tempfile.TemporaryDirectory() as folder:
        made = task.run(Bench(folder=Path(folder)), silent)
    return task, dataclasses.replace(made, files={})


@functools.cache
def sound():
    """Return tasks, the card that is known, and a good answer to each."""
    question = explained().question
    opening = Load(path=Path("m.pt"), options=Options(), called="m")
    photo = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    tried = TryStrengths(pixels=photo, index=1, steps=2, names=("brighter", "darker"))
    changes = TryChanges(pixels=PIXELS, question=question, changes=(Change("brighter", 0.1),))
    prices = "\n".join(f"2020-01-{day:02},{day}" for day in range(1, 29)).encode()
    own = ReadPrices(data=np.frombuffer(prices, np.uint8))
    sent = SortFiles(names=("a", "b"), paths=(Path("a"), Path("b")))
    text = np.frombuffer(b"cat\ndog", np.uint8)
    return [
        (opening, None, Loaded(card=CARD)),
        (Predict(pixels=PIXELS), CARD, said()),
        (Explain(pixels=PIXELS, question=question), CARD, explained()),
        (Measure(), CARD, Measured(pace=Pace(forward=1.0, backward=2.0, tail=0.5, rest=0.5))),
        (DetectObjects(pixels=PIXELS), CARD, detection()),
        (tried, CARD, tried.run(Bench(model=Model()), silent)),
        (changes, CARD, cells(changes)),
        (Examine(pixels=PIXELS), CARD, Examined(trials=(trial(True), trial(False, 1)))),
        (
            ExplainBoxes(pixels=PIXELS, question=question, others=()), CARD,
            Explanations(each=(explained(),)),
        ),
        (LookAtLevels(pixels=PIXELS), CARD, levels()),
        (OpenRecurrent(path=Path("m.pt")), None, recurrent()),
        (own, None, own.run(Bench(), silent)),
        (sent, None, Sorted(model=1, said={"classes": text})),
        (ReadText(data=text), None, Sorted(said={"classes": text})),
        (Companions(path=Path("m")), None, Names(names=("a", "b"))),
        *[(task, None, made) for task, made in [trained()]],
        *answers.more(Model()),
    ]  # fmt: skip


def places(value, found):
    """List every container and the keys in it."""
    if isinstance(value, (dict, list)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            places(value[key], found)
    return found


def mutated(rng, data, arrays):
    """Return an answer with one to three things changed, gone, added or doubled."""
    data, arrays = copy.deepcopy(data), dict(arrays)
    for _ in range(int(rng.integers(1, 4))):
        found = places(data, [])
        holder, key = found[int(rng.integers(len(found)))]
        value = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
        match int(rng.integers(7)):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[str(value)[:300]] = value
            case 2 if isinstance(holder, list):
                holder *= int(rng.integers(0, 9))
            case 3:
                holder[key] = deep()
            case 4 if arrays:
                name = list(arrays)[int(rng.integers(len(arrays)))]
                arrays[name] = shaken(rng, arrays[name])
            case 5 if arrays:
                name = list(arrays)[int(rng.integers(len(arrays)))]
                arrays[name + str(value)[:20] if rng.random() < 0.5 else "x"] = arrays.pop(name)
            case _:
                holder[key] = value
        if not places(data, []):
            break
    return data, arrays


def shaken(rng, array):
    made = np.array(array)
    if made.size and rng.random() < 0.5:
        made.flat[int(rng.integers(made.size))] = rng.choice([-1, 2, 99, 1e9, 0])
        if made.dtype.kind == "f" and rng.random() < 0.5:
            made.flat[0] = rng.choice([np.nan, np.inf, -np.inf])
        return made
    return made[:0] if rng.random() < 0.3 else np.repeat(made, 2, 0)


@pytest.mark.parametrize("which", range(TASKS))
def test_an_answer_is_refused_in_a_sentence_or_sound(which):
    rng = np.random.default_rng([SEED, which])
    task, card, good = sound()[which]
    data, arrays = good.to_wire()
    results.answer(task, card, copy.deepcopy(data), arrays, NOWHERE, NOWHERE)
    refused = 0
    for number in range(ANSWERS // TASKS):
        told, given = mutated(rng, data, arrays)
        try:
            made = results.answer(task, card, told, given, NOWHERE, NOWHERE)
        except JobError as error:
            said_so = str(error)
            refused += 1
            if not said_so.isprintable() or len(said_so) > 1000:
                pytest.fail(f"answer {number}: {said_so[:2000]!r}")
            continue
        assert isinstance(made, Result), number
        text = json.dumps(plain.pack(made)[0], allow_nan=False)  # what the command line prints
        assert len(text) < 1 << 20
    assert 0.3 < refused / (ANSWERS // TASKS) < 1  # some changes are harmless
