"""A network as `torch.fx` follows it: its nodes, and the steps that give each node's value.

A trace keeps one branch of a network's code: whoever runs the steps holds what they give against
the network itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import fx, nn

from loaders.backend import LARGEST, Refused
from loaders.torch import notes
from loaders.torch.packed import Chain, chain
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
class Step:
    """What gives one node's value, from those of others; `done` are not needed afterwards."""

    node: fx.Node
    takes: list[fx.Node]
    run: Callable[[Values], Any]
    done: list[fx.Node] = dataclasses.field(default_factory=list)


class Traced:
    """A network's nodes, and its parts by name. Raises Refused where it cannot be followed.

    `photos` is the node of its inputs `[n, c, h, w]`, `shapes` are those of the tensors that nodes
    give for one, and `gave` the node that each submodule's last output is.
    """

    def __init__(self, module: Wrapped, size: tuple[int, int]) -> None:
        if module.reading.form != "maps" or module.contiguous:
            raise Refused("it takes photos in a form of its own")
        if sum(each.numel() * each.element_size() for each in module.parameters()) > LARGEST:
            raise Refused("its weights are too large to be held twice")
        self._body = module.body
        self.parts = dict(module.body.named_modules())
        self.shapes: dict[fx.Node, torch.Size] = {}
        tracer = _Named()
        try:
            with notes.untouched(module.body), _own_ways_back_refused():
                self.nodes = list(tracer.trace(module.body).nodes)
            self.photos = _checked(self.nodes)
            with torch.no_grad():
                self._measure(module.normalised(torch.zeros(1, 3, *size)))
        except Exception as error:  # what a stranger's forward raises on a symbol
            raise Refused(f"torch.fx cannot follow it ({type(error).__name__})") from error
        self.gave = tracer.gave

    def _measure(self, photos: torch.Tensor) -> None:
        """Run a photo, and note the shape of what each node gives."""
        self.shapes[self.photos] = photos.shape
        known: Values = {self.photos: photos}
        for step in ordered([self.plain(node) for node in self.nodes], set()):
            if step.node is not self.photos:
                known[step.node] = value = step.run(known)
                if isinstance(value, torch.Tensor):
                    self.shapes[step.node] = value.shape
            for node in step.done:
                known.pop(node, None)

    def plain(self, node: fx.Node) -> Step:
        """Return the step that does what the network does at a node."""
        return Step(node, list(node.all_input_nodes), lambda known: self._value(node, known))

    def _value(self, node: fx.Node, known: Values) -> Any:
        args: Any = fx.node.map_arg(node.args, known.__getitem__)
        kwargs: Any = fx.node.map_arg(node.kwargs, known.__getitem__)
        if kwargs.get("inplace"):
            kwargs = {**kwargs, "inplace": False}  # the value may be read again later
        match node.op:
            case "call_module":
                return self.parts[str(node.target)](*args, **kwargs)
            case "call_function":
                called: Any = _OUT_OF_PLACE.get(node.target, node.target)
                return called(*args, **kwargs)
            case "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            case "get_attr":
                return operator.attrgetter(str(node.target))(self._body)
        return args[0]  # an argument's own default, and the answer

    def chained(
        self, nodes: list[fx.Node], shown: set[fx.Node], joined: Callable[[Chain], Step]
    ) -> list[Step]:
        """Return the steps that give some nodes, convolutions with what follows each of them.

        `joined` makes a chain's step. The values of the nodes that are `shown` are asked for.
        """
        free, ends, inner = set(nodes), dict[fx.Node, Chain](), set[fx.Node]()
        for node in nodes:
            made = chain(node, self.parts, self.shapes, free, shown)
            if made is not None:
                members = _members(made)
                free -= set(members)
                inner.update(members[:-1])
                ends[made.last] = made
        return [
            joined(ends[node]) if node in ends else self.plain(node)
            for node in nodes
            if node is not self.photos and node not in inner
        ]


@contextlib.contextmanager
def _own_ways_back_refused() -> Iterator[None]:
    """Let a trace fail at an operation with a way back of its own, which it would leave out."""
    own = torch.autograd.Function.__dict__["apply"]

    def apply(cls: type, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(each, fx.Proxy) for each in (*args, *kwargs.values())):
            raise ValueError("it has a way back of its own")
        return own.__get__(None, cls)(*args, **kwargs)

    try:
        torch.autograd.Function.apply = classmethod(apply)
        yield
    finally:
        torch.autograd.Function.apply = own


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


def ordered(steps: list[Step], kept: set[fx.Node]) -> list[Step]:
    """Say of each value after which step it is not needed, but for those that are kept."""
    seen = set(kept)
    for step in reversed(steps):
        step.done = [node for node in dict.fromkeys(step.takes) if node not in seen]
        seen.update(step.takes)
    return steps


def run(steps: list[Step], known: Values, keep: Collection[fx.Node] = ()) -> Values:
    """Return the values of the steps that are not done with, and of those to be kept."""
    for step in steps:
        known[step.node] = step.run(known)
        for node in step.done:
            if node not in keep:
                known.pop(node, None)
    return known
