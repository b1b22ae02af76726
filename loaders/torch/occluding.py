"""How patches of a photo are scored: only what each can reach, where that is exact and quicker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from loaders.torch.incremental import Incremental, Run, Unfollowed
from loaders.torch.wrapped import Wrapped
from xai_core.perturb import Patches
from xai_core.report.numbers import percent

Array = NDArray[np.float32]

FEWEST, SHORT = 24, 2.0
"""Patches, and seconds of whole passes, below which nothing else is tried."""
WORTH, SLOWER = 0.85, 1.0
"""The share of the work of whole passes, and of their time, above which nothing is gained."""
AGREES, NEAR = 1e-5, 3e-6
"""How far scores may lie from those of whole passes, as a part of the largest: in any case, and
where patches move the scores by less than a thousand times as much."""
TRIED = 4
"""Patches on which both ways are tried, from the first to the last."""
_ASTRAY = "it does not run step by step"
_AS_QUICK = "whole passes are as quick here"


class Occluding:
    """Finds the way for a network, and says which one was taken.

    `plain` gives logits of views by whole passes of the same framework, `random` says that its
    answers change from pass to pass. `said` is a sentence about the last run.
    """

    def __init__(
        self,
        module: Wrapped,
        size: tuple[int, int],
        plain: Callable[[Array], Array],
        *,
        scripted: bool,
        random: bool,
    ) -> None:
        self._module, self._size, self._plain = module, size, plain
        self._why_not = _why_not(module, scripted=scripted, random=random)
        self.said = ""

    def run(
        self, image: Array, baseline: Array, patches: Patches, gain: float = 1, pace: float = 0
    ) -> Run | None:
        """Return what scores the patches, or None where whole passes are to do it.

        `gain` is how many times quicker whole passes are than `plain` ones, and `pace` the seconds
        of a plain one, 0 where they are not known.
        """
        self.said = ""
        if len(patches) < FEWEST or 0 < pace * len(patches) < SHORT:
            return None
        chosen = np.linspace(0, len(patches) - 1, TRIED).astype(np.int64)
        views = np.empty((TRIED, *image.shape), np.float32)
        for view, number in zip(views, chosen.tolist(), strict=True):
            patches.apply(image, baseline, view[None], number)
        start = time.thread_time()  # a busy neighbour is not counted
        whole = self._plain(views)
        took = (time.thread_time() - start) / gain
        if took * len(patches) / TRIED < SHORT:
            return None
        try:
            if self._why_not:
                raise Unfollowed(self._why_not)
            run = self._planned(image, baseline, patches, gain)
            _held(run, chosen, whole, took)
        except Unfollowed as error:
            self.said = f"Each patch took a whole pass through the network: {error}."
            return None
        self.said = (
            "Only what each patch can reach was computed again, and the rest of all maps kept from "
            f"the whole photo: {percent(run.plan.share)} of the work of whole passes."
        )
        return run

    def _planned(self, image: Array, baseline: Array, patches: Patches, gain: float) -> Run:
        """Return the run where it promises to be quicker."""
        try:
            run = Incremental(self._module, self._size).of(image, baseline, patches)
        except (Unfollowed, MemoryError):
            raise
        except Exception as error:  # a stranger's operations may raise anything
            raise Unfollowed(_ASTRAY) from error
        if run.plan.share > WORTH:
            raise Unfollowed("a patch soon reaches all of its maps")
        if run.plan.share * gain > WORTH:
            raise Unfollowed(_AS_QUICK)
        return run


def _held(run: Run, chosen: NDArray[np.int64], whole: Array, took: float) -> None:
    """Raise Unfollowed where a run does not give the same scores, or not sooner."""
    start = time.thread_time()
    try:
        found = run.logits(chosen)
    except Exception as error:  # a step may do something else for several photos
        raise Unfollowed(_ASTRAY) from error
    spent = time.thread_time() - start
    scale = float(np.abs(whole).max())
    moved = float(np.abs(whole - whole.mean(0)).max())
    apart = float(np.abs(found - whole).max()) if found.shape == whole.shape else np.inf
    if not apart <= min(AGREES * scale, NEAR * scale + moved / 1000):
        raise Unfollowed("its scores would not be those of whole passes")
    if spent > SLOWER * took:
        raise Unfollowed(_AS_QUICK)


def _why_not(module: Wrapped, *, scripted: bool, random: bool) -> str:
    """Say, as a clause, why a network is not to be followed at all, or nothing."""
    reading = module.reading
    if scripted:
        return "a TorchScript network does not run step by step"
    if random:
        return "its answers are not the same each time"
    if reading.batch:
        return "it takes one number of photos only"
    if reading.form != "maps" or reading.dtype != torch.float32:
        return "it takes photos in a form of its own"
    if module.within is not contextlib.nullcontext:
        return "it runs under a rule of its own"
    return ""
