"""Where a Keras network turns scores into probabilities, and how that is taken off.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from loaders.heads import by_name
from xai_core.model import HeadKind

# what may stand between the last activation and the output, and changes no number
_PASSED = ("Flatten", "Reshape", "Dropout", "Identity", "Squeeze", "Cast", "SpatialDropout2D")

_FEATURES = ("GlobalAverage", "GlobalAvg", "GlobalMax", "UnitNormalization")


class Ending(NamedTuple):
    """The activation at a network's end: its kind, whose it is, and how to take it off.

    `kind` is None for an activation that is none of the usual ones. `take_off` returns what puts
    it back.
    """

    kind: HeadKind | None
    where: str
    take_off: Callable[[], Callable[[], None]]


def ending(model: Any, path: tuple[str | int, ...] = ()) -> Ending | None:
    """Find the last activation in the network's graph, nested last submodels included.

    `path` leads to one of several outputs. None where there is no graph (a subclassed model) or
    it ends in something else.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return None
    tensor = outputs[0]
    if len(outputs) > 1:
        tensor = _along(getattr(model, "_outputs_struct", None), path)
        if tensor is None:  # tf_keras keeps it under another name
            tensor = _along(getattr(model, "_nested_outputs", None), path)
        if tensor is None:
            return None
    while (history := getattr(tensor, "_keras_history", None)) is not None:
        layer = history[0]
        kind = type(layer).__name__
        if getattr(layer, "outputs", None):
            return ending(layer, _place(layer, history[2]))
        activation = getattr(layer, "activation", None)
        passing = kind in _PASSED or (kind == "Activation" and _named(activation) == "linear")
        if not passing:
            return _read(layer, kind, activation)
        tensor = layer._inbound_nodes[history[1]].input_tensors
        tensor = tensor[0] if isinstance(tensor, (list, tuple)) else tensor
    return None


def features(model: Any) -> str:
    """Return the layer that a network with one output ends in, where features come from it.

    Means over maps and normalised numbers are features, unless a convolution without activation
    made the maps: that is a layer of scores. '' for all else.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs or len(outputs) != 1:
        return ""
    tensor, ends = outputs[0], ""
    while (history := getattr(tensor, "_keras_history", None)) is not None:
        layer = history[0]
        kind = type(layer).__name__
        if inner := getattr(layer, "outputs", None):
            tensor = inner[0]
            continue
        if not kind.startswith((*_FEATURES, *_PASSED)):
            scores = kind.startswith(("Dense", "Conv")) and "Pooling" in ends
            linear = _named(getattr(layer, "activation", None)) in ("linear", "nonetype")
            return "" if scores and linear else ends
        ends = ends or (kind if kind.startswith(_FEATURES) else "")
        tensor = layer._inbound_nodes[history[1]].input_tensors
        tensor = tensor[0] if isinstance(tensor, (list, tuple)) else tensor
    return ends


def before_choice(model: Any) -> Any | None:
    """Return the tensor of scores before a network's only output chooses one of them.

    That output is a class's number (argmax) or its name, looked up by that number. None for a
    network whose output is none of them.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs or len(outputs) != 1:
        return None
    tensor = outputs[0]
    for _ in range(8):
        history = getattr(tensor, "_keras_history", None)
        if history is None or "float" in str(tensor.dtype):
            return None
        layer = history[0]
        given = layer._inbound_nodes[history[1]].input_tensors
        given = given[0] if isinstance(given, (list, tuple)) else given
        kind = type(layer).__name__
        if kind == "TFOpLambda":
            kind = str(layer.get_config()["function"]).rsplit(".", 1)[-1]
        if kind.lower() == "argmax":
            return given
        if kind not in (*_PASSED, "StringLookup", "ExpandDims", "cast", "reshape", "squeeze"):
            return None
        tensor = given
    return None


def of_layer(layer: Any) -> Ending | None:
    """Return the activation of the layer whose own output is the network's, where it has one."""
    if layer is None:
        return None
    kind = type(layer).__name__
    activation = getattr(layer, "activation", None)
    if callable(activation) and kind not in ("Dense", "Activation", "Conv2D"):
        return None
    return _read(layer, kind, activation)


def _along(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (TypeError, KeyError, IndexError):
            return None
    return value if hasattr(value, "_keras_history") else None


def _place(layer: Any, index: int) -> tuple[str | int, ...]:
    """Return the way to a submodel's output of that number; only lists are looked into."""
    return () if len(layer.outputs) == 1 else (index,)


def _read(layer: Any, kind: str, activation: Any) -> Ending | None:
    if callable(activation):
        name = _named(activation)

        def bare() -> Callable[[], None]:
            layer.activation = linear
            return lambda: setattr(layer, "activation", activation)

        return Ending(by_name(name), repr(layer.name), bare)
    name = kind.lower()
    if kind == "TFOpLambda":
        name = str(layer.get_config()["function"]).rsplit(".", 1)[-1]
    known = by_name(name)
    if known is None:
        return None
    if getattr(layer, "axis", -1) not in (-1, 1):
        return None

    def skip() -> Callable[[], None]:
        own = vars(layer).get("call")
        vars(layer)["call"] = unchanged

        def put_back() -> None:
            del vars(layer)["call"]
            if own is not None:
                vars(layer)["call"] = own

        return put_back

    return Ending(known, repr(layer.name), skip)


def _named(activation: Any) -> str:
    name = getattr(activation, "__name__", None) or type(activation).__name__
    return str(name).lower()


def linear(scores: Any) -> Any:
    """Return the scores as they are; stands in for an activation that was taken off."""
    return scores


def unchanged(inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a layer is given; stands in for the call of a layer that was taken off."""
    return inputs
