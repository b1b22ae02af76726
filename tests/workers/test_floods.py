"""Progress that comes too often ends its worker; what is honest is never counted as a flood."""

import types

import pytest

from tests.workers.conftest import begun, wait_for
from workers import process
from workers.process import BURST, OFTEN, _Ear
from workers.protocol import ProtocolError
from workers.tasks.measure import Measure
from xai_core.errors import JobError


@pytest.fixture
def clock(monkeypatch):
    """Stand in for the clock that counts messages; it goes only when it is moved."""
    made = types.SimpleNamespace(now=1000.0)
    made.monotonic = lambda: made.now
    monkeypatch.setattr(process, "time", made)
    return made


def heard(ear, clock, times, every):
    """Return how many messages of progress were let in, at most `times`."""
    for number in range(times):
        clock.now += every
        try:
            ear.admit("progress", {}, [])
        except ProtocolError:
            return number
    return times


def test_the_numbers_are_those_that_are_written_down():
    assert (OFTEN, BURST) == (20.0, 100.0)


def test_twenty_a_second_go_on_for_ever(clock):
    assert heard(_Ear(Measure(), None), clock, 20 * 3600, 1 / 20) == 20 * 3600


def test_a_few_more_than_twenty_are_ended_when_the_burst_is_used_up(clock):
    # each message costs 1 and 1/25 s gives 0.8 back: of 100 the last whole one goes at the 496th
    closed_form = (100 - 1) / (1 - 20 / 25)
    assert heard(_Ear(Measure(), None), clock, 10_000, 1 / 25) == pytest.approx(closed_form, abs=2)


def test_a_burst_after_a_silence_is_let_in_once(clock):
    ear = _Ear(Measure(), None)
    clock.now += 3600.0
    assert heard(ear, clock, 1000, 0.0) == 100
    clock.now += 1.0
    assert heard(ear, clock, 1000, 0.0) == 20


def test_results_are_not_counted(clock):
    ear = _Ear(Measure(), None)
    for _ in range(1000):
        ear.admit("result", {}, [])


@pytest.mark.parametrize("every", [0.0, 0.005])
def test_a_flood_ends_its_worker(hold, every):
    handle, other = hold(), hold()
    other.loading.result(60)
    with pytest.raises(JobError, match=r"more than 20 messages a second.*may be hostile"):
        handle.run("flood", every=every).result(120)
    assert handle.run("echo").result(60).calls == 1
    assert other.run("echo").result(60).calls == 1


def test_a_flood_of_long_messages_ends_it_at_the_first(hold):
    with pytest.raises(JobError, match="of the kind progress, of 50"):
        hold().run("flood", pad=5000).result(60)


def test_a_flood_is_cancelled(hold):
    """Below what ends it, a worker that never listens goes with its run."""
    handle = hold()
    before = handle.run("echo").result(60).pid
    job = begun(handle.run("flood", every=0.1))
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert handle.run("echo").result(60).pid != before


def test_an_honest_task_may_tell_of_every_step(hold):
    """Ten thousand steps without a pause are told of now and then, by the worker itself."""
    job = hold().run("steps", steps=10_000, pause=0.0)
    assert job.result(120).scalars["steps"] == 10_000


def test_a_client_that_asks_for_step_after_step_ends_nobody(hold):
    """Each step is told of at once; more than a burst of them still is no flood."""
    handle = hold()
    job = begun(handle.run("steps", steps=1_000_000, pause=0.0))
    job.command("pause")
    wait_for(lambda: job.snapshot().paused)
    for _ in range(int(BURST) + 20):
        at = job.snapshot().done
        job.command("step")
        wait_for(lambda at=at: job.snapshot().done > at or job.over)
        assert not job.over, job.snapshot().error
    job.command("stop")
    assert job.result(60).scalars["steps"] > BURST
