"""A worker that is held: what tasks leave in it, what they may be given, and how it comes back."""

import os
import signal

import numpy as np
import pytest

from loaders.options import Options
from tests.workers.conftest import begun, held, new_wall, processes, wait_for
from tests.workers.extension.tasks.honest import Echo, Steps
from tests.workers.extension.tasks.keeping import Keep, Modules, Parcel, Show, Use
from workers import lane
from xai_core.errors import JobError, LoadError, ParamError
from xai_core.task import tasks


def test_a_live_object_serves_later_tasks(wall):
    session = wall.session("kept")
    handle = session.hold("plain")
    assert handle.run(Use(x=2.0)).result(60).scalars == {}
    handle.run(Keep(by=21)).result(60)
    assert handle.run(Use(x=2.0)).result(60).scalars == {"y": 42.0}
    # nobody else's
    assert session.hold("plain").run("use", x=2.0).result(60).scalars == {}
    assert session.run(Use(x=2.0)).result(60).scalars == {}
    session.close()


def test_what_was_kept_goes_with_its_worker_and_what_opens_is_done_again(hold):
    handle = hold("hello")
    handle.run("echo").result(60)
    handle.run("keep", by=3).result(60)
    with pytest.raises(JobError):
        handle.run("crash").result(60)
    assert handle.run("use", x=1.0).result(60).scalars == {}
    assert handle.run("echo").result(60).calls == 1  # its model was opened again


def test_a_fresh_worker_keeps_nothing(wall):
    session = wall.session("fresh")
    session.run(Keep(by=3)).result(60)
    assert session.run(Use(x=1.0)).result(60).scalars == {}
    session.close()
    wait_for(lambda: not list(wall.folder.glob("scratch-*")))


def test_a_fresh_worker_takes_commands(wall):
    session = wall.session("fresh")
    job = begun(session.run(Steps(steps=1_000_000)))
    job.command("stop")
    assert 1 <= job.result(60).scalars["steps"] < 1_000_000
    session.close()


def test_tasks_of_an_extension_are_found_on_both_sides():
    assert tasks()["echo"] is Echo
    assert tasks()["keep"] is Keep


def test_a_kind_that_is_not_known_is_refused(wall):
    with pytest.raises(ParamError, match=r"A kind of worker must be one of plain, .*got 'magic'"):
        wall.session("s").hold("magic")


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("steps", {"steps": "many"}, "steps must be of type int, got str"),
        ("steps", {"steps": True}, "steps must be of type int"),
        ("steps", {"steps": 3, "pause": float("nan")}, "pause must be a finite number"),
        ("steps", {}, "missing 1 required keyword-only argument: 'steps'"),
        ("echo", {"x": "text"}, "x"),
        ("keep", {"by": object()}, "of type object is no plain data"),
        ("modules", {"where": "magic"}, "where must be one of"),
    ],
)
def test_fields_of_other_types_are_refused_before_anything_runs(hold, name, fields, why):
    handle = hold()
    with pytest.raises(ParamError, match=why):
        handle.run(name, **fields)
    if len(fields) and name != "modules":
        with pytest.raises(ParamError, match=why):
            handle.run(tasks()[name](**fields))


def test_a_fresh_worker_s_task_is_checked_too(wall):
    with pytest.raises(ParamError, match="Use was given what it does not declare: x must be"):
        wall.session("s").run(Use(x="two"))


def test_the_wanted_kind_may_depend_on_the_fields(hold):
    handle = hold()
    assert "numpy" in handle.run(Modules()).result(60).words
    with pytest.raises(ParamError, match="wants a worker of the kind 'torch'"):
        handle.run(Modules(where="torch"))


def test_what_wants_both_frameworks_has_a_worker_of_its_own(wall):
    session = wall.session("both")
    model = session.open(session.add_file("m.pt", b"no model"), Options(), name="m")
    with pytest.raises(LoadError):
        model.loading.result(60)
    both = model._lane_of(Modules(where="both"))
    assert (both._role, both.restored) == ("both", True)
    assert model._lane_of(Modules(where="both")) is both
    assert model._lane_of(Modules(where="model")) is model._own
    assert list(model._lanes()) == [model._own, both]
    session.close()


def test_what_no_wire_carries_is_no_fault_of_the_worker(hold):
    handle = hold()
    before = handle.run("echo").result(60)
    for odd in (np.zeros(3, np.float16), np.zeros(3, np.complex64), np.zeros((1,) * 9)):
        with pytest.raises(ParamError, match="cannot be given to a worker"):
            handle.run("parcel", x=odd).result(60)
    with pytest.raises(ParamError, match=r"cannot be given to a worker\. A message of \d+ bytes"):
        handle.run("probe", given="x" * (9 << 20)).result(60)
    after = handle.run("echo").result(60)
    assert (after.pid, after.calls) == (before.pid, before.calls + 1)


