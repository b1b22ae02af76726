"""Exports of detectors: read where they are torchvision's, else named and refused with shapes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loaders.decoders import decoders, find
from loaders.load import CLASSIFIES, DETECTS, load
from loaders.options import Options
from tests.fakes import boxes, exports
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.explainer import explaining, make
from xai_core.model import Detects, MasksFast, lacks
from xai_core.perturb import Dense
from xai_core.target import BoxTarget

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
VIEW = boxes.view()
WAYS = {
    "script": (exports.script, "d.pt"),
    "trace": (exports.traced, "d.pt"),
    "onnx": (exports.graph, "d.onnx"),
    "onnx-numbered": (lambda path: exports.graph(path, names=False), "d.onnx"),
}
SERVED = {"d-rise": {"masks": 50, "grid": 5}, "occlusion": {}}


@pytest.fixture(autouse=True)
def _sandbox(monkeypatch):
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")


def opened(path, wanted="detection", **options):
    options.setdefault("size", (exports.SIDE, exports.SIDE))
    return load(path, Options(**options), name=path.name, wanted=wanted)


@pytest.fixture(scope="module", params=WAYS)
def made(request, tmp_path_factory):
    """Return a detector with its insides, and the model that its export is."""
    write, name = WAYS[request.param]
    path = tmp_path_factory.mktemp(request.param) / name
    inside = write(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_SANDBOX", "holds")
        return inside, opened(path, classes=boxes.LABELS)


def test_an_export_says_what_the_detector_says(made):
    inside, export = made
    for seed in (1, 7):
        (own,) = inside.detect(boxes.view(seed)[None])
        (found,) = export.detect(boxes.view(seed)[None])
        assert len(own.boxes) > 3
        np.testing.assert_allclose(found.scores, own.scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes, own.boxes, atol=1e-2)
        np.testing.assert_array_equal(found.labels, own.labels)
    assert export.labels == boxes.LABELS
    assert export.task == "detection"
    assert not lacks(export, Detects)
    assert not lacks(export, MasksFast)


def test_d_rise_and_occlusion_serve_it_and_the_rest_says_why_not(made):
    _, export = made
    (found,) = export.detect(VIEW[None])
    at = next(i for i, box in enumerate(found.boxes) if min(box[2:] - box[:2]) > 6)
    target = BoxTarget(tuple(map(float, found.boxes[at])), int(found.labels[at]))
    for name, cls in explaining("detection").items():
        said = cls.why_not(export)
        if name not in SERVED:
            assert "an export gives its boxes alone" in said
            assert "torch.save(model.state_dict()" in said
            continue
        assert said is None
        method = make(name, SERVED[name], size=export.input_size)
        assert np.ptp(method.explain(export, VIEW, target).attribution) > 0


def test_masked_scores_are_the_targets_own_on_masked_photos(made):
    _, export = made
    (found,) = export.detect(VIEW[None])
    target = BoxTarget(tuple(map(float, found.boxes[0])), int(found.labels[0]))
    masks = np.random.default_rng(3).random((3, *export.input_size), np.float32)
    grey = np.full_like(VIEW, 0.5)
    scores = np.concatenate(
        [s for _, s in export.masked_scores(VIEW, Dense(masks), grey, [target])]
    )
    for mask, (score,) in zip(masks, scores, strict=True):
        shown = mask[..., None] * VIEW + (1 - mask[..., None]) * grey
        assert target.score(export.candidates(shown[None]), export.head)[0] == pytest.approx(
            score, abs=1e-5
        )


def test_classes_are_told_by_the_tensors_or_are_cocos(tmp_path):
    exports.graph(tmp_path / "d.onnx")
    export = opened(tmp_path / "d.onnx")
    assert export.labels == ("class 0", "class 1", "class 2")
    assert export.input_size == (exports.SIDE, exports.SIDE)
    (tmp_path / "e.onnx").write_bytes(lists().SerializeToString())
    export = opened(tmp_path / "e.onnx", size=(32, 32))
    assert len(export.labels) == 90
    assert any("named as COCO's 90" in each.message for each in export.findings)
    few = opened(tmp_path / "e.onnx", size=(32, 32), classes=("background", "a", "b"))
    assert few.labels == ("a", "b")
    with pytest.raises(UnsupportedModel, match="finds class 2, and 1 classes have names"):
        opened(tmp_path / "e.onnx", size=(32, 32), classes=("a",)).detect(np.ones((1, 32, 32, 3)))
    with pytest.raises(ParamError, match="scales the values of photos itself"):
        opened(tmp_path / "e.onnx", size=(32, 32), preprocessing="imagenet")


def test_an_export_sent_to_the_other_page_is_led_to_this_one(tmp_path):
    exports.script(tmp_path / "d.pt")
    exports.graph(tmp_path / "d.onnx")
    for name in ("d.pt", "d.onnx"):
        with pytest.raises(UnsupportedModel, match="holds an object detector") as caught:
            opened(tmp_path / name, "classification")
        assert str(caught.value).endswith(DETECTS)
        assert opened(tmp_path / name, "any").task == "detection"
    from tests.loaders.onnx import graphs

    (tmp_path / "c.onnx").write_bytes(graphs.model(graphs.tail()).SerializeToString())
    with pytest.raises(UnsupportedModel) as caught:
        opened(tmp_path / "c.onnx", size=None)
    assert str(caught.value).endswith(CLASSIFIES)


def test_outside_the_sandbox_no_script_is_read(tmp_path, monkeypatch):
    exports.script(tmp_path / "d.pt")
    monkeypatch.delenv("VITRINE_SANDBOX")
    with pytest.raises(LoadError, match="Reading TorchScript runs code"):
        opened(tmp_path / "d.pt")


# -- layouts that are named ---------------------------------------------------------------------


def lists():
    """Return a graph that answers with two boxes, their labels and scores, whatever it sees."""
    values = {
        "boxes": np.array([[2, 3, 20, 30], [1, 1, 9, 9]], np.float32),
        "labels": np.array([1, 2], np.int64),
        "scores": np.array([0.9, 0.4], np.float32),
    }
    return answering(values)


def answering(values, metadata=None):
    """Return a graph `[1, 3, h, w]` that answers with what is given, plus nothing of the photo."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Constant", [], ["none"], value_float=0.0),
        helper.make_node("Mul", ["mean", "none"], ["zero"]),
    ]
    outputs, weights = [], []
    for name, value in values.items():
        weights.append(numpy_helper.from_array(value, f"of-{name}"))
        if value.dtype == np.float32:
            nodes.append(helper.make_node("Add", [f"of-{name}", "zero"], [name]))
        else:
            nodes.append(helper.make_node("Identity", [f"of-{name}"], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        outputs.append(helper.make_tensor_value_info(name, kind, None))
    photo = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, "h", "w"))
    graph = helper.make_graph(nodes, "detector", [photo], outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, metadata or {})
    assert isinstance(made, onnx.ModelProto)
    return made


