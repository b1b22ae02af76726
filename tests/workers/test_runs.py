"""Runs through the wall: state, results, progress, the queue, cancelling, sessions."""

import io
import os
import signal

import numpy as np
import pytest
from PIL import Image

from loaders.preprocessing import Options
from tests.workers.conftest import begun, held, new_wall, processes, wait_for
from tests.workers.extension.tasks.hostile import Sleep
from workers.client import StillRunning
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.question import Question
from xai_core.target import ClassTarget

LONG = 1_000_000
"""Steps that nobody waits for."""


def test_a_worker_keeps_its_state_between_runs(hold):
    handle = hold("hello")
    assert handle.state in ("loading", "ready")
    handle.loading.result(60)
    assert handle.state == "ready"
    first = handle.run("echo", x=np.eye(3)).result(60)
    np.testing.assert_array_equal(first.arrays["x"], np.eye(3))
    second = handle.run("echo").result(60)
    assert (first.calls, second.calls) == (1, 2)
    assert first.pid == second.pid != os.getpid()


def test_a_refused_file_says_why(hold):
    handle = hold("refuse")
    with pytest.raises(LoadError, match="This file is not a model"):
        handle.loading.result(60)
    assert handle.state == "failed"
    with pytest.raises(LoadError, match="This file is not a model"):
        handle.run("echo").result(60)


def test_a_file_that_kills_its_loader_is_not_tried_again(wall, hold, monkeypatch):
    handle = hold("crash")
    with pytest.raises(JobError, match=r"could not be loaded.*exit code 9"):
        handle.loading.result(60)
    monkeypatch.setattr(wall, "spawn", lambda *_, **__: pytest.fail("it was tried again"))
    with pytest.raises(JobError, match="could not be loaded"):
        handle.run("echo").result(60)
    assert handle.state == "failed"


def test_an_exception_becomes_a_sentence_and_a_detail(hold):
    handle = hold()
    with pytest.raises(JobError, match="ValueError: seven is not eight") as caught:
        handle.run("boom").result(60)
    assert "Traceback" in caught.value.detail
    assert "\n" not in str(caught.value)
    handle.run("echo").result(60)


@pytest.mark.parametrize("task", ["sleep", "compute"])
def test_cancel_ends_a_run_that_does_not_listen(hold, task):
    handle = hold()
    before = handle.run("echo").result(60).pid
    job = begun(handle.run(task))
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert job.snapshot().state == "cancelled"
    # It comes back by itself, without anybody asking for a run.
    wait_for(lambda: handle.state == "ready")
    assert handle.run("echo").result(60).pid != before


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux alone has pidfds")
def test_cancel_does_not_wait_for_a_busy_mother(wall, hold):
    handle = hold()
    job = begun(handle.run("compute"))
    mother = wall.state()["mothers"]["plain"]["pid"]
    os.kill(mother, signal.SIGSTOP)
    try:
        job.cancel()
        with pytest.raises(JobError, match="cancelled"):
            job.result(60)
    finally:
        os.kill(mother, signal.SIGCONT)
    wait_for(lambda: handle.state == "ready")


def test_cancel_keeps_a_worker_that_listens(hold):
    handle = hold()
    before = handle.run("echo").result(60).pid
    job = begun(handle.run("steps", steps=LONG))
    job.cancel()
    with pytest.raises(JobError):
        job.result(60)
    assert handle.state == "ready"
    again = handle.run("echo").result(60)
    assert (again.pid, again.calls) == (before, 2)


def test_runs_that_wait_go_on_after_a_cancel(hold):
    handle = hold()
    job = begun(handle.run("sleep"))
    later = handle.run("echo")
    job.cancel()
    assert later.result(60).calls == 1


def test_a_waiting_run_is_cancelled_at_once(hold):
    handle = hold()
    job = begun(handle.run("steps", steps=LONG))
    later = handle.run("echo")
    later.cancel()
    assert later.snapshot().state == "cancelled"
    job.cancel()


def test_cancelling_a_load(hold):
    handle = hold("endless")
    wait_for(lambda: handle.loading.snapshot().state == "running")
    handle.loading.cancel()
    with pytest.raises(JobError, match="cancelled"):
        handle.loading.result(60)
    assert handle.state == "failed"


def test_progress_arrives_with_a_map_an_array_and_a_time(hold):
    job = hold().run("steps", steps=LONG)
    seen = {}

    def enough():
        snapshot = job.snapshot()
        if snapshot.partial is not None:
            seen[snapshot.done] = snapshot
        return len(seen) >= 4

    wait_for(enough)
    job.command("stop")
    assert job.result(60).scalars["steps"] > max(seen)
    for each in seen.values():
        assert each.total == LONG
        np.testing.assert_array_equal(each.partial, np.full((4, 5), each.done, np.float32))
        np.testing.assert_array_equal(each.arrays["epoch"], np.arange(each.done % 10))
    # of steps of 20 ms at the least
    assert max(seen.values(), key=lambda each: each.done).left > (LONG - max(seen)) * 0.02 * 0.9
    assert job.snapshot().state == "done"


def test_places_in_the_queue(hold):
    """Two cores give two slots of one thread; the others wait in the order in which they came."""
    handles = [hold() for _ in range(4)]
    for handle in handles:
        handle.loading.result(60)
    jobs = [handle.run("steps", steps=LONG) for handle in handles]
    wait_for(lambda: jobs[1].snapshot().state == "running")
    assert [job.snapshot().place for job in jobs] == [0, 0, 1, 2]
    jobs[2].cancel()
    assert jobs[3].snapshot().place == 1
    jobs[0].cancel()
    wait_for(lambda: jobs[3].snapshot().state == "running")
    assert jobs[1].snapshot().state == "running"
    for job in jobs:
        job.cancel()


