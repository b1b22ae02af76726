"""ONNX files of which something has to be assumed, with plain PyTorch's answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.assumptions.case import Truth, case, pair, softmax
from benchmarks.assumptions.torch_files import photos, scores
from loaders.options import Options

UNIT: dict[str, Any] = {"preprocessing": "unit", "fit": "stretch"}


class Net(nn.Module):
    """One convolution and a last layer, with what is done to its scores."""

    def __init__(self, units: int, end: Callable[[Any, Any], Any], gain: float = 12) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.maps = nn.Conv2d(3, 8, 7, 4)
        self.out = nn.Linear(8, units)
        self.out.weight.data *= gain
        self.end = end

    def forward(self, seen: torch.Tensor) -> Any:
        """Return what the file's outputs are."""
        code = self.maps(seen).relu().mean((2, 3))
        return self.end(self.out(code), code)


def exported(
    folder: Path, network: nn.Module, *, side: int = 96, batch: int = 0, names: Any = None
) -> Path:
    """Export by the older exporter, with a free batch unless one is given."""
    path = folder / "model.onnx"
    torch.onnx.export(
        network.eval(),
        (torch.rand(batch or 1, 3, side, side),),
        path,
        dynamo=False,
        input_names=["photos"],
        output_names=names,
        dynamic_axes=None if batch else {"photos": {0: "batch"}},
    )
    return path


ENDS: dict[str, tuple[int, Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "logits": (3, lambda z, code: z, softmax),
    "a softmax": (3, lambda z, code: z.softmax(1), np.asarray),
    "a log-softmax": (3, lambda z, code: z.log_softmax(1), np.exp),
    "k sigmoids": (3, lambda z, code: z.sigmoid(), np.asarray),
    "one sigmoid": (1, lambda z, code: z.sigmoid(), lambda row: pair(float(row[0]))),
    "two logits in 0..1": (2, lambda z, code: 0.5 + 0.001 * z, softmax),
    "maps of 1 x 1": (3, lambda z, code: z[:, :, None, None], lambda row: softmax(row[:, 0, 0])),
    "logits, and features": (3, lambda z, code: (code, z), softmax),
}


def _end_case(name: str, units: int, end: Any, chances: Callable[[Any], Any]) -> None:
    @case("onnx", f"a graph that ends in {name}", "head", "output")
    def write(folder: Path) -> Truth:
        network = Net(units, end)
        names = ["features", "logits"] if "features" in name else None
        path = exported(folder, network, names=names)
        answers = scores(network.eval(), photos(96))
        row = (answers[1] if isinstance(answers, tuple) else answers)[0]
        return Truth(path, Options(**UNIT), np.asarray(chances(row), np.float64))


for _name, (_units, _end, _chances) in ENDS.items():
    _end_case(_name, _units, _end, _chances)


@case("onnx", "a saturated softmax's scores", "head")
def _saturated(folder: Path) -> Truth:
    network = Net(3, lambda z, code: z.softmax(1), gain=400)
    path = exported(folder, network)
    return Truth(path, Options(**UNIT), np.asarray(scores(network.eval(), photos(96))[0]))


@case("onnx", "a regressor's one number", "head")
def _regressor(folder: Path) -> Truth:
    path = exported(folder, Net(1, lambda z, code: 24 + z))
    return Truth(path, Options(**UNIT), doubtful=True)


@case("onnx", "a batch of one that the file fixed", "size")
def _one(folder: Path) -> Truth:
    network = Net(3, lambda z, code: z)
    path = exported(folder, network, batch=1)
    return Truth(path, Options(**UNIT), softmax(scores(network.eval(), photos(96))[0]))


@case("onnx", "weights in a second file", "weights")
def _apart(folder: Path) -> Truth:
    import onnx

    network = Net(3, lambda z, code: z)
    path = exported(folder, network)
    whole = onnx.load(path)
    onnx.save(
        whole,
        path,
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    return Truth(path, Options(**UNIT), softmax(scores(network.eval(), photos(96))[0]))


@case("onnx", "class names in its metadata", "labels")
def _named(folder: Path) -> Truth:
    import onnx

    network = Net(3, lambda z, code: z)
    path = exported(folder, network)
    whole = onnx.load(path)
    whole.metadata_props.add(key="names", value="{0: 'mole', 1: 'newt', 2: 'owl'}")
    onnx.save(whole, path)
    answer = softmax(scores(network.eval(), photos(96))[0])
    return Truth(path, Options(**UNIT), answer, ("mole", "newt", "owl"))


class Dense(nn.Module):
    """A dense network that takes its photo as a row of numbers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.one, self.two = nn.Linear(width, 16), nn.Linear(16, 5)
        self.two.weight.data *= 8

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """Return scores `[N, 5]` for rows `[N, width]`."""
        return self.two(self.one(row).relu())


def _dense_case(width: int, side: int, grey: bool) -> None:
    @case("onnx", f"a dense network of {width} inputs", "size", "channels")
    def write(folder: Path) -> Truth:
        network, path = Dense(width).eval(), folder / "model.onnx"
        torch.onnx.export(
            network,
            (torch.rand(1, width),),
            path,
            dynamo=False,
            input_names=["row"],
            dynamic_axes={"row": {0: "batch"}},
        )
        row = photos(side, grey=grey).reshape(1, -1)
        return Truth(path, Options(**UNIT), softmax(scores(network, row)[0]))


for _width, _side, _grey in ((784, 28, True), (3072, 32, False), (12288, 64, False)):
    _dense_case(_width, _side, _grey)


@case("onnx", "Dropout in training mode", "mode")
def _training(folder: Path) -> Truth:
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(16, 3),
    )  # fmt: skip
    network[-1].weight.data *= 40
    path = folder / "model.onnx"
    torch.onnx.export(
        network.train(),
        (torch.rand(2, 3, 64, 64),),
        path,
        dynamo=False,
        training=torch.onnx.TrainingMode.TRAINING,
        do_constant_folding=False,
        input_names=["photos"],
        dynamic_axes={"photos": {0: "batch"}},
    )
    return Truth(path, Options(**UNIT), doubtful=True)
