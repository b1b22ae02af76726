"""The queue by itself: who runs, who waits, and whose the next place is."""

import threading

import pytest

from tests.workers.conftest import wait_for
from workers.jobs import Job
from workers.queue import Queue
from xai_core.errors import JobError


class Held:
    """A job that runs until it is let go."""

    def __init__(self, queue, **settings):
        self.begun, self.go = threading.Event(), threading.Event()
        self.job = Job(self._work, commands=("pause", "go on"), **settings)
        queue.submit(self.job)

    def _work(self, job):
        job.begin()
        self.begun.set()
        while not self.go.wait(0.005):
            job.orders()  # as a worker's run does
            if job.should_stop():
                break
        return "done"

    @property
    def runs(self):
        return self.job.snapshot().state == "running"

    def end(self):
        self.go.set()
        return self.job.result(60)


@pytest.fixture
def queue(monkeypatch):
    monkeypatch.setattr("workers.queue.LONG", 3600.0)  # however slow the machine is
    made = Queue(2)
    yield made
    for job in made.close():
        job._over.wait(60)


def begun(*held):
    for each in held:
        assert each.begun.wait(60)


def test_first_come_first_served(queue):
    jobs = [Held(queue) for _ in range(5)]
    begun(*jobs[:2])
    assert [each.job.snapshot().place for each in jobs] == [0, 0, 1, 2, 3]
    assert queue.counts() == {"running": 2, "waiting": 3, "slots": 2}
    jobs[1].end()
    begun(jobs[2])
    assert [each.job.snapshot().place for each in jobs] == [0, 0, 0, 1, 2]
    assert not jobs[3].begun.is_set()


def test_owners_take_turns(queue):
    jobs = [Held(queue, owner=name) for name in "aabaaabc"]
    a1, a2, b1, a3, a4, a5, b2, c1 = jobs
    begun(a1, a2, b1)  # b's is beside a's two: see below
    assert [each.job.snapshot().place for each in (c1, b2, a3, a4, a5)] == [1, 2, 3, 4, 5]
    a1.end()
    b1.end()
    begun(b2)  # nothing of b's runs, and it came before c's
    assert [each.job.snapshot().place for each in (c1, a3, a4, a5)] == [1, 2, 3, 4]
    b2.end()
    begun(c1)
    a2.end()
    begun(a3)
    assert not a4.begun.is_set()


def test_nobody_waits_for_one_who_has_all_slots(queue):
    hogs = [Held(queue, owner="hog") for _ in range(4)]
    begun(*hogs[:2])
    other, third = Held(queue, owner="a"), Held(queue, owner="b")
    begun(other)
    assert queue.counts() == {"running": 3, "waiting": 3, "slots": 2}
    assert not third.begun.is_set()  # one more, and not one for each
    other.end()
    begun(third)
    assert not hogs[2].begun.is_set()
    third.end()
    hogs[0].end()
    begun(hogs[2])


def test_two_owners_of_all_slots_make_no_third(queue):
    begun(*[Held(queue, owner=name) for name in "ab"])
    third = Held(queue, owner="c")
    assert (third.runs, third.job.snapshot().place) == (False, 1)


def test_a_job_that_lasts_keeps_nobody_waiting(queue, monkeypatch):
    monkeypatch.setattr("workers.queue.LONG", 0.3)
    begun(*[Held(queue, owner=name) for name in "ab"])
    own, third, fourth = (Held(queue, owner=name) for name in "acd")
    begun(third)
    assert not own.begun.is_set()
    assert not fourth.begun.is_set()  # one more, and not one for each
    third.end()
    begun(fourth)
    assert queue.counts()["running"] == 3


def test_a_lane_in_use_is_passed_over_and_keeps_its_order(queue):
    first = Held(queue, lane="a")
    begun(first)
    second, third, other = Held(queue, lane="a"), Held(queue, lane="a"), Held(queue, lane="b")
    begun(other)
    assert [second.runs, third.runs] == [False, False]
    first.end()
    begun(second)
    assert not third.begun.is_set()
    other.end()
    second.end()
    begun(third)


