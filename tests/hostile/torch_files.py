"""Hostile files that say they are PyTorch's."""

from __future__ import annotations

import collections
import functools
import io
import json
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn
from torch.export.pt2_archive import constants

from tests.hostile.attack import Aim, Book, Call, Writer

BOOK = Book()


def deeds(aim: Aim) -> dict[str, Any]:
    """Return objects that attack whoever unpickles them."""
    return {
        "exec": Call(exec, aim.code),
        "loud": Call(exec, aim.loud),
        "eval": Call(eval, f"exec({aim.code!r})"),
        "system": Call(os.system, aim.command),
        "process": Call(subprocess.call, ["touch", str(aim.mark)]),
    }


# Bare pickles ------------------------------------------------------------------------------------


def _bare(deed: str, protocol: int) -> Writer:
    def write(path: Path, aim: Aim) -> None:
        path.write_bytes(pickle.dumps(deeds(aim)[deed], protocol))

    return write


for _deed, _protocol in (("exec", 0), ("exec", 2), ("eval", 3), ("system", 4), ("process", 5)):
    BOOK.note("pickle", f"{_deed} {_protocol}", "pickle")(_bare(_deed, _protocol))


@BOOK.note("pickle", "among weights", "pickle")
def _among_weights(path: Path, aim: Aim) -> None:
    path.write_bytes(pickle.dumps({"fc.weight": [0.0] * 999, "x": Call(exec, aim.code)}))


# Legacy and zip checkpoints ----------------------------------------------------------------------


def _saved(deed: str, wrap: Callable[[Any], Any], zipped: bool) -> Writer:
    def write(path: Path, aim: Aim) -> None:
        content = wrap(deeds(aim)[deed])
        torch.save(content, path, _use_new_zipfile_serialization=zipped)

    return write


def _plain(deed: Any) -> Any:
    return deed


WRAPS: dict[str, Callable[[Any], Any]] = {
    "state dict": lambda deed: {"fc.weight": torch.zeros(2, 2), "fc.bias": deed},
    "ordered dict": lambda deed: collections.OrderedDict(a=torch.zeros(1), b=deed),
    "list": lambda deed: [torch.zeros(2), deed],
    "under a key": lambda deed: {"epoch": 3, "state_dict": {"fc.weight": deed}},
    "optimiser": lambda deed: {"model": {"w": torch.zeros(2)}, "optimizer": (deed,)},
    "module": lambda deed: _module(deed),
}


def _module(deed: Any) -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module.deed = deed
    return module


for _zipped, _kind in ((False, "legacy"), (True, "zip")):
    for _deed in ("exec", "loud", "system", "process"):
        BOOK.note(_kind, _deed, "torch")(_saved(_deed, _plain, _zipped))
    for _wrap in WRAPS:
        BOOK.note(f"{_kind} checkpoint", _wrap, "torch")(_saved("exec", WRAPS[_wrap], _zipped))


@BOOK.note("legacy", "in the system's description", "torch")
def _third_pickle(path: Path, aim: Aim) -> None:
    torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    good, file = path.read_bytes(), io.BytesIO()
    stream = io.BytesIO(good)
    for _ in range(2):  # the magic number and the protocol
        pickle.load(stream)
    file.write(good[: stream.tell()] + pickle.dumps(Call(exec, aim.code), 2))
    pickle.load(stream)
    path.write_bytes(file.getvalue() + stream.read())


@BOOK.note("zip", "a partial of what is not allowed", "torch call")
def _partial(path: Path, aim: Aim) -> None:
    module = _module(None)
    module.forward = functools.partial(os.open, str(aim.mark), os.O_CREAT)
    torch.save(module, path)


@BOOK.note("zip", "a partial that fills the memory")
def _partial_of_layers(path: Path, aim: Aim) -> None:
    module = _module(None)
    module._forward_hooks = collections.OrderedDict({0: functools.partial(nn.Linear, 300_000)})
    module.forward = functools.partial(nn.Embedding, 1_000_000_000)
    torch.save(module, path)


# torch.export ------------------------------------------------------------------------------------


def _network() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(4, 3)).eval()


