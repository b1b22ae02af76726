"""Whether a Keras network was saved to run as in training, said by how its layers are called.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_DIFFERENT = ("Dropout", "BatchNormalization", "Random", "Noise")


def in_training(model: Any) -> str:
    """Return why the network answers as in training, as a clause, or ''.

    A functional network keeps how each layer was called. In tf_keras `training=True` there holds
    for every later run; in Keras 3 what the run says goes before it, and nothing is lost.
    """
    if all(base.__module__.split(".")[0] != "tf_keras" for base in type(model).__mro__):
        return ""
    called = list(dict.fromkeys(_called(model, set())))
    if not called:
        return ""
    shown = ", ".join(called[:3]) + (f" and {len(called) - 3} more" if len(called) > 3 else "")
    return f"the file says that {shown} be called with training=True"


def _called(model: Any, seen: set[int]) -> Iterator[str]:
    """Yield the layers that are called in training, of all networks inside."""
    for layer in getattr(model, "layers", ()):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        inner = bool(getattr(layer, "layers", None))
        asked = any(_is_true(given.get("training")) for given in _arguments(layer))
        if asked and (inner or _is_random(layer)):
            yield repr(str(layer.name)[:60])
        elif inner:
            yield from _called(layer, seen)


def _is_random(layer: Any) -> bool:
    return any(word in type(layer).__name__ for word in _DIFFERENT)


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, int) and value == 1)


def _arguments(layer: Any) -> Iterator[dict[str, Any]]:
    """Yield the keywords of the layer's calls in its networks' graphs."""
    for node in getattr(layer, "_inbound_nodes", ()):
        arguments = getattr(node, "arguments", node)  # Keras 3 has an object for them
        for name in ("kwargs", "call_kwargs"):
            given = getattr(arguments, name, None)
            if isinstance(given, dict):
                yield given
