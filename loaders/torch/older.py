"""Whole modules that an older PyTorch pickled, made readable for the strict reader of today's.

Before 1.6 a class was handed over as `('module', class, file, source)`, which the strict reader
refuses. Here each becomes its class alone, which the allow-list judges as any other; the rewriting
looks at the pickle's steps and runs none.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

PREFACES = 3
"""Pickles before the one that holds the module: a magic number, a version, the machine."""

BACKEND = (dict, "torch.nn.backends.thnn._get_thnn_function_backend")
"""What every layer held before 1.2, a table of functions that nothing asks for now: left empty."""

_TAG = "module"
_YOUNGER: dict[str, dict[str, Any]] = {
    "AvgPool2d": {"divisor_override": None},
    "GELU": {"approximate": "none"},
    "Hardsigmoid": {"inplace": False},
    "Hardswish": {"inplace": False},
    "MultiheadAttention": {"batch_first": False},
    "Upsample": {"recompute_scale_factor": None},
    "_DenseBlock": {"memory_efficient": False},
    "_DenseLayer": {"memory_efficient": False},
}
"""Settings that a layer got later, with the value that stands for what it did before."""


def without_sources(path: Path) -> io.BytesIO:
    """Return a file before 1.6 whose classes are named alone.

    What it held is the last of the tuple that it holds now. Raises ValueError where it is damaged.
    """
    data = io.BytesIO(path.read_bytes())
    for _ in range(PREFACES):
        _steps(data)
    start = data.tell()
    rewritten = _rewritten(data.getvalue(), _steps(data))
    rest = data.read()
    whole = data.getvalue()[:start] + rewritten + rest
    return io.BytesIO(whole)


def names(path: Path) -> list[str]:
    """Return the classes that a file before 1.6 names, as `package.module.Net`."""
    data = io.BytesIO(path.read_bytes())
    for _ in range(PREFACES):
        _steps(data)
    found = {argument for name, argument, _, _ in _steps(data) if name == "GLOBAL"}
    return sorted(each.replace(" ", ".") for each in found)


def complete(module: Any) -> Any:
    """Give a module's layers the settings that came after it was saved, and return it."""
    for part in module.modules():
        for name, value in _YOUNGER.get(type(part).__name__, {}).items():
            if not hasattr(part, name):
                setattr(part, name, value)
    return module


Step = tuple[str, Any, int, int]
"""A pickle's step: its name, its argument, and where its bytes begin and end."""


def _steps(data: io.BytesIO) -> list[Step]:
    """Read one pickle's steps; `data` stands behind it afterwards."""
    start = data.tell()
    found = [
        (code.name, argument, place or 0) for code, argument, place in pickletools.genops(data)
    ]
    ends = [place for _, _, place in found[1:]] + [data.tell()]
    assert found[0][2] >= start  # noqa: S101 - genops tells places in the whole file
    return [(*step, end) for step, end in zip(found, ends, strict=True)]


def _rewritten(data: bytes, steps: list[Step]) -> bytes:
    """Return the pickle with a class in the place of each `('module', class, file, source)`."""
    memo: dict[int, Any] = {}
    kept: list[bytes] = []
    tag: bytes = b""  # later steps may ask for the word itself
    mark, before = 0, None
    for name, argument, begin, end in steps:
        own = data[begin:end]
        if name == "MARK":
            mark = len(kept)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = before
            if before == _TAG and not tag:
                tag = pickle.BINUNICODE + len(_TAG).to_bytes(4, "little") + _TAG.encode() + own
        before = argument
        if name == "BINPERSID" and (named := _class_in(kept[mark:], memo)):
            kept[mark:] = named
        else:
            kept.append(own)
    proto, *body, stop = kept
    return b"".join([proto, pickle.MARK, tag, *body, pickle.TUPLE, stop])


def _class_in(parts: list[bytes], memo: dict[int, Any]) -> list[bytes]:
    """Return the steps that name the class of a `('module', ...)`, or none for another thing."""
    values: list[tuple[Any, int]] = []
    for place, part in enumerate(parts):
        code = part[:1]
        if code in (pickle.BINGET, pickle.LONG_BINGET):
            values.append((memo.get(int.from_bytes(part[1:], "little")), place))
        elif code in (pickle.BINUNICODE, pickle.GLOBAL):
            values.append((part[5:].decode() if code == pickle.BINUNICODE else part, place))
    if len(values) < 2 or values[0][0] != _TAG:
        return []
    place = values[1][1]
    puts = parts[place + 1][:1] in (pickle.BINPUT, pickle.LONG_BINPUT)
    return parts[place : place + 1 + puts]
