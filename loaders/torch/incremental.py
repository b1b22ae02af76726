"""Occlusion that computes again only what a patch can reach.

A patch changes a region of each map; outside of it all maps are those of the whole photo, which
are kept (Nakandala et al., SIGMOD 2019, doi:10.1145/3299869.3319874). Windows of one size are cut
for a batch of patches, out of what is kept and what has changed, run through the next step, and so
on until the region is most of the map; from there on whole maps go through the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from loaders.torch.reach import Region, Step, Unfollowed, behind, followed
from loaders.torch.wrapped import Wrapped
from xai_core.perturb import Patches

Array = NDArray[np.float32]

_PLACE = 20
"""What passing over one number costs, in products of a convolution."""
_CUTTING = 40
"""What cutting one number out of what is kept and pasting what has changed costs."""


class Incremental:
    """The steps of a network, to be run on parts of its maps. Raises Unfollowed."""

    def __init__(self, module: Wrapped, size: tuple[int, int]) -> None:
        self._module = module
        self._format = torch.contiguous_format if module.contiguous else torch.channels_last
        with torch.inference_mode():
            self.steps = followed(module.body)
            self._readers = dict.fromkeys(self.steps, 0)
            for at, step in enumerate(self.steps):
                self._readers |= dict.fromkeys(step.sources, at)  # the last one
            photos = module.normalised(torch.zeros(1, 3, *size))
            self._pass(photos, {}, measure=True)

    def of(self, image: Array, baseline: Array, patches: Patches) -> Run:
        """Return what scores the patches on one view. Raises Unfollowed where nothing is gained."""
        return Run(self, image, baseline, Plan(self.steps, patches, self._readers))

    def _pass(
        self, photos: torch.Tensor, kept: dict[Step, torch.Tensor], *, measure: bool = False
    ) -> None:
        """Run a photo, and put what `kept` names into it."""
        values: dict[Step, torch.Tensor] = {}
        for at, step in enumerate(self.steps):
            value = step.whole(*(values[each] for each in step.sources)) if at else photos
            values[step] = value
            if measure and isinstance(value, torch.Tensor):
                step.elements = value.numel()
                if value.ndim == 4:
                    step.size, step.channels = (value.shape[2], value.shape[3]), value.shape[1]
            if step in kept:
                kept[step] = value.clone(memory_format=self._format)
            for source in step.sources:
                if self._readers[source] == at:
                    values.pop(source, None)


class Plan:
    """How far windows are worth it for patches of one size on one grid.

    `regions` are where the patches reach in each step before `cut`, `share` what is to be computed
    of what whole passes would.
    """

    def __init__(self, steps: Sequence[Step], patches: Patches, readers: dict[Step, int]) -> None:
        self.steps, self.readers = steps, readers
        corners = np.asarray(patches.corners, np.int64)
        self.regions = {steps[0]: Region(corners, patches.patch)}
        whole = [_whole(step) for step in steps]
        rest, least = sum(whole), sum(whole)
        before, self.cut = 0.0, 1
        for at, step in enumerate(steps[1:], 1):
            rest -= whole[at]
            if not self._carries(step):
                break
            region = behind(step, [self.regions[each] for each in step.sources])
            self.regions[step] = region
            before += self._windows(step)
            handed = sum(_PLACE * each.elements for each in self.handed(at + 1))
            if before + handed + rest < least:
                least, self.cut = before + handed + rest, at + 1
        self.share = least / max(sum(whole), 1)

    def handed(self, cut: int) -> list[Step]:
        """Return the steps before a cut that are read behind it."""
        return [step for step in self.steps[:cut] if self.readers[step] >= cut]

    def kept(self) -> set[Step]:
        """Return the steps whose maps of the whole photo are needed."""
        found = set(self.handed(self.cut))
        for step in self.steps[1 : self.cut]:
            if step.slide is not None and not step.slide.placewise:
                found.update(step.sources)
            elif len(step.sources) > 1:
                own = self.regions[step]
                found.update(each for each in step.sources if not own.same(self.regions[each]))
        return found

    def _carries(self, step: Step) -> bool:
        if step.size is None or not step.sources or not (step.slide or step.part):
            return False
        if any(each not in self.regions for each in step.sources):
            return False
        return step.slide is not None or all(each.size == step.size for each in step.sources)

    def _windows(self, step: Step) -> float:
        """Return what a step costs on windows."""
        region = self.regions[step]
        places = region.size[0] * region.size[1] * step.channels
        cost: float = places * (_PLACE + (step.slide.weight if step.slide else 0))
        if step.slide is None or not step.slide.placewise:
            for source in step.sources:
                if step.slide is None and region.same(self.regions[source]):
                    continue
                sides = needed(step, region)[1]
                cost += _CUTTING * sides[0] * sides[1] * source.channels
        return cost


def _whole(step: Step) -> float:
    return step.elements * (_PLACE + (step.slide.weight if step.slide else 0))


def needed(step: Step, region: Region) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Return what windows of a step read: their corners `[patches, 2]`, and their size.

    They may reach outside the map by the step's padding.
    """
    if step.slide is None:
        return region.starts, region.size
    stride, padding = np.array(step.slide.stride), np.array(step.slide.padding)
    rows, columns = (
        (side - 1) * move + read
        for side, move, read in zip(region.size, step.slide.stride, step.slide.reads, strict=True)
    )
    return region.starts * stride - padding, (rows, columns)


