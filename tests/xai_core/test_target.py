"""Targets give the weights of what they read; each against its number, taken by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.fakes.tiny import torch_model
from xai_core.errors import ParamError
from xai_core.explainer import make
from xai_core.model import Detections, Head, Layer, lacks
from xai_core.target import BoxTarget, ClassTarget, UnitTarget

LABELS = ("cat", "dog", "bird")
LOGITS = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0]], np.float32)


class Detector:
    """Finds what it is told to."""

    name, framework, labels, input_size = "fake", "numpy", LABELS, (40, 40)

    def __init__(self, *found: Detections) -> None:
        self.found = found

    def candidates(self, images: Any) -> tuple[Detections, ...]:
        return self.found


FOUND = Detections(
    boxes=np.array([[0, 0, 10, 10], [0, 5, 10, 15], [20, 20, 30, 30]], np.float32),
    labels=np.array([1, 1, 2], np.int32),
    scores=np.array([0.9, 0.8, 0.7], np.float32),
)
NOTHING = Detections(np.empty((0, 4), np.float32), np.empty(0, np.int32), np.empty(0, np.float32))


def test_a_class_and_its_lead() -> None:
    head = Head("softmax")
    np.testing.assert_allclose(ClassTarget(2).score(LOGITS, head), LOGITS[:, 2])
    lead = ClassTarget(2, against=1)
    np.testing.assert_allclose(lead.score(LOGITS, head), LOGITS[:, 2] - LOGITS[:, 1])
    chance = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    of = ClassTarget(0, of="probability")
    np.testing.assert_allclose(of.score(LOGITS, head), chance[:, 0], rtol=1e-6)
    assert lead.words(LABELS) == "\u201cbird\u201d rather than \u201cdog\u201d"
    np.testing.assert_array_equal(lead.weights(3), [0, -1, 1])
    assert of.words(LABELS) == "\u201ccat\u201d (by probability)"
    both = ClassTarget(2, 1, "probability").words(LABELS)
    assert both == "\u201cbird\u201d rather than \u201cdog\u201d (by probabilities)"


def test_a_class_that_overflows_is_not_in_the_score_of_another() -> None:
    over = np.array([[1, np.inf, 2]], np.float32)
    assert ClassTarget(0).score(over, Head("logits"))[0] == 1


def test_a_unit_is_a_channel_s_mean_or_a_cell() -> None:
    maps = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    mean = UnitTarget("l", 3).score(maps, None)
    np.testing.assert_allclose(mean, maps[..., 3].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(UnitTarget("l", 1, at=(2, 0)).score(maps, None), maps[:, 2, 0, 1])


def test_a_box_takes_the_object_that_fits_best() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    # the first lies just there; the second covers half of it: 50 of 150 pixels together
    np.testing.assert_allclose(BoxTarget(box, 1).weights(FOUND), [1, 1 / 3, 0], rtol=1e-6)
    assert BoxTarget(box, 1).score([FOUND, NOTHING], None).tolist() == pytest.approx([0.9, 0])
    assert BoxTarget(box, 2).score([FOUND], None)[0] == 0
    assert BoxTarget(box, 2, asks="object").score([FOUND], None)[0] == pytest.approx(0.9)
    assert BoxTarget(box, 2, asks="position").score([FOUND], None)[0] == 1


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (ClassTarget(3), "from 0 to 2"),
        (ClassTarget(1, against=1), "another class"),
        (UnitTarget("other", 0), "whose output is a map"),
        (UnitTarget("l", 5), "from 0 to 4"),
        (UnitTarget("l", 0, at=(3, 0)), "map of 3 x 4"),
        (BoxTarget((0, 0, 1, 1), 0), "needs a detector"),
    ],
)
def test_each_checks_itself_against_a_model(target: Any, sentence: str) -> None:
    model = SimpleNamespace(labels=LABELS, layers=lambda: (Layer("l", "Conv", (3, 4), 5),))
    ClassTarget(2, against=0).check(model)
    UnitTarget("l", 4, at=(2, 3)).check(model)
    with pytest.raises(ParamError, match=sentence):
        target.check(model)


def test_a_box_checks_itself_against_a_detector() -> None:
    detector = Detector(FOUND)
    BoxTarget((0, 0, 1, 1), 2).check(detector)
    with pytest.raises(ParamError, match="from 0 to 2"):
        BoxTarget((0, 0, 1, 1), 3).check(detector)
    with pytest.raises(ParamError, match="top, left, bottom, right"):
        BoxTarget((5, 0, 1, 1), 0).check(detector)


def test_each_reads_its_own_outputs_of_views() -> None:
    maps = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    model = SimpleNamespace(
        head=Head("logits"),
        logits=lambda images: LOGITS[: len(images)],
        activations=lambda images, layer: {"l": maps}[layer][: len(images)],
    )
    views = np.zeros((2, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(ClassTarget(2).of_views(model, views), LOGITS[:, 2])
    unit = UnitTarget("l", 3, at=(1, 2))
    np.testing.assert_array_equal(unit.of_views(model, views), maps[:, 1, 2, 3])
    box = BoxTarget((0.0, 0.0, 10.0, 10.0), 1)
    said = box.of_views(Detector(FOUND, NOTHING), views)
    assert said.tolist() == pytest.approx([0.9, 0])


@pytest.mark.parametrize("method", ["occlusion", "lime"])
def test_a_unit_is_explained_by_hiding_parts(method: str) -> None:
    model = torch_model()
    layer = model.layers()[-1].name
    view = np.random.default_rng(0).random((*model.input_size, 3), np.float32)
    values = {"samples": 200} if method == "lime" else {"patch_height": 8, "patch_width": 8}
    made = make(method, values, size=model.input_size)
    target = UnitTarget(layer, 1)
    said = made.explain(model, view, target)
    if method == "occlusion":
        whole = model.activations(view[None], layer)[0, ..., 1].mean()
        assert said.scalars["score"] == pytest.approx(whole, rel=1e-5)
    assert np.ptp(said.attribution) > 0


def test_a_need_that_nobody_knows_is_a_sentence() -> None:
    class SeesInfrared:
        pass

    assert (
        lacks(Detector(), SeesInfrared)
        == "This needs sees infrared, which the model does not give."
    )
