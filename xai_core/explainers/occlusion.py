"""Occlusion: hide a patch, see how far the score falls, move on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Cost, Kind
from xai_core.engines import xplique
from xai_core.errors import ParamError
from xai_core.explainer import Engine, Explainer, Family, Progress, Raw, Sized, explainer
from xai_core.grain import Grain
from xai_core.grain import Patches as Patched
from xai_core.model import MasksFast
from xai_core.params import choice, fill, number, patch, stride
from xai_core.perturb import Patches, baseline
from xai_core.target import JUDGED, Asked, Target
from xai_core.task import Shape

Array = NDArray[np.float32]
BRUTE = (
    "Computed by brute force, a whole pass through the network for each patch: only networks of "
    "PyTorch classifiers are followed to what a patch can reach."
)
_LOOKS = 200
"""Maps so far that a run shows at the most."""


def _ours(
    method: Occlusion, model: MasksFast, image: Array, target: Target, progress: Progress
) -> Raw:
    (made,) = method.weighed(model, image, [target], progress)
    return made


def _xplique(
    method: Occlusion, model: Any, image: Array, target: Target, progress: Progress
) -> Raw:
    total = method.cost(model).passes
    method.patches(model)
    progress(0, total)
    attribution = xplique.occlusion(
        model,
        image,
        target,
        patch=(method.patch_height, method.patch_width),
        stride=(method.stride_height, method.stride_width),
        value=method.value,
    )
    progress(total, total)
    return Raw(
        attribution=attribution,
        grain=method.grain,
        notes=(
            "Xplique sums the drops of overlapping patches and leaves out the last partial ones: "
            "the centre looks stronger than the edges by as much as patches overlap.",
        ),
    )


@explainer
class Occlusion(Explainer):
    """How far the score falls when a patch is hidden.

    A patch moves over the view (Zeiler and Fergus 2014, section 4.2). Each pixel gets the mean
    drop over the patches that hid it; the last patches lie against the far edges, so that every
    pixel is judged by patches of one size and a model that likes all pixels alike gets a flat map.
    Where PyTorch can trace a network, only what a patch can reach in its maps is computed again
    (Nakandala et al. 2019), if that is quicker; the scores are those of whole passes.
    """

    title: ClassVar[str] = "Occlusion"
    place: ClassVar[int] = 10
    family: ClassVar[Family] = "perturbation"
    shows: ClassVar[str] = "How far the score falls when a patch of the photo is hidden."
    reference: ClassVar[str] = "arXiv:1311.2901"
    tasks: ClassVar[tuple[Kind, ...]] = ("classification", "detection")
    asks: ClassVar[tuple[Asked, ...]] = JUDGED
    needs: ClassVar[tuple[type, ...]] = (MasksFast,)
    signed: ClassVar[bool] = True
    together: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {
            "scores": Shape("<f4", ("",), most=1 << 22, optional=True),
            "corners": Shape("<i4", ("", 2), most=1 << 23, optional=True),
        }
    )
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        Engine(name="xplique", run=_xplique, why_not=xplique.why_not, worker="both", units=False),
    )

    patch_height: int = patch("height", source="Xplique Occlusion.patch_size")
    patch_width: int = patch("width", source="Xplique Occlusion.patch_size")
    stride_height: int = stride("height", source="Xplique Occlusion.patch_stride")
    stride_width: int = stride("width", source="Xplique Occlusion.patch_stride")
    value: float = number(
        0.5,
        0.0,
        1.0,
        step=0.05,
        help="The grey that hides: 0 is black, 1 white. A grey that the photo hardly has surprises "
        "the model least.",
        source="Xplique Occlusion.occlusion_value",
    )
    fill: str = fill("the hidden patch", ("value", "mean", "blur"), engines=("ours",))
    overlap: str = choice(
        "mean",
        ("mean", "sum"),
        help="How overlapping patches join: their mean, edges included, or Xplique's sum, which "
        "skips the last partial patches.",
        engines=("ours",),
        more=True,
        label="Overlapping patches",
    )

    def __post_init__(self) -> None:
        """Check each value, and that no pixel is left out between two patches."""
        super().__post_init__()
        for side in ("height", "width"):
            patch, stride = getattr(self, f"patch_{side}"), getattr(self, f"stride_{side}")
            if stride > patch:
                raise ParamError(
                    f"Occlusion.stride_{side} must be at most patch_{side} ({patch} px), or pixels "
                    f"between two patches are never hidden, got {stride}"
                )

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return a seventh of each side (32 px at 224), and half the patch as its stride."""
        values: dict[str, Any] = {}
        for side, length in zip(("height", "width"), size or (224, 224), strict=True):
            patch = values[f"patch_{side}"] = max(2, round(length / 7))
            patch = given.get(f"patch_{side}", patch)
            values[f"stride_{side}"] = max(1, patch // 2) if isinstance(patch, int) else 1
        return values

    def weighed(
        self, model: Any, image: Array, targets: Sequence[Target], progress: Progress
    ) -> list[Raw]:
        """Return the result for each target; all are asked about the same hidden patches."""
        patches = self.patches(model)
        total = len(patches) + 1
        outputs, head = targets[0].outputs(model, image[None]), getattr(model, "head", None)
        wholes = [float(target.score(outputs, head)[0]) for target in targets]
        progress(1, total)
        hidden = self.hidden(image)
        scores = np.empty((len(patches), len(targets)), np.float32)
        due = 0.0
        for part, batch in model.masked_scores(image, patches, hidden, targets):
            scores[part] = batch
            partial = None
            if part.stop >= due or part.stop == len(patches):
                due = part.stop + len(patches) / _LOOKS
                partial = self.drawn(patches, wholes[0] - scores[: part.stop, 0], np.nan)
            progress(part.stop + 1, total, partial)
        corners, way = patches.corners.astype(np.int32), getattr(model, "shortcut", BRUTE)
        return [
            Raw(
                attribution=self.drawn(patches, whole - found),
                scalars={
                    "score": whole,
                    "patches": len(patches),
                    "largest_drop": float(whole - found.min()),
                },
                grain=self.grain,
                arrays={"scores": np.ascontiguousarray(found), "corners": corners},
                way=way,
            )
            for whole, found in zip(wholes, scores.T, strict=True)
        ]

    def patches(self, model: Sized) -> Patches:
        """Return the patches on a view of the model's size. Raises ParamError if one is larger."""
        for side, limit in zip(("height", "width"), model.input_size, strict=True):
            if (patch := getattr(self, f"patch_{side}")) > limit:
                raise ParamError(
                    f"Occlusion.patch_{side} must be from 1 to {limit} px, the {side} of this "
                    f"model's view, got {patch}"
                )
        return Patches(
            model.input_size,
            (self.patch_height, self.patch_width),
            (self.stride_height, self.stride_width),
            edges=self.overlap == "mean" and self.engine == "ours",
        )

    def hidden(self, image: Array) -> Array:
        """Return what a patch shows of a view, float32 `[h, w, 3]`."""
        if self.fill == "value":
            return np.full_like(image, self.value)
        return baseline(self.fill, image)

    def drawn(self, patches: Patches, drops: Array, unknown: float = 0) -> Array:
        """Return the map of the first patches' drops `[n]`; `unknown` where none hid a pixel."""
        covered = patches.total(np.ones(len(drops)))
        made = self.joined(patches.total(drops.astype(np.float64)), covered)
        return np.where(covered > 0, made, np.float32(unknown))

    def joined(self, drops: NDArray[Any], covered: NDArray[Any]) -> Array:
        """Return the map out of each pixel's summed drops and the patches that hid it."""
        if self.overlap == "sum":
            return np.asarray(drops, np.float32)
        return np.asarray(drops / np.maximum(covered, 1), np.float32)

    @property
    def grain(self) -> Grain:
        """The patches that were hidden."""
        return Patched(height=self.patch_height, width=self.patch_width)

    def cost(self, model: Sized) -> Cost:
        """One forward pass for each patch and one for the whole view."""
        return Cost(forward=len(self.patches(model)) + 1)
