"""Say what an object detector finds on a photo."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from commands import _opened, _photo
from commands._waiting import wait
from workers.tasks.detect import DetectObjects
from xai_core.detection.boxes import OVERLAP, THRESHOLD, in_photo, kept
from xai_core.errors import ParamError

if TYPE_CHECKING:
    from workers.tasks.detect import Detection


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a detector, a photo, and which boxes are listed."""
    _opened.flags(parser)
    _photo.flags(parser)
    said = f"list boxes of at least this score, from 0 to 1 ({THRESHOLD:g})"
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help=said)
    said = f"how far two boxes of a class may overlap, from 0 to 1 ({OVERLAP:g})"
    parser.add_argument("--overlap", type=float, default=OVERLAP, help=said)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the boxes, the highest score first, and what is to be known of model and photo."""
    for name in ("threshold", "overlap"):
        if not 0 <= getattr(args, name) <= 1:
            raise ParamError(f"--{name} must be from 0 to 1, got {getattr(args, name)}")
    with _opened.opened(args, "detection") as model:
        pixels, notes = _photo.decoded(model, args.image)
        said: Detection = wait(model.handle.run(DetectObjects(pixels=pixels)), "detecting")
        boxes = in_photo(said.boxes, said.geometry)
        findings = (*model.card.findings, *notes, *said.findings)
        return {
            "detections": [
                {
                    "index": number,
                    "label": model.card.labels[said.labels[place]],
                    "score": float(said.scores[place]),
                    "box": [float(boxes[place][side]) for side in (1, 0, 3, 2)],
                }
                for number, place in enumerate(kept(said.found, args.threshold, args.overlap))
            ],
            "preprocessing": dict(model.card.preprocessing),
            "findings": [dataclasses.asdict(finding) for finding in findings],
        }
