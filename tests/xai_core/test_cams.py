"""The class activation maps against the libraries, the papers written out slowly, closed forms."""

import warnings
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

from loaders.preprocessing import preset
from loaders.torch.model import TorchModel
from tests.fakes import tiny
from tests.fakes import twins as made
from xai_core import report
from xai_core.card import Card, Cost, Pace, Service
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import AGNOSTIC, explainers, explaining, make
from xai_core.explainers.cam import averaged
from xai_core.explainers.eigencam import principal
from xai_core.layers import default_layer, layer_of
from xai_core.question import Question
from xai_core.target import ClassTarget, Target, UnitTarget
from xai_core.upsample import resize

FAMILY = [
    name for name, cls in explaining("classification").items() if cls.family == "activation maps"
]


@pytest.fixture(scope="module")
def twins(small_twins: tuple[Any, Any]) -> tuple[Any, Any]:
    return small_twins


@pytest.fixture(scope="module")
def questions(twins: tuple[Any, Any]) -> list[tuple[Any, Target]]:
    """Return each photo's view with its first class, its second, and the first against it."""
    asked = made.led(twins[0])
    assert len(asked) == 15
    return asked


def explained(model: Any, view: Any, target: Target, method: str, **values: Any) -> Any:
    engine = values.pop("engine", "ours")
    return make(method, values, engine=engine).explain(model, view, target)


def scaled(values: Any) -> Any:
    values = values - values.min()
    return values / (1e-7 + values.max())


# The libraries

FEW = {"layer": "features.7"}
"""32 channels after a ReLU, where the last layer has 160 and each takes a pass."""
LIBRARY: list[tuple[str, dict[str, Any]]] = [
    ("grad-cam", {}),
    ("grad-cam++", {"form": "damped"}),
    ("hirescam", {}),
    ("xgrad-cam", {}),
    ("layercam", {}),
    ("fem", {"weighing": "share"}),
    ("fem", {"weighing": "share", "k": 1.0}),
    ("scorecam", FEW),
    ("ablationcam", FEW),
]


@pytest.mark.parametrize(("method", "values"), LIBRARY)
def test_is_the_grad_cam_librarys(
    twins: tuple[Any, Any],
    questions: list[tuple[Any, Target]],
    method: str,
    values: dict[str, Any],
) -> None:
    drawn = 0
    for view, target in questions:
        ours = explained(twins[0], view, target, method, **values).attribution
        if method == "ablationcam" and target.of_views(twins[0], view[None])[0] < 0:
            # the library divides by the score, which turns the map round
            both = explained(
                twins[0], view, target, method, relu=False, smoothing="nearest", **values
            )
            ours = resize(np.maximum(-both.grain.cells, 0), view.shape[:2], "linear")
        theirs = {key: value for key, value in values.items() if key in ("k", "layer")}
        library = explained(twins[0], view, target, method, engine="grad-cam", **theirs)
        drawn += np.ptp(ours) > 0
        if np.any(ours):
            np.testing.assert_allclose(scaled(ours), library.attribution, atol=1e-4)
    assert drawn >= 10


def test_eigencam_is_the_librarys_up_to_its_sign(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]]
) -> None:
    for view, target in questions:
        layer = default_layer(twins[0])
        maps = twins[0].activations(view[None], layer)[0]
        along, share = principal(maps)
        library = explained(twins[0], view, target, "eigencam", engine="grad-cam")
        sizes = tuple(view.shape[:2])
        either = []
        for way in (along, -along):
            cut = torch.from_numpy(np.maximum(way, 0))[None, None]
            large = nn.functional.interpolate(cut, sizes, mode="bilinear")[0, 0].numpy()
            either.append(np.abs(scaled(large) - library.attribution).max())
        assert min(either) < 1e-4
        assert max(either) > 0.1
        ours = explained(twins[0], view, target, "eigencam")
        np.testing.assert_allclose(ours.grain.cells, np.maximum(along, 0), atol=1e-4)
        assert along.max() >= -along.min()
        assert 0 < share < 1
        assert "sign" in library.notes[0]


