"""What a network does in one pass: its operations as PyTorch runs them, TorchScript's among them.

It tells, without a look at the network's code, in what operation the scores end, what draws random
numbers, which axes of an inner value are the map's, and where and why a pass failed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from loaders.torch.axes import PHOTOS, Axes, Shape, follow

_STEP = "_vitrine_step"
_CONVOLUTIONS = ("conv2d", "convolution", "_convolution", "mkldnn_convolution")


@dataclasses.dataclass(eq=False, slots=True)
class Step:
    """One operation: its name without what marks its variants, what went in, what came out.

    `inputs` are the shapes of the tensors that went in, weights among them, `sources` the steps
    that made them (None for a weight), `arguments` what else it was given.
    """

    name: str
    arguments: tuple[Any, ...]
    inputs: tuple[Shape, ...]
    sources: tuple[Step | None, ...]
    shape: Shape
    axes: Axes | None


class Watch(TorchDispatchMode):
    """Notes each operation of a pass under `torch.inference_mode`.

    There, operations are seen as they are called: a linear layer is one, and not the views and
    products that it is made of.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.failed: Step | None = None
        self.error: Exception | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and keeping the compiler away would import it (0.3 s)."""
        return False

    def begin(self, photos: torch.Tensor) -> torch.Tensor:
        """Mark photos `[N, c, h, w]` as where the pass begins, and return them."""
        setattr(photos, _STEP, Step("photos", (), (), (), tuple(photos.shape), PHOTOS))
        return photos

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and note it."""
        tensors = [each for each in _flat(args) if isinstance(each, torch.Tensor)]
        plain = tuple(each for each in args if not _holds_tensors(each))
        name = func._schema.name.rpartition("::")[2].strip("_")
        if any(isinstance(each, int | float) for each in args):
            args = _as_declared(func, args)
        step = Step(
            name,
            plain,
            tuple(tuple(tensor.shape) for tensor in tensors),
            tuple(step_of(tensor) for tensor in tensors),
            (),
            None,
        )
        try:
            out = func(*args, **(kwargs or {}))
        except Exception as error:
            self.failed, self.error = step, error
            raise
        ours = [
            (shape, source.axes if source else None)
            for shape, source in zip(step.inputs, step.sources, strict=True)
        ]
        for part, tensor in enumerate(_flat(out)):
            if isinstance(tensor, torch.Tensor) and not isinstance(tensor, torch.nn.Parameter):
                shape = tuple(tensor.shape)
                try:
                    axes = follow(name, plain, ours, shape, part)
                except (TypeError, ValueError, IndexError, ZeroDivisionError):
                    axes = None  # an operation's arguments are not what they are elsewhere
                made = dataclasses.replace(step, shape=shape, axes=axes)
                self.steps.append(made)
                if any(made.sources):
                    setattr(tensor, _STEP, made)
        return out


class Seen(Exception):
    """Ends a pass whose first convolution was met."""


class First(TorchDispatchMode):
    """Keeps the middle of what a pass's first convolution gets, where it has so many channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.middle: torch.Tensor | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, or end the pass."""
        if func._schema.name.rpartition("::")[2] not in _CONVOLUTIONS:
            return func(*args, **(kwargs or {}))
        photos = args[0]
        if photos.ndim == 4 and photos.shape[1] == self.channels:
            height, width = photos.shape[2:]
            self.middle = photos[:, :, height // 2, width // 2].float().clone()
        raise Seen


def step_of(tensor: torch.Tensor) -> Step | None:
    """Return the operation that made a tensor in a pass that was watched."""
    return getattr(tensor, _STEP, None)


def _as_declared(func: Any, args: Any) -> Any:
    """Return arguments with tensors where tensors are declared: TorchScript's come as numbers."""
    pairs = zip(args, func._schema.arguments, strict=False)
    wrong = [isinstance(each, int | float) and str(row.type) == "Tensor" for each, row in pairs]
    if not any(wrong):
        return args
    wrong += [False] * (len(args) - len(wrong))
    return tuple(
        torch.tensor(each) if bare else each for each, bare in zip(args, wrong, strict=True)
    )


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, torch.Tensor) or (
        isinstance(value, (list, tuple)) and any(isinstance(each, torch.Tensor) for each in value)
    )
