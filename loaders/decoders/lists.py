"""Boxes, labels and scores as lists: what torchvision's detectors answer, however exported."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.decoders import Answers, Decoder
from xai_core.model import Detections

_BOX = re.compile(r"box|bbox", re.I)
SLIGHT = 1e-3
"""How far a score may pass 0 or 1, by rounding."""


def _lists(answers: Answers) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], bool] | None:
    """Return boxes `[n, 4]`, labels `[n]`, scores `[n]`, and whether a name says so; or None."""
    plain = {name: _alone(value) for name, value in answers.items()}
    boxes = {k: v for k, v in plain.items() if v.dtype.kind == "f" and v.ndim == 2}
    boxes = {name: value for name, value in boxes.items() if value.shape[1] == 4}
    if len(boxes) != 1:
        return None
    ((name, found),) = boxes.items()
    rows = [value for value in plain.values() if value.shape == (len(found),)]
    labels = [value for value in rows if value.dtype.kind in "iu"]
    scores = [value for value in rows if value.dtype.kind == "f"]
    if len(labels) != 1 or len(scores) != 1:
        return None
    return found, labels[0], scores[0], bool(_BOX.search(name))


def _alone(value: NDArray[Any]) -> NDArray[Any]:
    """Return an answer without the axis of a batch of one photo."""
    lists = (value.ndim == 3 and value.shape[2] == 4) or value.ndim == 2
    return value[0] if lists and value.shape[0] == 1 and value.shape != (1, 4) else value


def tells(answers: Answers) -> str | None:
    """Say that these are such lists, or None."""
    found = _lists(answers)
    if found is None:
        return None
    boxes, labels, scores, named = found
    # a classifier of four classes may give its scores, the best one's number and its chance
    if len(boxes) == 1 and not named and boxes.max() <= 1:
        return None
    inside = (scores >= -SLIGHT).all() and (scores <= 1 + SLIGHT).all()
    upright = (boxes[:, :2] <= boxes[:, 2:]).all()
    if not (inside and upright and (labels >= 0).all()):
        return None
    return "boxes, labels and scores, as torchvision's detectors give them"


def read(answers: Answers) -> Detections:
    """Return them as boxes; labels of 0 are the background and left out. Raises ValueError."""
    found = _lists(answers)
    if found is None:
        raise ValueError("no boxes, labels and scores")
    boxes, labels, scores = (np.asarray(each) for each in found[:3])
    boxes = boxes.astype(np.float32)[:, [1, 0, 3, 2]]
    scores = np.clip(scores.astype(np.float32), 0, 1)
    good = np.isfinite(boxes).all(1) & np.isfinite(scores) & (labels > 0)
    good &= (boxes[:, :2] <= boxes[:, 2:]).all(1)
    boxes, labels, scores = boxes[good], labels[good].astype(np.int32) - 1, scores[good]
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], labels[order], scores[order])


DECODERS = (Decoder(name="torchvision", tells=tells, read=read, place=10),)
