"""Copies of a Keras network, nested networks included, with weights of their own.

An activation that was taken off is off in the copy as well, and the network itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from loaders.keras import endings
from loaders.keras.network import library_of

Instead = Callable[[Any], Any]
"""Returns what stands for a layer in a copy, or None for a layer as it is."""


def copied(model: Any, given: Any = None, instead: Instead = lambda layer: None) -> Any:
    """Return a copy with the same weights, but for layers that `instead` gives another for.

    `given` is an input, on which a network that is no graph is built.
    Whatever the network's own layers raise comes through, ValueError where its parts differ.
    """
    library, made = library_of(model), dict[int, Any]()
    others: list[Any] = []

    def clone(layer: Any) -> Any:
        if id(layer) not in made:  # a layer may run in several networks
            other = instead(layer)
            others.extend(() if other is None else (layer, other))
            made[id(layer)] = again(layer) if other is None else other
        return made[id(layer)]

    def again(layer: Any) -> Any:
        if is_graph(layer):
            return library.models.clone_model(layer, clone_function=clone)
        if type(layer).__name__ == "Lambda":  # its config holds code, which Keras will not read
            return type(layer)(layer.function, name=layer.name, arguments=layer.arguments)
        return type(layer).from_config(layer.get_config())

    with library.utils.custom_object_scope(_own(model)):
        copy = clone(model)
    if not copy.built:
        if given is None:
            raise ValueError("its layers are made when it is called")
        copy(given, training=False)
    pairs = list(zip(parts(model), parts(copy), strict=True))
    if any(type(layer).__name__ != type(twin).__name__ for layer, twin in pairs):
        raise ValueError("a copy has other layers")
    for layer, twin in pairs:
        if twin.name != layer.name:  # a name that Keras counted on
            setattr(twin, "name" if library.__name__ == "keras" else "_name", layer.name)
        if vars(layer).get("call") is endings.unchanged:
            vars(twin)["call"] = endings.unchanged
    skipped = {id(variable) for layer in others for variable in layer.weights}
    sources, targets = (
        [variable for variable in network.weights if id(variable) not in skipped]
        for network in (model, copy)
    )
    for source, target in zip(sources, targets, strict=True):
        target.assign(source.numpy())
    for layer in parts(copy):
        if type(layer).__name__ == "Normalization":  # it computes with what it makes of its weights
            layer.finalize_state()
    return copy


def parts(model: Any) -> Iterator[Any]:
    """Yield every layer of a network, those inside layers too, and the operations of its graphs."""
    seen: set[int] = set()
    for layer in model._flatten_layers(include_self=True, recursive=True):
        for part in (layer, *getattr(layer, "operations", ())):
            if id(part) not in seen and all(b.__name__ != "Metric" for b in type(part).__mro__):
                seen.add(id(part))
                yield part


def is_graph(layer: Any) -> bool:
    """Say whether a layer is a network that Keras can copy layer by layer."""
    return any(base.__name__ in ("Functional", "Sequential") for base in type(layer).__mro__)


def is_plain(model: Any) -> bool:
    """Say whether a network is a graph of layers that all are Keras's own."""
    roots = {type(part).__module__.split(".")[0] for part in parts(model)}
    return is_graph(model) and roots <= {"keras", "tf_keras"}


def _own(model: Any) -> dict[str, Any]:
    """Return by name what a configuration of a network's own may ask for."""
    found: dict[str, Any] = {endings.linear.__name__: endings.linear}
    for part in parts(model):
        for each in (type(part), getattr(part, "activation", None)):
            root = str(getattr(each, "__module__", "")).split(".")[0]
            name = getattr(each, "__name__", "")
            if name and root not in ("keras", "tf_keras", "tensorflow"):
                found.setdefault(name, each)
    return found
