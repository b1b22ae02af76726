"""Networks of one's own, saved in every way, and what plain PyTorch says of them."""

import linecache
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from loaders.load import load
from loaders.preprocessing import Options

START = (
    "import collections, dataclasses, torch\nfrom torch import nn\n"
    "from torch.nn import functional as F\n"
)
KINDS = ("source", "traced", "scripted", "pt2")


def made(text: str) -> tuple[Any, str]:
    """Return the network of a source's class Net, with its source."""
    text = START + textwrap.dedent(text)
    module = types.ModuleType("own_networks")
    sys.modules[module.__name__] = module
    linecache.cache["own_networks.py"] = (len(text), None, text.splitlines(True), "own_networks.py")
    exec(compile(text, "own_networks.py", "exec"), module.__dict__)  # noqa: S102 - our own
    torch.manual_seed(0)
    return module.__dict__["Net"]().eval(), text


def save(
    network: Any, path: Path, kind: str, shape: tuple[int, ...], text: str = "", free: bool = True
) -> dict[str, Any]:
    """Save a network, and return the options that its file needs."""
    example = torch.rand(shape).to(next(network.parameters()).dtype)
    if kind == "source":
        torch.save(network.state_dict(), path)
        return {"source": text}
    if kind == "whole":
        torch.save(network, path)
    elif kind == "pt2":
        dynamic = ({0: torch.export.Dim("batch")},) if free else None
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=dynamic), path)
    elif kind == "scripted":
        torch.jit.save(torch.jit.script(network), str(path))
    else:
        script = torch.jit.trace(network, example, check_trace=False, strict=False)
        torch.jit.save(script, str(path))
    return {}


def opened(path: Path, **options: Any) -> Any:
    """Load a file whose network gets values from 0 to 1."""
    return load(path, Options(preprocessing="unit", **options), name="upload")


def views(model: Any, count: int = 2) -> Any:
    """Return views, float32 `[N, h, w, 3]`."""
    return np.random.default_rng(0).random((count, *model.input_size, 3), np.float32)


def photos(model: Any, given: Any) -> torch.Tensor:
    """Return a network's input for views, `[N, c, h, w]` in plain memory."""
    x = torch.from_numpy(given).permute(0, 3, 1, 2)
    if model.channels == 1:
        x = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return x.clone(memory_format=torch.contiguous_format)


def truth(network: Callable[[Any], Any], model: Any, given: Any) -> Any:
    """Return the network's own answers, one photo at a time, `[N, classes]`."""
    with torch.no_grad():
        rows = [network(each[None]).reshape(1, -1) for each in photos(model, given)]
    return torch.cat(rows).float().numpy()


def watched(network: nn.Module, part: str, photo: torch.Tensor) -> tuple[Any, Any]:
    """Return a part's output and d score 0 / d output, by a hook."""
    kept: list[torch.Tensor] = []

    def keep(module: Any, args: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = network.get_submodule(part).register_forward_hook(keep)
    network(photo)[0, 0].backward()
    handle.remove()
    return kept[-1].detach(), kept[-1].grad


def cam(maps: Any, slopes: Any) -> Any:
    """Return Grad-CAM's map before it is cut at zero, from `[h, w, channels]`."""
    return (maps * slopes.mean((0, 1))).sum(-1)


def about(model: Any, what: str, level: str = "warning") -> str:
    """Return what is said of something."""
    return " ".join(
        each.message for each in model.findings if each.about == what and each.level == level
    )
