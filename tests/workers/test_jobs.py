"""A job by itself, on a clock that stands until it is moved: its times, its limit, its commands."""

import sys
import threading
import types

import numpy as np
import pytest

from workers import jobs
from workers.jobs import Job, StillRunning
from workers.process import Stopped
from xai_core.errors import JobError, LoadError, ParamError


@pytest.fixture
def clock(monkeypatch):
    """Stand in for the clock of jobs."""
    made = types.SimpleNamespace(now=1000.0)
    made.monotonic = lambda: made.now
    monkeypatch.setattr(jobs, "time", made)
    return made


class Places:
    """A queue that says whether there is a place."""

    def __init__(self, free=True):
        self.free, self.left = free, 0

    def leave(self, job):
        self.left += 1

    def come_back(self, job):
        return self.free

    def place(self, job):
        return 3

    def withdraw(self, job):
        return False


ALL = ("pause", "go on", "step", "stop")


def during(act, **settings):
    """Run a job whose work is `act(job)`, and return it."""
    job = Job(lambda job: act(job), **settings)
    job.enter(Places())
    job.run()
    return job


def running(act, commands=ALL, places=None, limit=600.0):
    """Have a job look at itself from within, where a worker's run does; it must not fall."""
    job = Job(act, commands=commands, time_limit=limit)
    job.enter(places or Places())
    job.run()
    if job._error and not isinstance(job._error, JobError):
        raise job._error
    assert "on this side" not in str(job._error), job._error.detail
    return job


# Ends


def test_how_it_ends():
    assert during(lambda job: 5).result(0) == 5
    assert during(lambda job: 5).snapshot().state == "done"
    with pytest.raises(LoadError, match="no model"):
        during(lambda job: (_ for _ in ()).throw(LoadError("no model"))).result(0)
    with pytest.raises(JobError, match=r"failed on this side \(ZeroDivisionError") as caught:
        during(lambda job: 1 / 0).result(0)
    assert "Traceback" in caught.value.detail


def test_an_error_after_a_cancel_is_the_cancel():
    def act(job):
        job.cancel()
        raise LoadError("the worker went with it")

    job = during(act)
    assert job.snapshot().state == "cancelled"
    with pytest.raises(JobError, match="was cancelled"):
        job.result(0)


def test_the_same_error_may_be_raised_to_many():
    job = during(lambda job: (_ for _ in ()).throw(LoadError("no model")))
    found = []
    for _ in range(3):
        with pytest.raises(LoadError) as caught:
            job.result(0)
        found.append(len(caught.traceback))
    assert len(set(found)) == 1


def test_what_the_work_refers_to_does_not_live_on():
    photo = np.zeros(3)
    count = sys.getrefcount(photo)
    job = Job(lambda job, photo=photo: photo.sum())
    job.run()
    assert job.result(0) == 0
    assert sys.getrefcount(photo) == count


def test_a_wait_that_runs_out_ends_nothing():
    job = Job(lambda job: 1)
    with pytest.raises(StillRunning, match="goes on"):
        job.result(0)
    assert not job.over


# Times


def test_seconds_and_what_is_left(clock):
    def act(job):
        clock.now += 10  # its worker is made
        job.begin()
        job.progress(0, 100)
        assert job.snapshot().left is None
        clock.now += 5
        job.progress(10, 100)
        clock.now += 5
        job.progress(20, 100)
        # 20 steps in 10 s: 80 more take 40 s
        assert job.snapshot().left == pytest.approx(40)
        clock.now += 15
        assert job.snapshot().left == pytest.approx(25)
        clock.now += 100
        assert job.snapshot().left == 0
        assert job.snapshot().seconds == pytest.approx(135)

    job = running(act)
    clock.now += 1000
    assert job.snapshot().seconds == pytest.approx(135)
    assert job.snapshot().left is None


def test_the_limit_counts_from_when_it_was_given(clock):
    def act(job):
        clock.now += 50
        assert not job.should_stop()
        job.allow(30.0, "That was too long.")
        clock.now += 30
        assert not job.should_stop()
        clock.now += 0.5
        assert job.should_stop()
        raise Stopped(killed=True)

    job = running(act)
    assert job.snapshot().state == "failed"
    assert str(job.snapshot().error) == "That was too long."


def test_a_limit_without_a_sentence_of_its_own(clock):
    def act(job):
        job.allow(30.0)
        clock.now += 31
        assert job.should_stop()
        raise Stopped(killed=False)

    assert "longer than its limit of 30 s" in str(running(act).snapshot().error)


