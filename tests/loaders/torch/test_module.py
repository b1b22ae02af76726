"""Files that bring their own network, against the network that was saved."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from loaders import vitrine_net
from loaders.load import load
from loaders.preprocessing import Options
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.explainer import explainers, make
from xai_core.target import ClassTarget


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(path: Path, **options: Any) -> Any:
    return load(path, Options(**options), name="upload")


def network(end: nn.Module | None = None, channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(channels, 8, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 6, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    ]
    return nn.Sequential(*layers, *([end] if end else [])).eval()


def save(module: nn.Module, path: Path, kind: str, size: int = 64, channels: int = 3) -> Path:
    example = torch.rand(2, channels, size, size)
    if kind == "pickle":
        torch.save(module, path)
    elif kind == "script":
        torch.jit.save(torch.jit.trace(module, example), str(path))
    else:
        dynamic = {0: torch.export.Dim("batch")}
        torch.export.save(torch.export.export(module, (example,), dynamic_shapes=(dynamic,)), path)
    return path


def answers(module: nn.Module, model: Any, views: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(views).permute(0, 3, 1, 2)
    if model.channels == 1:
        x = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1)
        for values in (model.preprocessing.mean, model.preprocessing.std)
    )
    with torch.no_grad():
        return module((x - mean) / std).numpy()


ENDS: dict[str, nn.Module | None] = {
    "logits": None,
    "softmax": nn.Softmax(1),
    "log-softmax": nn.LogSoftmax(1),
    "sigmoid": nn.Sigmoid(),
}


@pytest.mark.parametrize("kind", ["pickle", "script", "pt2"])
@pytest.mark.parametrize("end", ENDS)
def test_answers_are_the_networks_own(tmp_path: Path, kind: str, end: str) -> None:
    module = network(ENDS[end])
    path = save(module, tmp_path / "file", kind)
    model = opened(path, size=(64, 64))
    assert model.head.kind == end
    views = np.random.default_rng(0).random((3, 64, 64, 3), np.float32)
    theirs = answers(module, model, views)
    logits = model.logits(views)
    if end == "logits":
        np.testing.assert_allclose(logits, theirs, atol=1e-5)
    chances = model.head.probabilities(logits)
    expected = {
        "logits": lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
        "log-softmax": np.exp,
    }.get(end, lambda x: x)(theirs)
    np.testing.assert_allclose(chances, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["pickle", "pt2"])
def test_layers_are_those_of_the_network(tmp_path: Path, kind: str) -> None:
    module = network(nn.Softmax(1))
    model = opened(save(module, tmp_path / "file", kind), size=(64, 64))
    view = np.random.default_rng(0).random((64, 64, 3), np.float32)
    (layer,) = (row for row in model.layers() if row.name.endswith("2"))
    with torch.no_grad():
        x = torch.from_numpy(view).permute(2, 0, 1)[None]
        theirs = module[:3](x)[0].permute(1, 2, 0).numpy()
    ours = model.activations(view[None], layer.name)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (
        np.ptp(make("grad-cam", {"relu": False}).explain(model, view, ClassTarget(1)).attribution)
        > 0
    )


class Writes(nn.Module):
    """A residual block that is all its own code, and writes in place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.conv(x))
        out += x
        return out.relu_()


def scripted(how: str, path: Path) -> nn.Module:
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        Writes(6),
        nn.Sequential(nn.MaxPool2d(2), Writes(6)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    ).eval()
    module[1].norm.running_mean.normal_()
    if how == "traced":
        script = torch.jit.trace(module, torch.rand(1, 3, 64, 64))
    else:
        script = torch.jit.script(module)
    torch.jit.save(torch.jit.freeze(script) if how == "frozen" else script, str(path))
    return module


def watched(module: nn.Module, part: nn.Module, x: torch.Tensor) -> tuple[Any, Any]:
    """Return a part's output and d score 2 / d output, by a hook."""
    kept: list[torch.Tensor] = []
    handle = part.register_forward_hook(lambda *seen: kept.append(seen[2].clone()) or kept[0])
    score = module(x)[0, 2]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept[0])
    return kept[0].detach(), gradient


@pytest.mark.parametrize("how", ["traced", "scripted", "frozen"])
def test_the_layers_of_a_script(tmp_path: Path, how: str) -> None:
    module = scripted(how, tmp_path / "file")
    model = opened(tmp_path / "file", size=(64, 48))
    view = np.random.default_rng(0).random((1, 64, 48, 3), np.float32)
    names = [row.name for row in model.layers()]
    if how == "frozen":
        first, last = names[0], names[-1]
    else:
        first, last = "1.conv", "2.1.relu"
        assert "1.norm" in names
    # Freezing folds each norm into the convolution before it.
    pairs = [(last, module[2])] if how == "frozen" else [(first, module[1].conv), (last, module[2])]
    x = torch.from_numpy(view).permute(0, 3, 1, 2).requires_grad_()
    for name, part in pairs:
        maps, gradients = model.activation_gradients(view, name, ClassTarget(2))
        wanted, slope = watched(module, part, x)
        np.testing.assert_allclose(maps, wanted.permute(0, 2, 3, 1), atol=1e-5)
        np.testing.assert_allclose(gradients, slope.permute(0, 2, 3, 1), atol=1e-5)
        np.testing.assert_allclose(model.activations(view, name), maps, atol=1e-6)
    assert model.layers()[-1].map_size == (15, 11)
    made = make("grad-cam", {"relu": False}).explain(model, view[0], ClassTarget(2))
    assert np.ptp(made.attribution) > 0
    wanted, slope = watched(module, module[2], x)
    np.testing.assert_allclose(
        made.grain.cells, (wanted * slope.mean((2, 3), keepdim=True)).sum(1)[0], atol=1e-5
    )


