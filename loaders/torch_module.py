"""Whole PyTorch modules, whose file brings its own network: pickles, TorchScript, torch.export.

A pickle is read through an allow-list of torch's and torchvision's own layers. TorchScript and
`.pt2` archives run code of the file when they are read: in the sandbox only.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xai_core.errors import LoadError, UnsupportedModel
from xai_core.model import Finding, Head, HeadKind

SIZES = (224, 299, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28)
"""Sides that are tried, in pixels, where nothing says what a network was trained on."""

ONE_UNIT = Finding(
    "warning", "The network gives one number: taken as one class against its absence."
)
LOGITS = Finding("info", "The network gives logits.")

_PACKAGES = ("torch.nn.modules", "torchvision.models", "torchvision.ops")


@functools.cache
def allowed() -> tuple[Any, ...]:
    """Return the classes that a pickled module may be made of.

    Layers of torch.nn and torchvision, and `functools.partial`, which holds the layer class that
    a vision transformer builds. Never torch.fx's GraphModule: reading one runs its source.
    """
    from torch import nn

    found: set[Any] = {functools.partial}
    for package in _PACKAGES:
        root = importlib.import_module(package)
        for name in (package, *_submodules(root, package)):
            for item in vars(importlib.import_module(name)).values():
                own = inspect.isclass(item) and item.__module__.startswith(package)
                if own and issubclass(item, nn.Module):
                    found.add(item)
    return tuple(found)


def _submodules(root: Any, package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(root.__path__):
        yield f"{package}.{module.name}"


def _need_the_sandbox(what: str) -> None:
    if os.environ.get("VITRINE_SANDBOX") != "holds":
        raise LoadError(
            f"Reading {what} runs code that the file brings, and there is no sandbox here that "
            "holds it (Linux with Landlock and seccomp has one). Bring the weights instead: "
            "torch.save(model.state_dict(), 'model.pth')."
        )


def read_script(path: Path) -> Any:
    """Return the module of a TorchScript archive. Raises LoadError outside the sandbox."""
    import torch

    _need_the_sandbox("TorchScript")
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # a damaged archive makes the C++ reader raise almost anything
        raise LoadError(
            "This TorchScript archive cannot be read: it is damaged, or was written by a PyTorch "
            "before 1.4 or newer than this one. Export it again, best with torch.export.save."
        ) from error


def read_exported(path: Path) -> tuple[Any, tuple[int, ...]]:
    """Return the module of a `.pt2` archive and the shape of the input it was exported with.

    A dimension of the shape is 0 where the export left it free. Raises LoadError outside the
    sandbox.
    """
    import torch

    _need_the_sandbox("a torch.export archive")
    try:
        program = torch.export.load(path)
        shape = _input_shape(program)
        return torch.export.unflatten(program), shape
    except UnsupportedModel:
        raise
    except Exception as error:  # the archive's own code runs here, and may raise anything
        raise LoadError(
            "This torch.export archive cannot be read: it is damaged, or was written by another "
            f"version of PyTorch ({type(error).__name__}). Export it again with this one's."
        ) from error


def _input_shape(program: Any) -> tuple[int, ...]:
    names = program.graph_signature.user_inputs
    if len(names) != 1 or len(program.graph_signature.user_outputs) != 1:
        raise UnsupportedModel(
            f"This network takes {len(names)} inputs and gives "
            f"{len(program.graph_signature.user_outputs)} outputs; a classifier of photos has one "
            "of each."
        )
    (node,) = (node for node in program.graph.nodes if node.name == names[0])
    return tuple(
        side if isinstance(side, int) else 0 for side in getattr(node.meta.get("val"), "shape", ())
    )


def channels_of(module: Any) -> int:
    """Return how many channels the first convolution takes; 3 where there is none."""
    for tensor in module.state_dict().values():
        if tensor.ndim == 4:
            return int(tensor.shape[1])
    return 3


def runs_on(module: Any, channels: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the first of `sizes` that the network runs on. Raises UnsupportedModel."""
    import torch

    reason = ""
    for height, width in sizes:
        try:
            with torch.inference_mode():
                output = module(torch.full((2, channels, height, width), 0.1))
        except Exception as error:  # a stranger's forward may raise anything
            reason = reason or _said(error)
            continue
        if isinstance(output, torch.Tensor) and output.ndim == 2 and len(output) == 2:
            return height, width
        shown = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise UnsupportedModel(
            f"The network answers with {shown}, not with one row of class scores a photo: it is no "
            "image classifier."
        )
    tried = ", ".join(str(height) for height, _ in sizes[:4])
    raise UnsupportedModel(
        f"The network does not run on photos with {channels} channel{'s' * (channels > 1)} of "
        f"{tried} or more sizes ({reason}). Set the size it was trained at, and export it with a "
        "free batch dimension."
    )


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    # TorchScript tells where it happened first, and what happened last.
    line = lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
    return "".join(letter for letter in line if letter.isprintable())[:120]