NAMED = {
    "version 8, 9, 11 or 12, 80 classes at 8,400 places": {"output0": (1, 84, 8400)},
    "version 8, 9, 11 or 12, 1 class at 8,400 places": {"output0": (1, 5, 8400)},
    "12, with masks, 80 classes at 8,400": {"output0": (1, 116, 8400), "o1": (1, 32, 160, 160)},
    "version 5 or 7, with objectness and 80 classes at 25,200": {"output0": (1, 25200, 85)},
    "version 10 or 26, 300 rows": {"output0": (1, 300, 6)},
    "maps, one a grid": {"a": (1, 255, 80, 80), "b": (1, 255, 40, 40), "c": (1, 255, 20, 20)},
    "a DETR's, 100 queries with 92 scores": {"logits": (1, 100, 92), "pred_boxes": (1, 100, 4)},
    "TensorFlow's detection API": {"detection_boxes:0": (1, 100, 4), "num": (1,)},
    "layout that is not known": {"boxes": (1, 1000, 4), "confidences": (1, 1000, 21)},
}


@pytest.mark.parametrize("words", NAMED)
def test_other_layouts_are_named_with_their_shapes(words, tmp_path):
    values = {name: np.zeros(sides, np.float32) for name, sides in NAMED[words].items()}
    if "queries" not in words and "not known" in words:
        values["confidences"] = np.zeros((3, 1000), np.float32)
    path = tmp_path / "d.onnx"
    path.write_bytes(answering(values, {"task": "detect"}).SerializeToString())
    with pytest.raises(UnsupportedModel) as caught:
        opened(path, size=(64, 64))
    said = str(caught.value)
    assert words in said
    assert str(list(next(iter(values.values())).shape)) in said
    assert "Such answers are not read here yet" in said


def test_photos_that_nobody_has_are_refused_before_one_is_made(tmp_path):
    made = lists()
    sides = made.graph.input[0].type.tensor_type.shape.dim
    for side in sides[2:]:
        side.ClearField("dim_param")
        side.dim_value = 100_000
    (tmp_path / "d.onnx").write_bytes(made.SerializeToString())
    for wanted in ("detection", "classification"):
        with pytest.raises(UnsupportedModel, match="100,000 x 100,000 pixels"):
            opened(tmp_path / "d.onnx", wanted, size=None)


def test_scores_of_a_classifier_are_no_boxes():
    best = {
        "scores": np.array([[0.1, 0.2, 0.3, 0.4]], np.float32),
        "label": np.array([3], np.int64),
        "chance": np.array([0.4], np.float32),
    }
    assert find(best) is None
    assert find({"y": np.zeros((1, 1000), np.float32)}) is None
    maps = {"y": np.zeros((1, 21, 64, 64), np.float32)}
    assert find(maps) is None


def test_each_layout_has_a_name_and_nothing_found_is_still_lists():
    names = [each.name for each in decoders()]
    assert len(set(names)) == len(names) >= 7
    assert names[0] == "torchvision"
    nothing = {
        "boxes": np.zeros((0, 4), np.float32),
        "labels": np.zeros(0, np.int64),
        "scores": np.zeros(0, np.float32),
    }
    assert find(nothing).read(nothing).boxes.shape == (0, 4)
    batch = {name: value[None] for name, value in nothing.items()}
    assert find(batch).read(batch).boxes.shape == (0, 4)
    turned = {**nothing, "boxes": np.array([[9, 9, 2, 2]], np.float32)}
    turned |= {"labels": np.array([1]), "scores": np.array([0.5], np.float32)}
    with pytest.raises(UnsupportedModel, match="layout that is not known"):
        find(turned)
