"""Networks out of the source of their class, against the network that was saved."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from loaders.load import load
from loaders.preprocessing import Options
from xai_core.errors import LoadError, NeedsSource, ParamError

SOURCE = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, 2)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class Net(nn.Module):
    def __init__(self, num_classes=10, in_channels=3):
        super().__init__()
        self.one = Block(in_channels, 6)
        self.two = Block(6, 8)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        # no layer says that the maps are squared
        return self.head(self.two(self.one(x)).square().mean((2, 3)))


print("a source may print")
if __name__ == "__main__":
    raise SystemExit("a script's own training")
"""
SIZE = (48, 48)


@pytest.fixture(autouse=True)
def _sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")


@pytest.fixture
def author(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the author's own modules: a source becomes one under the name it is given."""

    def made(name: str = "models.net", text: str = SOURCE) -> types.ModuleType:
        module = types.ModuleType(name)
        own = text.partition("if __name__")[0] + text.partition("own training")[2].lstrip('")\n')
        exec(own, module.__dict__)  # noqa: S102 - ours
        monkeypatch.setitem(sys.modules, name.partition(".")[0], module)
        monkeypatch.setitem(sys.modules, name, module)
        torch.manual_seed(0)
        return module

    return made


def opened(path: Path, **options: Any) -> Any:
    return load(path, Options(**{"size": SIZE} | options), name="upload")


def same(model: Any, network: nn.Module, channels: int = 3) -> bool:
    """Whether both answer alike to the same numbers."""
    views = np.random.default_rng(0).random((3, *SIZE, 3), np.float32)
    x = torch.from_numpy(views).permute(0, 3, 1, 2)
    if channels == 1:
        x = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    with torch.no_grad():
        theirs = network.eval()(x).numpy()
    assert np.ptp(theirs) > 0.01
    return np.allclose(model.logits(views), theirs, atol=1e-5)


def said(model: Any) -> str:
    return " ".join(finding.message for finding in model.findings)


WRAPPED: dict[str, Any] = {
    "bare": lambda state: state,
    "parallel": lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
    "lightning": lambda state: {
        "epoch": 3,
        "state_dict": {f"model.{key}": tensor for key, tensor in state.items()},
        "hyper_parameters": {"lr": 0.1},
    },
}


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_filled_into_the_class_that_fits(
    tmp_path: Path, author: Any, wrap: str, zipped: bool
) -> None:
    network = author().Net(5)
    path = tmp_path / "weights"
    torch.save(WRAPPED[wrap](network.state_dict()), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(NeedsSource, match="weights without their network"):
        opened(path)
    model = opened(path, source=SOURCE)
    assert same(model, network)
    assert model.architecture == "Net"
    assert "run in the sandbox, and Net(num_classes=5) was built of it: all 16" in said(model)
    assert [layer.name for layer in model.layers()]


def test_the_channels_are_read_off_the_weights(tmp_path: Path, author: Any) -> None:
    network = author().Net(4, in_channels=1)
    torch.save(network.state_dict(), tmp_path / "weights")
    model = opened(tmp_path / "weights", source=SOURCE)
    assert same(model, network, channels=1)
    assert "Net(num_classes=4, in_channels=1)" in said(model)


@pytest.mark.parametrize("name", ["__main__", "models.net"])
@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: {"model": net, "epoch": 2}])
def test_a_pickle_takes_its_classes_from_the_source(
    tmp_path: Path, author: Any, name: str, wrap: Any
) -> None:
    network = author(name).Net(5)
    torch.save(wrap(network), tmp_path / "net")
    with pytest.raises(NeedsSource, match=rf"class {name}\.(Net|Block), whose code is not in it"):
        opened(tmp_path / "net")
    model = opened(tmp_path / "net", source=SOURCE)
    assert same(model, network)
    assert f"taken from it: {name}.Block, {name}.Net" in said(model)
    with pytest.raises(NeedsSource, match=r"The source does not define (Net|Block)"):
        opened(tmp_path / "net", source=SOURCE.replace("Net", "Other").replace("Block", "Part"))


