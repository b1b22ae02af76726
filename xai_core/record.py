"""An explanation as plain data, for a file of JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from xai_core import plain
from xai_core.explanation import Explanation


def record(explanation: Explanation) -> dict[str, Any]:
    """Return everything but the arrays."""
    target = plain.pack(explanation.target)[0]
    target.pop("kind")
    return {
        "method": explanation.method,
        "engine": explanation.engine,
        "parameters": dict(explanation.parameters),
        "target": target,
        "signed": explanation.signed,
        "scale": explanation.scale,
        "grain": explanation.grain.kind,
        "seed": explanation.seed,
        "passes": explanation.passes,
        "seconds": explanation.seconds,
        "geometry": dataclasses.asdict(explanation.geometry) if explanation.geometry else None,
        "model_hash": explanation.model_hash,
        "image_hash": explanation.image_hash,
        "scalars": dict(explanation.scalars),
        "notes": list(explanation.notes),
    }
