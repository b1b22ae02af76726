"""A network in two halves: up to a layer, and from there to the scores, as `torch.fx` follows it.

Nothing is differentiated up to the layer, so that half takes its convolutions packed. The other
half runs as the network does. A trace keeps one branch of a network's code: whoever takes the
halves holds them against the network itself.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import fx, nn

from loaders.backend import LARGEST, Refused
from loaders.torch.packed import Chain, Packed, chain
from loaders.torch.wrapped import Wrapped

Values = dict[fx.Node, Any]
_OUT_OF_PLACE: Mapping[Any, Any] = {
    operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}  # fmt: skip


class _Named(fx.Tracer):  # type: ignore[misc]
    """Notes which node each submodule's last output is."""

    def __init__(self) -> None:
        super().__init__()
        self.gave: dict[str, fx.Node] = {}

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Follow a submodule's call."""
        out = super().call_module(m, forward, args, kwargs)
        if isinstance(out, fx.Proxy):
            self.gave[self.path_of_module(m)] = out.node
        return out


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
class _Step:
    """What gives one node's value, from those of others; `done` are not needed afterwards."""

    node: fx.Node
    takes: list[fx.Node]
    run: Callable[[Values], Any]
    done: list[fx.Node] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(eq=False)
class _Plan:
    """The steps on both sides of a node, and the other nodes before it that are read behind it."""

    cut: fx.Node
    before: list[_Step]
    live: list[fx.Node]
    after: list[_Step]


