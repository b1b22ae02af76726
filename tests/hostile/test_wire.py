"""What a hostile source does to the wire, and to the folder that its mother watches.

Each attack is made by the source of a class in a real worker, and each has a control: the same
source does harm to a reader, a sender or a sweeper that takes no care.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loaders.preprocessing import Options
from tests.hostile import wire
from tests.hostile.conftest import SOAK
from tests.hostile.sources import NETWORK
from ui.visitors import GRACE, Visitors
from workers import folders, protocol
from workers.client import Session, Wall
from workers.jobs import Job
from workers.models import ModelHandle
from xai_core.errors import VitrineError
from xai_core.question import Question
from xai_core.target import ClassTarget

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
LARGE = np.zeros((480, 640, 3), np.uint8)
"""A photo whose order is longer than a socket holds."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space: dict[str, Any] = {"__name__": "author"}
    exec(NETWORK, space)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(space["Net"]().state_dict(), path)
    return path


Open = Callable[..., ModelHandle]


@pytest.fixture
def open_one(wall: Wall, weights: Path) -> Iterator[Open]:
    """Open a source in a session of a visitor's; all are closed with the test."""
    sessions: set[Session] = set()

    def opened(text: str, visitor: str = "hostile", session: Session | None = None) -> ModelHandle:
        made = session or wall.session(visitor)
        sessions.add(made)
        path = made.add_file("weights.pth", weights)
        return made.open(path, Options(source=text, size=(40, 40)), name="weights.pth")

    yield opened
    for session in sessions:
        session.close()


@pytest.fixture
def other(open_one: Open, wall: Wall) -> Iterator[None]:
    """Hold another visitor's model meanwhile: its worker and its mother outlive the test."""
    handle = open_one(NETWORK, "another")
    handle.loading.result(60)
    before = handle.predict(PHOTO).result(60)
    worker, mother = handle._own._worker, wall.mother("torch").process.pid
    yield
    after = handle.predict(PHOTO).result(60)
    np.testing.assert_array_equal(after.logits, before.logits)
    assert handle._own._worker is worker
    assert wall.mother("torch").process.pid == mother
    assert wall.state()["mothers"]["torch"]["state"] == "ready"


def refusal(job: Job) -> str:
    with pytest.raises(VitrineError) as refused:
        job.result(120)
    sentence = str(refused.value)
    assert "Traceback" not in sentence
    assert "on this side" not in sentence
    assert sentence.isprintable()
    assert len(sentence) < 700
    return sentence


def scratches(wall: Wall) -> set[Path]:
    return set(wall.folder.glob("scratch-*"))


# Deep folders ------------------------------------------------------------------------------------

_NEST = """
top = os.open(".", os.O_RDONLY)
for number in range(1500):
    os.mkdir({name!r}, {mode})
    os.chdir({name!r})
    {more}
os.close(os.open("whole", os.O_CREAT | os.O_WRONLY, dir_fd=top))
"""
NESTS = {
    "deep": _NEST.format(name="d", mode=0o700, more=""),
    "shut": _NEST.format(
        name="d",
        mode=0o300,
        more="os.mkdir('shut', 0); os.close(os.open('file', os.O_CREAT | os.O_WRONLY, 0))",
    ),
    "long names": _NEST.format(name="d" * 255, mode=0o700, more="os.mkdir('e' * 255, 0)"),
}
"""A worker cannot enter a folder of mode 000, but one of mode 300, which nobody can list."""

ENDS = {"dies": "os._exit(3)", "goes on": "for_ever()"}
SAYS = {"dies": "ended by itself|filled its scratch folder", "goes on": "filled its scratch folder"}


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("nest", NESTS)
def test_deep_folders_harm_nobody_else(nest: str, end: str, open_one: Open, wall: Wall) -> None:
    before = scratches(wall)
    handle = open_one(wire.at_once(NESTS[nest] + ENDS[end]))
    assert re.search(SAYS[end], refusal(handle.loading))
    assert scratches(wall) == before
    handle.close()
    following = open_one(NETWORK, "the next")
    following.loading.result(60)
    assert following.predict(PHOTO).result(60).logits.shape == (3,)