XPLIQUE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("grad-cam++", {"form": "mean"}, {}),
    ("fem", {}, {}),
    ("fem", {"k": 1.0}, {"k": 1.0}),
]


@pytest.mark.parametrize(("method", "values", "theirs"), XPLIQUE)
def test_is_xpliques(
    twins: tuple[Any, Any],
    questions: list[tuple[Any, Target]],
    method: str,
    values: dict[str, Any],
    theirs: dict[str, Any],
) -> None:
    drawn = 0
    for view, target in questions:
        ours = explained(twins[1], view, target, method, **values)
        xplique = explained(twins[1], view, target, method, engine="xplique", **theirs)
        cubic = tf.image.resize(ours.grain.cells[..., None], view.shape[:2], method="bicubic")
        wanted = np.maximum(cubic.numpy()[..., 0], 0)
        top = max(float(wanted.max()), 1e-9)
        np.testing.assert_allclose(wanted / top, xplique.attribution / top, atol=1e-4)
        drawn += np.ptp(xplique.attribution) > 0
    assert drawn >= 10


@pytest.mark.parametrize("method", FAMILY)
def test_twins_agree(
    twins: tuple[Any, Any], questions: list[tuple[Any, Target]], method: str
) -> None:
    drawn = 0
    slow = explainers()[method]().cost(twins[0]).passes > 1
    for view, target in questions[:2] if slow else questions[:6]:
        one, two = (explained(twin, view, target, method) for twin in twins)
        top = max(float(np.abs(one.attribution).max()), 1e-9)
        np.testing.assert_allclose(one.attribution / top, two.attribution / top, atol=1e-4)
        assert one.notes == two.notes
        drawn += np.ptp(one.attribution) > 0
    assert drawn >= 1


# The papers, slowly


def parts(model: Any, view: Any) -> tuple[Any, Any]:
    """Return the tiny network's last map and what follows it, as torch has them."""
    body = model.native().body
    seen = torch.from_numpy(view).permute(2, 0, 1)[None]
    return body[:5]((seen - 0.5) / 0.5).detach(), body[5:]


@pytest.mark.parametrize("index", range(3))
def test_grad_cam_plus_plus_is_the_paper(index: int) -> None:
    model, view = tiny.torch_model(), tiny.view(index)
    maps, after = parts(model, view)
    maps.requires_grad_()
    score = after(maps)[0, index]
    (slope,) = torch.autograd.grad(score, maps)
    maps, slope = maps[0].detach().double().numpy(), slope[0].double().numpy()
    cam = np.zeros(maps.shape[1:])
    for channel in range(len(maps)):
        weight = 0.0
        for row in range(maps.shape[1]):
            for column in range(maps.shape[2]):
                g = slope[channel, row, column]
                # eq. 10 with the derivatives of exp(score): eq. 19
                below = 2 * g**2 + (maps[channel] * g**3).sum()
                weight += (g**2 / below if below else 0.0) * max(g, 0.0)  # eq. 6
        cam += weight * maps[channel]
    result = explained(model, view, ClassTarget(index), "grad-cam++")
    assert np.ptp(cam) > 1e-3
    np.testing.assert_allclose(result.grain.cells, np.maximum(cam, 0), rtol=1e-4, atol=1e-5)


def test_fem_is_the_paper() -> None:
    model, view = tiny.keras_model(), tiny.view(1)
    maps = model.activations(view[None], default_layer(model))[0].astype(np.float64)
    for k in (0.5, 2.0):
        total = np.zeros(maps.shape[:2])
        for channel in np.moveaxis(maps, -1, 0):
            mark = np.array(
                [[float(v >= channel.mean() + k * channel.std()) for v in row] for row in channel]
            )
            total += channel.mean() * mark
        found = explained(model, view, ClassTarget(0), "fem", k=k)
        assert np.ptp(total) > 0
        np.testing.assert_allclose(found.grain.cells, total, atol=1e-5)


