"""The adapter of torchvision's object detectors: views in, boxes out.

A detector prepares photos by itself, and so it does here, but for their size: the view is what it
sees, pixel for pixel, so that boxes and maps lie in the view.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from loaders.preprocessing import Preprocessing
from loaders.torch import pyramid, regions
from loaders.torch.many_views import ManyViews
from xai_core import perturb
from xai_core.card import Backend, Kind
from xai_core.errors import LoadError, ParamError
from xai_core.model import (
    Detections,
    Differentiates,
    Finding,
    HasLayers,
    HasNative,
    Head,
    Layer,
    MasksFast,
    ReadsRegions,
    RunsWithout,
    ShowsLayers,
    given,
    missing,
)
from xai_core.perturb import MaskSource
from xai_core.target import BoxTarget, Target

Array = NDArray[np.float32]
BATCH = 2
"""Views in one pass: a detector's maps are large."""

TOGETHER = 4
"""Copies of the maps that the heads read at once."""

FAINT = 0.02
"""From which score on a box counts at all where candidates are asked for."""

MOST = 300
"""The most candidates of a view, the highest scores first."""

WEIGHED = {"score_thresh": FAINT, "nms_thresh": 1.0, "detections_per_img": MOST}
"""Thresholds by which nothing is dropped for another one's sake."""


