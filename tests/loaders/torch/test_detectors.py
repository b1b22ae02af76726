"""Torchvision's detectors: told by their tensors, filled, and held to torchvision's own answers."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torchvision.models import get_model, get_model_weights

from assets.make_detector import draw
from loaders import backend, catalogue
from loaders.load import load
from loaders.options import Options
from loaders.torch import detectors, many_views
from loaders.torch.networks import unfilled
from tests.hostile.conftest import SOAK
from xai_core.detection.boxes import kept
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.explainer import explaining, make
from xai_core.model import Detects, Predicts, lacks
from xai_core.perturb import Dense
from xai_core.target import BoxTarget, ClassTarget

SIDE = 64
NAMES = [row.name for row in detectors.TABLE if row.library == "torchvision"]
SMALL = ("ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_fpn")
"""Light ones, for what one or two show."""


def made(name, classes=4, seed=0):
    """Return a network of random weights whose class biases give boxes."""
    torch.manual_seed(seed)
    with unfilled():
        module = get_model(name, weights=None, weights_backbone=None, num_classes=classes).eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.ndim > 1:  # as wide as keeps the maps' spread through a ReLU
                bound = (6 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-bound, bound)
            elif tensor.ndim == 1:
                tensor.zero_()
        for key, tensor in module.state_dict().items():
            if key.endswith("running_var") or (tensor.ndim == 1 and key.endswith("weight")):
                tensor.fill_(1.0)
        for part in (getattr(module, "rpn", None), getattr(module, "roi_heads", None), module):
            for key, tensor in () if part is None else part.named_parameters():
                if re.search(r"cls_score|cls_logits|bbox|classification_head.module_list", key):
                    tensor *= 0.1
        if hasattr(module, "roi_heads"):
            bias = module.roi_heads.box_predictor.cls_score.bias
            bias += torch.tensor([0.0] + [0.5, 0.2, -0.2] * classes)[:classes]
    return module


LAST = r"(cls_score|cls_logits|bbox_pred|bbox_reg|bbox_ctrness|head\.module_list\.\d+(\.1)?)$"
"""The layers that a detector's answers come from."""


def tamed(module, view):
    """Return it with its last layers scaled to a view: no score at its end, no box squeezed flat.

    Random weights overflow: a sigmoid of 1 to the last digit has no gradient at all.
    """
    handles = {}

    def tame(layer, args, out):
        handles.pop(layer).remove()  # heads may serve each level in turn
        with torch.no_grad():
            layer.weight /= out.std().clamp(min=1e-6) * (1 if layer in judges else 4)
        return layer(*args)

    parts = {name: part for name, part in module.named_modules() if re.search(LAST, name)}
    parts = {name: part for name, part in parts.items() if hasattr(part, "weight")}
    judges = [part for name, part in parts.items() if "cls" in name or "classification" in name]
    for part in parts.values():
        handles[part] = part.register_forward_hook(tame)
    told(module, view)
    assert not handles
    return module


def saved(module, folder, name="d.pth"):
    path = folder / name
    torch.save(module.state_dict(), path)
    return path


def opened(path, **options):
    options.setdefault("size", (SIDE, SIDE))
    return load(path, Options(**options), name=path.name, wanted="detection")


def photo(side=SIDE):
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.random((1, 3, 8, 8), np.float32))
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return fine[0].permute(1, 2, 0).numpy()


def told(module, view):
    """Return what torchvision itself says of a view, in its own words."""
    if not getattr(module.transform, "fixed_size", None):
        module.transform.min_size, module.transform.max_size = (len(view),), len(view)
    with torch.inference_mode():
        return module([torch.from_numpy(view).permute(2, 0, 1)])[0]


LARGEST = ("fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn_v2")
"""They take twenty seconds each; their parts are those of the others. `make soak` has them."""


