"""Any task runs by its name; a running one takes the commands that it declares."""

import numpy as np
import pytest

from tests.workers.conftest import begun, wait_for
from tests.workers.extension.tasks.honest import Echo, Needy
from workers import kinds
from workers.tasks.explain import LEAST, MOST, Explain
from xai_core.card import Card, Cost, Pace, Service
from xai_core.errors import JobError, ParamError, UnsupportedModel
from xai_core.explainer import explainers
from xai_core.model import Head
from xai_core.question import Question
from xai_core.target import ClassTarget
from xai_core.task import Shape, Task, tasks


def card(forward=1.0, size=(224, 224)):
    """Return a card of a model that takes so many milliseconds."""
    return Card(
        kind="fake", framework="torch", architecture=None, parameters=1, input_size=size,
        channels=3, labels=("a", "b"), layers=(), default_layer=None, findings=(),
        preprocessing={}, head=Head("logits"), pace=Pace(forward=forward),
        methods={"occlusion": Service(why_not=None, engines={})},
    )  # fmt: skip


def test_a_task_by_name_and_as_an_object(hold):
    handle = hold()
    assert handle.run("echo").result(60).calls == 1
    assert handle.run(Echo()).result(60).calls == 2


def test_what_is_no_task_is_refused_at_once(hold):
    handle = hold()
    handle.loading.result(60)
    with pytest.raises(ParamError, match=r"A task must be one of .*echo.*got 'magic'"):
        handle.run("magic")
    with pytest.raises(ParamError, match="cannot be made so"):
        handle.run("echo", surprise=1)
    with pytest.raises(ParamError, match="no fields besides"):
        handle.run(Echo(), x=np.zeros(3))
    with pytest.raises(ParamError, match=r"wants a worker of the kind 'model', .* kind 'plain'"):
        handle.run("measure")
    with pytest.raises(ParamError, match="see `hold`"):
        handle._session.run(tasks()["measure"]())


def test_what_a_task_needs_of_the_model_is_asked_first(hold):
    with pytest.raises(
        UnsupportedModel, match="This needs a network that can be run from one of its layers on"
    ):
        hold().run(Needy()).result(60)


def test_every_task_is_served_by_a_kind():
    served = {wants for kind in kinds.KINDS.values() for wants in kind.serves}
    for cls in tasks().values():
        assert cls.worker in served
    assert {engine.worker for each in explainers().values() for engine in each.engines} <= served
    with pytest.raises(ParamError, match=r"must be one of plain.*got 'magic'"):
        kinds.kind("magic")


# Commands


def stood(job):
    """Wait until a paused run makes no more steps, and return how many it has made."""
    wait_for(lambda: job.snapshot().paused)
    seen = [-1]

    def still():
        seen.append(job.snapshot().done)
        return len(seen) > 40 and len(set(seen[-20:])) == 1

    wait_for(still)
    return seen[-1]


def test_pause_step_go_on_and_stop(hold):
    handle = hold()
    job = begun(handle.run("steps", steps=1_000_000))
    job.command("pause")
    at = stood(job)
    job.command("step")
    wait_for(lambda: job.snapshot().done > at)
    assert stood(job) <= at + 2
    job.command("go on")
    wait_for(lambda: job.snapshot().done > at + 10)
    assert not job.snapshot().paused
    job.command("stop")
    made = job.result(60).scalars["steps"]
    assert at + 10 < made < 1_000_000
    assert job.snapshot().state == "done"
    assert handle.run("echo").result(60).calls == 1  # the same worker, with its state


def test_a_paused_run_gives_its_place_to_others(hold):
    handles = [hold() for _ in range(3)]
    for handle in handles:
        handle.loading.result(60)
    jobs = [begun(handle.run("steps", steps=1_000_000)) for handle in handles[:2]]
    third = handles[2].run("steps", steps=1_000_000)
    assert third.snapshot().state == "queued"
    jobs[0].command("pause")
    wait_for(lambda: third.snapshot().state == "running")
    jobs[0].command("go on")
    jobs[1].cancel()
    wait_for(lambda: not jobs[0].snapshot().paused)
    for job in (*jobs, third):
        job.cancel()


