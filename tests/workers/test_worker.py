"""A worker's own side, in this process: what it tells, when it looks, what it answers."""

import json
import socket
import threading
import types

import numpy as np
import pytest

from tests.workers.extension.tasks.honest import Boom, Echo, Steps
from workers import worker
from workers.protocol import PROGRESS_CAP, Channel
from workers.worker import PERIOD, Cancelled, Progress
from xai_core import plain
from xai_core.task import Bench

CAPS = {"progress": PROGRESS_CAP, "result": 1 << 16, "error": 1 << 16, "cancelled": 64, "hello": 64}
STEPS = Steps(steps=10)


@pytest.fixture
def ends():
    """Give both ends of a wire: the client's, and the worker's."""
    ours, theirs = (Channel(sock) for sock in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def clock(monkeypatch):
    """Stand in for the worker's clock."""
    made = types.SimpleNamespace(now=1000.0)
    made.monotonic = lambda: made.now
    monkeypatch.setattr(worker, "time", made)
    return made


def heard(channel):
    """Return how far the worker said that it was, each time."""
    found = []
    while channel.readable():
        found.append(channel.receive(CAPS)[1]["done"])
    return found


def say(channel, *names, job=1):
    for name in names:
        channel.send("command", {"say": name, "job": job})


def test_it_tells_four_times_a_second_however_often_it_is_told(ends, clock):
    ours, theirs = ends
    progress = Progress(theirs, 1, STEPS)
    told = []
    for step in range(80):  # ten seconds
        progress(step, 80)
        clock.now += PERIOD / 2
        told += heard(ours)
    assert PERIOD == 0.25
    assert told == list(range(0, 80, 2))


def test_a_map_so_far_is_made_float32(ends, clock):
    ours, theirs = ends
    Progress(theirs, 1, STEPS)(1, 2, np.full((4, 5), 1 / 3))
    _, body, arrays = ours.receive(CAPS)
    assert body == {"done": 1, "total": 2}
    assert arrays["partial"].dtype == np.float32


def test_a_cancel_stops_it_from_inside(ends, clock):
    ours, theirs = ends
    progress = Progress(theirs, 1, STEPS)
    progress(0, 10)
    say(ours, "cancel")
    clock.now += 1
    with pytest.raises(Cancelled):
        progress(1, 10)
    assert not issubclass(Cancelled, Exception)


def test_commands_to_another_task_are_passed_over(ends, clock):
    ours, theirs = ends
    progress = Progress(theirs, 2, STEPS)
    say(ours, "cancel", "pause", "stop", job=1)
    clock.now += 1
    progress(1, 10)
    assert not progress.stopping


def test_stop_is_told_and_not_raised(ends, clock):
    ours, theirs = ends
    progress = Progress(theirs, 1, STEPS)
    say(ours, "stop")
    clock.now += 1
    progress(1, 10)
    assert progress.stopping


SHOWN = np.zeros((4, 5), np.float32)
"""What each call shows: a step leads to the next one that shows something."""


class Standing:
    """A task in a thread, that calls its progress without an end until it is told to stop."""

    def __init__(self, theirs):
        self.progress = Progress(theirs, 1, STEPS)
        self.made = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.progress.stopping:
            self.made += 1
            self.progress(self.made, 1 << 40, SHOWN)


def test_pause_step_and_stop_one_by_one(ends):
    ours, theirs = ends
    say(ours, "pause")
    task = Standing(theirs)
    at = ours.receive(CAPS)[1]["done"]  # the first call, or where it stands
    while ours.readable(0.5):
        at = ours.receive(CAPS)[1]["done"]
    assert task.made == at
    for _ in range(3):
        say(ours, "step")
        # where it stands next is one step further, and told at once
        assert ours.receive(CAPS)[1]["done"] == at + 1
        at += 1
        assert task.made == at
    say(ours, "stop")
    task.thread.join(60)
    assert not task.thread.is_alive()
    assert task.made == at


def test_a_client_that_hangs_up_ends_a_pause(ends):
    ours, theirs = ends
    progress = Progress(theirs, 1, STEPS)
    say(ours, "pause")
    fallen = []

    def run():
        try:
            progress(1, 10)
        except EOFError as error:
            fallen.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert ours.receive(CAPS)[1]["done"] == 1
    ours.close()
    thread.join(60)
    assert fallen


# Orders


def obeyed(theirs, asked, bench=None):
    given, arrays = plain.pack(asked)
    order = {"task": asked.name, "job": 1, "given": given}
    return worker._obey(bench or Bench(), theirs, order, arrays)


def test_an_order_is_obeyed_and_its_state_kept(ends):
    bench = Bench()
    bench.kept["model"] = {"calls": 4}
    kind, body, arrays = obeyed(ends[1], Echo(x=np.eye(2)), bench)
    assert (kind, body["calls"]) == ("result", 5)
    np.testing.assert_array_equal(arrays["arrays.x"], np.eye(2))


def test_what_fails_is_an_error_with_its_traceback(ends):
    kind, body, arrays = obeyed(ends[1], Boom())
    assert (kind, arrays) == ("error", {})
    assert "ValueError: seven is not eight" in body["message"]
    assert "Traceback" in body["detail"]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"task": "magic", "job": 1, "given": {}}, "A task must be one of"),
        ({"task": "steps", "job": 1, "given": {"steps": "a"}}, "must be of type int"),
        ({"task": "steps", "job": 1, "given": {"surprise": 1}}, "has no 'surprise'"),
        ({"task": "steps", "job": 1, "given": []}, "must be an object"),
    ],
)
def test_an_order_that_is_none_is_an_error(ends, order, why):
    kind, body, _ = worker._obey(Bench(), ends[1], order, {})
    assert kind == "error"
    assert why in body["message"]


def test_words_about_an_error_are_bounded():
    body = worker._failure(ValueError("\x00" * 100_000))
    assert len(json.dumps(body)) <= worker.MOST_WORDS + 1000
    assert worker._failure(MemoryError())["message"].startswith("There was not enough memory")