@pytest.mark.parametrize("name", [name for name in NAMES if SOAK or name not in LARGEST])
def test_each_is_recognised_and_says_what_torchvision_says(name, tmp_path):
    side = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 320}.get(name, SIDE)
    module = tamed(made(name), photo(side))
    model = opened(saved(module, tmp_path), size=(side, side))
    assert (model.architecture, model.task) == (name, "detection")
    assert model.labels == ("class 0", "class 1", "class 2")
    (found,) = model.detect(photo(side)[None])
    expected = told(module, photo(side))
    assert len(found.boxes) > 0
    things = expected["labels"].numpy() > 0  # the one-stage ones may find the background
    boxes = expected["boxes"].numpy()[things][:, [1, 0, 3, 2]]
    np.testing.assert_allclose(found.scores, expected["scores"].numpy()[things], atol=1e-5)
    np.testing.assert_allclose(found.boxes, boxes, atol=1e-2)
    np.testing.assert_array_equal(found.labels, expected["labels"].numpy()[things] - 1)
    assert not lacks(model, Detects)
    assert lacks(model, Predicts)
    maps_of_each(model, photo(side), found)


def maps_of_each(model, view, found):
    """Explain a box by what reads all levels, by gradients, and by the second stage if any."""
    backbone = model.native().backbone
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    at = int(sides.prod(1).argmax())
    assert (sides[at] > 3).all()
    target = BoxTarget(tuple(map(float, found.boxes[at])), int(found.labels[at]))
    asked = [("eigencam", {}, "ours"), ("eigencam", {}, "grad-cam"), ("odam", {}, "ours")]
    second = hasattr(model.native(), "roi_heads")
    light = "mobilenet" in model.architecture or model.architecture == "retinanet_resnet50_fpn"
    engines = ("ours", "grad-cam") if light else ("ours",)  # the library's passes take long
    asked += [("ablationcam", {"ratio": 0.01}, engine) for engine in engines]
    asked += [("box-fixed-ablation", {"relu": False}, "ours")] if second else []
    for name, values, engine in asked:
        method = make(name, values, engine=engine, size=model.input_size)
        made = method.explain(model, view, target)
        assert made.attribution.shape == model.input_size
        flat = np.ptp(made.attribution) == 0  # which random weights may be, and is said, and why
        assert not flat or (len(made.notes) > 1 and name != "eigencam"), (name, engine, made.notes)
        assert model.native().backbone is backbone
    said = explaining("detection")["box-fixed-ablation"].why_not(model)
    assert (said is None) == second
    assert second or "this detector reads all places at once" in said


def test_candidates_hold_what_suppression_drops_and_leave_the_thresholds(tmp_path):
    model = opened(saved(made(SMALL[1]), tmp_path))
    before = model.detect(photo()[None])[0]
    every = model.candidates(photo()[None])[0]
    assert len(every.boxes) > len(before.boxes)
    after = model.detect(photo()[None])[0]
    np.testing.assert_array_equal(before.boxes, after.boxes)
    best = kept(every, threshold=float(before.scores[0]) - 1e-6, overlap=0.5)
    np.testing.assert_allclose(every.boxes[best[0]], before.boxes[0], atol=1e-3)


def test_masked_scores_are_the_targets_own_on_masked_photos(tmp_path):
    model = opened(saved(made(SMALL[1]), tmp_path))
    view = photo()
    found = model.detect(view[None])[0]
    target = BoxTarget(tuple(map(float, found.boxes[0])), int(found.labels[0]))
    masks = np.random.default_rng(3).random((5, SIDE, SIDE), np.float32)
    grey = np.full_like(view, 0.5)
    got = np.concatenate(
        [part for _, part in model.masked_scores(view, Dense(masks), grey, [target])]
    )
    for mask, (score,) in zip(masks, got, strict=True):
        shown = mask[..., None] * view + (1 - mask[..., None]) * grey
        with model._judging(score_thresh=0.02):
            assert target.of_views(model, shown[None])[0] == pytest.approx(score, abs=1e-5)
    assert np.ptp(got) > 0
    with pytest.raises(ParamError, match="finds objects"):
        next(model.masked_scores(view, Dense(masks), grey, [ClassTarget(0)]))