@dataclasses.dataclass(frozen=True)
class _Changed:
    """What has changed of a map for a batch: windows `[b, C, h, w]` and their corners."""

    values: torch.Tensor
    starts: list[list[int]]


class Run:
    """Scores patches on one view, a few at a time."""

    def __init__(self, network: Incremental, image: Array, baseline: Array, plan: Plan) -> None:
        self.plan, self._network = plan, network
        self._module, self._format = network._module, network._format
        with torch.inference_mode():
            self._hidden = self._normalised(baseline)
            self._kept: dict[Step, torch.Tensor] = dict.fromkeys(plan.kept(), self._hidden)
            network._pass(self._normalised(image), self._kept)

    def _normalised(self, view: Array) -> torch.Tensor:
        photos = torch.from_numpy(np.array(view[None], np.float32)).permute(0, 3, 1, 2)
        return self._module.normalised(photos)

    def logits(self, part: NDArray[np.int64]) -> Array:
        """Return logits `[b, classes]` of patches of those numbers."""
        with torch.inference_mode():
            scores: Array = self._module.read(self._answer(part), len(part)).numpy()
        return scores

    def _answer(self, part: NDArray[np.int64]) -> torch.Tensor:
        plan, steps = self.plan, self.plan.steps
        changed: dict[Step, _Changed] = {steps[0]: self._first(part)}
        for at, step in enumerate(steps[1 : plan.cut], 1):
            changed[step] = self._step(step, changed, part)
            self._forget(changed, step, at)
        values: dict[Step, torch.Tensor] = {
            step: self._filled(step, changed[step]) for step in plan.handed(plan.cut)
        }
        del changed
        value = torch.empty(0)
        for at, step in enumerate(steps[plan.cut :], plan.cut):
            value = values[step] = step.whole(*(values[each] for each in step.sources))
            self._forget(values, step, at)
        return value

    def _forget(self, values: dict[Step, Any], step: Step, at: int) -> None:
        for source in step.sources:
            if self.plan.readers[source] == at:
                values.pop(source, None)

    def _first(self, part: NDArray[np.int64]) -> _Changed:
        region = self.plan.regions[self.plan.steps[0]]
        corners = region.starts[part].tolist()
        height, width = region.size
        cut = [self._hidden[:, :, y : y + height, x : x + width] for y, x in corners]
        return _Changed(torch.cat(cut).contiguous(memory_format=self._format), corners)

    def _step(self, step: Step, changed: dict[Step, _Changed], part: NDArray[np.int64]) -> _Changed:
        region = self.plan.regions[step]
        starts = region.starts[part].tolist()
        if step.slide is None:
            assert step.part is not None  # noqa: S101 - the plan takes no others
            alike = len(step.sources) == 1
            windows = [
                changed[each].values
                if alike or region.same(self.plan.regions[each])
                else self._cut(each, changed[each], starts, region.size, 0.0)
                for each in step.sources
            ]
            return _Changed(step.part(*windows), starts)
        (source,) = step.sources
        if step.slide.placewise:
            return _Changed(step.slide.run(changed[source].values), starts)
        corners, sides = needed(step, region)
        window = self._cut(source, changed[source], corners[part].tolist(), sides, step.slide.fill)
        return _Changed(step.slide.run(window), starts)

    def _cut(
        self,
        step: Step,
        changed: _Changed,
        corners: list[list[int]],
        sides: tuple[int, int],
        fill: float,
    ) -> torch.Tensor:
        """Return windows of a map `[b, C, *sides]`: what is kept, what has changed, and padding."""
        kept, (height, width) = self._kept[step], sides
        _, channels, rows, columns = kept.shape
        made = torch.empty((len(corners), channels, height, width), memory_format=self._format)
        inside = all(
            y >= 0 and x >= 0 and y + height <= rows and x + width <= columns for y, x in corners
        )
        if not inside:
            made.fill_(fill)
        for window, (y, x) in zip(made, corners, strict=True):
            top, left = max(y, 0), max(x, 0)
            end, right = min(y + height, rows), min(x + width, columns)
            window[:, top - y : end - y, left - x : right - x] = kept[0, :, top:end, left:right]
        _paste(made, corners, changed)
        return made

    def _filled(self, step: Step, changed: _Changed) -> torch.Tensor:
        """Return whole maps `[b, C, h, w]` with what has changed in its place."""
        kept = self._kept[step]
        if changed.values.shape[2:] == kept.shape[2:]:
            return changed.values
        made = torch.empty((len(changed.starts), *kept.shape[1:]), memory_format=self._format)
        made.copy_(kept.expand_as(made))
        _paste(made, [[0, 0]] * len(made), changed)
        return made


def _paste(windows: torch.Tensor, corners: list[list[int]], changed: _Changed) -> None:
    """Put what has changed into windows of the same map, as far as it lies in them."""
    height, width = windows.shape[2:]
    tall, wide = changed.values.shape[2:]
    rows = zip(windows, corners, changed.values, changed.starts, strict=True)
    for window, (y, x), values, (top, left) in rows:
        above, before = max(y, top), max(x, left)
        below, after = min(y + height, top + tall), min(x + width, left + wide)
        if above < below and before < after:
            window[:, above - y : below - y, before - x : after - x] = values[
                :, above - top : below - top, before - left : after - left
            ]


__all__ = ["Incremental", "Plan", "Run", "Unfollowed"]