@pytest.mark.parametrize("window", ["cell", "gaussian"])
def test_reciprocam_is_the_paper(window: str) -> None:
    model, view = tiny.torch_model(), tiny.view(2)
    maps, after = parts(model, view)
    rows, columns = maps.shape[2:]
    spread = {-1: 0.25, 0: 0.5, 1: 0.25} if window == "gaussian" else {0: 1.0}
    scores = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            kept = torch.zeros_like(maps)
            for down, much in spread.items():
                for across, more in spread.items():
                    at, to = row + down, column + across
                    if 0 <= at < rows and 0 <= to < columns:
                        kept[..., at, to] = much * more * maps[..., at, to]
            scores[row, column] = after(kept).softmax(1)[0, 1]
    target = ClassTarget(1, of="probability")
    found = explained(model, view, target, "reciprocam", window=window)
    np.testing.assert_allclose(found.grain.cells, scores - scores.min(), atol=1e-6)
    np.testing.assert_allclose(found.arrays["scores"], scores.ravel(), atol=1e-6)
    assert np.ptp(scores) > 1e-4


def test_scorecam_is_the_paper() -> None:
    model, view = tiny.torch_model(), tiny.view(3)
    maps, _ = parts(model, view)
    scores = []
    for channel in maps[0]:
        large = nn.functional.interpolate(
            channel[None, None], tiny.SIZE, mode="bilinear", align_corners=True
        )[0, 0].numpy()
        mask = (large - large.min()) / max(float(np.ptp(large)), 1e-8)
        shown = (view * mask[..., None] + view.mean((0, 1)) * (1 - mask[..., None]))[None]
        scores.append(float(model.logits(shown.astype(np.float32))[0, 2]))
    weights = np.exp(scores) / np.exp(scores).sum()
    found = explained(model, view, ClassTarget(2), "scorecam", fill="mean")
    np.testing.assert_allclose(found.arrays["scores"], scores, atol=1e-4)
    np.testing.assert_allclose(
        found.grain.cells, np.tensordot(weights, maps[0].numpy(), 1), atol=1e-4
    )


# Closed forms, on a head of a global average and one dense layer


def test_on_a_global_average_they_are_one_map_up_to_scale() -> None:
    model, view, both = tiny.torch_model(), tiny.view(2), {"relu": False}
    for target in (ClassTarget(0), ClassTarget(2, against=0)):
        cells = 12 * 14
        cam = explained(model, view, target, "cam", **both)
        score = float(target.of_views(model, view[None])[0])
        assert cam.grain.cells.mean() == pytest.approx(score, abs=1e-5)  # there is no bias
        for method in ("grad-cam", "hirescam", "xgrad-cam"):
            other = explained(model, view, target, method, **both).grain.cells
            np.testing.assert_allclose(other * cells, cam.grain.cells, rtol=1e-4, atol=1e-5)
        alone = explained(model, view, target, "reciprocam", base="empty")
        np.testing.assert_allclose(alone.grain.cells * cells, cam.grain.cells, rtol=1e-4, atol=1e-4)
        assert alone.signed
        # a channel that is left out takes its weight times its mean away
        maps = model.activations(view[None], default_layer(model))[0]
        drop = explained(model, view, target, "ablationcam", **both).arrays["weights"]
        np.testing.assert_allclose(drop, cam.arrays["weights"] * maps.mean((0, 1)), atol=1e-5)


def test_cam_of_a_probability_is_grad_cams() -> None:
    for model in (tiny.torch_model(), tiny.keras_model()):
        for target in (ClassTarget(1, of="probability"), ClassTarget(0, 2, "probability")):
            view = tiny.view(4)
            cam, grad = (
                explained(model, view, target, name, relu=False).grain.cells
                for name in ("cam", "grad-cam")
            )
            np.testing.assert_allclose(grad * 12 * 14, cam, rtol=1e-3, atol=1e-6)


