"""The photo, and how far its pixels lie from its mean colour."""

from typing import Any

from guest_house.explainers.borrowed import Borrowed

from xai_core import render, stage
from xai_core.film import Film, Frame, steps


@steps(Borrowed)
def film(explanation: Any, view: Any) -> Film:
    """Draw two pictures."""
    size = stage.frame_size(view.shape[:2])
    top = float(explanation.attribution.max())
    shown = stage.coloured(explanation.attribution, size, signed=False, vmax=top)
    frames = (
        Frame(stage.fitted(render.pixels(view), size), "The photo"),
        Frame(shown, "Its distances"),
    )
    return Film(title="Photo and distances", frames=frames, seconds=1.0, still=frames[1])