@functools.cache
def exported() -> bytes:
    """Return a good `.pt2` archive."""
    file, batch = io.BytesIO(), torch.export.Dim("batch")
    network = torch.export.export(
        _network(), (torch.rand(2, 3, 32, 32),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(network, file)
    return file.getvalue()


def scripted() -> bytes:
    """Return a good TorchScript archive."""
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(_network(), torch.rand(2, 3, 32, 32)), file)
    return file.getvalue()


def rewrite(archive: bytes, changed: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return a ZIP with members changed, or left out where `changed` gives None."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = changed(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return file.getvalue()


def _torch_saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _sample_inputs(deed: str) -> Writer:
    def write(path: Path, aim: Aim) -> None:
        payload = _torch_saved(deeds(aim)[deed])
        path.write_bytes(
            rewrite(exported(), lambda name, old: payload if "sample_inputs" in name else old)
        )

    return write


for _deed in ("exec", "loud", "system"):
    BOOK.note("pt2", f"sample inputs {_deed}", "export")(_sample_inputs(_deed))


def _pickled_weight(path: Path, aim: Aim) -> None:
    payload = _torch_saved(Call(exec, aim.code))

    def changed(name: str, old: bytes) -> bytes:
        if name.endswith("weight_0"):
            return payload
        if name.endswith("model_weights_config.json"):
            config = json.loads(old)
            config["config"]["0.weight"]["use_pickle"] = True
            return json.dumps(config).encode()
        return old

    path.write_bytes(rewrite(exported(), changed))


BOOK.note("pt2", "a pickled weight", "export")(_pickled_weight)


@BOOK.note("pt2", "a pickled constant", "export")
def _pickled_constant(path: Path, aim: Aim) -> None:
    constant = f"{constants.OPAQUE_OBJ_FILENAME_PREFIX}0"
    entry = {"path_name": constant, "is_param": False, "use_pickle": True, "tensor_meta": None}
    config = json.dumps({"config": {"c": entry}}).encode()
    is_config = "model_constants_config.json"
    path.write_bytes(
        rewrite(exported(), lambda name, old: config if name.endswith(is_config) else old)
    )
    with zipfile.ZipFile(path) as archive:
        (root,) = {name.split("/")[0] for name in archive.namelist()}
    with zipfile.ZipFile(path, "a") as archive:
        name = f"{root}/{constants.CONSTANTS_DIR}{constant}"
        archive.writestr(name, pickle.dumps(Call(exec, aim.code)))


@BOOK.note("pt2", "a weight named like a path")
def _named_like_a_path(path: Path, aim: Aim) -> None:
    def changed(name: str, old: bytes) -> bytes:
        if name.endswith("model_weights_config.json"):
            return old.replace(b'"weight_0"', json.dumps("../../" + str(aim.secret)).encode())
        return old

    path.write_bytes(rewrite(exported(), changed))


# TorchScript -------------------------------------------------------------------------------------

_CLASS = """
class Evil(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.zeros(1)

    @torch.jit.export
    def __getstate__(self):
        return self.w, self.training

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.w = state[0]
        self.training = state[1]
        {setstate}

    def forward(self, x):
        {forward}
        return x.mean((2, 3)) + self.w.sum()
"""


def _script(path: Path, *, setstate: str = "pass", forward: str = "pass") -> None:
    source = path.with_name(path.name + "_source.py")
    head = "import torch, torchvision\nfrom torch import nn, Tensor\nfrom typing import Tuple\n"
    source.write_text(head + _CLASS.format(setstate=setstate, forward=forward))
    space: dict[str, Any] = {"__name__": "evil"}
    # From a file: the compiler of TorchScript reads the source again.
    exec(compile(source.read_text(), str(source), "exec"), space)
    torch.jit.save(torch.jit.script(space["Evil"]()), str(path))
    source.unlink()


def _script_lines(aim: Aim) -> dict[str, str]:
    mark, secret = str(aim.mark), str(aim.secret)
    size = aim.secret.stat().st_size if aim.secret.exists() else 8
    read = f'torch.from_file("{secret}", False, {size}, dtype=torch.uint8)'
    return {
        "save": f'torch.save(self.w, "{mark}")',
        "read": f"self.w = {read}.float()",
        "map": f'self.w = torch.from_file("{mark}", True, 8, dtype=torch.uint8).float()',
        "write file": f'torch.ops.image.write_file("{mark}", torch.zeros(3, dtype=torch.uint8))',
        "read file": f'self.w = torch.ops.image.read_file("{secret}").float()',
    }


def _scripted(deed: str, where: str) -> Writer:
    def write(path: Path, aim: Aim) -> None:
        line = _script_lines(aim)[deed]
        if deed in ("read", "read file") and where == "forward":
            line = line.replace("self.w = ", "secret = ") + "\n        return "
            line += "secret[:8].unsqueeze(0).expand(x.shape[0], 8)"
        _script(path, **{where: line})

    return write


assert torchvision.io  # its operators are then known to the compiler
for _where in ("setstate", "forward"):
    for _deed in ("save", "map", "read", "write file", "read file"):
        # The compiler drops torchvision's write_file, which it takes for free of effects.
        _control = "" if _deed == "write file" else "script"
        BOOK.note("torchscript", f"{_deed} in {_where}", _control)(_scripted(_deed, _where))


@BOOK.note("torchscript", "endless setstate")
def _endless(path: Path, aim: Aim) -> None:
    # Saving does not run __setstate__, reading does.
    line = "while bool((self.w * 0 == 0).all()):\n            self.w = self.w * 1"
    _script(path, setstate=line)


@BOOK.note("torchscript", "fills the memory")
def _hungry(path: Path, aim: Aim) -> None:
    _script(path, forward="self.w = torch.ones(300000, 30000)")


for _member in ("data.pkl", "constants.pkl"):

    def _in_member(path: Path, aim: Aim, member: str = _member) -> None:
        payload = pickle.dumps(Call(exec, aim.code), 2)
        path.write_bytes(
            rewrite(scripted(), lambda name, old: payload if name.endswith(member) else old)
        )

    BOOK.note("torchscript", f"pickle in {_member}")(_in_member)
