"""A copy of a network on a GPU, as a way to run its long runs of forward passes."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from loaders.backend import Refused
from loaders.torch.wrapped import Wrapped
from xai_core import device
from xai_core.errors import UnsupportedModel

Array = NDArray[np.float32]
MOST = 64
"""Views at once: beyond it a GPU gains little, and the views are copies in the worker's memory."""
SHARE = 0.8
"""Of the GPU's free memory that a batch may take."""


def wanted() -> bool:
    """Say whether to try a GPU at all: asked for, and shown by this machine or asked outright."""
    word = device.asked()
    return word == "cuda" or (word == "auto" and bool(device.files()))


class Cuda:
    """Views in, logits out, in float32 without TF32, as many at once as the memory takes.

    Half precision is not used: its scores differ by more than a run's repetition may.
    Raises Refused where there is no GPU, or it cannot run the network.
    """

    clock = staticmethod(time.perf_counter)
    """The GPU's time is nobody's processor time."""
    tuned = True
    """Its batches are cut by memory, not by time."""

    def __init__(self, module: Wrapped, size: tuple[int, int], still: Any) -> None:
        self._device, self.name = self._found()
        self._still, self._module, self.piece = still, self._copied(module), 1
        try:
            self.piece = self._room(size)
        except (RuntimeError, NotImplementedError) as error:
            raise Refused(f"CUDA cannot run it ({_short(error)})", told=True) from error

    @property
    def room(self) -> int:
        """How many views a batch may have."""
        return self.piece

    def __call__(self, views: Array) -> Array:
        """Return the logits, float32 `[n, classes]`. Raises UnsupportedModel without memory."""
        views = np.ascontiguousarray(views, np.float32)
        done: list[Array] = []
        at = 0
        while at < len(views):
            try:
                done.append(self._pass(views[at : at + self.piece]))
            except torch.OutOfMemoryError as error:
                if self.piece == 1:
                    raise UnsupportedModel(
                        "The GPU has too little memory left for one view of this network. Others "
                        f"may be using it; {device.FLAG} cpu goes without it."
                    ) from error
                self.piece //= 2
                self._freed()
                continue
            at += len(done[-1])
        return np.concatenate(done) if done else np.empty((0, 0), np.float32)

    def _pass(self, views: Array) -> Array:
        given = torch.from_numpy(views).to(self._device).permute(0, 3, 1, 2)
        with self._still(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            scores: Array = self._module(given).float().cpu().numpy()
        return scores

    def _room(self, size: tuple[int, int]) -> int:
        """Return how many views go at once: what a second one takes more, of what is free."""
        taken = []
        for count in (1, 2):
            self._freed()
            self._pass(np.zeros((count, *size, 3), np.float32))
            taken.append(self._most())
        more = max(1, taken[1] - taken[0])
        self._freed()
        return max(1, min(MOST, int(SHARE * self._free() / more)))

    # -- what only a GPU can say -----------------------------------------------------------------

    def _found(self) -> tuple[torch.device, str]:
        if not torch.cuda.is_available():
            built = torch.version.cuda is not None
            why = "CUDA finds no GPU here" if built else "this PyTorch is built without CUDA"
            raise Refused(why, told=True)
        return torch.device("cuda"), f"CUDA, {torch.cuda.get_device_name()}"[:60]

    def _copied(self, module: Wrapped) -> Any:
        return copy.deepcopy(module).to(self._device)

    def _freed(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def _most(self) -> int:
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated())

    def _free(self) -> int:
        return int(torch.cuda.mem_get_info()[0])


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
