"""The layers of a TorchScript network: values of its inlined graph, where the graph can be cut.

TorchScript runs no hooks. Its graph is known, though: inlined and cut at a value, it becomes two
functions, from the photo to the value and from the value to the scores. The graph's passes are
torch's private interface, so where they fail a network has no layers and runs as it is.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from loaders.torch.replay import Ended, Kept, See

# fmt: off
MAPS = (
    "conv2d", "convolution", "batch_norm", "group_norm", "instance_norm", "layer_norm",
    "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu",
    "silu", "hardswish", "mish", "add", "cat",
)
# fmt: on
"""Operations whose outputs are offered. What pools is coarser than what it pools, and the weights
of an attention are square and no map."""

_NOWHERE = ("SELF", "UNKNOWN_INSTANCE")
"""Steps of an operation's path that lead to no submodule."""

_STEP = re.compile(r"([^.()]{1,400})\(([^()]{0,400})\)")


class Graph:
    """The values of a network that is, or begins with, a TorchScript module.

    A value's name is its module's path and, where the operation stands in the code of a module
    that has others inside, the operation; without a path it is the operation, numbered. A path that
    is met again takes its last value.
    """

    def __init__(self, network: nn.Module) -> None:
        self.body = network
        self._places: dict[str, int] = {}
        self._kinds: dict[str, str] = {}
        self._seen: list[tuple[str, See]] = []
        self._pieces: dict[tuple[tuple[str, ...], str], Any] = {}
        self._halved: dict[str, tuple[Any, Any]] = {}
        first = network[0] if isinstance(network, nn.Sequential) else network
        if not isinstance(first, torch.jit.ScriptModule):
            return  # it holds one deeper inside, and is served without layers
        self._part = _Part(first)
        self.body = self._part if first is network else nn.Sequential(self._part, *network[1:])
        with contextlib.suppress(Exception):  # private passes, on a stranger's graph
            self._graph = first.graph.copy()
            torch._C._jit_pass_inline(self._graph)
            if len(list(self._graph.inputs())) == 2:  # the module itself and the photos
                self._name_all(first)

    def kind(self, name: str) -> str:
        """Return the class of the module that an operation belongs to, or the operation's name."""
        return self._kinds[name]

    @contextlib.contextmanager
    def recorded(self) -> Iterator[dict[str, torch.Tensor]]:
        """Fill a dict with the values in a pass, in the order of execution."""
        outputs: dict[str, torch.Tensor] = {}
        if not self._places:
            yield outputs
            return

        def run(photos: torch.Tensor) -> Any:
            nonlocal outputs
            try:
                scores, *values = self._all()(self._part.script._c, photos)
            except Exception:  # as above; what is wrong with the network it says by itself
                return self._part.script(photos)
            # What writes in place hands on the tensor that it was given: each name has its own.
            outputs |= {
                name: value.detach() for name, value in zip(self._places, values, strict=True)
            }
            return scores

        with self._part.running(run):
            yield outputs

    @contextlib.contextmanager
    def at(self, name: str, see: See, *, needed: bool = True) -> Iterator[None]:
        """Show `see` a value in a pass; what it returns takes its place.

        A graph comes to it, whether it is `needed` or not.
        """
        self._seen.append((name, see))
        try:
            with self._part.running(self._watched):
                yield
        finally:
            self._seen.pop()

    def front(self, name: str, run: Callable[[], object], *, copied: bool = False) -> Kept:
        """Run a pass up to a value, and return it with what else the rest of the graph takes."""
        made, _ = self._halves(name)
        found: list[Kept] = []

        def until(photos: torch.Tensor) -> None:
            output, *values = made(self._part.script._c, photos)
            found.append(Kept(values, output))
            raise Ended

        with contextlib.suppress(Ended), self._part.running(until):
            run()
        return found[0]

    @contextlib.contextmanager
    def behind(self, name: str, kept: Kept, see: See) -> Iterator[None]:
        """Pass on what was kept, show `see` the value, and run what follows it."""
        _, rest = self._halves(name)

        def run(photos: torch.Tensor) -> Any:
            seen = see(kept.output)
            value = kept.output if seen is None else seen
            return rest(self._part.script._c, photos, value, *kept.values)

        with self._part.running(run):
            yield

    def _watched(self, photos: torch.Tensor) -> Any:
        """Run in pieces, from one value that is seen to the next."""
        given: dict[str, torch.Tensor] = {}
        for name, see in sorted(self._seen, key=lambda row: self._places[row[0]]):
            if name not in given:
                part = self._piece(tuple(given), name)
                given[name] = part(self._part.script._c, photos, *given.values())
            seen = see(given[name])
            given[name] = given[name] if seen is None else seen
        return self._piece(tuple(given), "")(self._part.script._c, photos, *given.values())

    def _name_all(self, script: Any) -> None:
        parents = {name.rpartition(".")[0] for name, _ in script.named_modules()}
        nameless = itertools.count(1)
        for place, node in enumerate(self._graph.nodes()):
            operation = node.kind().removeprefix("aten::").strip("_")
            if not node.kind().startswith("aten::") or operation not in MAPS:
                continue
            if not node.output().type().isSubtypeOf(torch._C.TensorType.get()):
                continue  # sides are added, too
            path_to = _STEP.findall(node.getModuleHierarchy())
            steps = [step for step in path_to if step[0] not in _NOWHERE]
            path = ".".join(name for name, _ in steps)
            kind = steps[-1][1] if steps else operation
            if not steps:  # the network's own code, or frozen: then the modules are gone
                path = f"{operation}_{next(nameless)}"
            elif path in parents:  # it stands in the code of a module that has others
                path, kind = f"{path}.{operation}", operation
            self._places.pop(path, None)
            self._places[path], self._kinds[path] = place, kind

    def _all(self) -> Any:
        """Return a function from photos to the scores and every value."""
        graph = self._graph.copy()
        nodes = list(graph.nodes())
        found = [next(graph.outputs()), *(nodes[i].output() for i in self._places.values())]
        pack = graph.create("prim::TupleConstruct", found, 1)
        pack.output().setType(torch._C.TupleType([value.type() for value in found]))
        graph.appendNode(pack)
        return _function(graph, pack.output())

    def _piece(self, given: tuple[str, ...], wanted: str) -> Any:
        """Return a function of photos and the values `given` to one value, or to the scores."""
        if (given, wanted) not in self._pieces:
            graph = self._graph.copy()
            nodes = list(graph.nodes())
            for name in given:
                _as_input(graph, nodes[self._places[name]].output())
            if wanted:
                place = self._places[wanted]
                result = _copy_of(graph, nodes[place])
                _drop(graph, nodes[place + 1 :])
            else:
                result = next(graph.outputs())
            self._pieces[given, wanted] = _function(graph, result)
        return self._pieces[given, wanted]

    def _halves(self, name: str) -> tuple[Any, Any]:
        """Return two functions: photos to the value and what else the scores are made of, and back.

        The second takes photos, the value and all else, and gives the scores.
        """
        if name not in self._halved:
            place = self._places[name]
            cut = _Cut(self._graph, place)
            graph = self._graph.copy()
            nodes = list(graph.nodes())
            found = [list(nodes[node].outputs())[number] for node, number in cut.others]
            found.insert(0, _copy_of(graph, nodes[place]))
            _drop(graph, [nodes[number] for number in cut.after])
            pack = graph.create("prim::TupleConstruct", found, 1)
            pack.output().setType(torch._C.TupleType([value.type() for value in found]))
            graph.appendNode(pack)
            made = _function(graph, pack.output())
            graph = self._graph.copy()
            nodes = list(graph.nodes())
            _as_input(graph, nodes[place].output())
            for node, number in cut.others:
                _as_input(graph, list(nodes[node].outputs())[number])
            _drop(graph, [nodes[number] for number in cut.before])
            self._halved[name] = made, _function(graph, next(graph.outputs()))
        return self._halved[name]


