"""Changed copies of a Keras network: ReLUs by another rule, drawn weights, other output weights."""

from __future__ import annotations

import copy
import dataclasses
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from loaders.keras import layers
from loaders.keras.copies import Instead, copied, is_graph, is_plain, parts
from loaders.keras.network import Network, tensor
from loaders.keras.reasons import reason
from loaders.keras.relu import Ruled
from xai_core.changes import Change, OutputWeights, Randomised, ReluRule
from xai_core.errors import ParamError, UnsupportedModel

Array = NDArray[np.float32]
_OTHER_WAY = "A method that takes plain gradients serves it."


@dataclasses.dataclass(frozen=True)
class Dense:
    """The dense layer that the scores come out of: its path, what it gets, and its weights.

    `inputs` are those of the photos that were tried, `[n, features]`; of one unit, `weights` and
    `bias` are those of the two classes that are made of it.
    """

    path: str
    inputs: Array
    weights: Array
    bias: Array


def refusal(network: Network, views: Array) -> str:
    """Say why no copy of a network can be made to change, or ''."""
    if is_plain(network.model):
        return ""
    try:
        _copy(network, views)
    except UnsupportedModel as error:
        return str(error)
    return ""


def changed(network: Network, change: Change, views: Array) -> tuple[Network, str]:
    """Return a changed copy of a network, and what is to be said of it.

    `views` `[n, h, w, 3]` are some to try it on. Raises ParamError for a change that does not fit
    the network, and UnsupportedModel where it does not bear it.
    """
    match change:
        case ReluRule():
            if change.rule not in ("guided", "deconvolution"):
                raise ParamError(
                    f"ReluRule.rule must be guided or deconvolution, got {change.rule!r}"
                )
            made = _copy(network, views)
            made.rule = change
            return made, _ruled(made, change)
        case Randomised():
            made = _randomised(network, change, views)
        case OutputWeights():
            made = _with_output(network, change, output(network, views), views)
        case _:
            raise UnsupportedModel(f"A network of Keras bears no {type(change).__name__}.")
    if made.rule is not None:
        _ruled(made, made.rule)
    return made, ""


def weighted(network: Network, views: Array) -> tuple[str, ...]:
    """List the layers that have weights of their own, in the order in which they begin to run.

    A weight that the network itself holds, such as a class token, stands under its own name.
    """
    return tuple(_held(network, views))


