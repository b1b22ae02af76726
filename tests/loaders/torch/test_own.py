"""Networks of one's own class: they flatten by `view`, are dense, or were exported oddly."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.loaders.torch.networks import (
    KINDS,
    about,
    made,
    opened,
    photos,
    save,
    truth,
    views,
)
from xai_core.errors import NeedsSource, UnsupportedModel
from xai_core.target import ClassTarget

FLATTENS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d({channels}, 6, 5)
        self.two = nn.Conv2d(6, 8, 5)
        self.out = nn.Linear({numbers}, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.one(x)), 2)
        x = F.max_pool2d(F.relu(self.two(x)), 2)
        return self.out(x.view(-1, {numbers}))
"""
DENSE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear({numbers}, 16)
        self.two = nn.Linear(16, 5)

    def forward(self, x):
        return self.two(self.one({flat}).relu())
"""
ONE_BY_ONE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 5, 4)
        self.out = nn.Linear(8 * 8 * 8, 4)

    def forward(self, x):
        return self.out(self.maps(x).relu().{flat})
"""


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def flattens(side: int, channels: int = 3, other: int = 0) -> tuple[Any, str]:
    cells = [((each - 4) // 2 - 4) // 2 for each in (side, other or side)]
    return made(FLATTENS.format(channels=channels, numbers=8 * cells[0] * cells[1]))


def right(network: Any, model: Any) -> None:
    """Answers, gradients and activations are plain PyTorch's."""
    given = views(model)
    np.testing.assert_allclose(model.logits(given), truth(network, model, given), atol=1e-5)
    x = torch.from_numpy(given).permute(0, 3, 1, 2).contiguous().requires_grad_()
    grey = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    score = sum(network(each[None]).reshape(-1)[1] for each in (x if model.channels == 3 else grey))
    score.backward()
    gradients = model.gradients(given, ClassTarget(1))
    np.testing.assert_allclose(gradients, x.grad.permute(0, 2, 3, 1), atol=1e-5)
    for row in model.layers()[-1:]:
        maps, slopes = model.activation_gradients(given, row.name, ClassTarget(1))
        assert slopes.shape == maps.shape
        np.testing.assert_allclose(maps, model.activations(given, row.name), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3)])
def test_a_network_that_flattens_by_view(
    tmp_path: Path, kind: str, side: int, channels: int
) -> None:
    network, text = flattens(side, channels)
    path = tmp_path / "file.pt2"
    model = opened(path, **save(network, path, kind, (2, channels, side, side), text))
    assert model.input_size == (side, side)
    right(network, model)


@pytest.mark.parametrize("side", [64, 100, 180])
def test_the_size_is_worked_out_of_the_dense_layer(tmp_path: Path, side: int) -> None:
    network, text = flattens(side)
    model = opened(tmp_path / "file", **save(network, tmp_path / "file", "source", (), text))
    assert model.input_size == (side, side)
    said = about(model, "size")
    assert f"{side} x {side} is taken" in said
    assert "--size" in said
    np.testing.assert_allclose(
        model.logits(views(model)), truth(network, model, views(model)), atol=1e-5
    )


def test_the_size_of_a_trace_is_read(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    save(network, tmp_path / "file", "traced", (1, 3, 90, 70))
    model = opened(tmp_path / "file")
    assert model.input_size == (90, 70)
    assert not about(model, "size")


def test_a_size_that_is_not_square(tmp_path: Path) -> None:
    network, text = flattens(32, other=48)
    options = save(network, tmp_path / "file", "source", (), text)
    right(network, opened(tmp_path / "file", size=(32, 48), **options))
    with pytest.raises(UnsupportedModel, match="map of 45 cells, which is no square"):
        opened(tmp_path / "file", **options)


def test_a_wrong_pooling_is_no_matter_of_size(tmp_path: Path) -> None:
    network, text = flattens(32)
    options = save(network, tmp_path / "file", "source", (), text)
    wrong = options["source"].replace("x.view(", "x[:, :7].reshape(")
    with pytest.raises(UnsupportedModel, match="no size of photo brings together"):
        opened(tmp_path / "file", source=wrong)


def test_what_fails_at_every_size_is_no_matter_of_size(tmp_path: Path) -> None:
    network, text = flattens(32)
    options = save(network, tmp_path / "file", "source", (), text)
    wrong = options["source"].replace("x.view(", "x.nothing().view(")
    with pytest.raises(UnsupportedModel, match=r"whatever their size .*nothing"):
        opened(tmp_path / "file", source=wrong)


@pytest.mark.parametrize(
    ("numbers", "channels", "side", "flat"),
    [
        (784, 1, 28, "x.flatten(1)"),
        (784, 1, 28, "x"),
        (3072, 3, 32, "x.view(x.size(0), -1)"),
        (12288, 3, 64, "x"),
    ],
)
@pytest.mark.parametrize("kind", ["source", "scripted"])
def test_a_dense_network_takes_pictures(
    tmp_path: Path, numbers: int, channels: int, side: int, flat: str, kind: str
) -> None:
    network, text = made(DENSE.format(numbers=numbers, flat=flat))
    model = opened(tmp_path / "file", **save(network, tmp_path / "file", kind, (), text))
    assert (model.channels, model.input_size) == (channels, (side, side))
    said = about(model, "size")
    assert f"{numbers:,} numbers" in said
    assert "--channels" in said
    assert "--size" in said
    right(lambda x: network(x.flatten(1)), model)


def test_dense_weights_for_pictures_ask_for_their_source(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(784, 8)).state_dict(), tmp_path / "file")
    with pytest.raises(NeedsSource, match="28 x 28 pixels in grey"):
        opened(tmp_path / "file")


