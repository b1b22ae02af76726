"""Trainings on the screen, epoch by epoch: the recording's own bytes, drawn by the browser."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ui import first, mounts
from xai_core import colormaps
from xai_core.training.recording import Frames

PALETTE = "magma"
"""Dark is zero in both themes: a unit that is silent is a dark line."""


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "training",
        html=mounts.part("training/training.html"),
        css="training/training.css",
        js=["training/training.js"],
    )


@functools.cache
def _palette() -> str:
    return coded(colormaps.table(PALETTE))


def coded(array: NDArray[Any]) -> str:
    """Return an array's bytes as text for the browser."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def layer(
    name: str,
    title: str,
    frames: Frames,
    *,
    orders: Mapping[str, list[int]],
    counts: Mapping[str, list[int]],
) -> dict[str, Any]:
    """Return a layer over the epochs as the browser is given it."""
    return {
        "name": name,
        "title": title,
        "rows": frames.sides[0],
        "columns": frames.sides[1],
        "data": coded(frames.data),
        "ends": frames.ends.tolist(),
        "whole": frames.whole.tolist(),
        "steps": frames.steps.tolist(),
        "zero": frames.zero,
        "orders": dict(orders),
        "counts": dict(counts),
    }


def still(name: str, title: str, frame: NDArray[np.uint8]) -> dict[str, Any]:
    """Return a layer at one epoch, uint8 `[rows, columns]`, as it is shown while it trains."""
    return {
        "name": name,
        "title": title,
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "frame": coded(frame.T),
        "steps": [1.0],
        "zero": 0,
    }


def numbers(curve: NDArray[Any]) -> list[float | None]:
    """Return a curve as JSON has it: what is no number is None."""
    return [float(value) if np.isfinite(value) else None for value in curve]


def show(
    key: str,
    id: str,
    group: str,
    panes: Sequence[Mapping[str, Any]],
    *,
    white: float,
    tops: Mapping[str, Any],
    picked: Mapping[str, Any] | None = None,
    live: bool = False,
    together: str = "",
    on_picked: Callable[[], None] | None = None,
    on_branch: Callable[[], None] | None = None,
) -> None:
    """Show trainings side by side in step.

    `id` tells these from others, `group` from those at which it begins at the first epoch again. A
    pane's `groups` name its rows, and its `what` says what they are. `white` is the value that is
    shown brightest, `tops` are those that each plot's curves and the counts reach; `together` says
    what two panes share. A click hands back `picked`, a button `branch`, on the key's state.
    """
    nothing = lambda: None  # noqa: E731 - a callback must be there for a trigger to be
    _component()(
        key=key,
        data={
            "id": id,
            "group": group,
            "panes": list(panes),
            "top": white,
            "tops": dict(tops),
            "palette": _palette(),
            "picked": picked,
            "live": live,
            "together": together,
            "stands": first.address(),
        },
        on_picked_change=on_picked or nothing,
        on_branch_change=on_branch or nothing,
    )
