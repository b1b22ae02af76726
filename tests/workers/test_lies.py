"""What no task declared is refused before it is read, and whoever says it is ended."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.workers.conftest import begun, wait_for
from tests.workers.extension.tasks.hostile import Garbage, frame
from workers import protocol
from workers.process import CAPS
from xai_core.errors import JobError
from xai_core.result import Result

MB = 1 << 20
HUGE = 1 << 27
SAID = Result().to_wire()[0]


class Peak:
    """The most memory that this process came to hold since it was made."""

    def __init__(self):
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    @property
    def grown(self):
        return self._read("VmHWM") - self._before

    def _read(self, name):
        lines = Path("/proc/self/status").read_text().split("\n")
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def head(letter, length):
    return letter + struct.pack(">I", length)


def scalars(**said):
    return SAID | {"scalars": said}


LIES = {
    "bytes": (b"\xff" * 16, "a message of no known kind"),
    "an order": (head(b"O", 2) + b"{}", "a message of no known kind"),
    "a command": (head(b"K", 2) + b"{}", "a message of no known kind"),
    "a list": (head(b"R", 2) + b"[]", "not made of a body and arrays"),
    "no JSON": (head(b"R", 30) + b"{" * 30, "not JSON"),
    "deep JSON": (head(b"R", 60_000) + b"[" * 60_000, "not JSON"),
    "no number": (frame(b"R", scalars(x=float("nan"))), "not JSON"),
    "a second hello": (frame(b"H", {}), "an answer that nobody asked for"),
    "a cancel of its own": (frame(b"C", {}), "an answer that nobody asked for"),
    # long, and its length alone is looked at
    "a long result": (head(b"R", Garbage.text + 1), r"the kind result, of 65537 bytes"),
    "a long error": (head(b"E", CAPS["error"] + 1), r"the kind error, of 65537 bytes"),
    "a long progress": (head(b"P", CAPS["progress"] + 1), r"the kind progress, of 4097 bytes"),
    "a long cancelled": (head(b"C", 65), "the kind cancelled, of 65 bytes"),
    # arrays that are announced and never sent
    "an undeclared array": (
        frame(b"R", SAID, [["arrays.secret", "<f4", [1]]]),
        "does not declare, 'arrays.secret'",
    ),
    "a huge undeclared array": (
        frame(b"R", SAID, [["view", "<f4", [HUGE]]]),
        "does not declare, 'view'",
    ),
    "a huge array": (
        frame(b"R", SAID, [["arrays.x", "<f4", [2, HUGE // 2]]]),
        r"the array 'arrays.x' is <f4 \[2, 67108864\] in the place of <f4 \[2, 'h'\]",
    ),
    "another type": (frame(b"R", SAID, [["arrays.x", "<f8", [2, 3]]]), "'arrays.x' is <f8"),
    "another side": (frame(b"R", SAID, [["arrays.x", "<f4", [3, 3]]]), r"<f4 \[3, 3\] in the"),
    "another rank": (frame(b"R", SAID, [["arrays.x", "<f4", [2]]]), r"<f4 \[2\] in the place"),
    "progress for a result": (
        frame(b"R", SAID, [["partial", "<f4", [4, 5]]]),
        "does not declare, 'partial'",
    ),
    "a result in progress": (
        frame(b"P", {"done": 0, "total": 1}, [["arrays.x", "<f4", [2, 3]]]),
        "does not declare, 'arrays.x'",
    ),
    "a huge map so far": (
        frame(b"P", {"done": 0, "total": 1}, [["partial", "<f4", [12_000, 12_000]]]),
        "the array 'partial' is",
    ),
    "an error with arrays": (
        frame(b"E", {"kind": "JobError", "message": "x"}, [["arrays.x", "<f4", [2, 3]]]),
        "does not declare, 'arrays.x'",
    ),
    "progress beyond its total": (frame(b"P", {"done": 2, "total": 1}), "not a number out of"),
    "progress in words": (frame(b"P", {"done": "a", "total": "b"}), "not a number out of"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_ends_the_worker_before_it_is_read(hold, name):
    said, why = LIES[name]
    handle = hold()
    handle.loading.result(60)
    peak = Peak()
    with pytest.raises(JobError, match=rf"answer made no sense \(.*{why}.*so it was stopped"):
        handle.run(Garbage(data=said.hex())).result(60)
    assert peak.grown < 48 * MB
    assert handle.run("echo").result(60).calls == 1


ODD = {
    "a field of no name": SAID | {"surprise": 1},
    "scalars in words": scalars(x="high"),
    "notes that are none": SAID | {"notes": 3},
    "an array that is not there": {**SAID, "arrays": 3},
    "a file that nobody declared": SAID | {"files": {"film": "worker.log"}},
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_of_other_types_is_one_job_s(hold, name):
    with pytest.raises(JobError, match="answer made no sense"):
        hold().run(Garbage(data=frame(b"R", ODD[name]).hex())).result(60)


def test_the_control_is_a_good_answer(hold):
    """The same wire, with what is declared."""
    said = frame(b"P", {"done": 0, "total": 1}, [["partial", "<f4", [4, 5]]]) + bytes(80)
    said += frame(b"R", SAID | {"arrays": {"x": None}}, [["arrays.x", "<f4", [2, 3]]])
    job = hold().run(Garbage(data=(said + struct.pack("<6f", *range(6))).hex()))
    assert job.result(60).arrays["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert job.snapshot().partial.shape == (4, 5)


@pytest.mark.parametrize(
    ("values", "kept"),
    [([1.0, np.nan], True), ([np.nan, np.nan], False), ([1.0, np.inf], False)],
)
def test_a_map_so_far_may_have_places_that_are_not_known(hold, values, kept):
    said = frame(b"P", {"done": 0, "total": 1}, [["partial", "<f4", [4, 5]]])
    said += np.resize(np.array(values, "<f4"), (4, 5)).tobytes()
    said += frame(b"R", SAID | {"arrays": {"x": None}}, [["arrays.x", "<f4", [2, 3]]])
    job = hold().run(Garbage(data=(said + struct.pack("<6f", *range(6))).hex()))
    job.result(60)
    assert (job.snapshot().partial is not None) == kept


def test_half_a_gigabyte_that_never_comes_takes_no_room(hold):
    handle = hold()
    handle.loading.result(60)
    peak = Peak()
    job = begun(handle.run("promise"))
    wait_for(lambda: handle._own._worker.alive and job.snapshot().total == 1)
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert peak.grown < 48 * MB
    assert handle.run("echo").result(60).calls == 1


def test_a_control_that_takes_half_a_gigabyte_is_seen():
    peak = Peak()
    assert bytes(b"x" * 512 * MB)[-1]
    assert peak.grown > 400 * MB


def test_a_long_progress_is_not_parsed(hold, monkeypatch):
    seen = []
    honest = protocol._envelope

    def envelope(text):
        seen.append(text.size)
        return honest(text)

    handle = hold()
    handle.loading.result(60)
    monkeypatch.setattr(protocol, "_envelope", envelope)
    long = frame(b"P", {"done": 0, "total": 1, "pad": "x" * 5000})
    fits = frame(b"P", {"done": 0, "total": 1, "pad": "x" * 3000})
    with pytest.raises(JobError, match="of the kind progress, of 50"):
        handle.run(Garbage(data=(fits + long).hex())).result(60)
    assert max(seen) <= CAPS["progress"] == 4096
    assert len(json.loads(fits[5:])["body"]["pad"]) == 3000
    assert len(fits) - 5 in seen
