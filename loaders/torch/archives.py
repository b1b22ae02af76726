"""TorchScript and `.pt2` archives: they run code of the file when read, in the sandbox only."""

from __future__ import annotations

import contextlib
import os
import pickletools
import zipfile
from pathlib import Path
from typing import Any

from xai_core.errors import LoadError, UnsupportedModel

MAX_TRACED = 10_000
"""The longest record of a trace's inputs that is read, in bytes."""


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
        try:
            module = torch.jit.load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            import torchvision.ops  # noqa: F401 - a detector's script names its operations

            module = torch.jit.load(str(path), map_location="cpu").eval()
        _to_cpu(module)
        return module
    except Exception as error:  # a damaged archive makes the C++ reader raise almost anything
        raise LoadError(
            "This TorchScript archive cannot be read: it is damaged, or was written by a PyTorch "
            "before 1.4 or newer than this one. Export it again, best with torch.export.save."
        ) from error


def _to_cpu(module: Any) -> None:
    """Let a network that was traced on a graphics card make its tensors on the CPU.

    The weights are moved when they are read; devices that stand in the code itself are not.
    """
    for part in module.modules():
        for name in part._c._method_names():
            for node in part._c._get_method(name).graph.findAllNodes("prim::Constant"):
                made = node.output()
                if made.type().kind() == "DeviceObjType" and node.s("value").startswith("cuda"):
                    node.s_("value", "cpu")


def traced_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the photos that a TorchScript was traced with; () where it is not kept.

    The pickle beside the graph is read as a list of opcodes, and nothing is made of it.
    """
    numbers: list[int] = []
    stored = False
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/traced_inputs.pkl"))
        if archive.getinfo(name).file_size > MAX_TRACED:
            return ()
        for opcode, value, _ in pickletools.genops(archive.read(name)):
            if opcode.name == "BINPERSID":
                if stored:
                    return ()  # it takes more than photos
                stored = True
            elif stored and opcode.name in ("BININT", "BININT1", "BININT2"):
                numbers.append(int(value or 0))
    # the tensor's offset in its storage, its four sides and its four strides
    shape = tuple(numbers[1:5])
    return shape if len(numbers) == 9 and all(0 < side < 1 << 14 for side in shape) else ()


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
    if len(names) != 1:
        raise UnsupportedModel(
            f"This network takes {len(names)} inputs; a classifier of photos has one."
        )
    (node,) = (node for node in program.graph.nodes if node.name == names[0])
    return tuple(
        side if isinstance(side, int) else 0 for side in getattr(node.meta.get("val"), "shape", ())
    )
