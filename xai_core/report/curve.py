"""A masking curve as a picture: the answer against the hidden share, and where the label flips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xai_core.probes._masked import ORDERS, Masked, Order
from xai_core.report.masked import CALLED, masked_facts
from xai_core.report.numbers import amount, percent

WIDE, TALL = 440, 200
"""The drawing's own sides: narrow, so that its letters can be read where it is made smaller."""
LEFT, RIGHT, TOP, BOTTOM = 40, 24, 12, 30
LETTER = 8.5
"""How wide a letter of an axis is at the most."""
GREY = "#7d8789"
Scale = Callable[[float], float]
COLOURS: dict[Order, str] = {"strongest": "#1f9a90", "least": "#8a6fd1", "brightest": "#d9992b"}
"""Colours that both themes can bear."""
DASHES: dict[Order, str] = {"strongest": "", "least": "6 3", "brightest": "2 3"}
_STROKES: dict[Order, str] = {"strongest": "solid", "least": "dashed", "brightest": "dotted"}
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
    names = {value: percent(value) if chances else amount(value)
             for value in (low, (low + high) / 2, high)}  # fmt: skip
    left = max(LEFT, 10 + LETTER * max(map(len, names.values())))

    def across(area: float) -> float:
        return left + math.sqrt(area) * (WIDE - left - RIGHT)

    def down(value: float) -> float:
        return TALL - BOTTOM - (value - low) / ((high - low) or 1) * (TALL - TOP - BOTTOM)

    def points(each: NDArray[np.float64]) -> str:
        pairs = zip(made.areas, each, strict=True)
        return " ".join(f"{across(area):.1f},{down(value):.1f}" for area, value in pairs)

    body = [_axes(across, down, names)]
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
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" font-size="12" '
        f'font-family="sans-serif" fill="{GREY}">{"".join(body)}</svg>'
    )


def _range(every: list[NDArray[np.float64]]) -> tuple[float, float]:
    return min(float(each.min()) for each in every), max(float(each.max()) for each in every)


def _axes(across: Scale, down: Scale, names: Mapping[float, str]) -> str:
    made = []
    for share in TICKS:
        x = across(share)
        made.append(
            f'<text x="{x:.1f}" y="{TALL - 12}" text-anchor="middle">{percent(share)}</text>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TALL - BOTTOM}" y2="{TALL - BOTTOM + 4}" '
            f'stroke="{GREY}"/>'
        )
    left = across(0)
    for value, name in names.items():
        made.append(
            f'<text x="{left - 6:.1f}" y="{down(value) + 4:.1f}" text-anchor="end">{name}</text>'
            f'<line x1="{left:.1f}" x2="{WIDE - RIGHT}" y1="{down(value):.1f}" '
            f'y2="{down(value):.1f}" stroke="{GREY}" stroke-opacity="0.3"/>'
        )
    return "".join(made)


def described(made: Masked) -> str:
    """Say what a curve's lines, its band and its dots are."""
    what = "kept" if made.way == "keep" else "hidden"
    unit = "probability" if _chances(made) else "score"
    turn = "the answer is there from it on" if made.way == "keep" else "the answer changes"
    lines = "; ".join(f"{_STROKES[order]}, {CALLED[order]}" for order in ORDERS)
    return (
        f"The {unit} against the share of the view that is {what}: {lines}; the band, the same "
        f"region in {made.draws} random places. A dot: {turn}."
    )


def _chances(made: Masked) -> bool:
    return bool(masked_facts(made, 1)["unit"] == "probability")