def test_a_large_array_comes_and_goes_whole(hold):
    x = np.random.default_rng(0).random((1000, 1000))
    made = hold().run(Parcel(x=x)).result(60)
    np.testing.assert_array_equal(made.arrays["x"], x)
    with pytest.raises(ValueError, match="read-only"):
        made.arrays["x"][0, 0] = 1


# What it shows


def test_many_arrays_arrive_by_name(hold):
    job = hold().run(Show(what="layers"))
    job.result(60)
    shown = job.snapshot()
    assert (shown.done, shown.total) == (1, 2)
    assert shown.partial.shape == (4, 5)
    assert len(shown.arrays) == 60
    assert all((shown.arrays[f"layer.{n}"] == n).all() for n in range(60))
    with pytest.raises(TypeError):
        shown.arrays["layer.0"] = None
    with pytest.raises(ValueError, match="read-only"):
        shown.arrays["layer.0"][:] = 5


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("name", "Show.shows does not declare 'secret'"),
        ("type", r"Show.shows declares 'epoch' as <i4 \[''\], and not as <f8 \[7\]"),
        ("rank", r"declares 'epoch' as <i4 \[''\], and not as <i4 \[2, 2\]"),
        ("words", r"ProtocolError: A message of \d{4} bytes and 61 arrays is refused"),
    ],
)
def test_a_mistake_in_what_is_shown_is_said_and_ends_nobody(hold, what, why):
    handle = hold()
    before = handle.run("echo").result(60)
    with pytest.raises(JobError, match=why):
        handle.run(Show(what=what)).result(60)
    assert handle.run("echo").result(60).pid == before.pid


@pytest.mark.parametrize("what", ["sides", "too many"])
def test_shown_arrays_larger_than_declared_end_the_worker(hold, what):
    handle = hold()
    with pytest.raises(JobError, match="in the place of"):
        handle.run(Show(what=what)).result(60)
    assert handle.run("echo").result(60).calls == 1


# How it comes back


def test_one_that_dies_idle_is_not_on_its_way(hold):
    """A page polls while a model is on its way; nobody brings back one that nobody asked for."""
    handle = hold()
    pid = handle.run("echo").result(60).pid
    scratch = handle._own._worker._scratch
    assert scratch.exists()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not handle._own.holds)
    assert handle.state == "ready"
    assert handle.run("echo").result(60).calls == 1
    assert not scratch.exists()


def test_a_pause_while_the_worker_is_made_again_is_the_task_s(hold):
    """A command is never given to the task that opens the worker instead."""
    handle = hold("gate")
    gate = handle._read[0].with_name("gate")
    gate.touch()
    handle.loading.result(60)
    gate.unlink()
    handle._own.rest()
    job = handle.run("steps", steps=1_000_000)
    wait_for(lambda: job.snapshot().doing == "making ready")
    job.command("pause")
    job.command("step")
    gate.touch()
    wait_for(lambda: job.snapshot().paused and job.snapshot().total)
    at = job.snapshot().done
    assert at <= 2
    job.command("stop")
    assert job.result(60).scalars["steps"] <= at + 2


def test_what_would_be_lost_is_put_to_rest_last(tmp_path):
    class Owner:
        pass

    class Quiet(lane.Lane):
        holds = True
        rested = False

        def rest(self):
            self.rested = True
            return True

    wall = new_wall(tmp_path, max_workers=2)
    owner = Owner()
    trained = Quiet(owner, "own", restored=False)
    model = Quiet(owner, "own", restored=True)
    try:
        for each in (trained, model, Quiet(owner, "own")):
            wall.make_room(each)
        assert (trained.rested, model.rested) == (False, True)
    finally:
        wall.close()


def test_idle_workers_that_keep_something_rest_too_when_there_is_no_other(tmp_path):
    wall = new_wall(tmp_path, max_workers=1)
    try:
        session = wall.session("s")
        first, second = session.hold("plain"), held(session)
        first.run("keep", by=2).result(60)
        second.run("echo").result(60)
        wait_for(lambda: len(processes(wall.folder)) == 2)  # the mother and one worker
        assert first.state == "ready"
        assert first.run("use", x=1.0).result(60).scalars == {}
    finally:
        wall.close()


def test_a_closed_handle_takes_nothing(hold):
    handle = hold()
    job = begun(handle.run(Steps(steps=1_000_000)))
    later = handle.run("echo")
    handle.close()
    handle.close()
    assert handle.state == "closed"
    for each in (job, later, handle.run("echo")):
        with pytest.raises(JobError):
            each.result(60)