def test_xgrad_cam_conserves_and_hirescam_adds_up() -> None:
    """On a map that more than one layer follows, their sums are those of value times gradient."""
    model, view, target = tiny.torch_model(), tiny.view(5), ClassTarget(1)
    maps, gradients = model.activation_gradients(view[None], "1", target)
    whole = float((maps * gradients).sum(dtype=np.float64))
    for method in ("xgrad-cam", "hirescam"):
        found = explained(model, view, target, method, relu=False, layer="1")
        assert found.grain.cells.sum() == pytest.approx(whole, rel=1e-4)
    grad = explained(model, view, target, "grad-cam", relu=False, layer="1")
    assert grad.grain.cells.sum() != pytest.approx(whole, rel=1e-2)


def test_the_first_component_of_a_known_map() -> None:
    rng = np.random.default_rng(0)
    bump, direction = np.zeros((5, 6)), rng.normal(size=7)
    bump[1, 4], direction = 3.0, direction / np.linalg.norm(direction)
    maps = bump[..., None] * direction + rng.normal(size=7)
    for turned in (1, -1):  # the sign of the direction does not matter, that of the bump does
        along, share = principal((turned * maps).astype(np.float32))
        np.testing.assert_allclose(along, bump - bump.mean(), atol=1e-5)
        assert share == pytest.approx(1)
    assert not principal(np.ones((3, 3, 2), np.float32))[0].any()


# Transformers


def transformer(kind: str) -> Any:
    from torchvision.models import SwinTransformer, VisionTransformer

    torch.manual_seed(3)
    if kind == "vit":
        net = VisionTransformer(
            image_size=48, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32,
            num_classes=4,
        )  # fmt: skip
    else:
        net = SwinTransformer(
            patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=[3, 3],
            num_classes=4,
        )  # fmt: skip
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)
    return TorchModel(
        net, name=kind, kind="test", architecture=kind, labels=tuple("abcd"),
        preprocessing=preset("symmetric", (48, 48)),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_no_map_of_a_transformer_is_blank(kind: str) -> None:
    model = transformer(kind)
    view = np.random.default_rng(1).random((48, 48, 3), np.float32)
    order = np.argsort(-model.logits(view[None])[0])
    drawn = 0
    for name in FAMILY:
        cls = explainers()[name]
        if reason := cls.why_not(model):
            assert (name, kind) == ("cam", "vit"), reason
            continue
        for engine in ("ours", "grad-cam"):
            for index in order[: 2 if engine == "ours" else 1].tolist():
                if engine == "grad-cam" and (name in ("cam", "reciprocam", "ablationcam")):
                    continue
                found = explained(model, view, ClassTarget(index), name, engine=engine)
                assert np.ptp(found.attribution) > 0, (name, engine, index)
                assert found.grain.rows == 6
                drawn += 1
    assert drawn >= 26


def test_reciprocam_on_a_vit_keeps_its_class_token() -> None:
    """Arxiv 2310.02588: tokens after the norm of the last block are masked, all else stays."""
    model = transformer("vit")
    view = np.random.default_rng(2).random((48, 48, 3), np.float32)
    layer = default_layer(model)
    assert layer == "encoder.layers.encoder_layer_1.ln_1"
    body = model.native().body
    seen = (torch.from_numpy(view).permute(2, 0, 1)[None] - 0.5) / 0.5
    scores = []
    for cell in range(36):

        def mask(module: Any, args: Any, output: Any, cell: int = cell) -> Any:
            kept = torch.zeros_like(output)
            kept[:, 0], kept[:, 1 + cell] = output[:, 0], output[:, 1 + cell]
            return kept

        handle = body.get_submodule(layer).register_forward_hook(mask)
        with torch.no_grad():
            scores.append(float(body(seen)[0, 2]))
        handle.remove()
    found = explained(model, view, ClassTarget(2), "reciprocam")
    np.testing.assert_allclose(found.arrays["scores"], scores, atol=1e-4)
    assert np.ptp(scores) > 1e-3


def test_cam_on_a_swin_and_where_the_head_does_not_allow_it() -> None:
    name, why = averaged(transformer("swin"))
    assert name in ("norm", "permute")
    assert why == ""
    deep = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 6),
        nn.ReLU(), nn.Linear(6, 3),
    )  # fmt: skip
    model = TorchModel(
        deep, name="deep", kind="test", architecture="deep", labels=tuple("abc"),
        preprocessing=preset("symmetric", tiny.SIZE),
    )  # fmt: skip
    with pytest.raises(UnsupportedModel, match="CAM needs a global average over a layer's map"):
        explained(model, tiny.view(), ClassTarget(0), "cam")
    assert averaged(tiny.torch_model()) == ("4", "")
    assert averaged(tiny.keras_model()) == ("b", "")


