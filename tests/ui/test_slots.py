"""Work under way: each slot ends by itself, in the way that was said when it began."""

import dataclasses
from types import SimpleNamespace

import pytest

from ui.slots import Slots, Work


class Job:
    def __init__(self):
        self.state, self.cancelled = "running", False

    def snapshot(self):
        return SimpleNamespace(state=self.state, error=None)

    def result(self, timeout):
        return f"the result after {timeout} s at the most"

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def told():
    return []


def work(told, what="work"):
    job = Job()
    return job, Work(
        what, job, lambda result: told.append(result), lambda found: told.append(found.state)
    )


def test_nothing_moves_until_it_ends(told):
    slots, (job, made) = Slots(), work(told)
    assert not slots
    slots.put("a", made)
    assert slots
    assert slots.what("a") == "work"
    assert slots.what("b") is None
    for state in ("queued", "running"):
        job.state = state
        assert not slots.step()
    job.state = "done"
    assert slots.step()
    assert told == ["the result after 5 s at the most"]
    assert not slots
    assert not slots.step()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_fails_is_told_how(told, state):
    slots, (job, made) = Slots(), work(told)
    slots.put("a", made)
    job.state = state
    assert slots.step()
    assert told == [state]


def test_slots_know_nothing_of_each_other(told):
    slots, (first, one), (second, two) = Slots(), work(told), work(told)
    slots.put("a", one)
    slots.put("b", two)
    second.state = "failed"
    assert slots.step()
    assert slots.work("a") is one
    assert slots.cancel("a")
    assert first.cancelled
    assert not slots.cancel("a")


def test_what_nobody_waits_for_gives_way_to_other_work(told):
    slots, (job, made), (other, next_one) = Slots(), work(told), work(told)
    gone = []
    idle = dataclasses.replace(made, give_way=lambda: gone.append("idle"))
    slots.put("idle", idle)
    slots.put("idle", idle)  # its own slot: it begins anew
    assert gone == []
    slots.put("a", next_one)
    assert gone == ["idle"]
    assert slots.work("idle") is None
    assert slots.work("a") is next_one
    assert not job.cancelled
    assert not other.cancelled
    job.state = "done"
    assert not slots.step()
    assert told == []


def test_an_end_may_begin_the_next(told):
    slots, (job, _), (later, next_one) = Slots(), work(told), work(told, "next")
    slots.put("a", Work("first", job, lambda result: slots.put("a", next_one), told.append))
    job.state = "done"
    assert slots.step()
    assert slots.what("a") == "next"
    assert later.state == "running"


def test_what_was_replaced_meanwhile_is_not_ended(told):
    slots, (job, _), (late, two), (new, three) = Slots(), work(told), work(told), work(told)
    slots.put("a", Work("first", job, lambda result: slots.put("b", three), told.append))
    slots.put("b", two)
    job.state = late.state = "done"
    slots.step()
    assert told == []
    assert slots.work("b") is three
    assert new.state == "running"


def test_what_is_taken_out_goes_on(told):
    slots, (job, made) = Slots(), work(told)
    slots.put("a", made)
    assert slots.take("a") is made
    assert not job.cancelled
    assert not slots
