"""Say what a model file is."""

from __future__ import annotations

import argparse
from typing import Any

from commands import _opened
from xai_core import plain

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
    "preprocessing",
    "findings",
    "methods",
    "sandbox",
)


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model."""
    _opened.flags(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the card."""
    with _opened.opened(args, "any") as model:
        whole = plain.pack(model.card)[0] | {"classes": model.card.classes}
        return {key: whole[key] for key in KEYS}
