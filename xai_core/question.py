"""What is asked of a model: method, engine, values and target, in one frozen object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xai_core.target import Target

if TYPE_CHECKING:
    from xai_core.explainer import Explainer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """One question, from form and flags to the worker, the answer, the JSON and the command.

    `engine` is empty for the method's first one; `values` may leave out what the method then
    suggests for the model's view. Raises nothing: `made` checks it.
    """

    method: str
    target: Target
    engine: str = ""
    values: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))
        object.__setattr__(self, "_known", {})

    def made(self, size: tuple[int, int] | None = None) -> Explainer:
        """Return the method, set so, for a view of `size`. Raises ParamError."""
        known: dict[tuple[int, int] | None, Explainer] = self._known  # type: ignore[attr-defined]
        if size not in known:  # a run asks six times, and neither side of it changes
            from xai_core.explainer import make

            method = make(self.method, self.values, engine=self.engine, size=size)
            method.takes(self.target)
            known[size] = method
        return known[size]
