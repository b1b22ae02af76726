"""Odd words on the wire: by a real worker where time matters, and else by whoever holds its end."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.preprocessing import PRESETS, Preprocessing
from tests.hostile import wire
from tests.hostile.test_wire import Open, open_one, other, refusal, weights, wired
from workers.client import Wall
from workers.process import Died, Worker
from workers.protocol import Channel, ProtocolError
from workers.tasks.predict import Predict, Prediction
from xai_core.card import Card, Pace
from xai_core.errors import JobError, VitrineError
from xai_core.model import Head
from xai_core.task import Command

__all__ = ["open_one", "other", "weights"]  # fixtures

PHOTO = np.zeros((40, 40, 3), np.uint8)
CARD = Card(
    kind="module",
    framework="torch",
    architecture=None,
    parameters=10,
    input_size=(40, 40),
    channels=3,
    labels=("a", "b", "c"),
    layers=(),
    default_layer=None,
    findings=(),
    preprocessing=Preprocessing(name=next(iter(PRESETS)), size=(40, 40)).to_json(),
    head=Head("logits"),
    pace=Pace(forward=1.0),
    methods={},
)


# By a real worker --------------------------------------------------------------------------------

SLOW = {
    "a byte at a time": "for byte in frame(b'R', SAID, SCORES):\n    write(bytes([byte]))\n"
    "    time.sleep(0.05)\n",
    "half a head": "write(b'R\\0\\0')\n",
    "half a body": "write(frame(b'R', SAID, SCORES)[:60])\n",
    "half an array": "write(frame(b'R', SAID, SCORES) + THREE[:-1])\n",
    "nothing": "",
}


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("name", SLOW)
def test_who_is_slow_meets_the_limit(
    name: str, open_one: Open, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = open_one(wire.at("predict", SLOW[name] + "pass"))
    handle.loading.result(60)
    monkeypatch.setattr(wall, "time_limit", 1.0)
    assert "longer than its limit of 1 s" in refusal(handle.predict(PHOTO))


@pytest.mark.parametrize("name", SLOW)
def test_who_is_slow_is_cancelled(name: str, open_one: Open) -> None:
    progress = "write(frame(b'P', {'done': 1, 'total': 2}))\n"
    handle = open_one(wire.at("predict", progress + SLOW[name] + "pass"))
    handle.loading.result(60)
    job = handle.predict(PHOTO)
    while not job.snapshot().done:
        assert not job.over
        time.sleep(0.01)
    job.cancel()
    assert refusal(job) == "The run was cancelled."


_UNASKED = """
from workers import protocol
honest = protocol.Channel.receive
def receive(self, *rest, **given):
    write(frame(b"R", SAID, SCORES) + THREE)
    return honest(self, *rest, **given)
protocol.Channel.receive = receive
"""


@pytest.mark.usefixtures("other")
def test_an_answer_before_its_order_is_no_answer(open_one: Open) -> None:
    handle = open_one(wire.at_once(_UNASKED))
    handle.loading.result(60)
    assert select.select([wired(handle)], [], [], 60)[0]
    assert "words that nobody asked for" in refusal(handle.predict(PHOTO))


def test_an_answer_after_a_cancel_is_none(open_one: Open) -> None:
    """A worker that is told to stop answers twice: neither is taken for the next run's answer."""
    answers = "write((frame(b'R', SAID, SCORES) + THREE) * 2)\n"
    listens = (
        "write(frame(b'P', {'done': 1, 'total': 2}))\n"
        "while True:\n"
        "    try:\n"
        "        if os.read(3, 1 << 16): break\n"
        "    except BlockingIOError:\n"
        "        time.sleep(0.001)\n"
    )
    handle = open_one(wire.at("predict", listens + answers))
    handle.loading.result(60)
    job = handle.predict(PHOTO)
    while not job.snapshot().done:
        assert not job.over
        time.sleep(0.01)
    job.cancel()
    assert refusal(job) == "The run was cancelled."
    worker = handle._own._worker
    if worker is not None and worker.alive:  # it answered before it was killed
        assert select.select([wired(handle)], [], [], 60)[0]
        assert "words that nobody asked for" in refusal(handle.predict(PHOTO))


# By whoever holds its end ------------------------------------------------------------------------

SAID: dict[str, Any] = {
    "probabilities": None,
    "logits": None,
    "seconds": 0.1,
    "findings": [],
    "scalars": {},
    "arrays": {},
    "notes": [],
    "files": {},
    "geometry": {"photo": [40, 40], "box": [0.0, 0.0, 40.0, 40.0], "view": [40, 40]},
}
SCORES: list[Any] = [["probabilities", "<f4", [3]], ["logits", "<f4", [3]]]
THREE = struct.pack("<6f", 0, 0, 1, 0, 0, 1)


