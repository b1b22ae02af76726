"""A network of Keras into one of OpenVINO: the graph that TensorFlow runs, converted."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from typing import Any

from loaders.backend import Refused, threads
from loaders.streams import Streams, streams

_DRAWN = ("Random", "Stateless", "Multinomial", "ParameterizedTruncatedNormal")
"""How the names of operations begin whose answers are drawn."""
_OWN = ("PyFunc", "EagerPyFunc", "PyFuncStateless")
"""Operations that call Python."""


def why_not(random: str) -> str:
    """Say, as a clause, why a network is not to be converted at all, or nothing."""
    return "its answers are not the same each time" if random else ""


def converted(graph: Any, size: tuple[int, int]) -> Any:
    """Return the model of OpenVINO from views `[n, h, w, 3]` of a `tf.function` that is traced.

    Raises Refused for one that is no graph, and whatever the converter does.
    """
    import openvino

    if not hasattr(graph, "get_concrete_function"):
        raise Refused("its code runs in Python at each pass")
    function = graph.get_concrete_function()
    names = {each.type for each in function.graph.get_operations()}
    if names & set(_OWN):
        raise Refused("its code runs in Python at each pass")
    if any(name.startswith(_DRAWN) for name in names):
        raise Refused("its answers are not the same each time")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(function)
    model.reshape([-1, *size, 3])
    return model


def streamed(graph: Any) -> Streams | None:
    """Return threads for a `tf.function` that is traced; None with one, or where it keeps anything.

    TensorFlow's own threads serve all of them, and their number is the session's: what a stream
    begins is done by itself and by whichever of those is free.
    """
    if threads() == 1 or not hasattr(graph, "get_concrete_function"):
        return None
    found = graph.get_concrete_function().graph.as_graph_def()
    nodes = [*found.node, *(node for each in found.library.function for node in each.node_def)]
    if any(node.op.startswith((*_OWN, *_DRAWN, "Assign", "Scatter", "Resource")) for node in nodes):
        return None
    return streams(threads(), _nothing)


def _nothing() -> None:
    """Begin a thread: TensorFlow needs no word."""


def inline() -> AbstractContextManager[Any]:
    """Make what lets the calling thread run a graph's operations itself."""
    from tensorflow.python.eager import context

    made: AbstractContextManager[Any] = context.function_executor_type("SINGLE_THREADED_EXECUTOR")
    return made