def test_one_that_waits_has_no_limit(clock):
    job = Job(lambda job: 1, time_limit=1.0)
    clock.now += 3600
    assert not job.should_stop()


# What it shows


def test_nobody_changes_what_it_shows():
    def act(job):
        job.progress(1, 2, np.zeros((2, 2), np.float32), {"epoch": np.zeros(3)})
        seen = job.snapshot()
        for array in (seen.partial, seen.arrays["epoch"]):
            with pytest.raises(ValueError, match="read-only"):
                array[:] = 1
        job.progress(2, 2)
        assert job.snapshot().partial is seen.partial  # the last one that there was
        assert list(job.snapshot().arrays) == ["epoch"]

    running(act)


def test_what_it_is_at_before_it_begins():
    def act(job):
        job.say("loading the model")
        assert job.snapshot().doing == "loading the model"
        job.begin()
        assert job.snapshot().doing == ""

    running(act)


# Commands


def test_a_command_that_is_not_taken_is_refused():
    job = Job(lambda job: 1, commands=("pause", "stop"))
    with pytest.raises(ParamError, match="must be one of: pause, stop; got 'go on'"):
        job.command("go on")
    with pytest.raises(ParamError, match="must be one of: none; got 'stop'"):
        Job(lambda job: 1).command("stop")


def test_commands_are_the_task_s_own():
    """While its worker is made ready, another task runs there, which they are not for."""

    def act(job):
        job.command("pause")
        assert job.orders() == ()
        assert not job.snapshot().paused
        job.begin()
        assert job.orders() == ("pause",)
        assert job.snapshot().paused

    running(act)


def test_commands_are_passed_in_their_order_and_once():
    def act(job):
        job.begin()
        for name in ("pause", "step", "go on", "stop"):
            job.command(name)
        assert job.orders() == ("pause", "step", "go on", "stop")
        assert job.orders() == ()
        assert not job.snapshot().paused

    running(act)


def test_the_clock_stands_while_it_is_paused(clock):
    def act(job):
        job.begin()
        job.allow(30.0)
        clock.now += 20
        job.command("pause")
        job.orders()
        clock.now += 1000
        assert not job.should_stop()
        assert job.snapshot().seconds == pytest.approx(20)
        job.command("step")
        job.orders()
        clock.now += 100
        assert job.snapshot().seconds == pytest.approx(20)
        job.command("go on")
        job.orders()
        clock.now += 9
        assert not job.should_stop()
        assert job.snapshot().seconds == pytest.approx(29)
        clock.now += 2
        assert job.should_stop()

    running(act)


def test_a_pause_ends_by_itself(clock):
    def act(job):
        job.begin()
        for _ in range(2):
            job.command("pause")
            assert job.orders() == ("pause",)
            clock.now += jobs.PAUSE_LIMIT / 2 - 1
            assert job.orders() == ()
            job.command("go on")
            assert job.orders() == ("go on",)
        job.command("pause")
        job.orders()
        clock.now += 3  # half an hour in all
        assert job.orders() == ("go on",)
        assert not job.snapshot().paused

    running(act)


def test_one_that_goes_on_waits_for_a_place():
    places = Places(free=False)

    def act(job):
        job.begin()
        job.command("pause")
        job.orders()
        assert places.left == 1
        job.command("go on")
        assert job.orders() == ()
        assert job.snapshot().paused
        places.free = True
        assert job.orders() == ("go on",)
        assert not job.snapshot().paused

    running(act, places=places)


def test_a_command_after_the_end_is_nothing():
    job = during(lambda job: 1, commands=ALL)
    job.command("stop")
    assert job.orders() == ()
    assert job.snapshot().state == "done"


def test_a_job_that_ended_is_not_paused():
    def act(job):
        job.begin()
        job.command("pause")
        job.orders()

    job = running(act)
    assert (job.snapshot().state, job.snapshot().paused) == ("done", False)


def test_many_may_wait_for_one():
    go = threading.Event()
    job = Job(lambda job: go.wait(60) and 7)
    job.enter(Places())
    found = []
    threads = [threading.Thread(target=lambda: found.append(job.result(60))) for _ in range(5)]
    for thread in (*threads, threading.Thread(target=job.run)):
        thread.start()
    go.set()
    for thread in threads:
        thread.join(60)
    assert found == [7] * 5
