"""ReLUs of a Keras network whose gradients pass by another rule; answers stay as they are.

A layer's activation, a ReLU layer and an operation of a graph can be given one. What a network
calls in its own code cannot, and is found by the operations that it leaves in a trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from loaders.keras.endings import linear, unchanged
from loaders.keras.layers import replaced
from xai_core.changes import ReluRule

Call = Callable[..., Any]

_LIBRARIES = ("keras", "tf_keras", "tensorflow")
_SCOPE = "vitrine_ruled_relu"
"""What stands in the names of operations of ReLUs that go by the rule."""
_PLAIN: dict[str, float | None] = {"relu": None, "relu6": 6.0}
"""The names of ReLUs as functions and operations, and where each cuts above."""

_OTHERS = (
    *("gelu", "silu", "swish", "hard_silu", "hard_swish", "mish", "elu", "selu", "celu", "prelu"),
    *("leaky_relu", "leakyrelu", "thresholdedrelu", "softplus", "softsign", "tanh", "log_sigmoid"),
    *("hard_sigmoid", "hard_tanh", "squareplus", "hardsilu", "logsigmoid"),
)
"""Other nonlinearities, by the names of functions and layers; a sigmoid is a gate as often."""


class Ruled:
    """Gives a network's parts a rule. `others` counts the nonlinearities that stay."""

    def __init__(self, parts: Iterable[Any], change: ReluRule) -> None:
        self._rule, self._met = change.rule, 0
        self.others: Counter[str] = Counter()
        self._leaky: dict[str, Any] = {}
        self._active: list[tuple[Any, Call]] = []
        for part in parts:
            self._give(part)

    def traced(self, run: Call, shape: tuple[int | None, ...]) -> tuple[int, list[str]]:
        """Return how many ReLUs go by the rule in a pass, and the operations that do not.

        Whatever a network raises that cannot be traced comes through.
        """
        self._met = 0
        given = [tf.TensorSpec(shape, tf.float32)]
        # these are no ReLUs, and some are made of a ReLU's operations
        try:
            for part, _ in self._active:
                part.activation = linear
            with replaced(self._leaky, lambda path, layer, call: unchanged):
                graph = tf.function(run, input_signature=given, autograph=False)
                concrete = graph.get_concrete_function()
        finally:
            for part, own in self._active:
                part.activation = own
        return self._met, list(_left(concrete.graph.as_graph_def()))

    def _give(self, part: Any) -> None:
        kind = _function_of(part)
        if kind in _PLAIN:
            vars(part)["call"] = self._ruled(part.call, _PLAIN[kind])
        elif kind == "ReLU":
            high = None if part.max_value is None else float(part.max_value)
            if float(part.negative_slope) or float(part.threshold):
                self._stays(
                    "leaky_relu" if float(part.negative_slope) else "thresholded_relu", part
                )
            else:
                vars(part)["call"] = self._ruled(part.call, high)
        elif kind.lower() in _OTHERS:
            self._stays(kind.lower(), part)
        else:
            for name, value in list(vars(part).items()):
                given = _named(value)
                if given in _PLAIN:
                    made = self._ruled(value, _PLAIN[given])
                    # so that its configuration, of which copies are made, says what it was
                    made.__name__, made.__module__ = given, value.__module__
                    setattr(part, name, made)
                elif name == "activation" and given in _OTHERS:
                    self.others[given] += 1
                    self._active.append((part, value))

    def _stays(self, name: str, part: Any) -> None:
        self.others[name] += 1
        self._leaky[str(len(self._leaky))] = part

    def _ruled(self, own: Call, high: float | None) -> Any:
        def ruled(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self._met += 1

            @tf.custom_gradient  # type: ignore[untyped-decorator]
            def passed(x: Any) -> tuple[Any, Call]:
                with tf.name_scope(_SCOPE):
                    made = own(x, *args, **kwargs)

                def back(slope: Any) -> Any:
                    slope = tf.nn.relu(slope)
                    if self._rule == "deconvolution":
                        return slope
                    passes = x > 0 if high is None else (x > 0) & (x < high)
                    return tf.where(passes, slope, tf.zeros_like(slope))

                return made, back

            return passed(inputs)

        return ruled


def _function_of(part: Any) -> str:
    """Return which function a part is, by its class or the function that it holds."""
    kind = type(part)
    if kind.__module__.split(".")[0] not in _LIBRARIES:
        return ""
    if kind.__name__ == "TFOpLambda":
        return str(part.get_config()["function"]).rsplit(".", 1)[-1]
    # operations of Keras 3 are Relu and Relu6; ReLU has settings
    return kind.__name__ if kind.__name__ == "ReLU" else kind.__name__.lower()


def _named(value: Any) -> str:
    """Return the name of a function of Keras or TensorFlow, or ''."""
    root = str(getattr(value, "__module__", "")).split(".")[0]
    name = getattr(value, "__name__", "")
    return name if root in _LIBRARIES and callable(value) and isinstance(name, str) else ""


def _left(graph: Any) -> Iterator[str]:
    """Yield the names of a trace's ReLUs that go by no rule, however they are written."""
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if _SCOPE not in node.name and _is_relu(node, by_name):
                yield node.name


def _is_relu(node: Any, by_name: Mapping[str, Any]) -> bool:
    match node.op:
        case "Relu" | "Relu6":
            return True
        case "Maximum":
            return any(_constant(name, by_name) == 0 for name in node.input)
        case "ClipByValue":  # from 0 to 1 it is a hard sigmoid
            low, high = (_constant(name, by_name) for name in node.input[1:3])
            return low == 0 and high != 1
    return False


def _constant(name: str, by_name: Mapping[str, Any]) -> float | None:
    """Return the number that an operation's input is, or None where it is none."""
    node = by_name.get(name.split(":")[0])
    while node is not None and node.op in ("Cast", "Identity"):
        node = by_name.get(node.input[0].split(":")[0])
    if node is None or node.op != "Const":
        return None
    values = np.asarray(tf.make_ndarray(node.attr["value"].tensor))
    if not values.size or values.dtype.kind not in "fiu" or (values != values.flat[0]).any():
        return None
    return float(values.flat[0])
