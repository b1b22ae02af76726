"""Say what a model sees on a photo."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np

from commands import _opened, _photo
from xai_core.errors import ParamError


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model, a photo, and how many classes are listed."""
    _opened.flags(parser)
    _photo.flags(parser)
    parser.add_argument("--top", type=int, default=5, help="how many classes (5)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the likeliest classes, and what is to be known of model and photo."""
    if args.top < 1:
        raise ParamError(f"--top must be from 1, got {args.top}")
    with _opened.opened(args) as model:
        seen = _photo.seen(model, args.image)
        return {
            "predictions": [
                {
                    "index": int(index),
                    "label": model.card.labels[index],
                    "probability": float(seen.probabilities[index]),
                    "score": float(seen.scores[index]),
                }
                for index in np.argsort(-seen.scores, kind="stable")[: args.top]
            ],
            "preprocessing": dict(model.card.preprocessing),
            "findings": [dataclasses.asdict(finding) for finding in seen.findings],
        }
