"""List the built-in and the published models."""

from __future__ import annotations

import argparse
from typing import Any

from loaders import catalogue
from workers.fetch import Cache


def flags(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each model."""
    own = (*catalogue.models(), *catalogue.detectors())
    built_in = [_listed(entry) | {"classes": list(entry.classes)} for entry in own]
    cache = Cache()
    pretrained = [
        _listed(entry)
        | {
            "library": entry.library,
            "parameters": entry.parameters,
            "accuracy": None if entry.top1 is None else round(entry.top1 / 100, 5),
            "box_map": None if entry.box_map is None else round(entry.box_map / 100, 5),
            "bytes": entry.bytes,
            "downloaded": cache.holds(entry),
        }
        for entry in catalogue.pretrained()
    ]
    return built_in + pretrained


def _listed(entry: catalogue.Entry | catalogue.Pretrained) -> dict[str, Any]:
    keys = ("name", "task", "source", "framework", "title", "trained_on")
    return {key: getattr(entry, key) for key in keys}
