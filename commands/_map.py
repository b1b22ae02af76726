"""A map, made, and on its way into a folder: its numbers, its picture, all that is known of it."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commands._files import write
from commands._opened import Opened
from commands._waiting import wait
from workers.tasks.explain import allowed
from xai_core import render
from xai_core.explanation import Explanation
from xai_core.question import Question

NOTHING: Mapping[str, bytes] = {}


def explained(model: Opened, pixels: NDArray[np.uint8], question: Question) -> Explanation:
    """Return a question's answer; said before is how long it takes, and when it is stopped."""
    made = question.made(model.card.input_size)
    cost = made.cost(model.card)
    seconds = model.card.pace.seconds(cost)
    about = "at most" if cost.at_most else "about"
    ends = f"{about} {seconds:.0f} s, stopped after {allowed(seconds):.0f} s"
    print(f"{made.title}: {ends}", file=sys.stderr)
    found: Explanation = wait(model.handle.explain(pixels, question), made.title)
    return found


def written(
    args: argparse.Namespace,
    explanation: Explanation,
    pixels: NDArray[np.uint8],
    answer: dict[str, Any],
    more: Mapping[str, bytes] = NOTHING,
) -> dict[str, Any]:
    """Write a map and its picture into `args.out`, and `answer`, which is returned with the files.

    The numbers are in the view's frame or the photo's, as `args.frame` says.
    """
    attribution = explanation.attribution
    if args.frame == "upload":
        attribution = render.to_upload(attribution, explanation.placed)
    array = io.BytesIO()
    np.save(array, attribution, allow_pickle=False)
    text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
    files = {
        "attribution.npy": array.getvalue(),
        "overlay.png": render.png(render.overlay(pixels, explanation)),
        "explanation.json": f"{text}\n".encode(),
        **more,
    }
    write(args.out, files)
    return answer | {"files": [str(args.out / name) for name in files]}
