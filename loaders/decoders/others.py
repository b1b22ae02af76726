"""The layouts of DETR and of TensorFlow's detectors: named by names and shapes, not read yet."""

from __future__ import annotations

import re

from loaders.decoders import Answers, Decoder, floats
from xai_core.report.numbers import counted

_BOXES = re.compile(r"box|num_det|dets?$|anchors", re.I)


def _queries(answers: Answers) -> str | None:
    """Tell a set of queries: `[1, queries, classes + 1]` beside `[1, queries, 4]`."""
    lists = [value.shape for value in floats(answers) if value.ndim == 3 and len(value) == 1]
    boxes = [sides for sides in lists if sides[2] == 4]
    scores = [sides for sides in lists if sides[2] != 4 and boxes and sides[1] == boxes[0][1]]
    if not boxes or not scores:
        return None
    queries, wide = scores[0][1:]
    return f"a DETR's, {counted(queries, 'query', 'queries')} with {wide} scores and a box each"


def _named(answers: Answers) -> str | None:
    names = [name.rpartition("/")[2].partition(":")[0] for name in answers]
    if any(name.startswith("detection_boxes") for name in names):
        return "a detector's of TensorFlow's detection API"
    several = any(value.ndim in (2, 3) and value.shape[-1] == 4 for value in answers.values())
    if several and any(_BOXES.search(name) for name in names):
        return "an object detector's of a layout that is not known here"
    return None


DECODERS = (
    Decoder(name="detr", tells=_queries),
    Decoder(name="named-boxes", tells=_named, place=90),
)