def open_head(module: Any, channels: int, size: tuple[int, int]) -> tuple[Any, Head, Finding]:
    """Take a softmax or a sigmoid off a network's end.

    A layer at the end is taken off; one inside the network's own code is told by its answers and
    inverted, which loses what a saturated one has lost. Returns the network that gives logits,
    the head, and a finding about it.
    """
    import torch
    from torch import nn

    views = torch.randn((4, channels, *size), generator=torch.Generator().manual_seed(0))

    def answers() -> Any:
        with torch.inference_mode():
            return module(views)

    before = answers()
    one = before.shape[1] == 1
    kind = _kind(before)
    bare = (Head("sigmoid"), ONE_UNIT) if one else (Head("logits"), LOGITS)
    if kind == "logits":
        return module, *bare
    head = Head(kind, exclusive=kind != "sigmoid" or one)
    if kind == "log-softmax":
        said = "The network ends in a log-softmax, which is read as it is."
        return module, head, Finding("info", said)
    squash = nn.Sigmoid if kind == "sigmoid" else nn.Softmax
    for name, layer in reversed(list(module.named_modules())):
        if type(layer) is squash and name:
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, nn.Identity())
            after = answers()
            again = after.sigmoid() if kind == "sigmoid" else after.softmax(1)
            if torch.allclose(again, before, atol=1e-5):
                said = f"The network ends in a {kind} ({name}), which is taken off."
                return module, head, Finding("info", said)
            setattr(module.get_submodule(parent), child, layer)
            break
    if not _brings_code(module):
        return module, *bare  # logits may lie between 0 and 1 by chance
    said = (
        f"The network's own code ends in a {kind}, told by its answers and inverted: where it is "
        "saturated the scores are cut off."
    )
    return nn.Sequential(module, _inverse(kind)), head, Finding("warning", said)


def _brings_code(module: Any) -> bool:
    """Say whether a network has code other than torch's and torchvision's own layers."""
    own = ("torch.nn.modules.", "torchvision.")
    return not all(type(part).__module__.startswith(own) for part in module.modules())


def _kind(answer: Any) -> HeadKind:
    """Tell a head from its answers, float32 `[N, classes]`."""
    import torch

    def adds_up(chances: Any) -> bool:
        total = chances.sum(1)
        return bool(torch.allclose(total, torch.ones_like(total), atol=1e-4))

    many = answer.shape[1] > 1
    if many and bool((answer >= 0).all()) and adds_up(answer):
        return "softmax"
    if many and bool((answer <= 0).all()) and adds_up(answer.exp()):
        return "log-softmax"
    if bool(((answer >= 0) & (answer <= 1)).all()) and float(answer.std()) > 0:
        return "sigmoid"
    return "logits"


def _inverse(kind: HeadKind) -> Any:
    from loaders.torch_model import Inverse

    return Inverse(kind)


def classes_of(module: Any, channels: int, size: tuple[int, int]) -> int:
    """Return how many scores the network gives a photo."""
    import torch

    with torch.inference_mode():
        return int(module(torch.zeros((2, channels, *size))).shape[1])
