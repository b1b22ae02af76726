"""What a method hands back: frozen numbers, in the view's frame, with all that made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import UnsupportedModel
from xai_core.model import Geometry
from xai_core.target import ClassTarget

Array = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explanation:
    """An attribution and its provenance.

    `attribution` is finite float32 `[h, w]` at its raw scale, in the view's frame. `arrays` and
    `scalars` hold what the method adds under its own names. `notes` are sentences about doubts
    that the method itself found. Raises UnsupportedModel where the attribution is not finite.
    """

    attribution: Array
    signed: bool
    target: ClassTarget
    method: str
    parameters: Mapping[str, Any]
    engine: str
    seed: int | None = None
    passes: int = 0
    seconds: float = 0.0
    geometry: Geometry | None = None
    model_hash: str = ""
    image_hash: str = ""
    scalars: Mapping[str, float] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        attribution = np.array(self.attribution, np.float32)
        if attribution.ndim != 2:
            raise ValueError(f"Explanation.attribution must be [h, w], got {attribution.shape}")
        if not np.isfinite(attribution).all():
            raise UnsupportedModel(
                f"{self.method} gave values that are not finite, so there is no map to show: the "
                "model overflows on this photo. Check its pre-processing."
            )
        arrays = {name: np.array(array) for name, array in self.arrays.items()}
        for array in (attribution, *arrays.values()):
            array.setflags(write=False)
        set_ = object.__setattr__
        set_(self, "attribution", attribution)
        set_(self, "arrays", MappingProxyType(arrays))
        set_(self, "scalars", MappingProxyType(dict(self.scalars)))
        set_(self, "parameters", MappingProxyType(dict(self.parameters)))
        set_(self, "notes", tuple(self.notes))

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays, as plain data."""
        return {
            "method": self.method,
            "engine": self.engine,
            "parameters": dict(self.parameters),
            "target": dataclasses.asdict(self.target),
            "signed": self.signed,
            "seed": self.seed,
            "passes": self.passes,
            "seconds": self.seconds,
            "geometry": dataclasses.asdict(self.geometry) if self.geometry else None,
            "model_hash": self.model_hash,
            "image_hash": self.image_hash,
            "scalars": dict(self.scalars),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Explanation:
        """Rebuild from `to_json` and the arrays, `attribution` among them."""
        rest = dict(data)
        geometry = rest.pop("geometry")
        if geometry:
            geometry = Geometry(**{name: tuple(pair) for name, pair in geometry.items()})
        others = dict(arrays)
        return cls(
            attribution=others.pop("attribution"),
            arrays=others,
            target=ClassTarget(**rest.pop("target")),
            geometry=geometry,
            notes=tuple(rest.pop("notes")),
            **rest,
        )
