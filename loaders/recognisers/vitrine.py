"""The network of the built-in models, under any prefix."""

from __future__ import annotations

import dataclasses

from loaders import vitrine_net
from loaders.recognise import Match, Shapes, beside, is_counter, prefixes


@dataclasses.dataclass(frozen=True)
class Vitrine:
    """The row of the built-in models."""

    library: str = "Vitrine"

    def exact(self, shapes: Shapes) -> Match | None:
        """Return the built-in network where these tensors are its own by name and nothing else."""
        if "classifier.weight" not in shapes or len(shapes) > len(vitrine_net.body()) + 20:
            return None
        return next((match for match in self.matches(shapes) if not match.prefix), None)

    def matches(self, shapes: Shapes) -> list[Match]:
        """Return the built-in network where these tensors are just its own."""
        own = vitrine_net.body()
        found = []
        for prefix in prefixes(own, shapes):
            weight, bias = (f"{prefix}classifier.{leaf}" for leaf in ("weight", "bias"))
            width = (vitrine_net.WIDTHS[-1],)
            if any(shapes.get(prefix + name) != shape for name, shape in own.items()):
                continue
            if shapes.get(weight, ())[1:] != width or bias not in shapes:
                continue
            taken = {prefix + name for name in own} | {weight, bias}
            rest = [name for name in shapes if name not in taken and not is_counter(name)]
            outer, stray = beside(shapes, rest)
            if outer:
                continue
            found.append(
                Match(
                    library=self.library,
                    architecture="vitrine_net",
                    prefix=prefix,
                    body={name: prefix + name for name in own},
                    head={"classifier.weight": weight, "classifier.bias": bias},
                    stray=stray,
                )
            )
        return found


RECOGNISER = Vitrine()
