"""A task is declared in one file, and a package outside the tree is searched as ours is."""

import sys

import numpy as np
import pytest

from xai_core import discovery, task
from xai_core.errors import ParamError
from xai_core.task import Shape

TASK = '''
from xai_core.params import number
from xai_core.result import Result
from xai_core.task import Task, task


@task
class CountSteps(Task):
    """Count."""

    worker = "plain"
    steps: int = number(3, 1, 9, help="How many.")

    def run(self, bench, progress):
        for step in range(self.steps):
            progress(step + 1, self.steps)
        return Result(scalars={"steps": self.steps})
'''


@pytest.fixture
def extension(tmp_path, monkeypatch):
    folder = tmp_path / "visitor_tasks_package" / "tasks"
    folder.mkdir(parents=True)
    for place in (folder.parent, folder):
        (place / "__init__.py").write_text("")
    (folder / "count.py").write_text(TASK)
    (folder / "_part.py").write_text("raise ImportError('a part of others')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(discovery.EXTENSIONS, " visitor_tasks_package , not_installed_package")
    monkeypatch.setattr(task, "_REGISTRY", {})
    discovery.find.cache_clear()
    yield
    discovery.find.cache_clear()
    for name in [each for each in sys.modules if each.startswith("visitor_tasks_package")]:
        del sys.modules[name]


def test_a_task_of_an_extension_is_found_checked_and_run(extension):
    cls = task.named("count-steps")
    assert cls(steps=4).run(task.Bench(), task.silent).scalars == {"steps": 4}
    with pytest.raises(ParamError, match=r"CountSteps\.steps must be"):
        cls(steps=10)
    # ours are listed besides where this process had not loaded them before
    with pytest.raises(ParamError, match=r"A task must be one of .*count-steps.*, got 'other'"):
        task.named("other")


@pytest.mark.parametrize(
    ("array", "good"),
    [
        (np.zeros((4, 6), np.float32), True),
        (np.zeros((4, 7), np.float32), False),
        (np.zeros((4, 6)), False),
        (np.zeros((4, 6, 1), np.float32), False),
    ],
)
def test_a_shape_compares_what_is_known(array, good):
    shape, known = Shape("<f4", ("h", "w")), {"h": 4, "w": 6}
    assert (shape.refusal(array, known) == "") is good
    assert shape.bytes(known) == 4 * 6 * 4


def test_a_free_side_is_bounded():
    shape = Shape("<f4", ("", 2), most=10)
    assert shape.refusal(np.zeros((5, 2), np.float32), {}) == ""
    assert shape.refusal(np.zeros((6, 2), np.float32), {})
    assert shape.bytes({}) == 40