def test_a_script_with_channels_last(tmp_path: Path) -> None:
    module = models.swin_t(weights=None, num_classes=3).eval()
    torch.save(module, tmp_path / "whole")
    torch.jit.save(torch.jit.trace(module, torch.rand(1, 3, 64, 64)), str(tmp_path / "file"))
    whole, script = (opened(tmp_path / name, size=(64, 64)) for name in ("whole", "file"))
    view = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    rows = {row.name: row.map_size for row in whole.layers()}
    both = [row for row in script.layers() if row.name in rows]
    assert {row.name: row.map_size for row in both} == {row.name: rows[row.name] for row in both}
    for row in both[-3:]:
        wanted = whole.activations(view, row.name)
        np.testing.assert_allclose(script.activations(view, row.name), wanted, atol=1e-4)


def test_a_script_gives_gradients_and_runs_no_hooks(tmp_path: Path) -> None:
    module = network()
    model = opened(save(module, tmp_path / "file", "script"), size=(64, 64))
    view = np.random.default_rng(0).random((64, 64, 3), np.float32)
    x = torch.from_numpy(view).permute(2, 0, 1)[None].requires_grad_()
    module(x)[0, 1].backward()
    gradient = model.gradients(view[None], ClassTarget(1))[0]
    np.testing.assert_allclose(gradient, x.grad[0].permute(1, 2, 0).numpy(), atol=1e-5)
    assert np.ptp(make("occlusion", {}).explain(model, view, ClassTarget(1)).attribution) > 0
    engines = {engine.name: engine for engine in explainers()["grad-cam"].engines}
    assert "TorchScript runs none" in (engines["grad-cam"].why_not(model) or "")


class Counts(nn.Module):
    """A network whose code adds numbers, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu()
        side = x.size(2) + x.size(3)
        return x.sum((2, 3)) / side


def test_a_script_that_adds_numbers_has_layers_of_maps_alone(tmp_path: Path) -> None:
    module = Counts().eval()
    torch.jit.save(torch.jit.script(module), str(tmp_path / "file"))
    model = opened(tmp_path / "file", size=(32, 32))
    assert [row.name for row in model.layers()] == ["conv", "relu_1"]


def test_a_script_whose_graph_cannot_be_cut_runs_without_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(network(), tmp_path / "file", "script")

    def fails(*given: Any) -> Any:
        raise RuntimeError("no such pass")

    monkeypatch.setattr(torch._C, "_create_function_from_graph", fails)
    model = opened(path, size=(64, 64))
    assert model.layers() == ()
    assert model.logits(np.zeros((1, 64, 64, 3), np.float32)).shape == (1, 4)


def test_a_script_without_maps_says_so(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 8), nn.ReLU(), nn.Linear(8, 3))
    model = opened(save(module.eval(), tmp_path / "file", "script", size=28), size=(28, 28))
    assert model.layers() == ()
    assert "shows no layer that gives a map" in (explainers()["grad-cam"].why_not(model) or "")


@pytest.mark.parametrize("kind", ["script", "pt2"])
def test_what_runs_code_needs_the_sandbox(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(network(), tmp_path / "file", kind)
    monkeypatch.setenv("VITRINE_SANDBOX", "missing")
    with pytest.raises(LoadError, match="runs code that the file brings"):
        opened(path)


def test_a_pickled_torchvision_module_is_recognised(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=5).eval()
    torch.save({"epoch": 2, "model": module}, tmp_path / "file")
    model = opened(tmp_path / "file")
    assert model.architecture == "shufflenet_v2_x0_5"
    assert model.preprocessing.name == "imagenet"
    assert len(model.labels) == 5
    views = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    np.testing.assert_allclose(model.logits(views), answers(module, model, views), atol=1e-4)


def test_grey_networks_and_networks_of_one_size(tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10)
    ).eval()
    model = opened(save(module, tmp_path / "file", "pickle"))
    assert model.input_size == (28, 28)
    assert model.channels == 1
    views = np.random.default_rng(0).random((2, 28, 28, 3), np.float32)
    np.testing.assert_allclose(model.logits(views), answers(module, model, views), atol=1e-4)


def test_exported_size_is_read(tmp_path: Path) -> None:
    model = opened(save(network(), tmp_path / "file", "pt2", size=72))
    assert model.input_size == (72, 72)


def test_safetensors(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=5).eval()
    save_file(module.state_dict(), tmp_path / "file")
    model = opened(tmp_path / "file")
    views = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    np.testing.assert_allclose(model.logits(views), answers(module, model, views), atol=1e-4)
    whole = (tmp_path / "file").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LoadError, match="safetensors file is damaged"):
        opened(tmp_path / "cut")


class Boxes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3)).reshape(-1, 1, 1).expand(-1, 3, 4)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 2, 3)), "no image classifier"),
        (nn.Sequential(nn.Conv2d(7, 2, 3), nn.Flatten()), "takes 7 channels"),
        (nn.Sequential(nn.Flatten(), nn.Linear(17, 3)), "dense layers alone"),
    ],
)
def test_what_is_no_classifier_is_named(tmp_path: Path, module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        opened(save(module.eval(), tmp_path / "file", "pickle"))


def test_a_whole_built_in_network_is_prepared_as_it_was_trained(tmp_path: Path) -> None:
    body = vitrine_net.build(6).eval()
    torch.jit.trace(body, torch.rand(2, 3, 128, 128)).save(tmp_path / "m.pt")
    model = load(tmp_path / "m.pt", Options(), name="m")
    assert (model.architecture, model.preprocessing.name) == ("vitrine_net", "symmetric")
    assert model.input_size == (128, 128)
    assert any("has the tensors of the built-in models" in row.message for row in model.findings)
