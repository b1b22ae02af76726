"""What a source imports and is not here: a stand-in that raises only where it is used.

Scripts of a training import pandas, wandb and their own project's helpers, which the network's
class rarely needs.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from xai_core.errors import NeedsSource

_USES = (
    *("__call__", "__getitem__", "__iter__", "__len__", "__bool__", "__enter__", "__exit__"),
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__"),
    *("__int__", "__float__", "__index__", "__lt__", "__gt__", "__le__", "__ge__", "__contains__"),
    *("__mro_entries__", "__await__", "__matmul__", "__neg__", "__rtruediv__"),
)


class Absent:
    """Stands for a thing of a library that is not here; its attributes do, too."""

    def __init__(self, name: str, file: str) -> None:
        self.__dict__.update(_name=name, _file=file)

    def __getattr__(self, name: str) -> Any:
        """Return a stand-in for what the library has under that name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}", self._file)

    def __or__(self, other: object) -> Any:
        """Serve as a part of an annotation."""
        return self

    __ror__ = __or__


def _raise(self: Any, *args: object, **kwargs: object) -> NoReturn:
    line = _line(self._file)
    where = f"Line {line} of the source" if line else "The source"
    name = "".join(letter for letter in self._name[:80] if letter.isprintable())
    raise NeedsSource(
        f"{where} uses {name}, which is not here. Put what the network needs of it into the "
        "source, leave the use out, or export the network where its class is defined."
    )


for _use in _USES:
    setattr(Absent, _use, _raise)


def _line(file: str) -> int:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == file:
            return frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return 0


class _Module(types.ModuleType):
    """A library that is not here."""

    _file: str

    def __getattr__(self, name: str) -> Any:
        """Return a stand-in for what the library has under that name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}", self._file)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: Collection[str], file: str) -> None:
        self._names, self._file = names, file

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the libraries that are known to be absent, and whatever is inside them."""
        if not any(name == each or name.startswith(each + ".") for each in self._names):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Make a module that has everything and can do nothing."""
        module = _Module(spec.name)
        module._file = self._file
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Run nothing."""


@contextmanager
def standing_in(names: Collection[str], file: str) -> Iterator[None]:
    """Let imports of `names` succeed; `file` is what the source is called in tracebacks."""
    finder = _Finder(names, file)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Module)]:
            del sys.modules[name]
