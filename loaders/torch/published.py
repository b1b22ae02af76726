"""Published weights that a source asks for, left out: the file replaces every one of them.

`weights=...`, `pretrained=True`, `torch.hub` and `torch.load` of a file that is not here give an
empty state dict while the source runs and its network is built, and loading that does nothing.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from xai_core.errors import NeedsSource
from xai_core.model import Finding


class _Nothing(dict[Any, Any]):
    """Stands for a checkpoint that is not here: whatever is asked of it is as empty."""

    def __missing__(self, key: object) -> _Nothing:
        return _Nothing()

    def get(self, key: object, default: object = None) -> Any:
        """Return as empty a one."""
        return _Nothing()

    def pop(self, key: object, default: object = None) -> Any:
        """Return as empty a one."""
        return _Nothing()


@contextmanager
def left_out(asked: list[str]) -> Iterator[None]:
    """Load nothing that is published; `asked` gets the names of what was asked for."""
    import torch
    from torch import nn
    from torchvision import models

    load, load_state_dict = torch.load, nn.Module.load_state_dict

    def note(name: object) -> _Nothing:
        text = "".join(letter for letter in str(name)[-80:] if letter.isprintable())
        asked.append(text.rpartition("/")[2])
        return _Nothing()

    def from_url(url: object, *args: object, **kwargs: object) -> _Nothing:
        return note(url)

    def of_enum(self: Any, *args: object, **kwargs: object) -> _Nothing:
        return note(self)

    def from_file(file: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, (str, os.PathLike)) and not Path(file).exists():
            return note(os.fspath(file))
        return load(file, *args, **kwargs)

    def from_hub(repository: object, model: object = "", *args: object, **kwargs: Any) -> Any:
        if str(repository).partition(":")[0] == "pytorch/vision" and model in models.list_models():
            kept = {key: kwargs[key] for key in kwargs if key in ("num_classes", "progress")}
            note(model)
            return models.get_model(str(model), weights=None, **kept)
        raise NeedsSource(
            f"The source takes its network from {str(repository)[:80]!r} by torch.hub.load, which "
            "needs the network. Put the class of the network into the source."
        )

    def fill(self: Any, state: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(state, dict) and not state:
            return nn.modules.module._IncompatibleKeys([], [])
        return load_state_dict(self, state, *args, **kwargs)

    changes = (
        (torch.hub, "load_state_dict_from_url", from_url),
        (torch.hub, "load", from_hub),
        (torch.utils.model_zoo, "load_url", from_url),
        (models.WeightsEnum, "get_state_dict", of_enum),
        (torch, "load", from_file),
        (nn.Module, "load_state_dict", fill),
    )
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # torchvision's, of `pretrained`
        for owner, name, instead in changes:
            stack.enter_context(mock.patch.object(owner, name, instead))
        yield


def finding(asked: list[str]) -> tuple[Finding, ...]:
    """Say which weights were asked for and left out."""
    if not asked:
        return ()
    names = list(dict.fromkeys(asked))
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    said = f"The source asks for other weights ({shown}): they were not loaded, the file's are."
    return (Finding("info", said, "weights"),)
