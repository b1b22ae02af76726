"""Large photos, one-pixel boxes, a thousand boxes and none: a sentence each, and nothing lost."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from loaders.boxed import MOST as EXPORTED
from loaders.boxed import BoxedDetector
from loaders.decoders import decoders
from loaders.preprocessing import preset
from loaders.torch.detector import MOST as WEIGHED
from tests.fakes import boxes
from ui import detect_boxes
from ui.detect_desk import Found
from workers.tasks.detect import MOST, DetectObjects
from workers.tasks.explain import Explain
from xai_core.detection import changed, context
from xai_core.detection.boxes import in_photo, in_view, kept
from xai_core.explainer import explaining
from xai_core.model import Detections, Geometry
from xai_core.question import Question
from xai_core.target import BoxTarget
from xai_core.task import Bench, silent

LARGE = (3000, 4000)
QUICK = {
    "ablationcam": {"ratio": 0.05},
    "d-rise": {"masks": 50, "grid": 5},
    "occlusion": {"patch_height": 32, "patch_width": 32, "stride_height": 32, "stride_width": 32},
}


@pytest.fixture(scope="module")
def bench():
    return Bench(model=boxes.detector())


@pytest.fixture(scope="module")
def large():
    small = (boxes.view() * 255).astype(np.uint8)
    rows, columns = (np.arange(side) * boxes.SIDE // side for side in LARGE)
    return np.ascontiguousarray(small[rows][:, columns])


def test_a_large_photos_boxes_lie_in_it_and_its_map_fits(bench, large):
    said = DetectObjects(pixels=large).run(bench, silent)
    DetectObjects(pixels=large).check(said, None)
    assert said.geometry.photo == LARGE
    placed = in_photo(said.boxes, said.geometry)
    assert (placed[:, [0, 2]] <= LARGE[0]).all()
    assert placed[:, 3].max() > 2000  # in the photo's pixels, not the view's
    back = in_photo(in_view(placed, said.geometry), said.geometry)
    np.testing.assert_allclose(back, placed, atol=0.1)
    at = int((said.boxes[:, 2:] - said.boxes[:, :2]).prod(1).argmax())
    target = BoxTarget(tuple(map(float, said.boxes[at])), int(said.labels[at]))
    question = Question(method="odam", engine="ours", values={}, target=target)
    made = Explain(pixels=large, question=question).run(bench, silent)
    assert made.attribution.shape == bench.model.input_size
    assert made.geometry == said.geometry


@pytest.mark.parametrize(("fill", "where"), [("blur", "around"), ("mean", "outside")])
def test_a_large_photo_is_painted_over_where_it_was_asked(large, fill, where):
    box = np.array([1000, 1500, 1400, 1900], np.float32)
    made = changed.painted(large, box, where, fill)
    covered = changed.area(LARGE, box, where)
    np.testing.assert_array_equal(made[~covered], large[~covered])
    assert (made[covered] != large[covered]).any()


def test_the_blur_of_a_large_photo_is_that_of_the_filter(large):
    photo = large[::8, ::8]  # as much as the filter itself bears
    sigma = min(photo.shape[:2]) / 8
    whole = gaussian_filter(photo.astype(np.float32), (sigma, sigma, 0), mode="nearest")
    box = np.array([0, 0, *photo.shape[:2]], np.float32)
    for scale in (1, 3):  # blurred as it is, and made smaller first
        made = changed.painted(
            photo.repeat(scale, 0).repeat(scale, 1), box * scale, "inside", "blur"
        )
        assert np.abs(made[scale // 2 :: scale, scale // 2 :: scale] - whole).max() < 4


def test_a_box_of_one_pixel_is_asked_about_by_every_method(bench):
    view = boxes.view()
    (found,) = bench.model.candidates(view[None])
    pixels = (view * 255).astype(np.uint8)
    top, left = (float(np.floor(side)) for side in found.boxes[0][:2])
    target = BoxTarget((top, left, top + 1, left + 1), int(found.labels[0]))
    for name, cls in explaining("detection").items():
        question = Question(
            method=name, engine=cls.engines[0].name, values=QUICK.get(name, {}), target=target
        )
        made = Explain(pixels=pixels, question=question).run(bench, silent)
        assert np.isfinite(made.attribution).all()
        facts = context.facts(made, target)
        assert facts["area"] == pytest.approx(1 / boxes.SIDE**2)
        assert 0 <= facts["inside"] <= 1
        said = context.sentences(made, target)
        assert not said or said[0].endswith("over 99\u00a0% of the photo.")
        if not np.any(made.attribution):
            assert any("blank" in note for note in made.notes)


def test_a_box_thinner_than_a_pixel_has_no_middle_in_it_and_is_said_all_the_same(bench):
    target = BoxTarget((3.6, 3.6, 4.4, 4.4), 0)
    assert not context.within(target, (8, 8)).any()
    question = Question(
        method="odam", engine="ours", values={}, target=boxes.target(bench.model, boxes.view())
    )
    pixels = (boxes.view() * 255).astype(np.uint8)
    made = Explain(pixels=pixels, question=question).run(bench, silent)
    assert context.facts(made, target)["inside"] == 0
    assert context.sentences(made, target)


def thousand(count=1000):
    """Return lists of boxes as an export answers with, none on another, the best first."""
    at = np.arange(count)
    corners = np.stack([(at % 40) * 1.5, (at // 40) * 2.0], 1)
    return {
        "boxes": np.concatenate([corners, corners + 1], 1).astype(np.float32),
        "labels": np.ones(count, np.int64),
        "scores": np.linspace(0.99, 0.5, count).astype(np.float32),
    }


def export(count):
    return BoxedDetector(
        lambda views: [thousand(count) for _ in views],
        decoders()[0],
        framework="onnx",
        name="e",
        kind="test",
        architecture="",
        parameters=0,
        preprocessing=preset("unit", (64, 64), fit="pad"),
        labels=("one",),
    )


def found(count):
    model = export(count)
    pixels = (boxes.view() * 255).astype(np.uint8)
    said = DetectObjects(pixels=pixels).run(Bench(model=model), silent)
    nothing = np.zeros(1, np.float32)
    return Found(nothing, boxes.view(), Geometry.whole((64, 64)), (), detection=said)


def test_of_a_thousand_boxes_the_best_are_kept_and_that_is_said():
    assert MOST == WEIGHED == EXPORTED
    made = found(1000)
    DetectObjects(pixels=np.zeros((64, 64, 3), np.uint8)).check(made.candidates, None)
    assert len(made.candidates.scores) == MOST
    stay = detect_boxes.shown(made, 0.5, 0.5)
    assert len(stay.scores) == len(kept(made.candidates.found)) == MOST
    said = detect_boxes.summary(made, stay, ("one",))
    assert said.startswith(f"{MOST} boxes of the best {MOST} candidates that the detector weighed.")
    assert said.endswith(f"The first {detect_boxes.MANY} are drawn.")


def test_no_box_at_all_is_a_sentence():
    made = found(0)
    stay = detect_boxes.shown(made, 0.5, 0.5)
    said = detect_boxes.summary(made, stay, ("one",))
    assert said.startswith("The detector weighs no box on this photo: every place scores below 2")
    empty = Detections(*(np.zeros(shape, np.float32) for shape in ((0, 4), 0, 0)))
    assert changed.sentences(empty, empty, ()) == ["Nothing was found before, and nothing after."]
