"""List the methods and their parameters."""

from __future__ import annotations

import argparse
from typing import Any

from xai_core.explainer import Explainer, explainers
from xai_core.params import Param


def flags(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each method."""
    return [_method(name, cls) for name, cls in explainers().items()]


def _method(name: str, cls: type[Explainer]) -> dict[str, Any]:
    return {
        "name": name,
        "title": cls.title,
        "family": cls.family,
        "shows": cls.shows,
        "tasks": list(cls.tasks),
        "needs": [need.__name__ for need in cls.needs],
        "signed": cls.signed,
        "class_agnostic": cls.class_agnostic,
        "reference": cls.reference,
        "engines": [engine.name for engine in cls.engines],
        "honours": {engine.name: list(cls.honoured(engine.name)) for engine in cls.engines},
        "help": (cls.__doc__ or "").split("\n", 1)[0],
        "parameters": [_parameter(param) for param in cls.declared().values()],
    }


def _parameter(param: Param) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": param.name,
        "flag": param.flag,
        "kind": param.kind,
        "default": param.default,
        "unit": param.unit,
        "help": param.help,
        "source": param.source,
    }
    if param.kind in ("integer", "real"):
        row["range"] = [param.lo, param.hi]
    if param.options:
        row["options"] = list(param.options)
    if param.engines:
        row["engines"] = list(param.engines)
    return row