def test_the_sweep_of_a_visitor_with_deep_folders_goes_on(open_one: Open, wall: Wall) -> None:
    now = 1000.0
    here = Visitors(wall, here=lambda tab: False, clock=lambda: now)
    gone = [here.enter(key, "tab").desk.session for key in ("deep", "honest")]
    handles = [
        open_one(text, session=session)
        for text, session in zip(
            (wire.at_once(NESTS["shut"] + ENDS["goes on"]), NETWORK), gone, strict=True
        )
    ]
    handles[1].loading.result(60)
    now += GRACE + 1
    here.sweep()
    assert not any(session.folder.exists() for session in gone)
    assert {handle.state for handle in handles} == {"closed"}
    here.enter("deep", "tab")
    now += GRACE + 1
    here.sweep()
    assert here.find("deep") is None


def test_a_wall_with_deep_folders_closes_and_the_next_one_starts(
    tmp_path: Path, weights: Path
) -> None:
    made = Wall(cores=2, spool=tmp_path)
    session = made.session("hostile")
    path = session.add_file("weights.pth", weights)
    text = wire.at_once(NESTS["long names"] + ENDS["goes on"])
    handle = session.open(path, Options(source=text, size=(40, 40)), name="weights.pth")
    while not handle.loading.over and not list(made.folder.glob("scratch-*/whole")):
        time.sleep(0.01)
    made.close()
    assert not any(tmp_path.iterdir())
    for number, text in enumerate(NESTS.values()):  # what a wall leaves that nobody could close
        left = tmp_path / f"vitrine-wall-{1 << 22}-5-{number}" / "scratch-1"
        left.mkdir(parents=True)
        outside(text, left)
    following = Wall(cores=2, spool=tmp_path)
    assert list(tmp_path.iterdir()) == [following.folder]
    following.close()
    assert not any(tmp_path.iterdir())


def outside(text: str, folder: Path) -> None:
    """Run the text of a source where nothing holds it."""
    code = wire.TOOLS + text
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)  # noqa: S603 - our own


@pytest.mark.parametrize("nest", NESTS)
def test_a_careless_sweeper_would_not_come_through(nest: str, tmp_path: Path) -> None:
    """The control: by Python's version it falls, or sees a part, or leaves them all there."""
    place = tmp_path / "scratch"
    place.mkdir()
    outside(NESTS[nest], place)
    try:
        with contextlib.suppress(RecursionError):
            assert sum(1 for _ in os.walk(place)) < 1500
        if nest == "deep" and sys.version_info < (3, 13):
            with pytest.raises(RecursionError):
                shutil.rmtree(place, ignore_errors=True)
            assert place.exists()
    finally:
        folders.remove(place)
    assert not place.exists()


# A worker that stops reading its wire ------------------------------------------------------------

DEAF = wire.at_once(
    "from workers import protocol\nprotocol.Channel.receive = lambda *a, **k: for_ever()\n"
)


def full(handle: ModelHandle, job: Job) -> None:
    """Wait until an order fills the wire of a worker that does not read it."""
    while job.snapshot().state != "running" or select.select([], [wired(handle)], [], 0)[1]:
        assert not job.over
        time.sleep(0.01)


def wired(handle: ModelHandle) -> socket.socket:
    worker = handle._own._worker
    assert worker is not None
    return worker._channel._socket


@pytest.mark.usefixtures("other")
def test_an_order_that_nobody_reads_is_cancelled(open_one: Open) -> None:
    handle = open_one(DEAF)
    handle.loading.result(60)
    job = handle.predict(LARGE)
    full(handle, job)
    job.cancel()
    assert refusal(job) == "The run was cancelled."
    assert job.snapshot().state == "cancelled"


