"""Files as strangers publish them: networks that normalise, recurrent ones, and stray modules."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models, transforms

from loaders.load import load
from loaders.preprocessing import Options
from tests.loaders.torch.networks import made, opened, save, views
from xai_core.errors import LoadError

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
NORMALISES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 5, 4)
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        x = {prepared}
        return self.out(self.first(x).relu().mean((2, 3)))
"""
ROWS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.GRU(28, 16, batch_first=True)
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        return self.out(self.rows(x.view(-1, 28, 28))[0][:, -1])
"""
FLATTENS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, 2)
        self.out = nn.Linear(6 * 15 * 15, 3)

    def forward(self, x):
        x = self.first(x).relu()
        return self.out(x.view(x.size(0), -1))
"""
TWO = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 5, 4)
        self.age, self.kind = nn.Linear(6, 1), nn.Linear(6, 3)

    def forward(self, x):
        x = self.first(x).relu().mean((2, 3))
        return {answer}
"""


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def agrees(model: Any, network: Any, times: float = 1.0) -> bool:
    seen = views(model)
    with torch.no_grad():
        want = network(times * torch.from_numpy(seen).permute(0, 3, 1, 2).contiguous())
    return bool(np.allclose(model.logits(seen), want.numpy(), atol=1e-3))


@pytest.mark.parametrize("kind", ["source", "traced", "pt2"])
@pytest.mark.parametrize(
    ("prepared", "taken", "times"),
    [
        ("(x - 0.45) / 0.225", "unit", 1),
        ("x * 2 - 1", "unit", 1),
        ("x / 255", "raw", 255),
        ("(x - 120.0) / 58.0", "raw", 255),
    ],
)
def test_a_network_that_normalises_itself_is_not_normalised_twice(
    tmp_path: Path, kind: str, prepared: str, taken: str, times: int
) -> None:
    network, text = made(NORMALISES.format(prepared=prepared))
    flags = save(network, tmp_path / "net.pt", kind, (2, 3, 64, 64), text)
    model: Any = load(tmp_path / "net.pt", Options(size=(64, 64), **flags), name="upload")
    assert model.preprocessing.name == taken
    assert agrees(model, network, times)
    (said,) = [each for each in model.findings if "prepares photos itself" in each.message]
    assert said.about == "preprocessing"


@pytest.mark.parametrize("prepared", ["x", "x - x.mean((2, 3), keepdim=True)", "x.clamp(0.4, 0.6)"])
def test_what_is_no_line_from_black_to_white_is_no_preparation(
    tmp_path: Path, prepared: str
) -> None:
    network, text = made(NORMALISES.format(prepared=prepared))
    save(network, tmp_path / "net.pt", "source", (2, 3, 64, 64))
    model: Any = load(tmp_path / "net.pt", Options(source=text, size=(64, 64)), name="upload")
    assert not any("prepares photos itself" in each.message for each in model.findings)
    assert model.preprocessing.name == "unit"


def test_torchvisions_network_behind_its_normalisation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        transforms.Normalize(*IMAGENET), models.squeezenet1_1(num_classes=3)
    ).eval()
    torch.save(network, tmp_path / "net.pt")
    model: Any = load(tmp_path / "net.pt", Options(), name="upload")
    assert (model.architecture, model.preprocessing.name) == ("squeezenet1_1", "unit")
    assert agrees(model, network)


def test_inceptions_own_turn_is_no_preparation_of_photos(tmp_path: Path) -> None:
    network = models.googlenet(
        num_classes=3, aux_logits=False, init_weights=False, transform_input=True
    )
    torch.save(network.eval(), tmp_path / "net.pt")
    model: Any = load(tmp_path / "net.pt", Options(), name="upload")
    assert model.preprocessing.name == "imagenet"


@pytest.mark.parametrize("asked", [{}, {"channels": "grey", "size": (28, 28)}])
def test_a_recurrent_network_may_read_the_rows_of_a_photo(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    network, text = made(ROWS)
    save(network, tmp_path / "net.pt", "source", (2, 1, 28, 28))
    model = opened(tmp_path / "net.pt", source=text, **asked)
    assert (model.input_size, model.channels) == ((28, 28), 1)
    grey = torch.from_numpy(views(model)) @ torch.tensor([0.299, 0.587, 0.114])
    with torch.no_grad():
        assert np.allclose(model.logits(views(model)), network(grey).numpy(), atol=1e-4)


def test_a_frozen_script_that_flattens_by_view_runs_as_it_is(tmp_path: Path) -> None:
    network, _ = made(FLATTENS)
    script = torch.jit.freeze(torch.jit.trace(network, torch.rand(2, 3, 32, 32)))
    torch.jit.save(script, str(tmp_path / "net.pt"))
    assert agrees(opened(tmp_path / "net.pt", size=(32, 32)), network)


def test_a_script_of_a_graphics_card_runs_without_one(tmp_path: Path) -> None:
    network, _ = made(NORMALISES.format(prepared='x + torch.full((1,), 0.2, device="cpu")'))
    save(network, tmp_path / "cpu.pt", "traced", (2, 3, 64, 64))
    with (
        zipfile.ZipFile(tmp_path / "cpu.pt") as one,
        zipfile.ZipFile(tmp_path / "gpu.pt", "w") as other,
    ):
        for name in one.namelist():
            code = one.read(name).replace(b'torch.device("cpu")', b'torch.device("cuda:0")')
            other.writestr(name, code if name.endswith(".py") else one.read(name))
    assert agrees(opened(tmp_path / "gpu.pt", size=(64, 64)), network)


@pytest.mark.parametrize("beside", ["head", "criterion"])
def test_a_module_beside_the_weights_that_reads_no_photos_is_not_the_network(
    tmp_path: Path, beside: str
) -> None:
    torch.manual_seed(0)
    network = models.resnet18(num_classes=3).eval()
    part = network.fc if beside == "head" else nn.CrossEntropyLoss(weight=torch.ones(3))
    names = {"newt": 1, "mole": 0, "owl": 2}
    content = {beside: part, "state_dict": network.state_dict(), "class_to_idx": names}
    torch.save(content, tmp_path / "net.pth")
    model = opened(tmp_path / "net.pth")
    assert (model.architecture, model.labels) == ("resnet18", ("mole", "newt", "owl"))
    assert agrees(model, network)


@pytest.mark.parametrize(
    "answer",
    [
        "self.age(x), self.kind(x)",
        '{"first": self.age(x), "second": self.kind(x)}',
        '{"age": self.kind(x)[:, :2], "kind": self.kind(x)}',
    ],
)
def test_one_number_and_a_quantity_give_way_to_scores(tmp_path: Path, answer: str) -> None:
    network, text = made(TWO.replace("{answer}", answer))
    save(network, tmp_path / "net.pt", "source", (2, 3, 64, 64))
    assert len(opened(tmp_path / "net.pt", source=text, size=(64, 64)).labels) == 3


def test_quantised_layers_are_named_with_a_way_out(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    quantised = torch.ao.quantization.quantize_dynamic(network, {nn.Linear})
    torch.save(quantised, tmp_path / "net.pt")
    with pytest.raises(LoadError, match=r"quantised layers .* Bring the float model"):
        opened(tmp_path / "net.pt")


def test_tensors_without_numbers_and_without_classes_are_refused_in_words(tmp_path: Path) -> None:
    state = models.squeezenet1_1(num_classes=3).state_dict()
    bare = {name: tensor.to("meta") for name, tensor in state.items()}
    torch.save(bare, tmp_path / "meta.pth")
    with pytest.raises(LoadError, match="a shape and no numbers"):
        opened(tmp_path / "meta.pth")
    none = {"classifier.1.weight": torch.ones(0, 512, 1, 1), "classifier.1.bias": torch.ones(0)}
    torch.save(state | none, tmp_path / "none.pth")
    with pytest.raises(LoadError, match="no outputs"):
        opened(tmp_path / "none.pth")


def test_weights_under_two_names_are_one_set(tmp_path: Path) -> None:
    state = models.squeezenet1_1(num_classes=3).state_dict()
    torch.save({"model": state, "best": state}, tmp_path / "net.pth")
    model = opened(tmp_path / "net.pth")
    assert not any("sets of weights" in each.message for each in model.findings)