def test_an_error_leaves_the_thresholds_as_they_were(tmp_path, monkeypatch):
    model = opened(saved(made(SMALL[0]), tmp_path))
    own = model._judge.score_thresh, model._judge.nms_thresh
    monkeypatch.setattr(model, "detect", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.candidates(photo()[None])
    assert (model._judge.score_thresh, model._judge.nms_thresh) == own


def test_weights_behind_a_prefix_and_within_a_checkpoint(tmp_path):
    state = made(SMALL[0]).state_dict()
    path = tmp_path / "c.pth"
    torch.save({"epoch": 3, "model": {f"module.{key}": each for key, each in state.items()}}, path)
    model = opened(path)
    assert "behind the prefix 'module.'" in " ".join(each.message for each in model.findings)


PUBLISHED = {  # those whose networks differ from what their functions build without weights
    "fasterrcnn_resnet50_fpn": 0.0,
    "maskrcnn_resnet50_fpn": 0.0,
    "retinanet_resnet50_fpn": 0.0,
    "fcos_resnet50_fpn": 1e-5,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 1e-5,
}
"""Names, and what their norms add to the variance."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_one_says_what_torchvision_says_of_its_weights(name, tmp_path, monkeypatch):
    state = {k: each for k, each in made(name, 91).state_dict().items() if "num_batches" not in k}
    for key, tensor in state.items():
        if key.startswith("backbone.") and key.endswith("running_var"):
            tensor[::7] = 2e-5  # so narrow that what is added to it is seen
            state[key.replace("running_var", "weight")][::7] *= 2e-5**0.5
        if key.endswith(("cls_score.bias", "cls_logits.bias")):
            tensor[1:4] += 3.0
    weights = get_model_weights(name).DEFAULT
    torch.save(state, tmp_path / "d.pth")
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *args, **more: state)
    expected = told(get_model(name, weights=weights).eval(), photo(128))
    entry = catalogue.find(name)
    asked = catalogue.asked_of(entry, Options(size=(128, 128)))
    model = load(tmp_path / "d.pth", asked, name=entry.name, wanted="detection")
    assert {part.eps for part in norms(model)} == {PUBLISHED[name]}
    (found,) = model.detect(photo(128)[None])
    things = expected["labels"].numpy() > 0
    assert things.sum() > 3
    np.testing.assert_allclose(found.scores, expected["scores"].numpy()[things], atol=1e-4)
    boxes = expected["boxes"].numpy()[things][:, [1, 0, 3, 2]]
    np.testing.assert_allclose(found.boxes, boxes, atol=2e-2)
    assert (model.labels[0], len(model.labels)) == ("person", 90)


def norms(model):
    parts = model.native().backbone.modules()
    return [part for part in parts if isinstance(part, torch.nn.BatchNorm2d)]


def test_weights_with_norms_that_were_trained_keep_what_they_add(tmp_path):
    model = opened(saved(made("retinanet_resnet50_fpn"), tmp_path))
    assert {part.eps for part in norms(model)} == {1e-5}
    assert "frozen" not in " ".join(each.message for each in model.findings)


def test_a_small_photo_is_the_smaller_networks(tmp_path):
    path = saved(made("fasterrcnn_mobilenet_v3_large_fpn"), tmp_path)
    small, large = (opened(path, size=(side, side)).native() for side in (320, 352))
    assert small.rpn._pre_nms_top_n["testing"] == 150
    assert large.rpn._pre_nms_top_n["testing"] == 1000


def test_names_may_begin_with_the_background_and_91_are_cocos(tmp_path):
    path = saved(made(SMALL[0]), tmp_path)
    assert opened(path, classes=("none", "a", "b", "c")).labels == ("a", "b", "c")
    assert opened(path, classes=("a", "b", "c")).labels == ("a", "b", "c")
    with pytest.raises(LoadError, match="2 class names"):
        opened(path, classes=("a", "b"))
    coco = opened(saved(made(SMALL[0], 91), tmp_path)).labels
    assert (coco[0], coco[16], coco[89], len(coco)) == ("person", "cat", "toothbrush", 90)


def test_the_photo_is_padded_or_stretched_as_the_network_is():
    made = {row.name: detectors.preparation(row) for row in detectors.TABLE}
    padded, stretched = made[SMALL[1]], made[SMALL[0]]
    assert (padded.fit, padded.size) == ("pad", (800, 800))
    assert (stretched.fit, stretched.size) == ("stretch", (320, 320))


def test_what_is_no_such_detector_is_refused_by_name(tmp_path):
    module = made(SMALL[1])
    state = module.state_dict()
    wide = {key: each for key, each in state.items() if key != "rpn.head.bbox_pred.bias"}
    torch.save(wide, tmp_path / "less.pth")
    with pytest.raises(LoadError, match=r"'rpn.head.bbox_pred.bias' is missing"):
        opened(tmp_path / "less.pth")
    torch.save(state | {"rpn.head.bbox_pred.bias": torch.zeros(7)}, tmp_path / "other.pth")
    with pytest.raises(LoadError, match=r"is \[7\] in the place of \[60\]"):
        opened(tmp_path / "other.pth")
    torch.save(state | {"rpn.more": torch.zeros(7)}, tmp_path / "more.pth")
    with pytest.raises(LoadError, match=r"has no tensor 'rpn.more'"):
        opened(tmp_path / "more.pth")
    with pytest.raises(ParamError, match="scales the values of photos itself"):
        opened(saved(module, tmp_path), preprocessing="imagenet")


def test_a_detector_is_no_classifier_and_the_other_way_round(tmp_path):
    path = saved(made(SMALL[0]), tmp_path)
    with pytest.raises(UnsupportedModel, match="object detector"):
        load(path, Options(), name="d.pth")
    shapes = detectors.vitrine_detector.vitrine_net.build(3)
    torch.save(shapes.state_dict(), tmp_path / "c.pth")
    with pytest.raises(UnsupportedModel, match="finds no objects"):
        load(tmp_path / "c.pth", Options(), name="c.pth", wanted="detection")


def test_long_runs_go_through_openvino_and_say_the_same(monkeypatch):
    entry = catalogue.detectors()[0]
    options = dataclasses.replace(entry.options, size=(SIDE, SIDE))
    model = load(entry.path, options, name=entry.name, wanted="detection")
    scene = draw(3, 1, SIDE)
    view, box = scene.photos[0].astype(np.float32) / 255, scene.boxes[0][0]
    target = BoxTarget(tuple(map(float, box[[1, 0, 3, 2]])), 0, "object")
    masks = Dense(1 - 0.3 * np.random.default_rng(3).random((5, SIDE, SIDE), np.float32))
    grey = np.full_like(view, 0.5)

    def scores():
        asked = model.masked_scores(view, masks, grey, [target])
        return np.concatenate([part for _, part in asked])

    own, module = scores(), model.native()
    assert model.backend is None  # so few repay nothing
    head, backbone = module.rpn.head, module.backbone
    monkeypatch.setattr(many_views, "FEWEST", 5)
    monkeypatch.setattr(backend, "FEWEST", 5)
    monkeypatch.setattr(many_views, "REPAYS", 0.0)
    for each in (backend, many_views):  # how quick it is goes by what else runs here
        monkeypatch.setattr(each, "QUICKER", 0.0)
    found = scores()
    assert model.backend.name.startswith("OpenVINO")
    assert model.backend.agreement <= backend.AGREES
    assert model.backend.gain > 0
    np.testing.assert_allclose(found, own, atol=1e-4)
    assert np.ptp(own) > 0.01
    assert (module.rpn.head, module.backbone) == (head, backbone)
    alone = model.candidates(view[None])[0]
    both = model.candidates(np.stack([view, grey]))[0]
    np.testing.assert_allclose(both.boxes, alone.boxes, atol=1e-2)