def output(network: Network, views: Array) -> Dense:
    """Return the dense layer that the scores come straight out of. Raises UnsupportedModel."""
    tree = layers.tree(network.model)
    found: list[tuple[str, Array, tuple[int, ...]]] = []
    dense = {path: layer for path, layer in tree.items() if _is_dense(layer)}

    def note(path: str, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            answer = call(inputs, *args, **kwargs)
            if hasattr(inputs, "numpy"):
                found.append((path, _numbers(inputs), tuple(answer.shape)))
            return answer

        return noted

    with layers.replaced(dense, note):
        logits = _scores(network, views)
    if found:
        path, inputs, shape = found[-1]
        layer = dense[path]
        made = _dense(network, path, layer, inputs.reshape(len(views), -1))
        # whatever the layer gives has to come out as the scores
        instead = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        given = iter([None] * (sum(path == each for each, *_ in found) - 1) + [instead])

        def give(path: str, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
            def gives(*args: Any, **kwargs: Any) -> Any:
                own, other = call(*args, **kwargs), next(given, None)
                return own if other is None else tf.cast(other, own.dtype)

            return gives

        with layers.replaced({path: layer}, give):
            scores = _scores(network, views)
        wanted = _spread(instead.reshape(len(views), -1), 1) if network.spread else instead
        straight = np.allclose(layer.activation(tf.constant(instead)), instead)
        if (
            straight
            and _alike(scores, wanted.reshape(len(views), -1))
            and made is not None
            and _alike(logits, made.inputs @ made.weights.T + made.bias)
        ):
            return made
    after = (
        f" What its last dense layer {found[-1][0]!r} gives is changed after it." if found else ""
    )
    raise UnsupportedModel(
        "The scores do not come straight out of a dense layer, so that there are no weights of "
        f"classes over features.{after}"
    )


def _copy(network: Network, views: Array, instead: Instead | None = None) -> Network:
    """Return a copy of a network, which answers as it does where nothing stands instead of a layer.

    Raises UnsupportedModel.
    """
    made = copy.copy(network)
    own = "" if is_graph(network.model) else ", whose class is its own,"
    begin = f"No copy of this network{own} can be made to change"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = network.prepare(tensor(views))
            made.model = copied(network.model, given, instead or (lambda layer: None))
        logits = _scores(made, views)
    except Exception as error:  # whatever a network's own layers may raise
        raise UnsupportedModel(f"{begin} ({reason(error)}).") from error
    if instead is None:
        wanted = _scores(network, views)
        random = not np.array_equal(wanted, _scores(network, views), equal_nan=True)
        if not random and not _alike(logits, wanted):
            raise UnsupportedModel(f"{begin} (a copy that is unchanged answers otherwise).")
    return made


def _ruled(made: Network, rule: ReluRule) -> str:
    """Give a copy's ReLUs a rule, and return what is to be said. Raises UnsupportedModel."""
    ruled = Ruled(parts(made.model), rule)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            count, left = ruled.traced(made.forward, (None, *made.size, 3))
    except Exception as error:  # whatever a network's own layers may raise
        raise UnsupportedModel(
            "The rule is one for ReLUs, and whether it reaches all of the network's is not known: "
            f"its code runs outside a graph ({reason(error)}). {_OTHER_WAY}"
        ) from error
    if left:
        raise UnsupportedModel(
            f"The rule cannot reach {len(left)} of the network's ReLUs, which its own code calls "
            f"({', '.join(map(repr, left[:2]))}). {_OTHER_WAY}"
        )
    if not count:
        has = f": its nonlinearity is {' and '.join(ruled.others)}" if ruled.others else ""
        raise UnsupportedModel(
            f"The rule is one for ReLUs, and the network has none{has}. {_OTHER_WAY}"
        )
    named = " and ".join(f"{name} ({times})" for name, times in ruled.others.items())
    kept = f"Only its {count} ReLUs go by the rule; other nonlinearities stay: {named}."
    return kept if ruled.others else ""


def _randomised(network: Network, change: Randomised, views: Array) -> Network:
    if change.seed < 0:
        raise ParamError(f"Randomised.seed must be 0 or more, got {change.seed}")
    known = weighted(network, views)
    for layer in change.layers:
        if layer not in known:
            some = ", ".join(known[-3:])
            raise ParamError(
                f"Randomised.layers must be layers that have weights (such as {some}), "
                f"got {layer!r}"
            )
    made = _copy(network, views)
    held = _weights(made.model)
    for layer in change.layers:
        for name, variable in held[layer].items():
            # each by its own name, so that it is drawn alike whatever else is
            rng = np.random.default_rng([change.seed, zlib.crc32(f"{layer}.{name}".encode())])
            values = np.asarray(variable.numpy(), np.float64)
            drawn = rng.normal(values.mean(), values.std(), values.shape)
            variable.assign(tf.cast(drawn, variable.dtype))
    return made


def _with_output(network: Network, change: OutputWeights, dense: Dense, views: Array) -> Network:
    """Return a copy with other weights in its last dense layer."""
    features = dense.weights.shape[1]
    weights, bias = np.asarray(change.weights, np.float32), np.asarray(change.bias, np.float32)
    if weights.ndim != 2 or weights.shape[1] != features or not len(weights):
        raise ParamError(
            f"OutputWeights.weights must be [classes, {features}], got {list(weights.shape)}"
        )
    if bias.shape != weights.shape[:1]:
        raise ParamError(f"OutputWeights.bias must be [{len(weights)}], got {list(bias.shape)}")
    old = layers.tree(network.model)[dense.path]

    def instead(layer: Any) -> Any:
        if layer is not old:
            return None
        units = {"units": len(weights), "use_bias": True, "activation": "linear"}
        return type(layer).from_config({**layer.get_config(), **units})

    begin = (
        f"The network does not bear {len(weights)} classes in its last dense layer {dense.path!r}"
    )
    try:
        made = _copy(network, views, instead)
        made.output = dataclasses.replace(network.output, units=len(weights))
        made.spread = False
        layer = layers.tree(made.model)[dense.path]
        layer.kernel.assign(tf.cast(weights.T, layer.kernel.dtype))
        layer.bias.assign(tf.cast(bias, layer.bias.dtype))
        scores = _scores(made, views)
    except Exception as error:  # whatever the layers after it may raise
        raise UnsupportedModel(f"{begin} ({reason(error)}).") from error
    if not _alike(scores, dense.inputs @ weights.T + bias):
        raise UnsupportedModel(f"{begin}: its own code does more with the scores.")
    return made


def _held(network: Network, views: Array) -> dict[str, dict[str, Any]]:
    """Return what `_weights` does, in the order in which layers begin to run."""
    found, order = _weights(network.model), dict.fromkeys(_direct(network.model))

    def start(path: str, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def started(*args: Any, **kwargs: Any) -> Any:
            order.setdefault(path)
            return call(*args, **kwargs)

        return started

    with layers.replaced(layers.tree(network.model), start):
        _scores(network, views)
    return {path: found[path] for path in order if path in found}


def _weights(model: Any) -> dict[str, dict[str, Any]]:
    """Return what layers learned, statistics left out: variables by name, by layers' paths."""
    found = {name: {"": variable} for name, variable in _direct(model).items()}
    for path, layer in layers.tree(model).items():
        held = _direct(layer)
        if layers.is_closed(layer):
            held |= _inside(layer, "")
        if held:
            found[path] = held
    return found


def _inside(layer: Any, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, each in enumerate(
        layer._flatten_layers(include_self=False, recursive=False), start=1
    ):
        own = f"{prefix}{number}."  # layers inside one may bear no name of their own
        found |= {own + name: variable for name, variable in _direct(each).items()}
        found |= _inside(each, own)
    return found


def _direct(layer: Any) -> dict[str, Any]:
    """Return by name the weights that a layer itself has and that training changes."""
    held = getattr(layer, "_trainable_variables", None)
    found: dict[str, Any] = {}
    for variable in getattr(layer, "_trainable_weights", ()) if held is None else held:
        name = count = variable.name.rsplit("/", 1)[-1].split(":")[0]
        number = 2
        while count in found:
            count, number = f"{name}_{number}", number + 1
        if "float" in str(variable.dtype):
            found[count] = variable
    return found


def _dense(network: Network, path: str, layer: Any, inputs: Array) -> Dense | None:
    weights = _numbers(layer.kernel).T
    bias = np.zeros(len(weights), np.float32) if layer.bias is None else _numbers(layer.bias)
    if network.spread:
        weights, bias = _spread(weights, 0), _spread(bias, 0)
    return Dense(path, inputs, weights, bias) if inputs.shape[1] == weights.shape[1] else None


def _spread(values: Array, axis: int) -> Array:
    """Return those of the two classes that are made of one unit."""
    return np.asarray(np.concatenate([-values, values], axis) / 2, np.float32)


def _is_dense(layer: Any) -> bool:
    names = [base.__name__ for base in type(layer).__mro__]
    return "Dense" in names and hasattr(layer, "bias") and callable(layer.activation)


def _numbers(value: Any) -> Array:
    return np.array(tf.cast(tf.convert_to_tensor(value), tf.float32).numpy())


def _scores(network: Network, views: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(network.forward(tensor(views)).numpy(), np.float32)


def _alike(got: Array, wanted: Array) -> bool:
    scale = float(np.abs(wanted).max(initial=0))
    return got.shape == wanted.shape and np.allclose(
        got, wanted, rtol=1e-3, atol=1e-4 * scale + 1e-7, equal_nan=True
    )