WAYS = {
    "an expression": ("", "Net(num_classes=5)"),
    "a class": (SOURCE.replace("num_classes=10", "num_classes=5"), "Net"),
    "a module's own": (SOURCE + "\nnet = Net(5)\n", ""),
    "a function": (SOURCE + "\ndef make(kind='small'):\n    return Net(5)\n", "make()"),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_built_as_one_says(tmp_path: Path, author: Any, way: str) -> None:
    source, build = WAYS[way]
    network = author().Net(5)
    torch.save(network.state_dict(), tmp_path / "weights")
    assert same(opened(tmp_path / "weights", source=source or SOURCE, build=build), network)


def test_a_function_that_makes_it_is_found(tmp_path: Path, author: Any) -> None:
    needs_more = SOURCE.replace("def __init__(self, num_classes=10", "def __init__(self, x, width")
    needs_more = needs_more.replace("nn.Linear(8, num_classes)", "nn.Linear(8, 5 * width)")
    source = needs_more + "\ndef build_model():\n    return Net(None, 1)\n"
    network = author(text=source).build_model()
    torch.save(network.state_dict(), tmp_path / "weights")
    assert same(opened(tmp_path / "weights", source=source), network)
    with pytest.raises(NeedsSource, match=r"cannot be built as Net\(x=..., width=...\).*missing"):
        opened(tmp_path / "weights", source=needs_more)


TWINS = (
    SOURCE + "\nclass Net2(Net):\n    def forward(self, x):\n        return -super().forward(x)\n"
)
WRONG: dict[str, tuple[str, str, str]] = {
    "no Python": ("x = = 1", "", "Line 1 of the source is not Python: invalid syntax"),
    "nothing": ("x = 1", "", "defines no torch.nn.Module"),
    "an exit": ("\n\nraise SystemExit(2)", "", "Line 3 of the source fails: SystemExit: 2"),
    "no name": (
        "def f():\n    timm\nf()",
        "",
        "Line 2 of the source fails: NameError: name 'timm'",
    ),
    "no end": ("def f(): f()\nf()", "", "Line 1 of the source fails: RecursionError"),
    "a package": (
        "import torch\nimport timmy",
        "",
        "imports timmy, which is not here, and defines",
    ),
    "a neighbour": ("from .blocks import B", "", "imports another file of its own project"),
    "an error without words": (
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E",
        "",
        "Line 4 of the source fails: E.",
    ),
    "a zero byte": ("x = 1\0", "", "The source"),
    "twins": (TWINS, "", r"more than one network of the source, Net\(num_classes=5\) and Net2"),
    "a wrong class": (
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.one = nn.Linear(2, 2)\n",
        "",
        r"do not fit Net\(\): the tensor 'one.weight' is not in the file \(and",
    ),
    "a wrong number": (
        SOURCE,
        "Net(7)",
        r"'head.weight' is \[5, 8\] in the file and \[7, 8\] in the network",
    ),
    "a layer more": (
        SOURCE.replace(
            "self.two = Block(6, 8)", "self.two = Block(6, 8); self.x = nn.Linear(1, 1)"
        ),
        "",
        "the tensor 'x.weight' is not in the file",
    ),
    "a layer less": (
        SOURCE.replace("        self.two = Block(6, 8)\n", ""),
        "",
        "the tensor 'two.conv.weight' is in the file and not in the network",
    ),
    "a wrong call": (SOURCE, "Net(1, 2, 3)", r"cannot be built as Net\(1, 2, 3\): TypeError"),
    "a wrong expression": (SOURCE, "Net(", r"cannot be built as Net\("),
    "a number": (SOURCE, "3", "3 makes a int and not a torch.nn.Module"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_source_that_does_not_serve_is_refused_in_a_sentence(
    tmp_path: Path, author: Any, case: str
) -> None:
    source, build, sentence = WRONG[case]
    torch.save(author().Net(5).state_dict(), tmp_path / "weights")
    with pytest.raises(NeedsSource, match=sentence) as caught:
        opened(tmp_path / "weights", source=source, build=build)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_of_twins_the_named_one_is_built(tmp_path: Path, author: Any) -> None:
    network = author(text=TWINS).Net2(5)
    torch.save(network.state_dict(), tmp_path / "weights")
    assert same(opened(tmp_path / "weights", source=TWINS, build="Net2(5)"), network)


def test_without_the_sandbox_nothing_is_run(
    tmp_path: Path, author: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(author().Net(5).state_dict(), tmp_path / "weights")
    mark = tmp_path / "mark"
    source = f"{SOURCE}\nopen({str(mark)!r}, 'w').close()\n"
    monkeypatch.setenv("VITRINE_SANDBOX", "missing")
    with pytest.raises(LoadError, match="no sandbox here that holds it"):
        opened(tmp_path / "weights", source=source)
    assert not mark.exists()
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    opened(tmp_path / "weights", source=source)
    assert mark.exists()


def test_an_expression_needs_a_source_and_a_source_is_short() -> None:
    with pytest.raises(ParamError, match=r"--build says how .* --source, which is missing"):
        Options(build="Net()")
    with pytest.raises(ParamError, match="--source must be text of at most 200,000"):
        Options(source="#" * 200_001)
