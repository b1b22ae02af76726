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

from loaders.load import load
from loaders.preprocessing import Options
from xai_core.errors import LoadError, UnsupportedModel
from xai_core.explainer import explainers, make
from xai_core.model import Target


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
    assert np.ptp(make("grad-cam", {"relu": False}).explain(model, view, Target(1)).attribution) > 0


def test_a_script_gives_everything_but_layers(tmp_path: Path) -> None:
    module = network()
    model = opened(save(module, tmp_path / "file", "script"), size=(64, 64))
    view = np.random.default_rng(0).random((64, 64, 3), np.float32)
    assert model.layers() == ()
    reason = explainers()["grad-cam"].why_not(model)
    assert reason
    assert "TorchScript network cannot be watched" in reason
    x = torch.from_numpy(view).permute(2, 0, 1)[None].requires_grad_()
    module(x)[0, 1].backward()
    gradient = model.gradients(view[None], Target(1))[0]
    np.testing.assert_allclose(gradient, x.grad[0].permute(1, 2, 0).numpy(), atol=1e-5)
    assert np.ptp(make("occlusion", {}).explain(model, view, Target(1)).attribution) > 0


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
        (nn.Sequential(nn.Flatten(), nn.Linear(17, 3)), "does not run on photos"),
    ],
)
def test_what_is_no_classifier_is_named(tmp_path: Path, module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        opened(save(module.eval(), tmp_path / "file", "pickle"))
