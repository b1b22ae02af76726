"""Networks of one's own class, as tutorials teach them, in every kind of file that can hold one."""

from __future__ import annotations

import functools
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.formats.case import Case, Key, Oracle
from benchmarks.formats.truth import by_torch
from loaders.options import Options

_BEGIN = """
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2)
        self.second = nn.Conv2d(8, 6, 3)
"""
SOURCES = {
    "flattens by view": """
        self.out = nn.Linear(6 * 14 * 14, 4)

    def forward(self, photos):
        maps = F.relu(self.second(F.relu(self.first(photos))))
        maps = F.max_pool2d(maps, 2)
        return self.out(maps.view(-1, 6 * 14 * 14))
""",
    "answers with a tuple": """
        self.out = nn.Linear(6, 4)

    def forward(self, photos):
        code = F.relu(self.second(F.relu(self.first(photos)))).mean((2, 3))
        return self.out(code), code
""",
    "answers with a dict": """
        self.out = nn.Linear(6, 4)

    def forward(self, photos):
        code = F.relu(self.second(F.relu(self.first(photos)))).mean((2, 3))
        return {"features": code, "logits": self.out(code)}
""",
    "holds channels-last maps": """
        self.norm = nn.LayerNorm(6)
        self.out = nn.Linear(6, 4)

    def forward(self, photos):
        maps = self.second(F.relu(self.first(photos))).permute(0, 2, 3, 1)
        return self.out(F.gelu(self.norm(maps)).mean((1, 2)))
""",
}
"""Each after `_BEGIN`; the names are those of the tables."""

SIDE = 64


@functools.cache
def network(text: str) -> Any:
    """Return the network of a source with seeded weights, in eval mode."""
    with tempfile.TemporaryDirectory() as folder:  # TorchScript wants a file to read it from
        path = Path(folder) / "own_network.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("own_network", path)
        if spec is None or spec.loader is None:
            raise ImportError("the source")
        module = importlib.util.module_from_spec(spec)
        sys.modules["own_network"] = module
        spec.loader.exec_module(module)
    torch.manual_seed(0)
    made = module.Net().eval()
    made.out.weight.data *= 20
    return made


class _Scores(torch.nn.Module):
    """The scores out of whatever a network answers with."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, photos: torch.Tensor) -> Any:
        """Return float32 `[N, 4]`."""
        answer = self.inner(photos)
        if isinstance(answer, dict):
            return answer["logits"]
        return answer[0] if isinstance(answer, tuple) else answer


def _state(made: Any, path: Path) -> None:
    torch.save(made.state_dict(), path)


def _script(made: Any, path: Path) -> None:
    example = torch.rand(2, 3, SIDE, SIDE)
    torch.jit.save(torch.jit.trace(made, example, strict=False), str(path))


def _export(made: Any, path: Path) -> None:
    dynamic = ({0: torch.export.Dim("batch")},)
    example = (torch.rand(2, 3, SIDE, SIDE),)
    torch.export.save(torch.export.export(made, example, dynamic_shapes=dynamic), path)


def _onnx(made: Any, path: Path) -> None:
    import onnx

    example = (torch.rand(1, 3, SIDE, SIDE),)
    axes = {"photos": {0: "batch"}}
    names = {"input_names": ["photos"], "dynamic_axes": axes}
    torch.onnx.export(_Scores(made).eval(), example, path, dynamo=False, **names)
    whole = onnx.load(path)
    lies = {"save_as_external_data": True, "location": path.name + ".data", "size_threshold": 0}
    onnx.save(whole, path, **lies)


KINDS: dict[str, tuple[str, Callable[[Any, Path], None]]] = {
    "PyTorch state dict": ("m.pth", _state),
    "TorchScript": ("m.pt", _script),
    "torch.export (.pt2)": ("m.pt2", _export),
}


def _write(text: str, save: Callable[[Any, Path], None]) -> Callable[[Path], Oracle]:
    def write(path: Path) -> Oracle:
        made = network(text)
        save(made, path)
        return by_torch(_Scores(made))

    return write


def cases(writer: str) -> Iterator[Case]:
    """Yield every case; `writer` is the library and its version."""
    for holds, rest in SOURCES.items():
        text = _BEGIN + rest
        for kind, (name, save) in KINDS.items():
            sourced = kind == "PyTorch state dict"
            said = f"one's own class that {holds}" + ", with its source" * sourced
            options = Options(source=text if sourced else "", size=(SIDE, SIDE))
            yield Case(Key("kinds", kind, said, writer), name, _write(text, save), options=options)
    text = _BEGIN + SOURCES["flattens by view"]
    key = Key("kinds", "ONNX", "weights in a second file", writer)
    yield Case(key, "m.onnx", _write(text, _onnx))
