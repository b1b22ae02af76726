"""The layers of a TorchScript network: values of its inlined graph, where the graph can be cut.

TorchScript runs no hooks. Its graph is known, though: inlined and cut at a value, it becomes two
functions, from the photo to the value and from the value to the scores. The graph's passes are
torch's private interface, so where they fail a network has no layers and runs as it is.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from loaders.torch.layers import See

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

_STEP = re.compile(r"([^.()]+)\(([^()]*)\)")


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
        self._cuts: dict[str, tuple[Any, Any]] = {}
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
    def at(self, name: str, see: See) -> Iterator[None]:
        """Show `see` a value in a pass; what it returns takes its place."""
        before, after = self._cut(name)

        def run(photos: torch.Tensor) -> Any:
            value = before(self._part.script._c, photos)
            seen = see(value)
            return after(self._part.script._c, photos, value if seen is None else seen)

        with self._part.running(run):
            yield

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

    def _cut(self, name: str) -> tuple[Any, Any]:
        """Return two functions: photos to the value, and photos and value to the scores."""
        if name not in self._cuts:
            place = self._places[name]
            graph = self._graph.copy()
            node = list(graph.nodes())[place]
            # A later operation may write into the value in place, so a copy is handed out.
            copy = graph.create("aten::clone", [node.output(), _none(graph)], 1)
            copy.insertAfter(node)
            before = _function(graph, copy.output())
            graph = self._graph.copy()
            node = list(graph.nodes())[place]
            value = graph.addInput("value")
            value.setType(node.output().type())
            node.output().replaceAllUsesWith(value)
            self._cuts[name] = before, _function(graph, next(graph.outputs()))
        return self._cuts[name]


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
        self._instead = instead
        try:
            yield
        finally:
            self._instead = None


def _function(graph: Any, result: Any) -> Any:
    """Make a function of a graph that returns `result`, without what only led elsewhere."""
    graph.eraseOutput(0)
    graph.registerOutput(result)
    torch._C._jit_pass_dce(graph)
    return torch._C._create_function_from_graph("cut", graph)


def _none(graph: Any) -> Any:
    """Return the constant None, before everything else in the graph."""
    node = graph.create("prim::Constant", [], 1)
    node.output().setType(torch._C.NoneType.get())
    node.insertBefore(next(iter(graph.nodes())))
    return node.output()
