"""LayerCAM: each cell's values times their own positive gradients."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import LayerMap
from xai_core.engines import grad_cam_library
from xai_core.explainer import Engine, Progress, Raw, explainer
from xai_core.model import HasLayers
from xai_core.target import Target

Array = NDArray[np.float32]


def _ours(
    method: LayerCAM, model: HasLayers, image: Array, target: Target, progress: Progress
) -> Raw:
    maps, gradients = method.slopes(model, image, target)
    raising = np.maximum(gradients, 0)
    cam = np.maximum((maps * raising).sum(-1), 0)
    progress(1, 1)
    notes = method.notes(model, image, target, cam, raising)
    return method.drawn(cam, model.input_size, notes=notes)


@explainer
class LayerCAM(LayerMap):
    """Where a layer's map is strong and more of it would raise the score.

    Each value is multiplied by its own gradient where that is positive, and the channels are added
    (Jiang et al. 2021, eq. 6 and 7). Made for early layers, whose maps are fine and whose
    gradients differ from cell to cell. What speaks against the class is never shown.
    """

    title: ClassVar[str] = "LayerCAM"
    place: ClassVar[int] = 20
    shows: ClassVar[str] = "Where the map is strong and more would raise the score; early layers."
    reference: ClassVar[str] = "doi:10.1109/TIP.2021.3089943"
    engines: ClassVar[tuple[Engine, ...]] = (
        Engine(name="ours", run=_ours),
        grad_cam_library.engine("LayerCAM"),
    )
