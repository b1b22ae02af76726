"""Methods on boxes, held to the library, to torchvision, and to slow transcriptions."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import box_iou

from loaders.torch import pyramid, regions
from loaders.torch.detector import moving
from tests.fakes import boxes, tiny
from xai_core.engines import grad_cam_library
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import explaining, make
from xai_core.explainers.box_fixed_ablation import within
from xai_core.explainers.eigencam import principal
from xai_core.explainers.odam import smoothed
from xai_core.model import ReadsRegions, lacks
from xai_core.perturb import Patches
from xai_core.target import BoxTarget, ClassTarget, overlaps
from xai_core.upsample import resize

VIEW = boxes.view()
METHODS = explaining("detection")
QUICK = {
    "ablationcam": {"ratio": 0.05},
    "d-rise": {"masks": 50, "grid": 5},
    "occlusion": {
        "patch_height": 32, "patch_width": 32, "stride_height": 16, "stride_width": 16
    },
}  # fmt: skip
ENGINES = [
    (name, engine.name)
    for name, cls in METHODS.items()
    for engine in cls.engines
    if engine.worker == "model"
]


@pytest.fixture(scope="module")
def model():
    return boxes.detector()


@pytest.fixture(scope="module")
def target(model):
    return boxes.target(model, VIEW)


def run(model, target, name, view=VIEW, **values):
    return made(model, name, **values).explain(model, view, target)


def made(model, name, engine="", **values):
    return make(name, QUICK.get(name, {}) | values, engine=engine, size=model.input_size)


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_each_gives_a_map_of_this_photo_and_leaves_the_model_as_it_was(model, target, name, engine):
    (chosen,) = (each for each in METHODS[name].engines if each.name == engine)
    if chosen.why_not(model):
        with pytest.raises(UnsupportedModel, match="ours"):
            run(model, target, name, engine=engine)
        return
    before = model.candidates(VIEW[None])[0]
    found = run(model, target, name, engine=engine)
    assert found.attribution.shape == model.input_size
    assert np.ptp(found.attribution) > 0
    assert found.target == target
    after = model.candidates(VIEW[None])[0]
    np.testing.assert_array_equal(before.boxes, after.boxes)
    again = run(model, target, name, engine=engine).attribution
    np.testing.assert_array_equal(found.attribution, again)
    other = run(model, target, name, view=boxes.view(7), engine=engine)
    assert not np.allclose(found.attribution, other.attribution)


@pytest.mark.parametrize("name", METHODS)
def test_two_boxes_have_two_maps_unless_the_method_asks_about_none(model, target, name):
    second = boxes.target(model, VIEW, 3)
    one, two = (run(model, each, name).attribution for each in (target, second))
    assert METHODS[name].class_agnostic == np.array_equal(one, two)


def test_two_detectors_have_two_maps_of_one_box(model, target):
    other = boxes.detector(seed=3)
    for name in ("odam", "d-rise", "eigencam"):
        one, two = (run(each, target, name).attribution for each in (model, other))
        assert not np.allclose(one, two)


@pytest.mark.parametrize("name", METHODS)
def test_what_cannot_be_asked_is_refused_in_words(model, target, name):
    cls = METHODS[name]
    left_out = {"class", "position", "object", "width"} - set(cls.asks)
    for asks in left_out:
        with pytest.raises(ParamError, match=f"got '{asks}'"):
            run(model, BoxTarget(target.box, 0, asks), name)
    with pytest.raises(ParamError, match=r"Target must be from 0 to 2.*got 3"):
        run(model, BoxTarget(target.box, 3), name)


def test_classifiers_and_detectors_are_told_apart(model, target):
    classifier = tiny.torch_model()
    with pytest.raises(UnsupportedModel, match="this model gives none: it finds objects"):
        make("rise", {}, size=model.input_size).explain(model, VIEW, ClassTarget(0))
    for name in ("d-rise", "odam", "box-fixed-ablation"):
        method = make(name, {}, size=classifier.input_size)
        with pytest.raises(UnsupportedModel, match="explains boxes, and this model finds no obj"):
            method.explain(classifier, tiny.view(), target)


# -- the library ------------------------------------------------------------------------------


def by_hand(kind, model, target, **values):
    """Return the library's own map of its class for Faster R-CNN, called as its guide does."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.reshape_transforms import fasterrcnn_reshape_transform

    module = model.native()
    view = torch.from_numpy(np.ascontiguousarray(VIEW.transpose(2, 0, 1)))[None]

    def score(said):
        return torch.from_numpy(target.score([pyramid.detections(said)], model.head))

    cam = getattr(pytorch_grad_cam, kind)(
        module, [module.backbone], reshape_transform=fasterrcnn_reshape_transform, **values
    )
    with torch.no_grad():
        return cam(view, targets=[score])[0]


