"""The source of a network's class: Python that comes with a file, run in the sandbox alone.

Whatever it raises becomes one sentence with the line that did.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import types
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from loaders.absent import standing_in
from xai_core.errors import LoadError, NeedsSource

FILE = "source.py"
"""What tracebacks call it."""

MODULE = "vitrine_source"
"""The module that it becomes; not `__main__`, so that a script's own training does not begin."""

MAX_MISSING = 40
"""Libraries that may be missing: each one found costs a run of the source."""

_MISSING: weakref.WeakKeyDictionary[types.ModuleType, tuple[str, ...]] = weakref.WeakKeyDictionary()


def export(example: Sequence[int] = ()) -> str:
    """Return the way out for a network whose code stays elsewhere.

    `example` is what is known of its input, (channels, height, width), 0 where it is not.
    """
    shape, said = _shape(example)
    return (
        "Where its class is defined, export the network with its weights: torch.export.save("
        f"torch.export.export(model.eval(), (torch.rand({shape}),), "
        f"dynamic_shapes=({{0: torch.export.Dim('batch')}},)), 'model.pt2'){said}."
    )


def snippet(example: Sequence[int] = ()) -> str:
    """Return the same as a script."""
    shape, said = _shape(example)
    return f"""\
import torch

model.eval()
example = torch.rand({shape})  # two photos{said}
batch = torch.export.Dim("batch")
exported = torch.export.export(model, (example,), dynamic_shapes=({{0: batch}},))
torch.export.save(exported, "model.pt2")
"""


def _shape(example: Sequence[int]) -> tuple[str, str]:
    channels, height, width = tuple(example) if len(example) == 3 else (0, 0, 0)
    said = "" if height and width else "; 224 stands for the size that it was trained at"
    return f"2, {channels or 3}, {height or 224}, {width or 224}", said


def run(text: str) -> types.ModuleType:
    """Run a source and return the module that it became.

    Libraries that are not here are stood in for, and raise where they are used. Raises LoadError
    outside the sandbox, and NeedsSource where it fails.
    """
    if os.environ.get("VITRINE_SANDBOX") != "holds":
        raise LoadError(
            "The source of a class is code, and there is no sandbox here that holds it (Linux "
            "with Landlock and seccomp has one), so it is not run. Where its class is defined, "
            "export the network as ONNX, which needs none: torch.onnx.export."
        )
    # The compiler of TorchScript and `inspect` read the source again.
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    missing: list[str] = []
    with telling():
        code = compile(text, FILE, "exec", dont_inherit=True)
    while True:
        module = types.ModuleType(MODULE)
        module.__file__, module.__package__ = FILE, ""
        sys.modules[MODULE] = module
        with telling(), standing_in(missing, FILE):
            try:
                exec(code, module.__dict__)  # noqa: S102 - in the sandbox
            except ModuleNotFoundError as error:
                # what it imports in vain and does not catch stands in, and it runs again
                if not error.name or error.name in missing or len(missing) == MAX_MISSING:
                    raise
                missing.append(error.name)
                continue
        _MISSING[module] = tuple(missing)
        return module


def missing_of(module: types.ModuleType) -> tuple[str, ...]:
    """Return the libraries that a source imports and that are not here."""
    return _MISSING.get(module, ())


def evaluate(module: types.ModuleType, expression: str) -> Any:
    """Return what an expression makes of a source that was run. Raises NeedsSource."""
    with telling(expression):
        made = eval(compile(expression.strip(), "<how it is built>", "eval"), module.__dict__)  # noqa: S307 - in the sandbox
        return made() if isinstance(made, type) else made


def own(module: types.ModuleType) -> dict[str, Any]:
    """Return the classes and functions that a source itself defines, in its order."""
    return {
        name: item
        for name, item in vars(module).items()
        if isinstance(item, (type, types.FunctionType)) and item.__module__ == MODULE
    }


@contextlib.contextmanager
def telling(expression: str = "", *, but: type[BaseException] = NeedsSource) -> Iterator[None]:
    """Turn whatever the source raises, `but` one, into NeedsSource that says what was built."""
    try:
        yield
    except (NeedsSource, but):
        raise
    except BaseException as error:  # an exit among them
        raise NeedsSource(_sentence(error, expression)) from None


def _sentence(error: BaseException, expression: str) -> str:
    line = _line(error)
    where = f"Line {line} of the source" if line else "The source"
    if expression:
        inside = f" (line {line} of the source)" if line else ""
        return (
            f"The network cannot be built as {shown(expression)}{inside}: {_named(error)}. Say "
            "how it is built, with the arguments that it was trained with."
        )
    if isinstance(error, SyntaxError):
        return f"{where} is not Python: {shown(error.msg)}. Send the file as it is."
    if isinstance(error, ImportError):
        missing = shown(error.name) if error.name else "another file of its own project"
        return (
            f"{where} imports {missing}, which is not here. Put what the network needs of it into "
            "the source, leave the import out, or export the network where its class is defined."
        )
    return (
        f"{where} fails: {_named(error)}. Send only what defines the network: its classes, and "
        "the functions and values that they use."
    )


def _line(error: BaseException) -> int:
    """Return the source's last line that took part in an error; 0 where none did."""
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return error.lineno or 0
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _named(error: BaseException) -> str:
    try:
        said = str(error)
    except BaseException:  # the source's own exceptions may fail even at that
        said = ""
    first = next((line.strip() for line in said.splitlines() if line.strip()), "")
    text = shown(first, 160).rstrip(".")
    return f"{type(error).__name__[:60]}: {text}" if text else type(error).__name__[:60]


def shown(text: object, limit: int = 80) -> str:
    """Return what can be shown of a name or an expression, on one line."""
    return "".join(letter for letter in str(text)[:limit] if letter.isprintable())