def test_one_worker_runs_one_job_and_blocks_nobody_else(hold):
    busy, idle = hold(), hold()
    idle.loading.result(60)
    jobs = [busy.run("steps", steps=LONG) for _ in range(3)]
    begun(jobs[0])
    assert idle.run("echo").result(60).calls == 1
    assert [job.snapshot().state for job in jobs] == ["running", "queued", "queued"]
    for job in reversed(jobs):
        job.cancel()


def test_a_photo_does_not_wait_for_long_runs(wall, hold):
    jobs = [begun(hold().run("steps", steps=LONG)) for _ in range(2)]
    file = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 7, np.uint8)).save(file, "PNG")
    photo = wall.session("test").decode(file.getvalue()).result(60)
    assert photo.pixels.shape == (20, 30, 3)
    assert (photo.pixels == 7).all()
    for job in jobs:
        job.cancel()


def test_sessions_are_apart(wall, hold):
    other = wall.session("other")
    path = other.add_file("../../model name.pt", b"model")
    assert path.name == "model_name.pt"
    assert path.is_relative_to(other.folder)
    with pytest.raises(LoadError, match="not among this session's files"):
        wall.session("test").open(path, Options(), name="m")
    mine, theirs = hold(), held(other)
    pids = {handle.run("echo").result(60).pid for handle in (mine, theirs)}
    assert len(pids) == 2
    assert wall.session("other") is other
    other.close()
    assert theirs.state == "closed"
    assert mine.run("echo").result(60).calls == 2
    with pytest.raises(JobError, match="closed"):
        theirs.run("echo").result(60)


def test_a_symbolic_link_out_of_the_spool_is_refused(wall, tmp_path):
    session = wall.session("links")
    (tmp_path / "model").write_text("model")
    path = session.new_file("m.pt")
    path.symlink_to(tmp_path / "model")
    with pytest.raises(LoadError):
        session.open(path, Options(), name="m")
    session.close()


def test_bad_arguments_are_refused_at_once(wall):
    session = wall.session("bad arguments")
    model = session.open(session.add_file("m.pt", b"no model"), Options(), name="m")
    with pytest.raises(ParamError, match="uint8"):
        model.predict(np.zeros((4, 4), np.uint8))
    with pytest.raises(ParamError, match="magic"):
        model.explain(
            np.zeros((4, 4, 3), np.uint8), Question(method="magic", target=ClassTarget(0))
        )
    with pytest.raises(LoadError):
        model.loading.result(60)
    session.close()


def test_waiting_for_a_result_runs_out(hold):
    job = hold().run("steps", steps=LONG)
    with pytest.raises(StillRunning):
        job.result(0.05)
    job.cancel()


def test_idle_workers_rest_when_there_are_too_many(tmp_path):
    wall = new_wall(tmp_path, max_workers=2)
    try:
        session = wall.session("s")
        handles = []
        for _ in range(3):
            handles.append(held(session))
            handles[-1].loading.result(60)
        wait_for(lambda: len(processes(wall.folder)) == 3)  # the mother and two workers
        assert [handle.state for handle in handles] == ["ready"] * 3
        calls = [handle.run("echo").result(60).calls for handle in reversed(handles)]
        assert calls == [1, 1, 1]
        wait_for(lambda: len(processes(wall.folder)) == 3)
    finally:
        wall.close()


# Limits ------------------------------------------------------------------------------------------


def test_a_task_s_own_limit_and_its_sentence(hold):
    handle = hold()
    handle.loading.result(60)
    with pytest.raises(JobError, match=r"longer than its limit of 0\.5 s"):
        handle.run(Sleep(patience=0.5)).result(60)
    assert handle.run("echo").result(60).calls == 1  # made anew
    slow = hold("endless", patience=0.5)
    with pytest.raises(JobError, match=r"The fake did not finish within 0\.5 s"):
        slow.loading.result(60)
    assert slow.state == "failed"
    with pytest.raises(JobError, match="did not finish"):
        slow.run("echo").result(60)


def test_the_wall_s_limit_caps_every_task(tmp_path, monkeypatch):
    wall = new_wall(tmp_path)
    honest = wall.spawn

    def spawn(kind, read, job):
        # however long it takes to make a worker on a busy machine, it is not what is limited here
        wall.time_limit = 600.0
        try:
            return honest(kind, read, job)
        finally:
            wall.time_limit = 1.0

    try:
        handle = held(wall.session("s"))
        handle.loading.result(60)
        monkeypatch.setattr(wall, "spawn", spawn)
        wall.time_limit = 1.0
        with pytest.raises(JobError, match="longer than its limit of 1 s"):
            handle.run("sleep").result(60)
        slow = held(wall.session("s"), "endless")
        with pytest.raises(JobError, match="The fake did not finish within 1 s"):
            slow.loading.result(60)
    finally:
        wall.close()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(), "The file did not finish loading within 3 s, and was stopped."),
        (Options(source="while True: pass"), "The source did not finish within 3 s, and was"),
    ],
)
def test_a_load_without_an_end_says_what_it_was(options, sentence):
    from pathlib import Path

    from workers.tasks.load import Load

    task = Load(path=Path("m.pt"), options=options, called="m")
    assert task.late(3.0).startswith(sentence)
    assert task.limit(None) == 180
