"""A masking curve as a picture: the answer against the hidden share, and where the label flips."""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray

from ui import text
from xai_core.probes.masking import ORDERS, Masked, Order
from xai_core.report.masked import CALLED, masked_facts
from xai_core.report.numbers import amount, percent

WIDE, TALL = 560, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 24, 12, 30
GREY = "#7d8789"
COLOURS: dict[Order, str] = {"strongest": "#1f9a90", "least": "#8a6fd1", "brightest": "#d9992b"}
"""Colours that both themes can bear."""
DASHES: dict[Order, str] = {"strongest": "", "least": "6 3", "brightest": "2 3"}
TICKS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


def svg(made: Masked, point: int) -> str:
    """Return the curve as SVG; `point` is the one that the reader chose."""
    found = masked_facts(made, point)
    chances = found["unit"] == "probability"

    def values(name: str) -> NDArray[np.float64]:
        answers = getattr(made, name)
        return np.asarray(answers.probabilities if chances else answers.scores, np.float64)

    drawn, lines = values("random"), {order: values(order) for order in ORDERS}
    low, high = (0.0, 1.0) if chances else _range([*lines.values(), drawn])

    def across(area: float) -> float:
        return LEFT + math.sqrt(area) * (WIDE - LEFT - RIGHT)

    def down(value: float) -> float:
        return TALL - BOTTOM - (value - low) / ((high - low) or 1) * (TALL - TOP - BOTTOM)

    def points(each: NDArray[np.float64]) -> str:
        pairs = zip(made.areas, each, strict=True)
        return " ".join(f"{across(area):.1f},{down(value):.1f}" for area, value in pairs)

    body = [_axes(across, down, low, high, chances=chances)]
    band = " ".join([points(drawn.max(1)), *reversed(points(drawn.min(1)).split(" "))])
    body.append(f'<polygon points="{band}" fill="{GREY}" fill-opacity="0.25"/>')
    at = across(float(made.areas[point]))
    body.append(
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TALL - BOTTOM}" stroke="{GREY}"/>'
    )
    for order in (*ORDERS[1:], ORDERS[0]):  # the map's own on top
        width = 2.5 if order == ORDERS[0] else 1.5
        dashes = f' stroke-dasharray="{DASHES[order]}"' if DASHES[order] else ""
        body.append(
            f'<polyline points="{points(lines[order])}" fill="none" stroke="{COLOURS[order]}" '
            f'stroke-width="{width}"{dashes}/>'
        )
        turn = made.flips(order)
        if turn is not None:
            x, y = across(float(made.areas[turn])), down(float(lines[order][turn]))
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{COLOURS[order]}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" font-size="11" '
        f'font-family="sans-serif" fill="{GREY}">{"".join(body)}</svg>'
    )


def _range(every: list[NDArray[np.float64]]) -> tuple[float, float]:
    return min(float(each.min()) for each in every), max(float(each.max()) for each in every)


def _axes(across, down, low: float, high: float, *, chances: bool) -> str:  # type: ignore[no-untyped-def]
    made = []
    for share in TICKS:
        x = across(share)
        made.append(
            f'<text x="{x:.1f}" y="{TALL - 12}" text-anchor="middle">{percent(share)}</text>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TALL - BOTTOM}" y2="{TALL - BOTTOM + 4}" '
            f'stroke="{GREY}"/>'
        )
    for value in (low, (low + high) / 2, high):
        name = percent(value) if chances else amount(value)
        made.append(
            f'<text x="{LEFT - 6}" y="{down(value) + 4:.1f}" text-anchor="end">{name}</text>'
            f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{down(value):.1f}" '
            f'y2="{down(value):.1f}" stroke="{GREY}" stroke-opacity="0.3"/>'
        )
    return "".join(made)


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