def frame(letter: bytes, body: Any, arrays: Any = ()) -> bytes:
    raw = isinstance(body, bytes)
    text = body if raw else json.dumps({"body": body, "arrays": list(arrays)}).encode()
    return letter + struct.pack(">I", len(text)) + text


def result(**changed: Any) -> bytes:
    return frame(b"R", SAID | changed, SCORES) + THREE


def scores(*first: Any) -> bytes:
    return frame(b"R", SAID, [list(first), SCORES[1]]) + THREE


def placed(**changed: Any) -> bytes:
    return result(geometry=SAID["geometry"] | changed)


def nested(field: str, deep: int) -> bytes:
    return b'{"body": {"%s": %s}, "arrays": []}' % (field.encode(), b"[" * deep + b"]" * deep)


class Mum:
    """As much of a mother as a worker without a process needs."""

    worker: Worker

    def kill(self, number: int) -> None:
        self.worker._gone.set()

    def tell(self, number: int, works: bool, *, now: bool = False) -> None:
        pass

    def forget(self, number: int) -> None:
        pass


class Run:
    """A run that nobody stops."""

    def should_stop(self) -> bool:
        return False

    def orders(self) -> tuple[Command, ...]:
        return ()

    def progress(self, *_: Any) -> None:
        pass


Answer = Callable[[bytes], Prediction]


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """Give bytes as a worker's whole answer to a prediction, and return what comes of it."""

    def given(data: bytes) -> Prediction:
        ours, theirs = socket.socketpair()
        mother = Mum()
        (tmp_path / "scratch").mkdir(exist_ok=True)
        worker = Worker(mother, 1, Channel(ours), tmp_path / "scratch", 1 << 30)
        mother.worker = worker

        def speak() -> None:
            theirs.recv(1)  # the order
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            worker._gone.set()

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            made = worker.call(Predict(pixels=PHOTO), Run(), CARD, tmp_path)
            assert isinstance(made, Prediction)
            return made
        finally:
            thread.join(60)
            worker.kill()
            theirs.close()

    return given


def test_a_good_answer_is_one(answer: Answer) -> None:
    assert answer(frame(b"P", {"done": 1, "total": 2}) + result()).seconds == 0.1