class _Part(nn.Module):
    """The TorchScript module in its place, or for a while what runs instead of it."""

    def __init__(self, script: Any) -> None:
        super().__init__()
        self.script = script
        self._instead: Any = None

    def forward(self, photos: torch.Tensor) -> Any:
        return (self._instead or self.script)(photos)

    @contextlib.contextmanager
    def running(self, instead: Any) -> Iterator[None]:
        before, self._instead = self._instead, instead
        try:
            yield
        finally:
            self._instead = before


def _function(graph: Any, result: Any) -> Any:
    """Make a function of a graph that returns `result`, without what only led elsewhere."""
    if list(graph.outputs()):
        graph.eraseOutput(0)
    graph.registerOutput(result)
    torch._C._jit_pass_dce(graph)
    return torch._C._create_function_from_graph("cut", graph)


def _drop(graph: Any, nodes: list[Any]) -> None:
    """Take nodes out of a graph, with its output where one of them makes it.

    What may raise or write stays in a graph otherwise, and keeps alive all that it is given.
    """
    made = {value.debugName() for node in nodes for value in node.outputs()}
    if made & {value.debugName() for value in graph.outputs()}:
        graph.eraseOutput(0)
    for node in reversed(nodes):
        node.destroy()


def _as_input(graph: Any, value: Any) -> None:
    """Let a value come from outside."""
    given = graph.addInput("value")
    given.setType(value.type())
    value.replaceAllUsesWith(given)


def _copy_of(graph: Any, node: Any) -> Any:
    """Return a copy of a node's value: a later operation may write into the value in place."""
    copy = graph.create("aten::clone", [node.output(), _none(graph)], 1)
    copy.insertAfter(node)
    return copy.output()


class _Cut:
    """A graph in two: what the node at `place` needs or has no part in, and what follows from it.

    `before` and `after` are numbers of nodes that depend on the photo, the node itself among those
    before; `others` are the values that go over beside its own: a node's number and its output's.
    """

    def __init__(self, graph: Any, place: int) -> None:
        photos = list(graph.inputs())[1].debugName()
        of_photo: set[str] = {photos}
        of_value: set[str] = set()
        made: dict[str, tuple[int, int]] = {}
        found: set[tuple[int, int]] = set()
        self.before: list[int] = []
        self.after: list[int] = []
        for number, node in enumerate(graph.nodes()):
            outputs = [value.debugName() for value in node.outputs()]
            made |= {name: (number, each) for each, name in enumerate(outputs)}
            used = _used(node)
            if number == place:
                of_value.update(outputs)
                self.before.append(number)
            elif used & of_value:
                of_value.update(outputs)
                found |= {made[name] for name in (used - of_value) & (of_photo - {photos})}
                self.after.append(number)
            elif used & of_photo:
                of_photo.update(outputs)
                self.before.append(number)
        last = next(graph.outputs()).debugName()
        if last in of_photo - {photos}:
            found.add(made[last])
        self.others = sorted(found)


def _used(node: Any) -> set[str]:
    """Return the names of what a node takes, in the blocks inside it, too."""
    used = {value.debugName() for value in node.inputs()}
    for block in node.blocks():
        used |= {value.debugName() for value in block.outputs()}
        for inner in block.nodes():
            used |= _used(inner)
    return used


def _none(graph: Any) -> Any:
    """Return the constant None, before everything else in the graph."""
    node = graph.create("prim::Constant", [], 1)
    node.output().setType(torch._C.NoneType.get())
    node.insertBefore(next(iter(graph.nodes())))
    return node.output()
