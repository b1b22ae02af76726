"""FEM: the cells of each channel that lie K standard deviations above its mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core import channels
from xai_core.cam import ARRAYS, LayerMap
from xai_core.card import Cost
from xai_core.engines import grad_cam_library, xplique
from xai_core.explainer import Engine, Progress, Raw, Sized, explainer
from xai_core.model import ShowsLayers
from xai_core.params import choice, number
from xai_core.target import Target
from xai_core.task import Shape

Array = NDArray[np.float32]


def _ours(method: FEM, model: ShowsLayers, image: Array, target: Target, progress: Progress) -> Raw:
    maps = method.maps(model, image)
    marked = method.marked(maps)
    if method.weighing == "mean":
        weights, parts = maps.mean((0, 1), dtype=np.float64), marked
    else:
        weights, parts = marked.mean((0, 1), dtype=np.float64), maps
    weights = weights.astype(np.float32)
    cam = np.maximum(parts @ weights, 0)
    progress(1, 1)
    shown = channels.strongest(parts.astype(np.float32), weights)
    values = np.ascontiguousarray(maps[..., shown["numbers"]].transpose(2, 0, 1), np.float32)
    return method.drawn(
        cam,
        model.input_size,
        scalars={"marked": float(marked.mean())},
        arrays={"weights": weights, "values": values} | shown,
        notes=method.why_blank(maps, marked) if not np.any(cam) else (),
    )


def _xplique(method: FEM, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
    attribution = np.maximum(xplique.fem(model, image, method.layer, k=method.k), 0)
    progress(1, 1)
    return Raw(attribution=attribution, grain=method.cells_of(model, "cubic"))


def _other(method: Any, model: Any, image: Array, target: Target) -> tuple[str, ...]:
    return (
        "The grad-cam library weighs each channel's values by the share of its marked cells, where "
        "the paper weighs the marks by the channel's mean: another map under the same name.",
    )


@explainer
class FEM(LayerMap):
    """Which cells are unusually strong in a layer's channels, whatever the class.

    In each channel the cells are marked whose value lies at least K standard deviations above the
    channel's mean, and the marks are added, each channel's with its mean as the weight (Fuad et al.
    2020, Feature-based Explanation Method). Neither the score nor any class goes into it.
    """

    title: ClassVar[str] = "FEM"
    place: ClassVar[int] = 42
    shows: ClassVar[str] = "Cells that are unusually strong in a layer; the class does not matter."
    reference: ClassVar[str] = "doi:10.1109/IPTA50016.2020.9286629"
    needs: ClassVar[tuple[type, ...]] = (ShowsLayers,)
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType(
        {**ARRAYS, "values": Shape("<f4", ("", "", ""), most=channels.CELLS, optional=True)}
    )
    class_agnostic: ClassVar[bool] = True
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("FEM", _other, k="k"),
        Engine(
            name=xplique.NAME,
            run=_xplique,
            why_not=xplique.why_not_layers,
            worker="both",
            units=False,
        ),
    )

    k: float = number(
        2.0,
        0.0,
        5.0,
        step=0.25,
        unit="deviations",
        help="How many standard deviations above its channel's mean a cell must lie to be marked. "
        "More of them mark fewer cells: the very strongest only.",
        source="Xplique FEM.k, grad-cam FEM.k",
        label="K (sigma)",
    )
    weighing: str = choice(
        "mean",
        ("mean", "share"),
        help="What is added: the marks, weighed by their channel's mean as in the paper, or the "
        "channel's values, weighed by the share of its marked cells as the grad-cam library does.",
        engines=("ours",),
        more=True,
        label="Weighed by",
        titles={"mean": "the channel's mean", "share": "the share of marked cells"},
    )

    def marked(self, maps: Array) -> Array:
        """Return 1 where a channel is strong, float32 `[mh, mw, channels]`.

        A channel that is the same everywhere has no cell that stands out.
        """
        mean, spread = maps.mean((0, 1), np.float64), maps.std((0, 1), np.float64)
        strong = (maps >= mean + self.k * spread) & (np.ptp(maps, (0, 1)) > 0)
        return np.asarray(strong, np.float32)

    def why_blank(self, maps: Array, marked: Array) -> tuple[str, ...]:
        """Say why nothing shows."""
        if np.any(marked):
            return (
                f"The channels of {self.layer} whose cells are marked have a mean of zero or less, "
                "so that they count nothing: choose a layer after a ReLU.",
            )
        cells = maps[..., 0].size
        return (
            f"No cell of {self.layer} lies {self.k:g} standard deviations above its channel's "
            f"mean; among {cells} cells none can lie more than {(cells - 1) ** 0.5:.1f} above. "
            "Lower K, or choose a layer with a finer map.",
        )

    def cost(self, model: Sized) -> Cost:
        """One forward pass, up to the layer."""
        return Cost(forward=1)