@pytest.fixture
def as_published(monkeypatch):
    """A detector with the levels that the library takes for granted: five, of 256 channels."""
    made = boxes.detector(seed=2)
    inner = made.native().backbone

    class Five(torch.nn.Module):
        out_channels = 64

        def forward(self, images):
            maps = inner(images)
            wide = [each.repeat(1, 4, 1, 1) for each in maps.values()]
            last = torch.nn.functional.max_pool2d(wide[2], 1, 1)
            return OrderedDict(
                zip(("0", "1", "2", "3", "pool"), (*wide, wide[2], last), strict=True)
            )

    def narrow(maps):
        return OrderedDict((name, maps[name][:, :64]) for name in ("0", "1", "2"))

    five = Five()
    made.native().backbone = five
    heads = made.native().roi_heads
    read, judge = made.native().rpn.forward, heads.forward
    monkeypatch.setattr(
        made.native().rpn, "forward", lambda images, maps, *rest: read(images, narrow(maps), *rest)
    )
    monkeypatch.setattr(heads, "forward", lambda maps, *rest: judge(narrow(maps), *rest))
    monkeypatch.setattr(pyramid, "LEAST", 1)
    with torch.inference_mode():
        made._rows = pyramid.rows(made._maps(VIEW))
    return made


def test_eigencam_and_ablationcam_are_the_librarys_on_faster_rcnn(as_published):
    from pytorch_grad_cam.ablation_layer import AblationLayerFasterRCNN

    model, target = as_published, boxes.target(as_published, VIEW)
    ours = run(model, target, "eigencam", engine="grad-cam").attribution
    np.testing.assert_allclose(ours, by_hand("EigenCAM", model, target), atol=1e-4)
    found = run(model, target, "ablationcam", engine="grad-cam", ratio=0.01).attribution
    theirs = by_hand(
        "AblationCAM",
        model,
        target,
        ablation_layer=AblationLayerFasterRCNN(),
        ratio_channels_to_ablate=0.01,
        batch_size=4,
    )
    assert np.ptp(theirs) > 0
    np.testing.assert_allclose(found, theirs, atol=1e-4)


def test_our_eigencam_is_the_librarys_up_to_its_sign(model, target):
    own, _ = principal(model.activations(VIEW[None], pyramid.ALL)[0])
    np.testing.assert_array_equal(run(model, target, "eigencam").grain.cells, np.maximum(own, 0))
    library = by_levels(model, "EigenCAM", target)
    scaled = [np.maximum(sign * own, 0) for sign in (1, -1)]
    drawn = [resize(each / each.max(), model.input_size, "linear") for each in scaled]
    scaled = [(each - each.min()) / np.ptp(each) for each in drawn]
    assert min(np.abs(each - library).max() for each in scaled) < 1e-4


def test_the_librarys_ablation_of_a_box_that_was_not_found_is_refused(model, target):
    nowhere = BoxTarget((0.0, 0.0, 1.0, 1.0), target.index)
    with pytest.raises(UnsupportedModel, match="this box has none"):
        run(model, nowhere, "ablationcam", engine="grad-cam")
    assert np.isfinite(run(model, nowhere, "ablationcam").attribution).all()


def by_levels(model, kind, target):
    return run(model, target, kind.lower(), engine="grad-cam").attribution


