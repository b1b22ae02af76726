"""Several boxes by one task: each map is what a run of its own gives, from one set of passes."""

import dataclasses

import numpy as np
import pytest

from tests.fakes import boxes
from workers.tasks.explain import Explain
from workers.tasks.explain_boxes import MOST, ExplainBoxes, Explanations
from xai_core.errors import ParamError
from xai_core.question import Question
from xai_core.task import Bench, silent

PIXELS = (boxes.view(side=boxes.SIDE) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bench():
    return Bench(model=boxes.detector(), hash="0" * 64)


@pytest.fixture(scope="module")
def targets(bench):
    view, _ = bench.model.preprocessing.view(PIXELS)
    return [boxes.target(bench.model, view, place) for place in (0, 2, 4)]


def asked(targets, method="d-rise", **values):
    values = {"masks": 50, "grid": 5} if method == "d-rise" else values
    question = Question(method=method, engine="ours", values=values, target=targets[0])
    return ExplainBoxes(pixels=PIXELS, question=question, others=tuple(targets[1:]))


@pytest.mark.parametrize("method", ["d-rise", "odam"])
def test_each_map_is_that_of_a_run_of_its_own(bench, targets, method):
    task = asked(targets, method)
    made = task.run(bench, silent)
    assert [each.target for each in made.each] == targets
    for question, each in zip(task.questions, made.each, strict=True):
        alone = Explain(pixels=PIXELS, question=question).run(bench, silent)
        np.testing.assert_allclose(each.attribution, alone.attribution, atol=1e-6)
        assert each.geometry == alone.geometry
        assert each.image_hash == alone.image_hash
    assert not np.allclose(made.each[0].attribution, made.each[1].attribution)


def test_five_boxes_take_the_passes_of_one(bench, targets, monkeypatch):
    seen = []
    own = bench.model.candidates
    monkeypatch.setattr(
        bench.model, "candidates", lambda views: seen.append(len(views)) or own(views)
    )
    asked(targets[:1]).run(bench, silent)
    one, seen[:] = sum(seen), []
    asked(targets).run(bench, silent)
    assert sum(seen) == one == 51


def test_answers_to_other_questions_are_refused(bench, targets):
    task = asked(targets)
    made = task.run(bench, silent)
    task.check(made, None)
    turned = dataclasses.replace(made, each=made.each[::-1])
    with pytest.raises(ValueError, match="another target"):
        task.check(turned, None)
    with pytest.raises(ValueError, match="shorter"):
        task.check(dataclasses.replace(made, each=made.each[:2]), None)
    data, arrays = made.to_wire()
    again = Explanations.from_wire(data, arrays)
    task.check(again, None)
    np.testing.assert_array_equal(again.each[2].attribution, made.each[2].attribution)
    declared = task.gives(None)
    assert set(arrays) <= set(declared)


def test_so_many_boxes_and_no_more(targets):
    asked([targets[0]] * MOST)
    with pytest.raises(ParamError, match=f"At most {MOST} boxes are asked about at once"):
        asked([targets[0]] * (MOST + 1))
