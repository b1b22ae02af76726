"""Say what a model file is, and what each of its layers does, stage by stage."""

from __future__ import annotations

import argparse
from typing import Any

from commands import _opened
from xai_core import plain
from xai_core.stages import KINDS, Stage, kinds

KEYS = (
    "task",
    "kind",
    "framework",
    "architecture",
    "parameters",
    "input_size",
    "channels",
    "classes",
    "labels",
    "head",
    "layers",
    "default_layer",
    "stages",
    "words",
    "preprocessing",
    "findings",
    "methods",
    "sandbox",
)


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model."""
    _opened.flags(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the card; `stages` and `words` say what the layers do."""
    with _opened.opened(args, "any") as model:
        card = model.card
        told = {
            "classes": card.classes,
            "stages": [_told(stage) for stage in card.stages],
            "words": {kind: KINDS[kind] for kind in kinds(card.stages)},
        }
        whole = plain.pack(card)[0] | told
        return {key: whole[key] for key in KEYS}


def _told(stage: Stage) -> dict[str, Any]:
    """Return what runs at one size of the map, from how few to how many channels."""
    return {
        "title": stage.title,
        "map_size": stage.map_size,
        "channels": stage.channels,
        "layers": stage.line,
    }
