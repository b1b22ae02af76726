"""Sources that ask for weights or libraries that are not here, against the network itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from loaders import source
from loaders.load import load
from loaders.options import Options
from loaders.torch import published
from xai_core.errors import NeedsSource

NET = """
{imports}
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU())
        self.out = nn.Linear(6, 4)
        {asks}

    def forward(self, photos):
        {first}
        return self.out(self.maps(photos).mean((2, 3)))
"""


def text(imports: str = "", asks: str = "", first: str = "") -> str:
    return NET.format(imports=imports, asks=asks, first=first)


@pytest.fixture(autouse=True)
def _sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")


@pytest.fixture
def network() -> Any:
    scope: dict[str, Any] = {}
    exec(text(), scope)  # noqa: S102 - our own text
    torch.manual_seed(0)
    return scope["Net"]().eval()


def opened(tmp_path: Path, network: nn.Module, code: str) -> Any:
    torch.save(network.state_dict(), tmp_path / "w.pth")
    return load(tmp_path / "w.pth", Options(source=code, size=(32, 32)), name="w")


def same(model: Any, network: nn.Module) -> bool:
    views = np.random.default_rng(0).random((2, *model.input_size, 3), np.float32)
    with torch.no_grad():
        theirs = network(torch.from_numpy(views).permute(0, 3, 1, 2)).numpy()
    return bool(np.allclose(model.logits(views), theirs, atol=1e-5))


def said(model: Any) -> str:
    return " ".join(finding.message for finding in model.findings)


ASKS = {
    "a url": "self.load_state_dict(torch.hub.load_state_dict_from_url('https://x.org/net-1.pth'))",
    "a file": "self.load_state_dict(torch.load('/data/best.pth')['state_dict'], strict=False)",
    "a renamed file": "self.load_state_dict({k[7:]: v for k, v in torch.load('b.pth').items()})",
    "the model zoo": "self.load_state_dict(torch.utils.model_zoo.load_url('https://x.org/n.pth'))",
}


@pytest.mark.parametrize("ask", ASKS)
def test_weights_that_are_not_here_are_left_out(tmp_path: Path, network: Any, ask: str) -> None:
    model = opened(tmp_path, network, text(asks=ASKS[ask]))
    assert same(model, network)
    assert "asks for other weights (" in said(model)
    assert torch.load.__module__ == "torch.serialization"  # all is as it was


@pytest.mark.parametrize("how", [{"weights": "DEFAULT"}, {"pretrained": True}, {}])
def test_torchvisions_published_weights_are_left_out(how: Any) -> None:
    from torchvision import models

    asked: list[str] = []
    with published.left_out(asked):
        if how:
            made = models.shufflenet_v2_x0_5(**how)
        else:
            made = torch.hub.load("pytorch/vision:v0.10.0", "shufflenet_v2_x0_5", pretrained=True)
    assert isinstance(made, nn.Module)
    assert asked
    (finding,) = published.finding(asked)
    assert (finding.level, finding.about) == ("info", "weights")


def test_what_a_hub_has_beside_torchvision_needs_its_class() -> None:
    with published.left_out([]), pytest.raises(NeedsSource, match=r"torch\.hub\.load, which needs"):
        torch.hub.load("someone/else", "net")


UNUSED = "import pandas_x as pd\nimport wandbx\nfrom my_project.utils import helper, Other"


def test_libraries_that_the_network_does_not_need_stand_in(tmp_path: Path, network: Any) -> None:
    annotated = "def table(rows: 'list', how: pd.DataFrame | None = None) -> pd.DataFrame:\n    ..."
    model = opened(tmp_path, network, text(f"{UNUSED}\n{annotated}"))
    assert same(model, network)
    assert "imports pandas_x, wandbx, my_project, which are not here" in said(model)


def test_an_import_that_is_caught_stays_in_vain(tmp_path: Path, network: Any) -> None:
    tried = "try:\n    import apexx\n    raise SystemExit\nexcept ImportError:\n    apexx = None"
    assert same(opened(tmp_path, network, text(tried)), network)


USES = {
    "a call": ("import timmx\nbody = timmx.create_model('x')", "", "timmx.create_model"),
    "a base": ("import plx as pl\nclass M(pl.Module):\n    pass", "", "plx.Module"),
    "in the network": ("import timmx", "self.x = timmx.layers.Drop(0.1)", "timmx.layers.Drop"),
    "a decorator": ("import timmx\n@timmx.register\ndef f():\n    ...", "", "timmx.register"),
}


@pytest.mark.parametrize("use", USES)
def test_a_use_of_what_is_not_here_names_it(tmp_path: Path, network: Any, use: str) -> None:
    imports, asks, name = USES[use]
    with pytest.raises(NeedsSource, match=rf"Line \d+ of the source uses {name}, which is not her"):
        opened(tmp_path, network, text(imports, asks))


def test_stand_ins_leave_nothing_behind() -> None:
    import sys

    before = list(sys.meta_path)
    module = source.run("import nowherex.inner as n\nx = 1")
    assert source.missing_of(module) == ("nowherex",)
    assert sys.meta_path == before
    assert not any(name.startswith("nowherex") for name in sys.modules)