def test_a_dense_network_of_asked_pictures(tmp_path: Path) -> None:
    network, text = made(DENSE.format(numbers=12288, flat="x.flatten(1)"))
    options = save(network, tmp_path / "file", "source", (), text)
    model = opened(tmp_path / "file", size=(128, 96), channels="grey", **options)
    assert (model.channels, model.input_size) == (1, (128, 96))
    right(network, model)


@pytest.mark.parametrize(
    ("kind", "batch", "flat"),
    [("pt2", 1, "flatten(1)"), ("pt2", 4, "flatten(1)"), ("traced", 1, "view(1, -1)")],
)
def test_a_fixed_batch(tmp_path: Path, kind: str, batch: int, flat: str) -> None:
    network, _ = made(ONE_BY_ONE.format(flat=flat))
    path = tmp_path / "file.pt2"
    save(network, path, kind, (batch, 3, 36, 36), free=False)
    model = opened(path)
    assert model.input_size == (36, 36)
    assert any("at once" in each.message for each in model.findings)
    right(network, model)
    given = views(model, 5)
    np.testing.assert_allclose(model.logits(given), truth(network, model, given), atol=1e-5)
    layer = model.layers()[-1].name
    maps = model.activations(given, layer)
    one = model.activations(given[4:], layer)
    np.testing.assert_allclose(maps[4:], one, atol=1e-6)


@pytest.mark.parametrize("kind", ["traced", "scripted", "pt2"])
@pytest.mark.parametrize("cast", ["x", "x.half()"])
def test_half_precision(tmp_path: Path, kind: str, cast: str) -> None:
    network, _ = made(f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 5, 4)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.maps({cast}).relu().mean((2, 3)))
""")
    path = tmp_path / "file.pt2"
    network.half()
    example = torch.rand(2, 3, 48, 48, dtype=torch.half if cast == "x" else torch.float32)
    if kind == "pt2":
        dynamic = ({0: torch.export.Dim("batch")},)
        exported = torch.export.export(network, (example,), dynamic_shapes=dynamic)
        torch.export.save(exported, path)
    else:
        script = (
            torch.jit.trace(network, example) if kind == "traced" else torch.jit.script(network)
        )
        torch.jit.save(script, str(path))
    model = opened(path, size=(48, 48))
    given = views(model)
    logits = model.logits(given)
    assert logits.dtype == np.float32
    x = photos(model, given).to(example.dtype)
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(x).float(), atol=5e-3)


def test_an_inner_layer_after_gradients_of_a_script(tmp_path: Path) -> None:
    network, _ = made("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 8, 5, 4)
        self.beside = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        z = self.out(self.maps(x).relu().mean((2, 3)))
        return torch.stack([z.softmax(1), self.beside(x).flatten(1).softmax(1)]).mean(0)
""")
    save(network, tmp_path / "file", "traced", (2, 3, 48, 48))
    model = opened(tmp_path / "file")
    given = views(model)
    for row in model.layers():
        first = model.activation_gradients(given, row.name, ClassTarget(0))[0]
        np.testing.assert_allclose(model.activations(given, row.name), first, atol=1e-6)
    assert model.gradients(given, ClassTarget(0)).shape == given.shape
    assert model.logits(given).shape == (2, 4)