def test_a_quick_one_does_not_overtake_on_its_own_lane(queue):
    running = [Held(queue) for _ in range(2)]
    begun(*running)
    slow, quick = Held(queue, lane="a"), Held(queue, lane="a", quick=True)
    elsewhere = Held(queue, lane="b", quick=True)
    begun(elsewhere)
    elsewhere.end()
    assert not quick.begun.is_set()
    running[0].end()
    begun(slow)
    assert not quick.begun.is_set()
    slow.end()
    begun(quick)


def test_a_first_one_goes_before_all_who_wait(queue):
    running = [Held(queue) for _ in range(2)]
    begun(*running)
    waiting, first = Held(queue), Held(queue, first=True)
    assert (first.job.snapshot().place, waiting.job.snapshot().place) == (1, 2)
    running[0].end()
    begun(first)
    assert not waiting.begun.is_set()


def test_a_quick_one_has_a_place_of_its_own(queue):
    begun(*[Held(queue) for _ in range(2)])
    quick = [Held(queue, quick=True) for _ in range(2)]
    begun(quick[0])
    assert not quick[1].begun.is_set()  # one at a time
    quick[0].end()
    begun(quick[1])
    assert queue.counts()["running"] == 3


def test_a_quick_one_that_is_none_keeps_nobody_waiting(queue, monkeypatch):
    """A hostile photo may take as long as its worker's limit."""
    monkeypatch.setattr("workers.queue.LONG", 0.3)
    hostile = [Held(queue, quick=True, owner="hostile") for _ in range(2)]
    begun(hostile[0])
    other, third, fourth = (Held(queue, quick=True, owner=name) for name in "abc")
    begun(other)
    begun(third)  # other's lasts, too
    assert not fourth.begun.is_set()  # so many, and no more
    assert not hostile[1].begun.is_set()
    third.end()
    begun(fourth)
    for each in (fourth, other, hostile[0]):
        each.end()
    begun(hostile[1])


def test_a_paused_one_gives_its_place_and_takes_the_next_before_those_who_are_new(queue):
    jobs = [Held(queue) for _ in range(2)]
    begun(*jobs)
    third, fourth = Held(queue), Held(queue)
    jobs[0].job.command("pause")
    begun(third)
    assert jobs[0].job.snapshot().paused
    jobs[0].job.command("go on")
    wait_for(lambda: jobs[0].job in queue._returning)
    assert jobs[0].job.snapshot().paused  # both places are taken
    third.end()
    wait_for(lambda: not jobs[0].job.snapshot().paused)
    assert not fourth.begun.is_set()
    jobs[1].end()
    begun(fourth)


def test_one_that_ends_while_it_is_paused_leaves_no_trace(queue):
    job = Held(queue)
    begun(job)
    job.job.command("pause")
    wait_for(lambda: job.job.snapshot().paused)
    job.job.cancel()
    job.job._over.wait(60)
    wait_for(lambda: queue.counts()["running"] == 0)
    assert (queue._paused, queue._returning) == (set(), [])
    others = [Held(queue) for _ in range(3)]
    begun(*others[:2])
    assert not others[2].begun.is_set()


def test_a_waiting_one_is_withdrawn(queue):
    begun(*[Held(queue) for _ in range(2)])
    waiting, later = Held(queue), Held(queue)
    waiting.job.cancel()
    assert waiting.job.snapshot().state == "cancelled"
    assert later.job.snapshot().place == 1
    with pytest.raises(JobError, match="before it started"):
        waiting.job.result(0)
    assert not waiting.begun.is_set()


def test_a_closed_queue_takes_nothing_and_cancels_all(queue):
    jobs = [Held(queue) for _ in range(3)]
    begun(*jobs[:2])
    running = queue.close()
    assert running == [each.job for each in jobs[:2]]
    for each in jobs:
        assert each.job._over.wait(60)
        assert each.job.cancelled
    late = Held(queue)
    with pytest.raises(JobError, match="The wall is closed"):
        late.job.result(60)


def test_work_that_falls_frees_its_place(queue):
    fallen = [queue.submit(Job(lambda job: 1 / 0)) for _ in range(6)]
    for job in fallen:
        with pytest.raises(JobError, match="ZeroDivisionError"):
            job.result(60)
    begun(Held(queue), Held(queue))