ODD = {
    "no elements": scores("probabilities", "<f4", [0]),
    "no elements in eight sides": scores("probabilities", "<f4", [0] * 8),
    "no elements in huge sides": scores("probabilities", "<f4", [0, *[1 << 30] * 7]),
    "nine sides": scores("probabilities", "<f4", [1] * 9),
    "a negative side": scores("probabilities", "<f4", [-3]),
    "a side that is yes": scores("probabilities", "<f4", [True]),
    "a side that is a list": scores("probabilities", "<f4", [[3]]),
    "a side that is a number with a point": scores("probabilities", "<f4", [3.0]),
    "a huge side": scores("probabilities", "<f4", [10**30]),
    "a side of 4,000 digits": scores("probabilities", "<f4", [10**3999]),
    "a side of 5,000 digits": frame(
        b"R", b'{"body": {}, "arrays": [["x", "<f4", [' + b"9" * 5000 + b"]]]}"
    ),
    "a type in a list": scores("probabilities", ["<f4"], [3]),
    "a type in an object": scores("probabilities", {}, [3]),
    "a type of objects": scores("probabilities", "|O", [3]),
    "the other order of bytes": scores("probabilities", ">f4", [3]),
    "a name that is a number": scores(5, "<f4", [3]),
    "a name with a line": scores("probabilities\n", "<f4", [3]),
    "a name with a path": scores("../probabilities", "<f4", [3]),
    "one name twice": scores("logits", "<f4", [3]),
    "300 arrays": frame(b"R", SAID, [[f"arrays.{n}", "<f4", [1]] for n in range(300)]),
    "scores that are no numbers": result()[:-24] + struct.pack("<6f", *[np.nan] * 6),
    "no seconds": result(seconds=None),
    "seconds in words": result(seconds="1"),
    "seconds that are yes": result(seconds=True),
    "too many seconds": result(seconds=10**400),
    "seconds that are no number": frame(b"R", result(seconds=7.25)[5:-24].replace(b"7.25", b"NaN")),
    "seconds without an end": frame(b"R", result(seconds=7.25)[5:-24].replace(b"7.25", b"1e999")),
    "no place": result(geometry=None),
    "a place of yes": placed(photo=[True, 40]),
    "a place with points": placed(view=[40.0, 40]),
    "a negative place": placed(photo=[-40, 40]),
    "a place in words": placed(box=["0", 0.0, 40.0, 40.0]),
    "three sides": placed(view=[40, 40, 3]),
    "a field too many": result(secret=1),
    "a field with no printable name": result(**{"\ud800": 1}),
    "notes that are numbers": result(notes=[1]),
    "notes that are one word": result(notes="abc"),
    "a finding about nothing": result(
        findings=[{"level": "warning", "message": "<b>", "about": "me"}]
    ),
    "a file": result(files={"film": "/etc/passwd"}),
    "an array that does not come": result(arrays={"x": None}),
    "a list": frame(b"R", b"[]"),
    "nothing": frame(b"R", b"null"),
    "something more": frame(b"R", b'{"body": {}, "arrays": [], "x": 1}'),
    "no text": frame(b"R", b"\xff\xfe\x00\x01"),
    "a deep body": frame(b"R", nested("notes", 30_000)),
    "a body that is a little deep": frame(b"R", nested("notes", 900)),
    "deep progress": frame(b"P", nested("done", 1900)),
    "a deep error": frame(b"E", nested("message", 900)),
    "an error of a deep kind": frame(b"E", nested("kind", 900)),
    "an error that is no sentence": frame(b"E", {"kind": ["x"], "message": 10**4000}),
    "an error of another kind": frame(b"E", {"kind": "SystemExit", "message": "x"}),
    "an enormous error": frame(b"E", {"kind": "LoadError", "message": "x" * 70_000}),
    "a large error": frame(b"E", {"kind": "LoadError", "message": "x" * 60_000}),
    "an error with an array": frame(b"E", {"message": "x"}, SCORES) + THREE,
    "an error with odd sides": frame(
        b"E", {"kind": "NeedsSource", "message": "x", "example": [True, 10**300, -1]}
    ),
    "a second hello": frame(b"H", {"kind": "torch", "sandbox": {}}) + result(),
    "an end that nobody asked for": frame(b"C", {}),
    "an order": frame(b"O", {}),
    "a command": frame(b"K", {}),
    "a small letter": b"r" + result()[1:],
    "progress backwards": frame(b"P", {"done": -1, "total": 2}),
    "progress that is yes": frame(b"P", {"done": True, "total": 2}),
    "progress beyond its total": frame(b"P", {"done": 3, "total": 2}),
    "progress without an end": frame(b"P", {"done": 1, "total": 1 << 60}),
    "progress of nothing": frame(b"P", {}),
    "a head alone": b"R\0\0",
    "half a body": result()[:60],
    "half an array": result()[:-3],
    "no length": b"R" + struct.pack(">I", 0),
    "all length": b"R\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_words_are_refused_in_a_sentence(name: str, answer: Answer) -> None:
    with pytest.raises((Died, VitrineError)) as refused:
        answer(ODD[name])
    assert str(refused.value).isprintable()
    assert 0 < len(str(refused.value)) <= 4000


def test_an_error_says_only_what_is_printable(answer: Answer) -> None:
    with pytest.raises(JobError, match=r"^a\[31mb$"):
        answer(frame(b"E", {"message": "\x00a\x1b[31mb\u202e"}))


def test_the_last_of_two_keys_is_checked_as_one(answer: Answer) -> None:
    twice = result()[5:-24].replace(b'{"body"', b'{"body": {"secret": 1}, "body"', 1)
    assert answer(frame(b"R", twice) + THREE).seconds == 0.1


def test_whatever_is_changed_nothing_else_comes_of_it(answer: Answer) -> None:
    """Bytes of a good answer flipped, cut out and doubled: a prediction or a sentence."""
    draw = np.random.default_rng(9)
    good = frame(b"P", {"done": 1, "total": 2}) + result(notes=["one", "two"])
    outcomes = {"made": 0, "refused": 0}
    for _ in range(400):
        data = bytearray(good)
        for _ in range(int(draw.integers(1, 4))):
            place = int(draw.integers(len(data)))
            match int(draw.integers(3)):
                case 0:
                    data[place] ^= 1 << int(draw.integers(8))
                case 1:
                    del data[place : place + int(draw.integers(1, 9))]
                case _:
                    data[place:place] = data[place : place + 9]
        try:
            made = answer(bytes(data))
            assert made.logits.shape == made.probabilities.shape == (3,)
            assert made.geometry.photo == (40, 40)
            outcomes["made"] += 1
        except (Died, VitrineError):
            outcomes["refused"] += 1
    assert all(outcomes.values())


def test_an_empty_array_of_huge_sides_is_refused_by_the_wire() -> None:
    """numpy multiplies even what stands beside a 0, and falls where that is too much."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sides = [0, *[1 << 30] * 3]
        theirs.sendall(frame(b"R", {}, [["x", "<f4", sides]]))
        with pytest.raises(ProtocolError, match="more than 1 GiB"):
            Channel(ours).receive({"result": 1 << 16})
        with pytest.raises(ValueError, match="too big"):
            np.empty(0, np.float32).reshape(sides)
