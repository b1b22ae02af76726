"""Fills a tf_keras network from the weights of TensorFlow 2.13 and 2.14, whose places have moved.

Their `.keras` files keep a network's layers under `_layer_checkpoint_dependencies`, by class and
number: 2.13 counts a layer with weights twice, 2.14 once. Neither number is read; the layers of a
class are taken in their order, with every count and every shape held against the network's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xai_core.errors import LoadError

MARK = "_layer_checkpoint_dependencies"
_TRAINING = frozenset({"optimizer", "metrics", "compiled_metrics", "compiled_loss", "loss"})
_NUMBERED = re.compile(r"(.*?)(?:_(\d{1,6}))?")
_STEPS = re.compile(r"(.)([A-Z][a-z0-9]+)"), re.compile(r"([a-z])([A-Z])")


def fill(model: Any, file: Any, config: Mapping[str, Any]) -> None:
    """Copy the weights of an open HDF5 file into a network that was built of `config`.

    Raises LoadError where a weight has no place, a place no weight, or their shapes differ.
    """
    filler = _Filler()
    filler.place(model, file, config, "")
    used, named = filler.used, {id(weight): weight for weight in model.weights}
    for name in _datasets(file):
        if name not in used and name.split("/")[0] not in _TRAINING:
            raise _unfit(f"{name!r} has no place in the network")
    for key, weight in named.items():
        if key not in filler.filled and "float" in str(weight.dtype):
            raise _unfit(f"the file holds no weights for {weight.name[:60]!r}")


class _Filler:
    """What was used of the file, by name, and filled of the network, by id."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.filled: set[int] = set()
        self.done: set[int] = set()

    def place(self, part: Any, group: Any, config: Mapping[str, Any], at: str) -> None:
        """Give a layer or network what stands in its group, and what is inside it."""
        self.done.add(id(part))
        for key in sorted(group):
            inner, where = group[key], f"{at}/{key}".lstrip("/")
            if not at and key in _TRAINING:
                continue
            if not hasattr(inner, "keys") or not any(_datasets(inner)):
                continue
            if key == "vars":
                self._assign(part, inner, where)
            elif key in (MARK, "layers") and getattr(part, "layers", None):
                self._share_out(_in_order(part, config), inner, config, where)
            else:
                child = getattr(part, key, None)
                if isinstance(child, dict):
                    self._share_out(child.values(), inner, {}, where)
                elif isinstance(child, (list, tuple)):
                    self._share_out(child, inner, {}, where)
                elif child is None:
                    raise _unfit(f"{where!r} has no place in the network")
                else:
                    self.place(child, inner, _settings(config.get(key)), where)

    def _assign(self, part: Any, stored: Any, where: str) -> None:
        wanted = [*part._trainable_weights, *part._non_trainable_weights]
        if {str(number) for number in range(len(wanted))} != set(stored):
            raise _unfit(
                f"{where!r} holds {len(stored)} tensors and {part.name[:60]!r} has {len(wanted)}"
            )
        for number, weight in enumerate(wanted):
            value = stored[str(number)]
            if tuple(value.shape) != tuple(weight.shape):
                raise _unfit(
                    f"{where!r} holds a tensor {list(value.shape)} where {weight.name[:60]!r} is "
                    f"{list(weight.shape)}"
                )
            weight.assign(value[()])
            self.filled.add(id(weight))
            self.used.add(f"{where}/{number}")

    def _share_out(
        self, parts: Iterable[Any], group: Any, config: Mapping[str, Any], where: str
    ) -> None:
        """Give the parts of each class, in their order, what the file holds of it, in its order."""
        waiting: dict[str, list[Any]] = defaultdict(list)
        for part in parts:
            of_its_kind = waiting[_snake(type(part).__name__)]
            new = id(part) not in self.done and all(part is not each for each in of_its_kind)
            if new and bool(getattr(part, "weights", None)):
                of_its_kind.append(part)
        stored: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for name in group:
            if any(_datasets(group[name])):
                kind, number = _kind_of(name, waiting)
                stored[kind].append((number, name))
        inside = {row["config"]["name"]: row["config"] for row in _rows(config)}
        for kind, rows in stored.items():
            if len(rows) != len(waiting[kind]):
                raise _unfit(
                    f"{where!r} holds weights of {len(rows)} layers {kind!r} and the network has "
                    f"{len(waiting[kind])}"
                )
        for kind, rows in stored.items():
            for part, (_, name) in zip(waiting[kind], sorted(rows), strict=True):
                self.place(part, group[name], inside.get(part.name, {}), f"{where}/{name}")


def _kind_of(name: str, known: Mapping[str, Any]) -> tuple[str, int]:
    """Return the class of a numbered name, and its number; a class may end in a number itself."""
    if name in known:
        return name, -1
    match = _NUMBERED.fullmatch(name)
    kind, number = (match[1], match[2]) if match else (name, None)
    return kind, int(number) if number else -1


def _in_order(model: Any, config: Mapping[str, Any]) -> list[Any]:
    """Return a network's layers as its configuration lists them, which is how they were saved."""
    layers = {layer.name: layer for layer in model.layers}
    names = [row["config"]["name"] for row in _rows(config)]
    if not layers.keys() <= set(names):
        return list(model.layers)
    return [layers[name] for name in names if name in layers]


def _rows(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = _settings(config).get("layers")
    if not isinstance(rows, list):
        return []
    return [row for row in rows if isinstance(row, dict) and "name" in _settings(row)]


def _settings(config: Any) -> Mapping[str, Any]:
    """Return the settings themselves, of a layer with its class or without."""
    if not isinstance(config, dict):
        return {}
    inner = config.get("config")
    return inner if isinstance(inner, dict) else config


def _datasets(group: Any) -> Iterator[str]:
    """Yield the names of a group's arrays."""
    names: list[str] = []
    if hasattr(group, "visititems"):
        group.visititems(lambda name, entry: names.append(name) if _is_array(entry) else None)
    yield from names


def _is_array(entry: Any) -> bool:
    return getattr(entry, "shape", None) is not None


def _snake(name: str) -> str:
    """Write a class's name as Keras does for its files."""
    for step in _STEPS:
        name = step.sub(r"\1_\2", name)
    return name.lower()


def _unfit(why: str) -> LoadError:
    return LoadError(
        f"The file's weights do not fit its own network: {why}. Open it with the TensorFlow that "
        "wrote it and save it there as model.save('model.h5')."
    )