class Halves:
    """A network's two halves at any of its layers. Raises Refused where it cannot be followed."""

    def __init__(self, module: Wrapped, size: tuple[int, int]) -> None:
        if module.reading.form != "maps" or module.contiguous:
            raise Refused("it takes photos in a form of its own")
        if sum(each.numel() * each.element_size() for each in module.parameters()) > LARGEST:
            raise Refused("its weights are too large to be held twice")
        self._module = module
        self._parts = dict(module.body.named_modules())
        self._shapes: dict[fx.Node, torch.Size] = {}
        tracer = _Named()
        try:
            self._nodes = list(tracer.trace(module.body).nodes)
            self._photos = _checked(self._nodes)
            with torch.no_grad():
                self._measure(module.normalised(torch.zeros(1, 3, *size)))
        except Exception as error:  # what a stranger's forward raises on a symbol
            raise Refused(f"torch.fx cannot follow it ({type(error).__name__})") from error
        self._gave = tracer.gave
        self._at = {node: place for place, node in enumerate(self._nodes)}
        self._packed: dict[tuple[fx.Node, fx.Node | None], Packed] = {}
        self._plans: dict[fx.Node, _Plan] = {}

    def knows(self, layer: str) -> bool:
        """Say whether a layer's output is one of the values that were followed."""
        return layer in self._gave and self._gave[layer] in self._shapes

    def later(self, layer: str) -> list[str]:
        """List the layers whose output is this layer's own, or comes after it."""
        start = self._at[self._gave[layer]]
        return [name for name, node in self._gave.items() if self._at[node] >= start]

    def front(self, layer: str, photos: torch.Tensor) -> Front:
        """Return what the network's inputs `[n, c, h, w]` have become at a layer."""
        plan = self._plan(layer)
        with torch.inference_mode(mode=False), torch.no_grad():
            known = _run(plan.before, {self._photos: photos})
        return Front(known[plan.cut], {node: known[node] for node in plan.live})

    def rest(
        self, layer: str, front: Front, output: torch.Tensor, names: Collection[str] = ()
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return logits `[n, classes]` from a layer's output on, and the outputs of later layers.

        `names` are some of `later`'s.
        """
        plan, asked = self._plan(layer), {name: self._gave[name] for name in names}
        known = {**front.values, plan.cut: output}
        known = _run(plan.after, known, {*asked.values()})
        logits = self._module.read(known[self._nodes[-1]], len(output))
        return logits, {name: known[node] for name, node in asked.items()}

    def _measure(self, photos: torch.Tensor) -> None:
        """Run a photo, and note the shape of what each node gives."""
        self._shapes[self._photos] = photos.shape
        known: Values = {self._photos: photos}
        for step in _ordered([self._plain(node) for node in self._nodes], set()):
            if step.node is not self._photos:
                known[step.node] = value = step.run(known)
                if isinstance(value, torch.Tensor):
                    self._shapes[step.node] = value.shape
            for node in step.done:
                known.pop(node, None)

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
        fixed = {node for node in used if node.op in ("get_attr", "placeholder")} - {self._photos}
        live = [node for node in before if node in used - fixed - {cut}]
        front = _ordered(self._chained(before, {cut, *live}), {cut, *live})
        again = [node for node in before if node in fixed]
        rest = _ordered([self._plain(node) for node in [*again, *after]], {self._nodes[-1]})
        return _Plan(cut, front, live, rest)

    def _plain(self, node: fx.Node) -> _Step:
        return _Step(node, list(node.all_input_nodes), lambda known: self._value(node, known))

    def _value(self, node: fx.Node, known: Values) -> Any:
        args: Any = fx.node.map_arg(node.args, known.__getitem__)
        kwargs: Any = fx.node.map_arg(node.kwargs, known.__getitem__)
        if kwargs.get("inplace"):
            kwargs = {**kwargs, "inplace": False}  # the value may be read again later
        match node.op:
            case "call_module":
                return self._parts[str(node.target)](*args, **kwargs)
            case "call_function":
                called: Any = _OUT_OF_PLACE.get(node.target, node.target)
                return called(*args, **kwargs)
            case "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            case "get_attr":
                return operator.attrgetter(str(node.target))(self._module.body)
        return args[0]  # an argument's own default, and the answer

    def _chained(self, nodes: list[fx.Node], shown: set[fx.Node]) -> list[_Step]:
        """Return the steps that give some nodes, convolutions with what follows each of them."""
        free, ends, inner = set(nodes), dict[fx.Node, Chain](), set[fx.Node]()
        for node in nodes:
            made = chain(node, self._parts, self._shapes, free, shown)
            if made is not None:
                members = _members(made)
                free -= set(members)
                inner.update(members[:-1])
                ends[made.last] = made
        return [
            self._packed_step(ends[node]) if node in ends else self._plain(node)
            for node in nodes
            if node is not self._photos and node not in inner
        ]

    def _packed_step(self, made: Chain) -> _Step:
        key = made.first, made.norm
        if key not in self._packed:
            conv: Any = self._parts[str(made.first.target)]
            norm: Any = None if made.norm is None else self._parts[str(made.norm.target)]
            self._packed[key] = Packed(conv, norm, self._shapes[made.takes[0]])
        packed, takes, act = self._packed[key], made.takes, made.act
        return _Step(made.last, takes, lambda known: packed(act, *(known[node] for node in takes)))


def _checked(nodes: list[fx.Node]) -> fx.Node:
    """Return the photos' node. Raises ValueError where something is written in place."""
    photos = [node for node in nodes if node.op == "placeholder" and not node.args]
    if len(photos) != 1:
        raise ValueError("it takes more than photos")
    for node in nodes:
        name = getattr(node.target, "__name__", str(node.target))
        written = name.endswith("_") and not name.endswith("__")
        if node.op == "call_function" and node.target not in _OUT_OF_PLACE:
            own = getattr(node.target, "__module__", "") == "torch.nn.functional"
            written |= name in ("setitem", "iconcat", "ipow", "imatmul")
            written |= "out" in node.kwargs or (own and any(each is True for each in node.args))
        if written and node.op in ("call_function", "call_method"):
            raise ValueError("something is written in place")
    return photos[0]


def _members(made: Chain) -> list[fx.Node]:
    """Return a chain's nodes, from the convolution to its last."""
    nodes = [made.first]
    while nodes[-1] is not made.last:
        (user,) = nodes[-1].users
        nodes.append(user)
    return nodes


def _ordered(steps: list[_Step], kept: set[fx.Node]) -> list[_Step]:
    """Say of each value after which step it is not needed, but for those that are kept."""
    seen = set(kept)
    for step in reversed(steps):
        step.done = [node for node in dict.fromkeys(step.takes) if node not in seen]
        seen.update(step.takes)
    return steps


def _run(steps: list[_Step], known: Values, keep: Collection[fx.Node] = ()) -> Values:
    """Return the values of the steps that are not done with, and of those to be kept."""
    for step in steps:
        known[step.node] = step.run(known)
        for node in step.done:
            if node not in keep:
                known.pop(node, None)
    return known
