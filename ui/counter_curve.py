"""A masking curve on the page: the drawing, and what its lines are."""

from __future__ import annotations

import base64

from ui import text
from xai_core.probes.masking import ORDERS, Masked
from xai_core.report.curve import COLOURS, DASHES, svg
from xai_core.report.masked import CALLED

WIDE = 520
"""How wide it is on the page at the most, in pixels."""


def image(made: Masked, point: int, alternative: str) -> str:
    """Return the curve and what its lines are, as HTML for the page."""
    coded = base64.b64encode(svg(made, point).encode()).decode()
    what = "kept" if made.way == "keep" else "hidden"
    keys = "".join(
        f'<span><i style="border-top:{"3px solid" if not DASHES[order] else "2px dashed"} '
        f'{COLOURS[order]}"></i>{text.escape(CALLED[order])}</span>'
        for order in ORDERS
    )
    turn = "the answer is there from it on" if made.way == "keep" else "the answer changes"
    return (
        f'<img class="v-curve" width="{WIDE}" src="data:image/svg+xml;base64,{coded}" '
        f'alt="{text.escape(alternative)}">'
        f'<div class="v-keys v-quiet v-small">{keys}'
        '<span><i style="border-top:0.7rem solid #7d878966"></i>the same region at random</span>'
        f"<span>dot: {turn}; across: the share {what}</span></div>"
    )
