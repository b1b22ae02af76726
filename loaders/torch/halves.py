"""A network in two halves: up to a layer, and from there to the scores, as `torch.fx` follows it.

Nothing is differentiated up to the layer, so that half takes its convolutions packed. The other
half runs as the network does. A trace keeps one branch of a network's code: whoever takes the
halves holds them against the network itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import torch
from torch import fx

from loaders.backend import Refused
from loaders.torch.packed import Chain, Packed
from loaders.torch.traced import Step, Traced, Values, ordered, run
from loaders.torch.wrapped import Wrapped


@dataclasses.dataclass(eq=False)
class Front:
    """What the half up to a layer gave: the layer's own output, and what else the rest takes."""

    output: torch.Tensor
    values: Values

    def of(self, count: int) -> Front:
        """Return it for so many maps of its one photo. Raises Refused where that is not known."""
        made: Values = {}
        for node, value in self.values.items():
            if not isinstance(value, torch.Tensor) or not value.ndim or len(value) != 1:
                raise Refused("what goes round the layer is no row of photos")
            made[node] = value.expand(count, *value.shape[1:])
        return Front(self.output.expand(count, *self.output.shape[1:]), made)

    @property
    def bytes(self) -> int:
        """Return the bytes of its tensors."""
        held = [self.output, *self.values.values()]
        return sum(each.nbytes for each in held if isinstance(each, torch.Tensor))


@dataclasses.dataclass(eq=False)
class _Plan:
    """The steps on both sides of a node, and the other nodes before it that are read behind it."""

    cut: fx.Node
    before: list[Step]
    live: list[fx.Node]
    after: list[Step]


class Halves:
    """A network's two halves at any of its layers. Raises Refused where it cannot be followed."""

    def __init__(self, module: Wrapped, size: tuple[int, int]) -> None:
        self._module, self._traced = module, Traced(module, size)
        self._nodes, self._gave = self._traced.nodes, self._traced.gave
        self._at = {node: place for place, node in enumerate(self._nodes)}
        self._packed: dict[tuple[fx.Node, fx.Node | None], Packed] = {}
        self._plans: dict[fx.Node, _Plan] = {}

    def knows(self, layer: str) -> bool:
        """Say whether a layer's output is one of the values that were followed."""
        return layer in self._gave and self._gave[layer] in self._traced.shapes

    def later(self, layer: str) -> list[str]:
        """List the layers whose output is this layer's own, or comes after it."""
        start = self._at[self._gave[layer]]
        return [name for name, node in self._gave.items() if self._at[node] >= start]

    def front(self, layer: str, photos: torch.Tensor) -> Front:
        """Return what the network's inputs `[n, c, h, w]` have become at a layer."""
        plan = self._plan(layer)
        with torch.inference_mode(mode=False), torch.no_grad():
            known = run(plan.before, {self._traced.photos: photos})
        return Front(known[plan.cut], {node: known[node] for node in plan.live})

    def rest(
        self, layer: str, front: Front, output: torch.Tensor, names: Collection[str] = ()
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return logits `[n, classes]` from a layer's output on, and the outputs of later layers.

        `names` are some of `later`'s.
        """
        plan, asked = self._plan(layer), {name: self._gave[name] for name in names}
        known = {**front.values, plan.cut: output}
        known = run(plan.after, known, {*asked.values()})
        logits = self._module.read(known[self._nodes[-1]], len(output))
        return logits, {name: known[node] for name, node in asked.items()}

    def _plan(self, layer: str) -> _Plan:
        cut = self._gave[layer]
        if cut not in self._plans:
            self._plans[cut] = self._planned(cut)
        return self._plans[cut]

    def _planned(self, cut: fx.Node) -> _Plan:
        place = self._at[cut] + 1
        before, after = self._nodes[:place], self._nodes[place:]
        used = {taken for node in after for taken in node.all_input_nodes}.intersection(before)
        # constants are made again: they are the same for any number of photos
        fixed = {node for node in used if node.op in ("get_attr", "placeholder")} - {
            self._traced.photos
        }
        live = [node for node in before if node in used - fixed - {cut}]
        front = self._front({cut, *live}, before)
        again = [node for node in before if node in fixed]
        rest = ordered([self._traced.plain(node) for node in [*again, *after]], {self._nodes[-1]})
        return _Plan(cut, front, live, rest)

    def _front(self, shown: set[fx.Node], nodes: list[fx.Node]) -> list[Step]:
        """Return the steps to some nodes' values, with convolutions packed.

        A sum is written over what is added, where that is a packed convolution's own map and none
        but packed ones read it, this one last.
        """
        made: dict[fx.Node, Chain] = {}

        def joined(found: Chain) -> Step:
            made[found.last] = found
            return self._packed_step(found, over=False)

        steps = ordered(self._traced.chained(nodes, shown, joined), shown)
        for place, step in enumerate(steps):
            added = made[step.node].added if step.node in made else None
            if added not in made or added not in step.done or step.takes[0] is added:
                continue
            if all(each.node in made for each in steps if added in each.takes):
                steps[place] = self._packed_step(made[step.node], over=True)
                steps[place].done = step.done
        return steps

    def _packed_step(self, made: Chain, *, over: bool) -> Step:
        key = made.first, made.norm
        if key not in self._packed:
            conv: Any = self._traced.parts[str(made.first.target)]
            norm: Any = None if made.norm is None else self._traced.parts[str(made.norm.target)]
            self._packed[key] = Packed(conv, norm, self._traced.shapes[made.takes[0]])
        packed, takes, act = self._packed[key], made.takes, made.act
        return Step(
            made.last, takes, lambda known: packed(act, over, *map(known.__getitem__, takes))
        )