@pytest.mark.usefixtures("other")
def test_two_such_workers_hold_nobody_up_beyond_the_limit(
    open_one: Open, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles = [open_one(DEAF, f"hostile {number}") for number in range(wall.queue.slots)]
    for handle in handles:
        handle.loading.result(60)
    following = open_one(NETWORK, "the next")
    following.loading.result(60)
    monkeypatch.setattr(wall, "time_limit", 2.0)
    jobs = [handle.predict(LARGE) for handle in handles]
    for handle, job in zip(handles, jobs, strict=True):
        full(handle, job)
    late = following.predict(PHOTO)
    assert late.snapshot().state == "queued"
    assert [re.search("longer than its limit of 2 s", refusal(job)) for job in jobs].count(
        None
    ) == 0
    assert late.result(60).logits.shape == (3,)


def test_a_session_closes_while_an_order_waits(open_one: Open, wall: Wall) -> None:
    handle = open_one(DEAF, "leaves")
    handle.loading.result(60)
    job = handle.predict(LARGE)
    full(handle, job)
    wall.session("leaves").close()
    assert job.snapshot().state == "cancelled" or refusal(job)
    assert not [path for path in scratches(wall) if path == handle._own._worker._scratch]  # type: ignore[union-attr]


def test_a_careless_sender_would_wait_for_ever(open_one: Open) -> None:
    """The control: a plain blocking `sendall` of the same order ends only with the worker."""
    handle = open_one(DEAF)
    handle.loading.result(60)
    sent, ended = threading.Event(), threading.Event()

    def send() -> None:
        with wired(handle).dup() as careless:
            careless.setblocking(True)
            try:
                careless.sendall(LARGE.tobytes())
                sent.set()
            except OSError:
                ended.set()

    thread = threading.Thread(target=send)
    thread.start()
    assert not sent.wait(1)
    assert not ended.is_set()
    handle.close()
    thread.join(60)
    assert ended.is_set()
    assert not sent.is_set()


# Answers that are none ---------------------------------------------------------------------------

MB = 1 << 20
_MANY = """
write(frame(b"R", SAID, {arrays}))
while True:
    write(bytes(1 << 20))
"""
FORGED = {
    "512 MB of scores": (
        _MANY.format(arrays='[["probabilities", "<f4", [3]], ["logits", "<f4", [1 << 27]]]'),
        "the array 'logits' is",
    ),
    "512 MB of other names": (
        _MANY.format(arrays='[[f"arrays.{n}", "<f8", [1 << 20]] for n in range(64)]'),
        "does not declare, 'arrays.0'",
    ),
    "an undeclared name": (
        'write(frame(b"R", SAID, SCORES + [["arrays.secret", "<f4", [1]]]) + THREE + bytes(4))',
        "does not declare, 'arrays.secret'",
    ),
    "another type": (
        'write(frame(b"R", SAID, [[n, "<f8", s] for n, _, s in SCORES]) + bytes(48))',
        "the array 'probabilities' is <f8",
    ),
    "one class more": (
        'write(frame(b"R", SAID, [[n, t, [4]] for n, t, _ in SCORES]) + bytes(32))',
        r"\[4\] in the place of <f4 \[3\]",
    ),
    "a view of 12,000 x 12,000": (
        'SAID["geometry"]["view"] = [12000, 12000]\nwrite(frame(b"R", SAID, SCORES) + THREE)',
        "a view that lies elsewhere",
    ),
    "a photo of 12,000 x 12,000": (
        'SAID["geometry"]["photo"] = [12000, 12000]\nwrite(frame(b"R", SAID, SCORES) + THREE)',
        "a view that lies elsewhere",
    ),
    "a map of 12,000 x 12,000 so far": (
        _MANY.replace('b"R", SAID', 'b"P", {{"done": 0, "total": 1}}').format(
            arrays='[["partial", "<f4", [12000, 12000]]]'
        ),
        "does not declare, 'partial'",
    ),
    "an error with 512 MB": (
        _MANY.replace("SAID", "{{}}")
        .replace('b"R"', 'b"E"')
        .format(arrays='[["logits", "<f4", [1 << 27]]]'),
        "does not declare, 'logits'",
    ),
}


class Memory:
    """The most memory of its own that this process came to hold since then.

    Pages of files come and go with the machine's load, and are left out.
    """

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._read()

    @property
    def grown(self) -> int:
        now, before = self._read(), self._before
        files = max(0, now["RssFile"] - before["RssFile"])
        return now["VmHWM"] - before["VmRSS"] - files

    @property
    def kept(self) -> int:
        return self._read()["RssAnon"] - self._before["RssAnon"]

    def _read(self) -> dict[str, int]:
        rows = [line.split() for line in Path("/proc/self/status").read_text().split("\n")]
        return {row[0][:-1]: int(row[1]) * 1024 for row in rows if row[2:] == ["kB"]}


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_is_refused_before_it_is_read(name: str, open_one: Open) -> None:
    deed, said = FORGED[name]
    handle = open_one(wire.at("predict", deed))
    handle.loading.result(60)
    memory = Memory()
    assert re.search(said, refusal(handle.predict(PHOTO)))
    assert memory.grown < 64 * MB


FORGED_MAPS = {
    "a map of 12,000 x 12,000": (
        _MANY.format(arrays='[["attribution", "<f4", [12000, 12000]]]'),
        r"the array 'attribution' is <f4 \[12000, 12000\] in the place of <f4 \[40, 40\]",
    ),
    "labels of 12,000 x 12,000": (
        _MANY.format(arrays='[["grain.labels", "<i4", [12000, 12000]]]'),
        r"the array 'grain.labels' is",
    ),
    "a map of 12,000 x 12,000 so far": (
        _MANY.replace('b"R", SAID', 'b"P", {{"done": 0, "total": 1}}').format(
            arrays='[["partial", "<f4", [12000, 12000]]]'
        ),
        r"the array 'partial' is",
    ),
}


@pytest.mark.parametrize("name", FORGED_MAPS)
def test_a_forged_map_is_refused_before_it_is_read(name: str, open_one: Open) -> None:
    deed, said = FORGED_MAPS[name]
    handle = open_one(wire.at("explain", deed))
    handle.loading.result(60)
    question = Question(method="grad-cam", target=ClassTarget(0))
    memory = Memory()
    assert re.search(said, refusal(handle.explain(PHOTO, question)))
    assert memory.grown < 64 * MB


def test_a_card_of_12_000_by_12_000_is_refused(open_one: Open) -> None:
    handle = open_one(
        wire.at_once(
            "from xai_core import plain\nhonest = plain.pack\n"
            "def pack(value):\n"
            "    data, arrays = honest(value)\n"
            "    if 'card' in data:\n"
            "        data['card']['input_size'] = [12000, 12000]\n"
            "        data['card']['preprocessing']['size'] = [12000, 12000]\n"
            "    return data, arrays\n"
            "plain.pack = pack\n"
        )
    )
    assert "made no sense" in refusal(handle.loading)


def test_a_careless_reader_would_take_all_of_it(tmp_path: Path) -> None:
    """The control: whoever believes what is announced reads 512 MB, and what nobody declared."""
    for name in ("512 MB of scores", "512 MB of other names")[: 2 if SOAK else 1]:
        memory = Memory()
        arrays = carelessly(FORGED[name][0], tmp_path)[1]
        assert sum(array.nbytes for array in arrays.values()) >= 512 * MB
        assert memory.kept >= 256 * MB  # part of it may be room that was held before
        del arrays
    assert "arrays.secret" in carelessly(FORGED["an undeclared name"][0], tmp_path)[1]
    assert carelessly(FORGED["another type"][0], tmp_path)[1]["logits"].dtype == np.float64
    assert carelessly(FORGED["one class more"][0], tmp_path)[1]["logits"].shape == (4,)
    body, _ = carelessly(FORGED["a view of 12,000 x 12,000"][0], tmp_path)
    assert body["geometry"]["view"] == [12000, 12000]


def carelessly(deed: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """Read one answer as somebody would who believes what it says."""
    with (
        wire.control(wire.at("predict", deed), "predict", folder) as sock,
        sock.makefile("rb") as file,
    ):
        _, length = struct.unpack(">cI", file.read(5))
        message = json.loads(file.read(length))
        arrays = {
            name: np.frombuffer(file.read(np.dtype(dtype).itemsize * int(np.prod(sides))), dtype)
            for name, dtype, sides in message["arrays"]
        }
        return message["body"], arrays


# Floods ------------------------------------------------------------------------------------------


class Ticks:
    """Another thread of this process, that counts."""

    def __init__(self) -> None:
        self.count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> Ticks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._stop.is_set():
            self.count += 1
            time.sleep(0.0001)


HUGE = (
    'text = b\'{"body": {"done": 0, "total": 1, "x": [NaN,\' + b"[]," * (4 << 18)'
    " + b'NaN]}, \"arrays\": []}'\n"
)
FLOODS = {
    "4 MB of JSON": (
        HUGE + 'while True:\n    write(frame(b"P", text))\n',
        r"kind progress, of \d{7} bytes",
    ),
    "a thousand small ones a second": (
        "for number in range(1 << 40):\n"
        '    write(frame(b"P", {"done": number, "total": 1 << 40}))\n'
        "    time.sleep(0.001)\n",
        "more than 20 messages a second",
    ),
    "as many as the wire takes": (
        'small = frame(b"P", {"done": 0, "total": 1}) * 1000\nwhile True:\n    write(small)\n',
        "more than 20 messages a second",
    ),
    "as many as the wire takes, with nothing in them": (
        'small = frame(b"C", {}) * 1000\nwhile True:\n    write(small)\n',
        "nobody asked for",
    ),
}


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_ended_while_others_go_on(
    name: str, open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed, said = FLOODS[name]
    handle = open_one(wire.at("predict", deed))
    handle.loading.result(60)
    parsed: list[int] = []
    honest = protocol._envelope

    def envelope(text: Any) -> Any:
        parsed.append(text.size)
        return honest(text)

    monkeypatch.setattr(protocol, "_envelope", envelope)
    with Ticks() as ticks:
        begun = ticks.count
        assert re.search(said, refusal(handle.predict(PHOTO)))
        assert ticks.count > begun + 1
    assert max(parsed, default=0) <= 4 << 10
    assert len(parsed) < 1000


def test_a_careless_reader_would_stop_the_others(tmp_path: Path) -> None:
    """The control: while 4 MB of such JSON are parsed no other thread has a turn.

    The text has a NaN at its beginning and at its end; for each the parser itself, which runs no
    Python meanwhile, looks at what the other thread has counted.
    """
    deed = FLOODS["4 MB of JSON"][0]
    with (
        wire.control(wire.at("predict", deed), "predict", tmp_path) as sock,
        sock.makefile("rb") as file,
        Ticks() as ticks,
    ):
        for _ in range(3):
            _, length = struct.unpack(">cI", file.read(5))
            text = file.read(length)
            assert length > 3 * MB
            look = functools.partial(getattr, ticks, "count")
            gc.disable()  # it might run Python of somebody's in between
            try:
                row = json.loads(text, parse_constant=look)["body"]["x"]
            finally:
                gc.enable()
            assert row[0] == row[-1] > 0
            while ticks.count == row[-1]:  # it does count, as soon as it may
                time.sleep(0.001)
