"""What is painted over, and which boxes that takes away, worked out by hand."""

import numpy as np
import pytest

from xai_core.detection import boxes, changed, context
from xai_core.explanation import Explanation
from xai_core.model import Detections, Geometry
from xai_core.question import Question
from xai_core.report.numbers import percent
from xai_core.target import BoxTarget

LABELS = ("dog", "cat")
BOX = np.array([10, 20, 30, 60], np.float32)


def found(*rows):
    """Return detections of rows (top, left, bottom, right, label, score)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].astype(np.int32), table[:, 5])


@pytest.mark.parametrize(
    ("where", "count"), [("inside", 20 * 40), ("around", 30 * 60 - 20 * 40), ("outside", 7200)]
)
def test_what_is_painted_over(where, count):
    covered = changed.area((80, 100), BOX, where)
    assert covered.sum() == count
    assert covered[20, 40] == (where == "inside")


@pytest.mark.parametrize(("fill", "level"), [("grey", 128), ("black", 0), ("mean", 50)])
def test_with_what(fill, level):
    photo = np.full((80, 100, 3), 50, np.uint8)
    made = changed.painted(photo, BOX, "inside", fill)
    assert (made[15, 30] == level).all()
    assert (made[0, 0] == 50).all()
    photo[:40] = 250
    soft = changed.painted(photo, np.array([30, 0, 50, 100], np.float32), "inside", "blur")
    column = soft[30:50, 50, 0].astype(int)
    assert (np.diff(column) <= 0).all()
    assert 50 < column[10] < 250


def test_a_rim_at_the_edge_is_cut():
    covered = changed.area((80, 100), np.array([0, 0, 20, 20], np.float32), "around")
    assert covered.sum() == 25 * 25 - 20 * 20


def test_boxes_that_stay_move_vanish_and_appear():
    before = found((0, 0, 20, 20, 0, 0.9), (40, 40, 60, 60, 1, 0.8), (0, 50, 10, 60, 1, 0.7))
    after = found((0, 0, 20, 20, 0, 0.6), (40, 44, 60, 64, 1, 0.8), (70, 70, 80, 80, 0, 0.5))
    made = changed.difference(before, after)
    assert made.same == ((0, 0),)
    assert made.moved == ((1, 1),)
    assert (made.vanished, made.appeared) == ((2,), (2,))
    assert changed.sentences(before, after, LABELS) == [
        "Gone: “cat”.",
        f"New: “dog” with {percent(0.5)}.",
        "Moved: “cat”.",
        f"Of those that stayed, “dog” changed most: from {percent(0.9)} to {percent(0.6)}.",
    ]
    assert changed.sentences(before, before, LABELS) == [
        "3 boxes stayed, and none came or went.",
        "The scores of those that stayed hardly changed.",
    ]
    nothing = found()
    assert changed.sentences(nothing, nothing, LABELS) == [
        "Nothing was found before, and nothing after."
    ]
    assert changed.sentences(nothing, before, LABELS)[0].startswith("New: ")


def test_another_class_in_one_place_is_another_object():
    made = changed.difference(found((0, 0, 20, 20, 0, 0.9)), found((0, 0, 20, 20, 1, 0.9)))
    assert (made.vanished, made.appeared) == ((0,), (0,))


def test_suppression_step_by_step_is_torchvisions():
    import torch
    from torchvision.ops import batched_nms

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (60, 2, 2)).astype(np.float32)
    every = Detections(
        np.concatenate([corners.min(1), corners.max(1)], 1),
        rng.integers(0, 2, 60).astype(np.int32),
        rng.random(60).astype(np.float32),
    )
    steps = boxes.suppressed(every, 0.1, 0.3)
    able = every.scores >= 0.1
    kept = batched_nms(
        *(torch.from_numpy(part[able]) for part in (every.boxes, every.scores, every.labels)), 0.3
    )
    assert [step.best for step in steps] == np.flatnonzero(able)[kept.numpy()].tolist()
    dropped = [at for step in steps for at in step.dropped]
    assert sorted(dropped + [step.best for step in steps]) == np.flatnonzero(able).tolist()
    said = changed.step_words(boxes.Step(0, (1,)), every, LABELS)
    assert "1 candidate of its class that overlaps it goes" in said
    assert percent(float(every.scores[1])) in said
    assert "No other candidate" in changed.step_words(boxes.Step(0, ()), every, LABELS)


def test_boxes_go_into_the_view_and_back():
    geometry = Geometry(photo=(100, 200), box=(-50.0, 0.0, 150.0, 200.0), view=(50, 50))
    there = np.array([[10, 20, 90, 180]], np.float32)
    inside = boxes.in_view(there, geometry)
    np.testing.assert_allclose(inside, [[15, 5, 35, 45]])
    np.testing.assert_allclose(boxes.in_photo(inside, geometry), there)


def explained(attribution, box):
    question = Question(method="d-rise", engine="ours", target=BoxTarget(box, 0))
    return Explanation(attribution=attribution, signed=True, question=question)


def test_how_much_lies_in_the_box():
    attribution = np.zeros((10, 10), np.float32)
    attribution[2, 2], attribution[8, 8], attribution[0, 0] = 3, 1, -5
    made = explained(attribution, (0.0, 0.0, 5.0, 5.0))
    measured = context.facts(made, made.target)
    assert measured == {"inside": 0.75, "area": 0.25, "peak": 1.0}
    assert context.sentences(made, made.target) == [
        f"{percent(0.25)} of the evidence lies outside of the box, and so does {percent(0.75)} "
        "of the photo."
    ]
    other = explained(attribution, (5.0, 5.0, 10.0, 10.0))
    assert "The strongest place lies outside, too" in context.sentences(other, other.target)[1]
    blank = explained(np.zeros((10, 10), np.float32), (0.0, 0.0, 5.0, 5.0))
    assert context.sentences(blank, blank.target) == []