def test_an_error_of_the_library_leaves_the_backbone_in_its_place(model, target, monkeypatch):
    backbone = model.native().backbone
    monkeypatch.setattr(grad_cam_library, "ABLATED", "nothing")
    with pytest.raises(TypeError):
        run(model, target, "ablationcam", engine="grad-cam")
    assert model.native().backbone is backbone
    with pytest.raises(RuntimeError, match="there"), pyramid.handed(model.native(), {}):
        raise RuntimeError("there")
    assert model.native().backbone is backbone


def test_levels_of_any_number_and_channels_become_one_map():
    rng = np.random.default_rng(0)
    maps = OrderedDict(
        (name, torch.from_numpy(rng.normal(size=(2, count, side, side)).astype(np.float32)))
        for name, count, side in (("0", 3, 28), ("1", 5, 14), ("p6", 2, 4))
    )
    from pytorch_grad_cam.utils.reshape_transforms import fasterrcnn_reshape_transform

    found = pyramid.together(maps)
    assert found.shape == (2, 10, 14, 14)  # 4 cells a side would tell no places apart
    theirs = fasterrcnn_reshape_transform({"0": maps["0"], "pool": maps["1"]})
    torch.testing.assert_close(found[:, :8], theirs)


# -- targets ----------------------------------------------------------------------------------


def test_overlaps_are_torchvisions():
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 50, (40, 2, 2)).astype(np.float32)
    listed = np.concatenate([corners.min(1), corners.max(1)], 1)
    theirs = box_iou(torch.from_numpy(listed[:1]), torch.from_numpy(listed))[0]
    np.testing.assert_allclose(overlaps(listed[0].tolist(), listed), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("asks", "wanted"),
    [("class", 0.4), ("object", 0.8), ("position", 1.0), ("across", 20.0), ("down", 10.0),
     ("width", 40.0), ("height", 20.0)],
)  # fmt: skip
def test_what_is_asked_of_a_box_worked_out_by_hand(asks, wanted):
    from xai_core.model import Detections

    found = Detections(
        np.array([[0, 0, 20, 40], [0, 0, 20, 20], [0, 0, 20, 40]], np.float32),
        np.array([1, 0, 0], np.int32),
        np.array([0.8, 0.9, 0.4], np.float32),
    )
    asked = BoxTarget((0, 0, 20, 40), 0, asks)
    (score,) = asked.score([found], None)
    # of class 0: half of the box at 0.9 is 0.45, and the whole of it at 0.4 is 0.4
    wanted = {"class": 0.45, "across": 10.0, "width": 20.0}.get(asks, wanted)
    assert score == pytest.approx(wanted)


# -- each method ------------------------------------------------------------------------------


def test_d_rise_is_the_papers_sum(model, target):
    """Equation 3 for each masked photo, and the masks' sum weighed by it, one at a time."""
    method = made(model, "d-rise", masks=60, grid=4, base="zero", value=0.0)
    found = method.explain(model, VIEW, target).attribution
    masks = method.grids(model)
    total = np.zeros(model.input_size)
    for number in range(60):
        mask = np.empty((1, *model.input_size), np.float32)
        masks.write(mask, number)
        (said,) = model.candidates((mask[..., None] * VIEW[None]).astype(np.float32))
        best = 0.0
        for box, label, score in zip(said.boxes, said.labels, said.scores, strict=True):
            top, left = np.maximum(box[:2], target.box[:2])
            bottom, right = np.minimum(box[2:], target.box[2:])
            common = max(bottom - top, 0) * max(right - left, 0)
            areas = np.prod(box[2:] - box[:2]) + np.prod(
                np.subtract(target.box[2:], target.box[:2])
            )
            same = 1.0 if label == target.index else 0.0
            best = max(best, common / (areas - common) * same * score)
        total += best * mask[0]
    np.testing.assert_allclose(found, total / (60 * 0.5), rtol=1e-4, atol=1e-6)


