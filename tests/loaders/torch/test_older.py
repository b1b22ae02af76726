"""Whole modules in the format before PyTorch 1.6: their classes are read, their sources never."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from loaders.load import load
from loaders.options import Options
from loaders.torch import older
from xai_core.errors import LoadError

pytestmark = pytest.mark.filterwarnings("ignore")  # torch, about the format


def old(content: object, path: Path) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def small() -> nn.Sequential:
    # `module` and `Sequential` come twice, so that the pickle asks its memory for them
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    ends = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    made = nn.Sequential(inner, nn.Sequential(nn.Conv2d(4, 4, 3)), *ends)
    made.add_module("module", nn.Identity())
    return made.eval()


@pytest.mark.parametrize("wrap", [lambda module: module, lambda module: {"net": module, "at": 3}])
def test_a_network_is_read_with_its_weights(tmp_path: Path, wrap: object) -> None:
    module = small()
    path = old(wrap(module), tmp_path / "m.pt")  # type: ignore[operator]
    model = load(path, Options(size=(32, 32), preprocessing="unit"), name="m")
    view = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(view).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.logits(view), expected, atol=1e-5)
    assert [layer.name for layer in model.layers()] == ["0.0", "0.1", "1.0"]


def test_a_network_of_torchvisions(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    model = load(old(module, tmp_path / "m.pt"), Options(size=(64, 64)), name="m")
    assert model.architecture == "shufflenet_v2_x0_5"
    assert len(model.labels) == 3


class Own(nn.Sequential):
    """A class whose source goes into the file."""


class Runs:
    """Pickles as a call."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return open, (str(self.mark), "w")


def test_a_class_of_ones_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"Own.*Send the class's source"):
        load(old(Own(*small()), tmp_path / "m.pt"), Options(), name="m")


def test_a_class_of_ones_own_is_taken_from_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    module = small()
    path = old(Own(*module), tmp_path / "m.pt")
    source = "from torch import nn\nclass Own(nn.Sequential):\n    pass\n"
    model = load(path, Options(source=source, size=(32, 32)), name="m")
    known = load(old(module, tmp_path / "n.pt"), Options(size=(32, 32)), name="n")
    views = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    np.testing.assert_allclose(model.logits(views), known.logits(views), atol=1e-6)
    assert any("taken from it" in finding.message for finding in model.findings)


def test_code_beside_a_network_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = old({"net": small(), "x": Runs(mark)}, tmp_path / "m.pt")
    with pytest.raises(LoadError, match="could run code"):
        load(path, Options(), name="m")
    assert not mark.exists()


def test_cut_and_bent_files_are_refused(tmp_path: Path) -> None:
    whole = old(small(), tmp_path / "m.pt").read_bytes()
    draw = np.random.default_rng(0)
    path = tmp_path / "bent"
    for _ in range(40):
        bent = bytearray(whole[: draw.integers(140, len(whole))])
        bent[draw.integers(137, len(bent))] ^= 1 << draw.integers(8)
        path.write_bytes(bytes(bent))
        with pytest.raises(LoadError):
            load(path, Options(size=(32, 32)), name="m")


def test_settings_that_came_later() -> None:
    layers = nn.Sequential(nn.GELU(), nn.AvgPool2d(2), nn.Upsample(scale_factor=2))
    for layer, name in zip(
        layers, ("approximate", "divisor_override", "recompute_scale_factor"), strict=True
    ):
        delattr(layer, name)
    view = torch.rand(1, 3, 8, 8)
    older.complete(layers)
    torch.testing.assert_close(layers(view).shape, view.shape)
    torch.testing.assert_close(layers[0](view), nn.functional.gelu(view))
