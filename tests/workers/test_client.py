"""Runs through the wall: results, progress, cancelling, limits, deaths, and what is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from loaders.preprocessing import Options
from tests.conftest import ROOT
from tests.workers.conftest import new_wall, processes, wait_for
from workers import handle, mother
from workers.client import StillRunning
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.question import Question
from xai_core.target import ClassTarget


def started(job):
    wait_for(lambda: job.snapshot().state == "running")
    time.sleep(0.2)
    return job


def test_a_model_keeps_its_state_between_runs(open_model):
    model = open_model("hello")
    assert model.state in ("loading", "ready")
    assert model.loading.result(30).architecture == "hello"
    assert model.state == "ready"
    first, arrays = model.call("echo", {"n": 1}, {"x": np.eye(3)}).result(10)
    np.testing.assert_array_equal(arrays["x"], np.eye(3))
    second, _ = model.call("echo", {"n": 2}).result(10)
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"]


def test_the_card_carries_the_client_s_own_hash(open_model):
    import hashlib

    card = open_model("hello").loading.result(30)
    assert card.hash == hashlib.sha256(b"hello").hexdigest()


def test_a_refused_file_says_why(open_model):
    model = open_model("refuse")
    with pytest.raises(LoadError, match="This file is not a model"):
        model.loading.result(30)
    assert model.state == "failed"
    with pytest.raises(LoadError, match="This file is not a model"):
        model.call("echo", {}).result(10)


def test_a_file_that_kills_its_loader_is_not_tried_again(wall, open_model, monkeypatch):
    model = open_model("crash")
    with pytest.raises(JobError, match=r"could not be loaded.*exit code 9"):
        model.loading.result(30)
    monkeypatch.setattr(wall, "spawn", lambda *_, **__: pytest.fail("it was tried again"))
    with pytest.raises(JobError, match="could not be loaded"):
        model.call("echo", {}).result(10)
    assert model.state == "failed"


def test_a_card_that_makes_no_sense_is_refused(open_model):
    with pytest.raises(JobError, match="made no sense"):
        open_model("liar").loading.result(30)


def test_an_exception_becomes_a_sentence_and_a_detail(open_model):
    model = open_model()
    with pytest.raises(JobError, match="ValueError: seven is not eight") as caught:
        model.call("boom", {}).result(30)
    assert "Traceback" in caught.value.detail
    assert "\n" not in str(caught.value)
    model.call("echo", {}).result(10)


@pytest.mark.parametrize("operation", ["sleep", "compute", "flood"])
def test_cancel_ends_a_run_that_does_not_listen(open_model, operation):
    model = open_model()
    before = model.call("echo", {}).result(30)[0]["pid"]
    job = started(model.call(operation, {}))
    start = time.monotonic()
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(5)
    assert time.monotonic() - start < 2
    assert job.snapshot().state == "cancelled"
    # The model comes back by itself, without anybody asking for a run.
    wait_for(lambda: model.state == "ready")
    assert model.call("echo", {}).result(10)[0]["pid"] != before


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux alone has pidfds")
def test_cancel_does_not_wait_for_a_busy_mother(wall, open_model):
    model = open_model()
    job = started(model.call("compute", {}))
    mother = wall.state()["mothers"]["plain"]["pid"]
    os.kill(mother, signal.SIGSTOP)
    try:
        start = time.monotonic()
        job.cancel()
        with pytest.raises(JobError, match="cancelled"):
            job.result(10)
        assert time.monotonic() - start < 2
    finally:
        os.kill(mother, signal.SIGCONT)
    wait_for(lambda: model.state == "ready")


def test_cancel_keeps_a_worker_that_listens(open_model):
    model = open_model()
    before = model.call("echo", {}).result(30)[0]["pid"]
    job = started(model.call("steps", {"steps": 1000}))
    start = time.monotonic()
    job.cancel()
    with pytest.raises(JobError):
        job.result(5)
    assert time.monotonic() - start < 0.8
    assert model.state == "ready"
    assert model.call("echo", {}).result(10)[0] == {"pid": before, "calls": 2}


def test_runs_that_wait_go_on_after_a_cancel(open_model):
    model = open_model()
    job = started(model.call("sleep", {}))
    later = model.call("echo", {})
    job.cancel()
    assert later.result(10)[0]["calls"] == 1


def test_a_waiting_run_is_cancelled_at_once(open_model):
    model = open_model()
    job = started(model.call("steps", {"steps": 200}))
    later = model.call("echo", {})
    later.cancel()
    assert later.snapshot().state == "cancelled"
    job.cancel()


def test_cancelling_a_load(open_model):
    model = open_model("slow")
    started(model.loading).cancel()
    with pytest.raises(JobError, match="cancelled"):
        model.loading.result(5)
    assert model.state == "failed"


def test_progress_arrives_with_a_map_and_a_time(open_model):
    model = open_model()
    job = model.call("steps", {"steps": 80})
    seen = {}
    while not job.over:
        snapshot = job.snapshot()
        seen[snapshot.done] = snapshot
        time.sleep(0.01)
    last = seen[max(seen)]
    assert last.total == 80
    assert last.partial.shape == (4, 5)
    assert last.partial[0, 0] == last.done
    # 80 steps of 20 ms: 1.6 s; a quarter through there is about 1.2 s left.
    early = next(s for s in seen.values() if s.done >= 20)
    assert 0.3 * (80 - early.done) * 0.02 < early.left < 4 * (80 - early.done) * 0.02
    seconds = job.snapshot().seconds
    assert len(seen) <= 4 * seconds + 3  # told at most four times a second
    assert job.snapshot().state == "done"


def test_places_in_the_queue(open_model):
    """Two cores give two slots of one thread; the others wait in the order in which they came."""
    models = [open_model() for _ in range(4)]
    for model in models:
        model.loading.result(30)
    jobs = [model.call("steps", {"steps": 1000}) for model in models]
    wait_for(lambda: jobs[1].snapshot().state == "running")
    assert [job.snapshot().place for job in jobs] == [0, 0, 1, 2]
    jobs[2].cancel()
    assert jobs[3].snapshot().place == 1
    jobs[0].cancel()
    wait_for(lambda: jobs[3].snapshot().state == "running")
    assert jobs[1].snapshot().state == "running"
    for job in jobs:
        job.cancel()


def test_one_model_runs_one_job_and_blocks_nobody_else(open_model):
    busy, idle = open_model(), open_model()
    idle.loading.result(30)
    jobs = [busy.call("steps", {"steps": 1000}) for _ in range(3)]
    started(jobs[0])
    assert idle.call("echo", {}).result(5)[0]["calls"] == 1
    assert [job.snapshot().state for job in jobs] == ["running", "queued", "queued"]
    for job in reversed(jobs):
        job.cancel()


def test_a_photo_does_not_wait_for_long_runs(wall, open_model):
    import io

    from PIL import Image

    jobs = [started(open_model().call("steps", {"steps": 1000})) for _ in range(2)]
    file = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 7, np.uint8)).save(file, "PNG")
    photo = wall.session("test").decode(file.getvalue()).result(20)
    assert photo["pixels"].shape == (20, 30, 3)
    assert (photo["pixels"] == 7).all()
    for job in jobs:
        job.cancel()


def test_sessions_are_apart(wall, open_model):
    other = wall.session("other")
    path = other.add_file("../../model name.pt", b"model")
    assert path.name == "model_name.pt"
    assert path.is_relative_to(other.folder)
    with pytest.raises(LoadError, match="not among this session's files"):
        wall.session("test").open(path, Options(), name="m")
    mine, theirs = open_model(), open_model(in_session=other)
    pids = {model.call("echo", {}).result(30)[0]["pid"] for model in (mine, theirs)}
    assert len(pids) == 2
    assert wall.session("other") is other
    other.close()
    assert theirs.state == "closed"
    assert mine.call("echo", {}).result(10)[0]["calls"] == 2
    with pytest.raises(JobError, match="closed"):
        theirs.call("echo", {}).result(5)


def test_a_symbolic_link_out_of_the_spool_is_refused(wall, tmp_path):
    session = wall.session("links")
    (tmp_path / "model").write_text("model")
    path = session.new_file("m.pt")
    path.symlink_to(tmp_path / "model")
    with pytest.raises(LoadError):
        session.open(path, Options(), name="m")


def test_bad_arguments_are_refused(open_model):
    model = open_model()
    with pytest.raises(ParamError, match="uint8"):
        model.predict(np.zeros((4, 4), np.uint8))
    job = model.explain(
        np.zeros((4, 4, 3), np.uint8), Question(method="magic", target=ClassTarget(0))
    )
    with pytest.raises(ParamError, match="magic"):
        job.result(30)


def test_waiting_for_a_result_runs_out(open_model):
    job = open_model().call("steps", {"steps": 1000})
    with pytest.raises(StillRunning):
        job.result(0.05)
    job.cancel()


def test_idle_models_rest_when_there_are_too_many(tmp_path):
    wall = new_wall(tmp_path, max_workers=2)
    try:
        session = wall.session("s")
        models = []
        for _ in range(3):
            models.append(session.open(session.add_file("m", b"model"), Options(), name="m"))
            models[-1].loading.result(30)
        assert len(processes(wall.folder)) == 3  # the mother and two workers
        assert [model.state for model in models] == ["ready"] * 3
        calls = [model.call("echo", {}).result(10)[0]["calls"] for model in reversed(models)]
        assert calls == [1, 1, 1]
        assert len(processes(wall.folder)) == 3
    finally:
        wall.close()


# Deaths ------------------------------------------------------------------------------------------


def test_a_crash_is_one_job_s(open_model):
    model, other = open_model(), open_model()
    calls = other.call("echo", {}).result(30)[0]["calls"]
    with pytest.raises(JobError, match="SIGSEGV") as caught:
        model.call("crash", {}).result(30)
    assert "last words of a library" in caught.value.detail
    assert model.call("echo", {}).result(10)[0]["calls"] == 1
    assert other.call("echo", {}).result(10)[0]["calls"] == calls + 1


@pytest.mark.parametrize("data", [b"\xff" * 16, b"\0\0\0\x02[]", b"\0\0\0\x1e" + b"{" * 30])
def test_a_worker_that_talks_nonsense_is_stopped(open_model, data):
    model = open_model()
    with pytest.raises(JobError, match="made no sense"):
        model.call("garbage", {"bytes": data.hex()}).result(30)
    assert model.call("echo", {}).result(10)[0]["calls"] == 1


def test_a_worker_cannot_fill_the_client_s_memory(open_model):
    with pytest.raises(JobError, match="more arrays than its kind may bring"):
        open_model().call("bloat", {}).result(30)


def test_the_watch_on_memory(tmp_path):
    wall = new_wall(tmp_path, memory_limit=300 << 20)
    try:
        session = wall.session("s")
        model = session.open(session.add_file("m", b"model"), Options(), name="m")
        with pytest.raises(JobError, match=r"more than the 0.293 GiB of memory"):
            model.call("hog", {}).result(30)
        assert model.call("echo", {}).result(10)[0]["calls"] == 1
    finally:
        wall.close()


def test_the_watch_on_scratch(monkeypatch, tmp_path):
    child = mother.Child(os.getpid(), 1 << 40, tmp_path)
    monkeypatch.setattr(mother, "SCRATCH_CAP", 1 << 20)
    monkeypatch.setattr(mother.os, "kill", lambda *_: None)
    child.looked = -10
    child.watch()
    assert child.reason == ""
    (tmp_path / "a").write_bytes(b"x" * (2 << 20))
    child.looked = -10
    child.watch()
    assert child.reason == "scratch"


def test_the_time_limit(tmp_path):
    wall = new_wall(tmp_path, time_limit=1.0)
    try:
        session = wall.session("s")
        wall.mother("plain").wait_ready(lambda: False)
        model = session.open(session.add_file("m", b"model"), Options(), name="m")
        model.loading.result(30)
        start = time.monotonic()
        with pytest.raises(JobError, match="longer than its limit of 1 s"):
            model.call("sleep", {}).result(30)
        assert time.monotonic() - start < 3
        assert model.call("echo", {}).result(10)[0]["calls"] == 1
    finally:
        wall.close()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(), "The file did not finish loading within 1 s, and was stopped."),
        (Options(source="while True: pass"), "The source did not finish within 1 s, and was"),
    ],
)
@pytest.mark.parametrize("which", ["a run's limit", "a load's limit"])
def test_a_load_without_an_end(tmp_path, monkeypatch, options, sentence, which):
    monkeypatch.setattr(handle, "LOAD_LIMIT", 1.0 if which == "a load's limit" else 60.0)
    wall = new_wall(tmp_path, time_limit=60.0 if which == "a load's limit" else 1.0)
    try:
        session = wall.session("s")
        wall.mother("plain").wait_ready(lambda: False)
        model = session.open(session.add_file("m", b"endless"), options, name="m")
        with pytest.raises(JobError, match=sentence):
            model.loading.result(10)
        assert model.state == "failed"
        with pytest.raises(JobError, match=sentence):
            model.call("echo", {}).result(10)
    finally:
        wall.close()


def test_a_mother_that_dies_is_replaced(tmp_path):
    wall = new_wall(tmp_path)
    try:
        session = wall.session("s")
        model = session.open(session.add_file("m", b"model"), Options(), name="m")
        model.loading.result(30)
        job = started(model.call("sleep", {}))
        os.kill(wall.state()["mothers"]["plain"]["pid"], signal.SIGKILL)
        with pytest.raises(JobError, match="took it along"):
            job.result(10)
        assert model.call("echo", {}).result(30)[0]["calls"] == 1
    finally:
        wall.close()


def test_a_mother_that_cannot_start_says_why(tmp_path):
    from workers.client import Wall

    wall = Wall(operations="tests.no_such_module", kind="plain", spool=tmp_path)
    try:
        session = wall.session("s")
        model = session.open(session.add_file("m", b"model"), Options(), name="m")
        with pytest.raises(JobError, match="could not start: ModuleNotFoundError"):
            model.loading.result(30)
    finally:
        wall.close()


# What is left behind -----------------------------------------------------------------------------


def test_closing_leaves_nothing(tmp_path):
    wall = new_wall(tmp_path)
    session = wall.session("s")
    models = [session.open(session.add_file("m", b"model"), Options(), name="m") for _ in range(2)]
    models[0].loading.result(30)
    job = started(models[0].call("sleep", {}))
    assert len(processes(wall.folder)) >= 2
    start = time.monotonic()
    wall.close()
    assert time.monotonic() - start < 3
    with pytest.raises(JobError):
        job.result(1)
    with pytest.raises(JobError, match="closed"):
        models[1].call("echo", {}).result(1)
    assert processes(wall.folder) == []
    assert list(tmp_path.iterdir()) == []
    wall.close()


def test_twenty_openings_leave_memory_where_it_was(wall):
    def cycle(number):
        session = wall.session(f"cycle {number}")
        model = session.open(session.add_file("m", b"x" * 100_000), Options(), name="m")
        model.call("echo", {}, {"x": np.ones((500, 500))}).result(30)
        session.close()

    for number in range(3):
        cycle(number)
    pid = wall.state()["mothers"]["plain"]["pid"]
    before = mother.resident(os.getpid()), mother.resident(pid)
    files, running = set(wall.folder.iterdir()), set(processes(wall.folder))
    for number in range(20):
        cycle(number)
    after = mother.resident(os.getpid()), mother.resident(pid)
    assert after[0] < before[0] * 1.1
    assert after[1] < before[1] * 1.1
    assert set(wall.folder.iterdir()) == files
    assert set(processes(wall.folder)) == running


CLIENT = """
import sys, time
from tests.workers.conftest import new_wall
from loaders.preprocessing import Options

wall = new_wall(sys.argv[1])
session = wall.session("s")
models = [session.open(session.add_file("m", b"model"), Options(), name="m") for _ in range(2)]
for model in models:
    model.loading.result(60)
models[0].call("sleep", {})
time.sleep(0.3)
print(wall.folder, flush=True)
time.sleep(100)
"""


def test_nothing_outlives_a_client_that_is_killed(tmp_path):
    client = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", CLIENT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with client:
        folder = Path(client.stdout.readline().strip())
        assert len(processes(folder)) == 3
        client.kill()
        client.wait()
        seconds = wait_for(lambda: not processes(folder), 5)
        assert seconds < 3
        wait_for(lambda: not folder.exists(), 5)
