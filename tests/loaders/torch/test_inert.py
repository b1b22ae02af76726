"""Checkpoints that keep more than weights: read for the weights, and nothing else of them."""

import argparse
import datetime
import enum
import pathlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loaders import vitrine_net
from loaders.load import load
from loaders.options import Options
from xai_core.errors import LoadError


class Hyper(dict):
    """A dict that also answers to attributes, as Lightning's is."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]


class Stage(enum.Enum):
    TRAIN = 1


class Runs:
    """Pickles as a call."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> Any:
        return self.call, self.args


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = vitrine_net.build(4).state_dict()
    return state


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return Lightning's class, which is gone when the file is read."""
    module = types.ModuleType("lightning_utilities_parsing")
    kept = type("AttributeDict", (Hyper,), {"__module__": module.__name__})
    module.AttributeDict = kept  # type: ignore[attr-defined]
    with monkeypatch.context() as here:
        here.setitem(sys.modules, module.__name__, module)
        yield kept


def test_a_checkpoint_of_lightnings_kind_opens(
    tmp_path: Path, weights: dict[str, torch.Tensor], lightning: Any
) -> None:
    path = tmp_path / "last.ckpt"
    held = {
        "epoch": 3,
        "state_dict": {f"model.{key}": tensor for key, tensor in weights.items()},
        "hyper_parameters": lightning(lr=0.1, stage=Stage.TRAIN, at=pathlib.PurePosixPath("a/b")),
        "best": np.float64(0.93),
        "args": argparse.Namespace(size=3),
        "when": datetime.datetime(2020, 1, 1),
    }
    torch.save(held, path)
    torch.save(weights, tmp_path / "plain.pth")
    sys.modules.pop("lightning_utilities_parsing")
    model, plain = (load(each, Options(), name="m") for each in (path, tmp_path / "plain.pth"))
    view = np.random.default_rng(0).random((1, *model.input_size, 3), np.float32)
    np.testing.assert_array_equal(model.logits(view), plain.logits(view))
    (said,) = [f.message for f in model.findings if "left unread" in f.message]
    assert "lightning_utilities_parsing.AttributeDict" in said


def test_a_network_beside_such_records_opens(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(4, 3)).eval()
    torch.save({"model": net, "best": np.float64(0.5), "stage": Stage.TRAIN}, tmp_path / "m.pt")
    model = load(tmp_path / "m.pt", Options(size=(32, 32)), name="m")
    view = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(view).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.logits(view), wanted, atol=1e-6)


def mark(path: str) -> None:
    Path(path).touch()


@pytest.mark.parametrize(
    "call",
    [mark, exec, getattr, pathlib.Path.touch],
    ids=["a function", "exec", "getattr", "a method"],
)
def test_what_acts_is_refused_and_does_not(
    tmp_path: Path, weights: dict[str, torch.Tensor], call: Any
) -> None:
    made = tmp_path / "mark"
    args = {exec: (f"open({str(made)!r}, 'w')",), getattr: (made, "touch")}.get(call, (str(made),))
    torch.save({"state_dict": weights, "x": Runs(call, *args)}, tmp_path / "m.pt")
    with pytest.raises(LoadError, match="could run code"):
        load(tmp_path / "m.pt", Options(), name="m")
    assert not made.exists()


def test_a_class_of_ones_own_is_still_asked_for(tmp_path: Path) -> None:
    torch.save({"net": Hyper(a=1), "epoch": 2}, tmp_path / "m.pt")
    with pytest.raises(LoadError, match=r"Hyper, whose code is not in it"):
        load(tmp_path / "m.pt", Options(), name="m")
