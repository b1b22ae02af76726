"""The parts of the layer's map, one after another."""

from typing import Any

from guest_house.explainers.quadrants import Quadrants

from xai_core import stage
from xai_core.film import Film, Frame, held, steps


@steps(Quadrants)
def film(explanation: Any, view: Any) -> Film:
    """Draw each part's worth."""
    parts = explanation.parameters["parts"]
    worth = held(explanation, "worth", "f", (None, None))
    size = stage.frame_size(view.shape[:2])
    top = float(abs(worth).max())
    frames = []
    for row in range(worth.shape[0]):
        shown = worth.copy()
        shown[row + 1 :] = 0
        picture = stage.coloured(shown, size, signed=True, vmax=top)
        frames.append(Frame(picture, f"Row {row + 1} of {parts}"))
    return Film(title="Part by part", frames=tuple(frames), seconds=0.5, still=frames[-1])