def test_five_boxes_are_asked_about_on_one_set_of_masked_photos(model, monkeypatch):
    targets = [boxes.target(model, VIEW, place) for place in range(5)]
    method = made(model, "d-rise")
    alone = {at: method.explain(model, VIEW, targets[at]).attribution for at in (0, 4)}
    asked = []
    own = type(model).candidates
    monkeypatch.setattr(
        type(model), "candidates", lambda self, views: asked.append(len(views)) or own(self, views)
    )
    together = method.explain_all(model, VIEW, targets)
    assert sum(asked) == 51  # 50 masks, and the photo itself
    for at, other in alone.items():
        np.testing.assert_allclose(together[at].attribution, other, atol=1e-6)
    assert [each.target for each in together] == targets


def test_several_boxes_are_asked_about_on_one_set_of_hidden_patches(model, monkeypatch):
    targets = [boxes.target(model, VIEW, place) for place in (0, 3)]
    method = made(model, "occlusion", stride_height=32, stride_width=32)
    alone = [method.explain(model, VIEW, each) for each in targets]
    asked = []
    own = type(model).candidates
    monkeypatch.setattr(
        type(model), "candidates", lambda self, views: asked.append(len(views)) or own(self, views)
    )
    together = method.explain_all(model, VIEW, targets)
    assert sum(asked) == 4 + 1  # patches, and the photo itself
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.attribution, other.attribution)
        assert one.scalars == other.scalars
        assert one.target == other.target
    assert not np.array_equal(together[0].attribution, together[1].attribution)


def test_others_explain_several_boxes_one_by_one(model):
    targets = [boxes.target(model, VIEW, place) for place in range(2)]
    steps = []

    def progress(done, total, partial=None, arrays=None):
        steps.append((done, total))

    progress.stopping = False
    found = made(model, "grad-cam").explain_all(model, VIEW, targets, progress=progress)
    assert [each.target for each in found] == targets
    assert steps[-1][0] == steps[-1][1]
    alone = run(model, targets[1], "grad-cam").attribution
    np.testing.assert_array_equal(found[1].attribution, alone)


def level_of(model, target):
    """Return the level that moves most of what is asked."""
    _, slopes = model._slopes(VIEW, target)
    return f"backbone.{moving(slopes)}"


def test_a_box_is_read_from_its_own_level_unless_another_is_chosen(model, target):
    own = run(model, target, "odam", layer=level_of(model, target)).attribution
    np.testing.assert_array_equal(run(model, target, "odam").attribution, own)
    with pytest.raises(ParamError, match=r"one of backbone\.0, .*got 'nothing'"):
        run(model, target, "odam", layer="nothing")


def numerically(model, layer, target, at, step=1e-2):
    """Return d score / d one value of a level, by moving it up and down."""
    with torch.no_grad():
        maps = model._maps(VIEW)
    scores = []
    for sign in (1, -1):
        moved = OrderedDict((name, each.clone()) for name, each in maps.items())
        moved[layer.removeprefix("backbone.")][(0, *at)] += sign * step
        with pyramid.handed(model.native(), moved):
            (found,) = model.candidates(VIEW[None])
        fits = overlaps(target.box, found.boxes) * (found.labels == target.index) * found.scores
        best = int(fits.argmax())
        box = found.boxes[best]
        scores.append({"class": found.scores[best], "width": box[3] - box[1]}[target.asks])
    return (scores[0] - scores[1]) / (2 * step)


@pytest.mark.parametrize("asks", ["class", "width"])
def test_a_levels_gradients_are_those_of_small_steps(model, target, asks):
    asked = BoxTarget(target.box, target.index, asks)
    layer = level_of(model, asked)
    _, gradients = model.activation_gradients(VIEW[None], layer, asked)
    slopes = gradients[0].transpose(2, 0, 1)
    at = np.unravel_index(np.abs(slopes).argmax(), slopes.shape)
    assert numerically(model, layer, asked, at) == pytest.approx(float(slopes[at]), rel=0.1)