def test_a_command_that_a_task_does_not_take_is_refused(hold):
    job = begun(hold().run("sleep"))
    with pytest.raises(ParamError, match="must be one of: none; got 'pause'"):
        job.command("pause")
    job.cancel()


def test_a_paused_run_is_cancelled(hold):
    handle = hold()
    job = begun(handle.run("steps", steps=1_000_000))
    job.command("pause")
    wait_for(lambda: job.snapshot().paused)
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        job.result(60)
    assert handle.run("echo").result(60).calls == 1


def test_progress_that_is_not_declared_is_a_mistake_said(hold):
    with pytest.raises(JobError, match=r"Undeclared.shows does not declare 'secret'"):
        hold().run("undeclared").result(60)


# Files


def test_a_file_is_copied_out(hold):
    handle = hold()
    made = handle.run("files", size=100).result(60)
    path = made.files["film"]
    assert path.read_bytes() == b"x" * 100
    assert path.is_relative_to(handle.folder)


@pytest.mark.parametrize("what", ["link", "pipe", "long", "other", "path", "up", "none"])
def test_a_file_that_is_none_of_its_own_is_not(hold, tmp_path, what):
    secret = tmp_path / "secret.gif"
    secret.write_text("secret")
    handle = hold()
    handle.loading.result(60)
    before = sorted(handle.folder.rglob("*"))
    # the sandbox lets a worker make neither links nor pipes
    with pytest.raises(JobError, match=r"made no sense|Permission denied"):
        handle.run("links", what=what, target=str(secret)).result(60)
    assert sorted(handle.folder.rglob("*")) == before


# Limits


def explaining(**values):
    question = Question(method="occlusion", target=ClassTarget(0), values=values)
    return Explain(pixels=np.zeros((8, 8, 3), np.uint8), question=question)


def test_a_long_run_is_given_its_time():
    assert explaining().limit(None) == LEAST == 600
    assert explaining().limit(card(forward=0.1)) == LEAST
    # 10,000 masks and more at 200 ms: over half an hour, and told before it starts
    fine = {"patch_height": 12, "patch_width": 12, "stride_height": 2, "stride_width": 2}
    slow = card(forward=200.0)
    seconds = slow.pace.seconds(explaining(**fine).question.made((224, 224)).cost(slow))
    assert seconds > 1800
    assert explaining(**fine).limit(slow) == MOST < 12 * seconds
    quick = card(forward=20.0)  # a tenth
    assert explaining(**fine).limit(quick) == pytest.approx(12 * seconds / 10)
    assert explaining(**fine).limit(card(forward=5000.0)) == MOST


def test_pace_counts_what_was_measured():
    cost = Cost(forward=10, backward=3, tails=2)
    assert Pace(forward=100).seconds(cost) == pytest.approx(1 + 0.6 + 0.2)
    measured = Pace(forward=100, backward=50, tail=10)
    assert measured.seconds(cost) == pytest.approx(1 + 0.15 + 0.02)


# Shapes


@pytest.mark.parametrize(
    ("shape", "dtype", "sides", "good"),
    [
        (Shape("<f4", ("h", "w")), "<f4", (8, 6), True),
        (Shape("<f4", ("h", "w")), "<f8", (8, 6), False),
        (Shape("<f4", ("h", "w")), "<f4", (6, 8), False),
        (Shape("<f4", ("h", "w")), "<f4", (8, 6, 1), False),
        (Shape("<f4", ("", 4), most=40), "<f4", (10, 4), True),
        (Shape("<f4", ("", 4), most=40), "<f4", (11, 4), False),
        (Shape("<f4", ("classes",)), "<f4", (3,), True),
        (Shape("<f4", ("classes",)), "<f4", (4,), False),
    ],
)
def test_shapes(shape, dtype, sides, good):
    known = {"h": 8, "w": 6, "classes": 3}
    assert (shape.refuses(dtype, sides, known) == "") is good


def test_a_task_that_says_nothing_gives_nothing():
    class Bare(Task):
        pass

    assert dict(Bare.gives(Bare, None)) == {}
    assert Bare.commands == ()
