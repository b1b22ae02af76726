"""Which kinds of file give what: each is written here, loaded again and asked.

`python -m benchmarks.formats` writes the table into docs/formats.md, between its two marks.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["VITRINE_SANDBOX"] = "holds"  # the files are our own

import dataclasses
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # before TensorFlow, which aborts a process that imports torchvision after it
import torchvision

from loaders.load import load
from loaders.options import Options
from xai_core.errors import VitrineError
from xai_core.model import Differentiates, HasLayers, MasksFast, Predicts, Target

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SIDE = 64


@dataclasses.dataclass(frozen=True)
class Row:
    """What one file gave; `why` is the sentence of one that was refused."""

    kind: str
    holds: str
    predicts: bool
    gradients: bool
    layers: int
    why: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        if self.why:
            return f"| {self.kind} | {self.holds} | refused | | |"
        layers = f"yes ({self.layers})" if self.layers else "no"
        answers = ("yes" if each else "no" for each in (self.predicts, self.gradients))
        return f"| {self.kind} | {self.holds} | {' | '.join(answers)} | {layers} |"


def _small(end: Any = None, channels: int = 3, classes: int = 4) -> Any:
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(channels, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)]
    return nn.Sequential(*layers, *([end] if end else [])).eval()


def _torchvision(name: str = "shufflenet_v2_x0_5", classes: int = 4) -> Any:
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None, num_classes=classes).eval()


def _export(module: Any, path: Path) -> None:
    dynamic = ({0: torch.export.Dim("batch")},)
    example = torch.rand(2, 3, SIDE, SIDE)
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=dynamic), path)


def _trace(module: Any, path: Path) -> None:
    torch.jit.save(torch.jit.trace(module, torch.rand(2, 3, SIDE, SIDE)), str(path))


def _safetensors(module: Any, path: Path) -> None:
    from safetensors.torch import save_file

    save_file(module.state_dict(), path)


def _keras(library: Any, path: Path, *, nested: bool = False, channels: int = 3) -> None:
    layers = library.layers
    library.utils.set_random_seed(0)
    body = [
        layers.Conv2D(8, 3, strides=2, activation="relu"),
        layers.Conv2D(6, 3, activation="relu"),
    ]
    first = library.Input((SIDE, SIDE, channels))
    if nested:
        inner = library.Sequential([library.Input((SIDE, SIDE, channels)), *body])
        features = inner(first)
    else:
        features = body[1](body[0](first))
    scores = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(features))
    library.Model(first, scores).save(path)


def _onnx(path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    module = _small()
    nodes, weights, name = [], [], "x"
    for number, layer in ((0, "Conv"), (2, "Conv")):
        parameters = [f"w{number}", f"b{number}"]
        own = (module[number].weight, module[number].bias)
        for key, tensor in zip(parameters, own, strict=True):
            weights.append(numpy_helper.from_array(tensor.detach().numpy(), key))
        strides = list(module[number].stride)
        nodes.append(helper.make_node(layer, [name, *parameters], [f"c{number}"], strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        name = f"r{number}"
    weights.append(numpy_helper.from_array(module[6].weight.detach().numpy(), "dense"))
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    nodes.append(helper.make_node("Gemm", ["f", "dense"], ["y"], transB=1))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, SIDE, SIDE))
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 4))
    graph = helper.make_graph(nodes, "net", [given], [answer], weights)
    opset = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    path.write_bytes(data)


def _library(name: str) -> Any:
    import importlib

    return importlib.import_module(name)


def _old(module: Any, path: Path) -> None:
    torch.save(module, path, _use_new_zipfile_serialization=False)


class _Own(torch.nn.Sequential):
    """A class that only this file knows, as a `__main__.Net` is."""


CASES: dict[tuple[str, str], tuple[str, Callable[[Path], Any]]] = {
    ("PyTorch state dict", "torchvision's own network"): (
        "m.pth",
        lambda path: torch.save(_torchvision().state_dict(), path),
    ),
    ("PyTorch state dict", "inside a checkpoint"): (
        "m.pth",
        lambda path: torch.save({"epoch": 1, "model": _torchvision().state_dict()}, path),
    ),
    ("PyTorch state dict", "a class of one's own"): (
        "m.pth",
        lambda path: torch.save(_small().state_dict(), path),
    ),
    ("PyTorch state dict, before 1.6", "torchvision's own network"): (
        "m.pth",
        lambda path: _old(_torchvision().state_dict(), path),
    ),
    ("PyTorch whole module", "torchvision's classes"): (
        "m.pt",
        lambda path: torch.save(_torchvision(), path),
    ),
    ("PyTorch whole module", "torch.nn's classes"): (
        "m.pt",
        lambda path: torch.save(_small(), path),
    ),
    ("PyTorch whole module", "a class of one's own"): (
        "m.pt",
        lambda path: torch.save(_Own(*_small()), path),
    ),
    ("PyTorch whole module, before 1.6", "torch.nn's classes"): (
        "m.pt",
        lambda path: _old(_small(), path),
    ),
    ("TorchScript", "any traced network"): ("m.pt", lambda path: _trace(_small(), path)),
    ("torch.export (.pt2)", "any exported network"): (
        "m.pt2",
        lambda path: _export(_small(), path),
    ),
    ("torch.export (.pt2)", "a class of one's own"): (
        "m.pt2",
        lambda path: _export(_Own(*_small()).eval(), path),
    ),
    ("safetensors", "torchvision's own network"): (
        "m.safetensors",
        lambda path: _safetensors(_torchvision(), path),
    ),
    ("Keras 3 .keras", "functional"): (
        "m.keras",
        lambda path: _keras(_library("keras"), path),
    ),
    ("Keras 3 .keras", "nested, grey"): (
        "m.keras",
        lambda path: _keras(_library("keras"), path, nested=True, channels=1),
    ),
    ("Keras 3 .h5", "functional"): ("m.h5", lambda path: _keras(_library("keras"), path)),
    ("tf_keras .keras", "functional"): (
        "m.keras",
        lambda path: _keras(_library("tf_keras"), path),
    ),
    ("tf_keras .h5", "functional"): ("m.h5", lambda path: _keras(_library("tf_keras"), path)),
    ("ONNX", "standard operators"): ("m.onnx", _onnx),
}


def measure(kind: str, holds: str, folder: Path) -> Row:
    """Write one file, load it and ask it for everything."""
    name, write = CASES[kind, holds]
    path = folder / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(path)
        try:
            model: Any = load(path, Options(), name=name)
        except VitrineError as error:
            return Row(kind, holds, False, False, 0, why=str(error))
        views = np.random.default_rng(0).random((2, *model.input_size, 3), np.float32)
        target = Target(1)
        logits = model.logits(views) if isinstance(model, Predicts) else None
        answers = logits is not None and bool(np.isfinite(logits).all())
        gradients = isinstance(model, Differentiates)
        if gradients:
            gradients = bool(np.ptp(model.gradients(views, target)) > 0)
        layers = model.layers() if isinstance(model, HasLayers) else ()
        if layers:
            maps, slopes = model.activation_gradients(views[:1], layers[-1].name, target)
            assert maps.shape == slopes.shape  # noqa: S101 - a benchmark's own check
        return Row(kind, holds, answers and isinstance(model, MasksFast), gradients, len(layers))


def rows() -> Iterator[Row]:
    """Measure every case."""
    for kind, holds in CASES:
        with tempfile.TemporaryDirectory() as folder:
            yield measure(kind, holds, Path(folder))


def page() -> dict[tuple[str, str], str]:
    """Return the lines of the table in docs/formats.md by kind and content."""
    table = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    found = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5:
            found[cells[0], cells[1]] = line
    return found


def main() -> None:
    """Write the table."""
    lines = ["| kind | holds | predicts | gradients | layers |", "| --- | --- | --- | --- | --- |"]
    for row in rows():
        print(row.line(), row.why, flush=True)
        lines.append(row.line())
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
