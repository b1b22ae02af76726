"""Explanations made by hand, as a method would have made them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_core.explanation import Explanation
from xai_core.question import Question
from xai_core.target import ClassTarget, Target


def explanation(
    attribution: Any,
    *,
    method: str = "grad-cam",
    engine: str = "ours",
    parameters: Any = (),
    target: Target | None = None,
    signed: bool = False,
    **more: Any,
) -> Explanation:
    """Return an explanation of class 1, or of `target`."""
    question = Question(
        method=method,
        engine=engine,
        values=dict(parameters),
        target=target or ClassTarget(1),
    )
    return Explanation(
        attribution=np.asarray(attribution, np.float32), signed=signed, question=question, **more
    )