def test_grad_cam_hirescam_and_odam_are_their_papers_on_one_level(model, target):
    layer = level_of(model, target)
    (maps,), (slopes,) = model.activation_gradients(VIEW[None], layer, target)
    cells = {name: run(model, target, name, layer=layer).grain.cells for name in
             ("grad-cam", "hirescam", "odam")}  # fmt: skip
    weights = [slopes[..., channel].mean() for channel in range(maps.shape[-1])]
    slow = sum(weight * maps[..., channel] for channel, weight in enumerate(weights))
    np.testing.assert_allclose(cells["grad-cam"], np.maximum(slow, 0), rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(
        cells["hirescam"], np.maximum((maps * slopes).sum(-1), 0), rtol=1e-4, atol=1e-8
    )
    np.testing.assert_allclose(
        cells["odam"], np.maximum((maps * smoothed(slopes, 1.0)).sum(-1), 0), rtol=1e-4, atol=1e-8
    )
    sharp = run(model, target, "odam", layer=layer, spread=0.0).grain.cells
    np.testing.assert_allclose(sharp, cells["hirescam"], rtol=1e-5, atol=1e-9)
    impulse = np.zeros((9, 9, 1), np.float32)
    impulse[4, 4] = 1
    soft = smoothed(impulse, 1.0)[..., 0]
    assert soft[4, 5] / soft[4, 4] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_saliency_of_a_box_is_the_size_of_torchs_own_gradient(model, target):
    found = run(model, target, "saliency").attribution
    view = torch.from_numpy(np.ascontiguousarray(VIEW.transpose(2, 0, 1))).requires_grad_()
    module = model.native()
    kept = module.roi_heads.score_thresh, module.roi_heads.nms_thresh
    module.roi_heads.score_thresh, module.roi_heads.nms_thresh = 0.02, 1.0
    module.roi_heads.detections_per_img = 300
    said = module([view])[0]
    module.roi_heads.score_thresh, module.roi_heads.nms_thresh = kept
    corners = torch.tensor([[target.box[at] for at in (1, 0, 3, 2)]])
    fits = box_iou(corners, said["boxes"])[0] * said["scores"]
    fits = fits * (said["labels"] == target.index + 1)
    said["scores"][int(fits.argmax())].backward()
    np.testing.assert_allclose(found, view.grad.abs().amax(0).numpy(), atol=1e-6)


def test_ablation_without_a_channel_is_the_detector_without_it(model, target):
    """Against a hook that sets the channel to 0 in the real backbone."""
    found = run(model, target, "ablationcam")
    weights = found.arrays["weights"]
    channel = int(np.abs(weights).argmax())
    levels = [(name, 64) for name in ("0", "1", "2")]
    name, within_level = levels[channel // 64][0], channel % 64

    def leave_out(module, args, maps):
        maps[name] = maps[name].clone()
        maps[name][:, within_level] = 0
        return maps

    whole = target.of_views(model, VIEW[None])[0]
    handle = model.native().backbone.register_forward_hook(leave_out)
    try:
        rest = target.of_views(model, np.stack([VIEW, VIEW]))[0]  # of one, the levels are kept
    finally:
        handle.remove()
    assert weights[channel] == pytest.approx(float(whole - rest), abs=1e-5)
    assert np.count_nonzero(weights) <= round(0.05 * 192)


def test_a_fixed_box_is_judged_as_torchvisions_head_judges_it(model, target):
    layer, maps, scores = model.region(VIEW, target.box, target.index)
    assert layer in {row.name for row in model.layers()}
    assert maps.shape[-1] + 1 == len(scores) == 65
    module = model.native()
    with torch.inference_mode():
        levels = model._maps(VIEW)
        corners = [torch.tensor([[target.box[at] for at in (1, 0, 3, 2)]])]
        read = module.roi_heads.box_roi_pool(levels, corners, [model.input_size])
        read[:, 7] = 0
        logits, _ = module.roi_heads.box_predictor(module.roi_heads.box_head(read))
    assert scores[8] == pytest.approx(float(logits.softmax(-1)[0, target.index + 1]), abs=1e-6)
    found = run(model, target, "box-fixed-ablation").grain.cells
    inside = within(target.box, maps.shape[:2], model.input_size)
    assert not found[~inside].any()
    slow = np.maximum(maps @ (scores[0] - scores[1:]), 0)
    np.testing.assert_allclose(found[inside], slow[inside], rtol=1e-5)


@pytest.mark.parametrize("own", [True, False])
def test_a_channel_left_out_is_a_copy_without_it_for_any_head(own):
    """The first layer's sum taken apart, and copies, both against a mask on what is pooled."""
    torch.manual_seed(0)
    heads = torch.nn.Module()
    numbers = 6
    if own:
        heads.box_head = TwoMLPHead(5 * 4, numbers)
    else:
        heads.box_head = torch.nn.Sequential(
            torch.nn.Conv2d(5, 3, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3, 6)
        )
    heads.box_predictor = FastRCNNPredictor(numbers, 4)
    read = torch.randn(1, 5, 2, 2)
    with torch.inference_mode():
        found = regions.scores(heads, read, 2)
        for channel in range(-1, 5):
            copy = read.clone()
            copy[:, channel if channel >= 0 else slice(0)] = 0
            slow = heads.box_predictor(heads.box_head(copy))[0].softmax(-1)[0, 2]
            assert float(found[channel + 1]) == pytest.approx(float(slow), abs=1e-6)
    assert np.ptp(found.numpy()) > 1e-3


def test_the_levels_of_a_photo_that_was_looked_at_are_not_made_again(model):
    """They are the same, they serve gradients, and another photo or backbone has its own."""
    target = boxes.target(model, VIEW)  # which looks at it
    alone = {name: run(boxes.detector(), target, name) for name in ("box-fixed-ablation", "odam")}
    looked = []
    handle = model.native().backbone.register_forward_hook(lambda *args: looked.append(1))
    try:
        for name, other in alone.items():
            found = run(model, target, name).attribution
            np.testing.assert_array_equal(found, other.attribution)
        assert not looked
        model.candidates(boxes.view(7)[None])
        assert len(looked) == 1
        changed = boxes.detector(seed=3).native().backbone
        own, model.native().backbone = model.native().backbone, changed
        try:
            other = model.activations(boxes.view(7)[None], "backbone.0")
        finally:
            model.native().backbone = own
        assert not np.allclose(other, model.activations(boxes.view(7)[None], "backbone.0"))
        assert len(looked) == 2
    finally:
        handle.remove()


def test_cells_that_a_box_touches_by_hand():
    touched = within((4.0, 0.0, 8.0, 1.0), (4, 4), (16, 16))
    assert np.argwhere(touched).tolist() == [[1, 0]]
    assert within((3.9, 0.0, 8.1, 16.0), (4, 4), (16, 16)).sum(0).tolist() == [3, 3, 3, 3]


def test_occlusion_of_a_box_is_the_fall_of_its_score(model, target):
    found = run(model, target, "occlusion")
    patches = Patches(model.input_size, (32, 32), (16, 16))
    hidden = VIEW.copy()
    hidden[patches.window(4)] = 0.5
    assert found.arrays["scores"][4] == pytest.approx(
        float(target.of_views(model, hidden[None])[0]), abs=1e-5
    )


def test_a_box_that_is_not_there_is_said(model):
    nowhere = BoxTarget((0.0, 0.0, 1.0, 1.0), 0)
    far = boxes.detector(seed=5)
    empty = far.native().roi_heads
    with torch.no_grad():
        empty.box_predictor.cls_score.weight.zero_()
        empty.box_predictor.cls_score.bias.copy_(torch.tensor([50.0, 0, 0, 0]))
    with pytest.raises(UnsupportedModel, match=r"weighs no box of a .one. there"):
        run(far, nowhere, "odam")
    with pytest.raises(UnsupportedModel, match="weighs no box"):
        run(far, nowhere, "saliency")
    assert not run(far, nowhere, "d-rise").attribution.any()


def test_a_detector_without_a_second_stage_says_so(model):
    one_stage = boxes.detector(seed=1)
    del one_stage.native().roi_heads
    assert "reads all places at once" in lacks(one_stage, ReadsRegions)
    assert lacks(model, ReadsRegions) is None