class TorchDetector:
    """A torchvision detector: Detects, and masked scores of what it found.

    `labels` go without the background: a label of 0 is the network's class 1. Raises LoadError
    where the network does not run on a view of its size.
    """

    framework = "torch"
    task: Kind = "detection"
    head = Head("sigmoid", exclusive=False)
    """Scores of boxes are probabilities already."""

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        kind: str,
        architecture: str,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        findings: Sequence[Finding] = (),
    ) -> None:
        module.eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        self.name, self.kind, self.architecture = name, kind, architecture
        self.preprocessing, self.labels = preprocessing, labels
        self.input_size = preprocessing.size
        self.channels = 3
        self.parameters = sum(p.numel() for p in module.parameters())
        self.findings = tuple(findings)
        self._module = module
        self._last: tuple[nn.Module, Array, pyramid.Maps] | None = None
        # What has the thresholds: the second stage where there is one, else the network.
        self._judge = getattr(module, "roi_heads", module)
        # The view is taken as it is.
        height, width = self.input_size
        if getattr(module.transform, "fixed_size", None) is None:
            module.transform.min_size = (min(height, width),)
            module.transform.max_size = max(height, width)
        else:
            module.transform.fixed_size = (width, height)
        try:
            grey = np.full((1, height, width, 3), 0.5, np.float32)
            self.detect(grey)
            with torch.inference_mode():
                self._rows = pyramid.rows(self._maps(grey[0]))
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            said = " ".join(str(error).split())[:200]
            raise LoadError(
                f"The detector does not run on photos of {width} x {height} pixels: {said}"
            ) from error
        self._many = ManyViews(module, self.input_size, self._unkept)

    @property
    def backend(self) -> Backend | None:
        """What runs the convolutions of long runs, once that was decided."""
        return self._many.backend

    def lacks(self, need: type) -> str | None:
        """Say why it does not give what a capability is, or None where it does."""
        if need in (MasksFast, Differentiates, ShowsLayers, HasLayers, HasNative, RunsWithout):
            return None  # of boxes, where a classifier gives that of classes
        if need is ReadsRegions and not hasattr(self._module, "roi_heads"):
            return (
                f"This needs {given(need)}, as the Faster and the Mask R-CNN do; this detector "
                "reads all places at once."
            )
        return missing(self, need)

    def detect(self, images: Array) -> tuple[Detections, ...]:
        """Return what is found on each view `[N, h, w, 3]`, by the network's own thresholds."""
        with torch.inference_mode():
            return tuple(pyramid.detections(each) for each in self._said(images))

    def candidates(self, images: Array) -> tuple[Detections, ...]:
        """Return the boxes of each view before any of them is dropped for another one's sake.

        Those from a score of 0.02 on, and 300 at the most. Of one view its levels are kept, so
        that what is asked about its boxes afterwards need not make them again.
        """
        if len(images) != 1:
            return self._unkept(images)
        with self._judging(**WEIGHED), torch.inference_mode():
            maps = self._maps(images[0])
            with pyramid.handed(self._module, maps):
                return self.detect(images)

    def _unkept(self, images: Array) -> tuple[Detections, ...]:
        """Return the same of views whose levels are not kept."""
        with self._judging(**WEIGHED), torch.inference_mode():
            said = self._many.said(images)
            if said is None:
                return self.detect(images)
            return tuple(pyramid.detections(each) for each in said)

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])` for targets that read objects."""
        for target in targets:
            target.check(self)
            pyramid.boxed(target)

        self._many.expect(len(masks))

        def scores(views: Array) -> Array:
            found = self.candidates(views)
            return np.stack([target.score(found, self.head) for target in targets], 1)

        yield from perturb.stream(scores, image, masks, baseline, batch or BATCH)

    def gradients(self, images: Array, target: Target, batch: int = 0) -> Array:
        """Return d what is asked of a box / d view, float32 `[N, h, w, 3]`; 0 where none fits.

        Raises UnsupportedModel where nothing fits on any of the views.
        """
        asked = pyramid.boxed(target)
        made, fits = np.zeros(images.shape, np.float32), False
        for row, image in enumerate(images):
            view = _tensor(image).requires_grad_()
            number = self._followed(view, asked)
            if number is not None:
                fits = True
                (slope,) = torch.autograd.grad(number, view)
                made[row] = slope.permute(1, 2, 0).numpy()
        if not fits:
            raise pyramid.nothing(asked, self.labels)
        return made

    def layers(self) -> tuple[Layer, ...]:
        """List the levels of the backbone, from the finest on, and all of them together last."""
        return self._rows

    def activations(self, images: Array, layer: str) -> Array:
        """Return a level's maps, float32 `[N, mh, mw, channels]`.

        Of all levels together: their absolute values at the coarsest level's size.
        """
        with torch.inference_mode():
            found = [pyramid.shown(self._maps(image), layer) for image in images]
        return np.concatenate(found)

    def activation_gradients(
        self, images: Array, layer: str, target: Target
    ) -> tuple[Array, Array]:
        """Return a level's maps and d what is asked of a box / d maps.

        Of all levels together: the one that moves most of what is asked. Raises UnsupportedModel
        where nothing fits the box.
        """
        asked, made = pyramid.boxed(target), []
        for image in images:
            maps, slopes = self._slopes(image, asked)
            name = moving(slopes) if layer == pyramid.ALL else pyramid.level(maps, layer)
            made.append([each[name][0].permute(1, 2, 0).numpy() for each in (maps, slopes)])
        values, gradients = (np.stack(each) for each in zip(*made, strict=True))
        return values, gradients

    def without(self, layer: str, image: Array, channels: Sequence[int]) -> tuple[Detections, ...]:
        """Return the candidates on copies of a view's maps, each without one channel."""
        found: list[Detections] = []
        with torch.inference_mode():
            maps = self._maps(image)
            for start in range(0, len(channels), TOGETHER):
                copies = pyramid.without(maps, layer, channels[start : start + TOGETHER])
                count = len(next(iter(copies.values())))
                with pyramid.handed(self._module, copies), self._judging(**WEIGHED):
                    said = self._module([_tensor(image)] * count)
                found += [pyramid.detections(each) for each in said]
        return tuple(found)

    def region(self, image: Array, box: Sequence[float], index: int) -> tuple[str, Array, Array]:
        """Return the level that a box is read from, its maps, and what each channel does there.

        The maps are float32 `[mh, mw, channels]`. The last, float32 `[1 + channels]`, is the score
        of the class at this very box, of all channels and without each in turn; only the head
        that judges regions runs.
        """
        module = self._module
        with torch.inference_mode():
            maps = self._maps(image)
            top, left, bottom, right = box
            where = [torch.tensor([[left, top, right, bottom]], dtype=torch.float32)]
            pool, size = module.roi_heads.box_roi_pool, [self.input_size]
            names = [name for name in maps if name in pool.featmap_names]
            read = pool(maps, where, size)  # [1, channels, 7, 7]
            name = names[int(pool.map_levels(where)[0])] if len(names) > 1 else names[0]
            found = regions.scores(module.roi_heads, read, index + 1)
            level = maps[name][0].permute(1, 2, 0).numpy()
        return f"{pyramid.ALL}.{name}", np.array(level), np.array(found.numpy(), np.float32)

    def read(self, said: Any) -> Detections:
        """Return what the native module says of one view, in our words."""
        return pyramid.detections(said)

    def native(self) -> Any:
        """Return torchvision's module: a batch `[N, 3, h, w]` in 0..1 in, dictionaries out."""
        return self._module

    def native_layer(self, layer: str) -> Any:
        """Return the backbone, which gives all levels. Raises ParamError for one of them."""
        if layer != pyramid.ALL:
            raise ParamError(
                "The grad-cam library reads all levels of a detector together: choose "
                f"{pyramid.ALL}, not {layer!r}, or the engine ours."
            )
        return self._module.backbone

    def reshape_transform(self, layer: str) -> Callable[[Any], Any]:
        """Return what makes one map of all levels."""
        return pyramid.together

    def _said(self, images: Array) -> Iterator[dict[str, torch.Tensor]]:
        for start in range(0, len(images), BATCH):
            yield from self._module([_tensor(each) for each in images[start : start + BATCH]])

    def _maps(self, image: Array) -> pyramid.Maps:
        """Return a view's levels, which are kept until another view's are asked for."""
        backbone = self._module.backbone
        kept = self._last
        if kept is None or kept[0] is not backbone or not np.array_equal(kept[1], image):
            kept = self._last = None  # before others are made: they are large
            with torch.inference_mode(False), torch.no_grad():  # so that they can be followed
                images = pyramid.prepared(self._module, image[None])
                maps = pyramid.levels_of(self._module, images)
            kept = self._last = backbone, np.array(image), maps
        return pyramid.Maps(kept[2])

    def _followed(self, view: torch.Tensor, asked: BoxTarget) -> torch.Tensor | None:
        with torch.enable_grad(), self._judging(**WEIGHED):
            return pyramid.asked_of(self._module([view])[0], asked)

    def _slopes(self, image: Array, asked: BoxTarget) -> tuple[Any, Any]:
        """Return all levels, and d what is asked / d each; raises UnsupportedModel."""
        with torch.no_grad():
            maps = self._maps(image)
        leaves = pyramid.Maps((name, each.detach().requires_grad_()) for name, each in maps.items())
        with pyramid.handed(self._module, leaves):
            number = self._followed(_tensor(image), asked)
        if number is None:
            raise pyramid.nothing(asked, self.labels)
        found = torch.autograd.grad(number, list(leaves.values()), allow_unused=True)
        slopes = {
            name: torch.zeros_like(each) if slope is None else slope
            for (name, each), slope in zip(leaves.items(), found, strict=True)
        }
        return {name: each.detach() for name, each in leaves.items()}, slopes

    @contextlib.contextmanager
    def _judging(self, **values: float) -> Iterator[None]:
        """Let the network judge by other thresholds while this is open."""
        own = {name: getattr(self._judge, name) for name in values}
        try:
            vars(self._judge).update(values)
            yield
        finally:
            vars(self._judge).update(own)


def moving(slopes: Mapping[str, torch.Tensor]) -> str:
    """Return the level that moves most of what is asked of a box, by its gradients."""
    return max(slopes, key=lambda name: float(slopes[name].abs().sum()))


def _tensor(image: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1)))