# What the libraries do that is not what they say


def twice() -> Any:
    """Return a network whose one ReLU runs twice."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.relu, self.dense = nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.relu(self.second(self.relu(self.first(x))))
            out: torch.Tensor = self.dense(maps.mean((2, 3)))
            return out

    torch.manual_seed(0)
    return TorchModel(
        Twice(), name="twice", kind="test", architecture="twice", labels=tuple("abc"),
        preprocessing=preset("symmetric", tiny.SIZE),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["grad-cam", "layercam", "eigencam", "scorecam", "ablationcam"])
def test_a_layer_that_runs_twice_is_refused_by_the_library_only(method: str) -> None:
    model = twice()
    assert explained(model, tiny.view(), ClassTarget(0), method, layer="relu").grain.rows == 24
    with pytest.raises(UnsupportedModel, match="relu runs several times in one pass"):
        explained(model, tiny.view(), ClassTarget(0), method, layer="relu", engine="grad-cam")
    assert isinstance(model.native_layer("relu"), nn.ReLU)


def test_ablation_by_the_library_leaves_the_model_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model, view = tiny.torch_model(), tiny.view()
    before, inner = model.logits(view[None]), model.native_layer("4")

    def stop(done: int, total: int, partial: Any = None, arrays: Any = None) -> None:
        if total > 1:
            raise RuntimeError("cancelled")

    method = make("ablationcam", {}, engine="grad-cam")
    with pytest.raises(RuntimeError, match="cancelled"):
        method.explain(model, view, ClassTarget(0), progress=stop)
    np.testing.assert_array_equal(model.logits(view[None]), before)
    assert model.native_layer("4") is inner
    swin = transformer("swin")
    other = np.random.default_rng(1).random((48, 48, 3), np.float32)
    with pytest.raises(UnsupportedModel, match="whose channels come first"):
        explained(swin, other, ClassTarget(0), "ablationcam", engine="grad-cam")


def test_ablation_by_the_library_says_where_it_turns_the_map_round() -> None:
    model, view = tiny.torch_model(), tiny.view(3)
    scores = model.logits(view[None])[0]
    low, high = int(scores.argmin()), int(scores.argmax())
    behind, ahead = ClassTarget(low, against=high), ClassTarget(high, against=low)
    ours = explained(model, view, behind, "ablationcam", relu=False)
    library = explained(model, view, behind, "ablationcam", engine="grad-cam")
    assert "as if it spoke for it" in library.notes[0]
    turned = scaled(resize(np.maximum(-ours.grain.cells, 0), tiny.SIZE, "linear"))
    np.testing.assert_allclose(turned, library.attribution, atol=1e-4)
    assert explained(model, view, ahead, "ablationcam", engine="grad-cam").notes == ()
    below = explained(model, view, ahead, "ablationcam", engine="grad-cam", layer="3")
    assert "10,000,000 below" in below.notes[0]


def test_library_shows_its_progress_and_not_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    steps: list[tuple[int, int]] = []
    for method in ("scorecam", "ablationcam"):
        make(method, {}, engine="grad-cam").explain(
            tiny.torch_model(), tiny.view(), ClassTarget(0),
            progress=lambda done, total, partial=None: steps.append((done, total)),
        )  # fmt: skip
    assert steps[-1] == (1, 1)
    assert "it/s" not in capfd.readouterr().err


def test_xplique_refuses_a_probability() -> None:
    model, target = tiny.keras_model(), ClassTarget(0, of="probability")
    for method in ("grad-cam", "grad-cam++"):
        with pytest.raises(ParamError, match=r"by the engine xplique explains the score before"):
            explained(model, tiny.view(), target, method, engine="xplique")
        with pytest.raises(ParamError, match="Choose that, or the engine ours"):
            Question(method=method, target=target, engine="xplique").made()
        Question(method=method, target=target).made()


# What is said


@pytest.mark.parametrize("method", ["eigencam", "fem"])
def test_what_does_not_depend_on_the_class_says_so(method: str) -> None:
    model, view = tiny.torch_model(), tiny.view(1)
    first = explained(model, view, ClassTarget(0), method)
    for target in (ClassTarget(1), ClassTarget(2, against=1), ClassTarget(0, of="probability")):
        other = explained(model, view, target, method)
        np.testing.assert_array_equal(first.attribution, other.attribution)
    assert explainers()[method].class_agnostic
    chances = np.array([0.02, 0.9, 0.08], np.float32)
    doubts = report.doubts(first, chances, tiny.CLASSES)
    assert AGNOSTIC in doubts
    assert not any("probability of only" in doubt for doubt in doubts)
    said = report.sentences(first, chances, tiny.CLASSES)
    assert said[0].startswith("Half of what stands out lies in")
    assert "evidence" not in " ".join(said)
    served = {
        name: Service(why_not=None, engines={"ours": None})
        for name in ("eigencam", "fem", "occlusion")
    }
    assert report.check(first, served, tiny.SIZE) == (
        "To see what speaks for the class, run Occlusion."
    )
    plain = explained(model, view, ClassTarget(0), "grad-cam++")
    only = {name: served[name] for name in ("eigencam", "fem")}
    assert report.check(plain, only, tiny.SIZE) == ""  # neither is a check of a class
    assert AGNOSTIC not in report.doubts(plain, chances, tiny.CLASSES)


def test_blank_maps_are_explained() -> None:
    model, view = tiny.torch_model(), tiny.view()
    blank = explained(model, view, ClassTarget(0), "fem", k=5.0, layer="4")
    if not blank.attribution.any():
        assert "standard deviations above" in " ".join(blank.notes)
    flat = np.full((*tiny.SIZE, 3), 0.5, np.float32)  # zeros for the network
    found = explained(model, flat, ClassTarget(0), "eigencam")
    assert found.notes[0] == "The map is blank: EigenCAM gave zero for every pixel."
    assert "All cells of the layer 4 hold the same" in found.notes[1]
    found = explained(model, flat, ClassTarget(0), "reciprocam")
    assert any("alone gets the same score" in note or "depend" in note for note in found.notes)
    scores = model.logits(view[None])[0]
    low = ClassTarget(int(scores.argmin()))
    cut = explained(model, view, low, "ablationcam", relu=True)
    if not cut.attribution.any():
        assert any("ReLU leaves nothing" in note for note in cut.notes)


@pytest.mark.parametrize("engine", ["ours", "grad-cam"])
@pytest.mark.parametrize("method", ["ablationcam", "hirescam", "layercam"])
def test_a_score_that_nothing_moves_is_told_as_that(method: str, engine: str) -> None:
    dead = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    nn.init.zeros_(dead[4].weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = TorchModel(
            dead, name="dead", kind="test", architecture="dead", labels=tuple("abc"),
            preprocessing=preset("symmetric", tiny.SIZE),
        )  # fmt: skip
    found = explained(model, tiny.view(), ClassTarget(0), method, layer="1", engine=engine)
    assert not found.attribution.any()
    assert found.notes[0].startswith("The map is blank")
    if engine == "ours":
        assert "does not depend on the photo" in found.notes[1]


def test_what_overflows_is_told_by_its_layer() -> None:
    loud = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    model = TorchModel(
        loud, name="loud", kind="test", architecture="loud", labels=tuple("abc"),
        preprocessing=preset("symmetric", tiny.SIZE),
    )  # fmt: skip
    with torch.no_grad():
        model.native_layer("0").bias.fill_(float("inf"))
    for method in ("fem", "grad-cam", "reciprocam"):
        with pytest.raises(UnsupportedModel, match="layer 1 gives values on this photo that are"):
            explained(model, tiny.view(), ClassTarget(0), method, layer="1")


@pytest.mark.parametrize("method", ["cam", "ablationcam", "reciprocam"])
def test_a_unit_is_no_class_score(method: str) -> None:
    model = tiny.torch_model()
    with pytest.raises(ParamError, match="explains classes, and no unit of a layer"):
        explained(model, tiny.view(), UnitTarget("4", 1), method)


def test_a_layer_with_negative_values_is_told_for_xgrad_cam() -> None:
    found = explained(tiny.torch_model(), tiny.view(), ClassTarget(0), "xgrad-cam", layer="3")
    assert "has values below zero" in found.notes[-1]


# Cost


def test_costs_follow_the_layer() -> None:
    model, card = tiny.torch_model(), object.__new__(Card)
    rows = model.layers()
    for name, value in (("layers", rows), ("default_layer", "4"), ("input_size", tiny.SIZE)):
        object.__setattr__(card, name, value)
    assert layer_of(card, "") == layer_of(model, "") == rows[-1]
    for known in (model, card):
        assert make("ablationcam", {}).cost(known) == Cost(forward=1, rest=9)
        assert make("ablationcam", {"layer": "4"}).cost(known) == Cost(forward=1, rest=9)
        # the rest behind another layer was not timed: whole passes are the most that it can be
        assert make("ablationcam", {"layer": "1"}).cost(known) == Cost(forward=8)
        reckoned = Cost(forward=1, rest=12 * 14 + 1, at_most=True)
        assert make("reciprocam", {}).cost(known) == reckoned
        assert make("scorecam", {"layer": "1"}).cost(known) == Cost(forward=7)
        assert make("fem", {}).cost(known) == Cost(forward=1)
    cost = Cost(forward=1, rest=9)
    assert cost.passes == 10
    assert Pace(forward=100).seconds(cost) == pytest.approx(1.0)
    assert Pace(forward=100, rest=10).seconds(cost) == pytest.approx(0.19)


@pytest.mark.parametrize("method", ["scorecam", "ablationcam", "reciprocam"])
def test_partial_maps_grow_into_the_result(whole_twins: tuple[Any, Any], method: str) -> None:
    twins = whole_twins
    view = made.views(twins[0])[0]
    seen: list[tuple[int, Any]] = []

    def keep(done: int, total: int, partial: Any = None) -> None:
        if partial is not None:
            seen.append((done, partial.copy()))

    target = ClassTarget(0, of="probability")  # of a logit, ablation needs no loop here
    result = make(method, {}).explain(twins[0], view, target, progress=keep)
    assert len(seen) >= 5
    assert all(np.isfinite(partial).all() for _, partial in seen)
    np.testing.assert_allclose(seen[-1][1], result.attribution, atol=1e-6)
    assert np.abs(seen[0][1] - result.attribution).max() > 0
