"""What methods share whose map is one weight for each superpixel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from xai_core.explainer import Explainer, Family
from xai_core.model import MasksFast


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentMap(Explainer):
    """Base of the methods that fit a line to photos of which superpixels are hidden."""

    family: ClassVar[Family] = "perturbation"
    needs: ClassVar[tuple[type, ...]] = (MasksFast,)
    signed: ClassVar[bool] = True

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return 50 superpixels of at least 24 pixels, and 20 masked photos for each of them."""
        height, width = size or (224, 224)
        segments = int(np.clip(height * width // 24, 2, 50))
        return {"segments": segments, "samples": max(200, 20 * segments)}
