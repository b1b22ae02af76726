"""LIME's four steps, drawn from the data of the run that is on the screen."""

from __future__ import annotations

import html
from collections.abc import Iterable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import views
from xai_core import render, report
from xai_core.explanation import Explanation
from xai_core.grain import Superpixels
from xai_core.report import amount

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SIDE = 320
"""Shorter side of the cut photo on the screen, in pixels, at the least."""
ROWS = 5
"""Superpixels whose weight is listed."""


def show(view: Array, explanation: Explanation) -> None:
    """Draw the steps: the cut, masked photos, what the model said of them, the weights."""
    grain = explanation.grain
    arrays, scalars = explanation.arrays, explanation.scalars
    masks, scores, kernel, hidden = (
        arrays.get(name) for name in ("masks", "scores", "kernel", "hidden")
    )
    if (
        not isinstance(grain, Superpixels)
        or masks is None
        or scores is None
        or kernel is None
        or hidden is None
    ):
        return
    labels, weights = grain.labels, grain.weights
    if view.shape[:2] != labels.shape or hidden.shape != view.shape:
        return
    order = np.argsort(-np.abs(weights), kind="stable")
    order = order[weights[order] != 0][:ROWS]
    photo = render.pixels(view)
    views.line(
        f"1. The photo is cut into {len(weights)} superpixels; the numbers are those of the last "
        "step.",
        "v-prose",
    )
    _pictures([(outlined(photo, labels, order), "The superpixels of this photo", "")], wide=True)
    views.line(
        f"2. A random half of them is hidden, {len(scores):,} times over. 3. The model scores each "
        "masked photo, and one that is more like the photo counts more.",
        "v-prose",
    )
    shown = min(len(masks), len(scores), len(kernel))
    pictures = []
    for index in range(shown):
        bits = np.asarray(masks[index], bool)
        if bits.shape != weights.shape:
            return
        caption = f"score {amount(float(scores[index]))}, counts {kernel[index]:.2f}"
        name = "The whole photo" if index == 0 else f"Masked photo {index}"
        pictures.append((masked(photo, hidden, bits[labels]), name, caption))
    _pictures(pictures)
    views.line(
        f"4. A straight line is fitted to the scores. It starts from "
        f"{amount(scalars.get('intercept', 0.0))} with all hidden and adds the weight of each "
        f"superpixel that is shown. For the whole photo it gives "
        f"{amount(scalars.get('prediction', 0.0))}; the model said "
        f"{amount(scalars.get('score', 0.0))}. It explains "
        f"{report.percent(max(scalars.get('r2', 0.0), 0.0))} of how the scores vary (R2).",
        "v-prose",
    )
    rows = "".join(
        f"<tr><td>{rank}</td><td>{amount(float(weights[index]))}</td>"
        f"<td>{html.escape(report.place_of(labels == index))}</td></tr>"
        for rank, index in enumerate(order, 1)
        if (labels == index).any()
    )
    st.html(
        '<div class="v-scroll"><table class="v-table"><thead><tr><th>Superpixel</th><th>Weight</th>'
        f"<th>Where</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def masked(photo: Pixels, hidden: NDArray[np.uint8], on: NDArray[np.bool_]) -> Pixels:
    """Return what the model saw, uint8 `[h, w, 3]`: the photo where it is on, else what hides."""
    return np.where(on[..., None], photo, hidden).astype(np.uint8)


def outlined(photo: Pixels, labels: NDArray[np.int32], order: NDArray[np.intp]) -> Pixels:
    """Draw each superpixel's edge on the photo, enlarged, and number those in `order` from 1."""
    from PIL import Image, ImageDraw

    times = max(1, -(-SIDE // min(labels.shape)))
    large = labels.repeat(times, 0).repeat(times, 1)
    drawn = photo.repeat(times, 0).repeat(times, 1)
    edge = np.zeros(large.shape, bool)
    edge[:, 1:] |= large[:, 1:] != large[:, :-1]
    edge[1:] |= large[1:] != large[:-1]
    drawn[edge] = (255, 214, 10)
    picture = Image.fromarray(drawn)
    pen = ImageDraw.Draw(picture)
    for rank, index in enumerate(order, 1):
        rows, columns = np.nonzero(large == index)
        if rows.size:
            at = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
            pen.text(
                (int(columns[at]), int(rows[at])), str(rank), "white", anchor="mm", font_size=18,
                stroke_width=2, stroke_fill="black",
            )  # fmt: skip
    return np.asarray(picture)


def _pictures(pictures: Iterable[tuple[Pixels, str, str]], *, wide: bool = False) -> None:
    items = "".join(
        f'<figure><img src="{views.data_url(pixels)}" alt="{html.escape(name)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for pixels, name, caption in pictures
    )
    st.html(f'<div class="v-steps{" wide" if wide else ""}">{items}</div>')
