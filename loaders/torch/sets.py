"""The sets of weights, the networks and the class names that a checkpoint holds, at any depth."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loaders.labels import Inside
from loaders.recognise import is_averaged
from xai_core.errors import LoadError
from xai_core.model import Finding

State = Mapping[str, Any]

MAX_DEPTH, MAX_PLACES, MAX_LIST = 8, 2_000, 64
"""How deep, how many mappings and how much of a list is looked into; libraries nest three."""

_NAMES = {
    *("class_to_idx", "idx_to_class", "class2idx", "idx2class", "class_to_index", "index_to_class"),
    *("id2label", "label2id", "idx_to_label", "label_to_idx", "label2idx", "idx2label"),
    *("classes", "class_names", "classnames", "class_name", "class_list", "classes_names"),
    *("class_labels", "labels", "label_names", "label_list", "label_map", "labels_map"),
    *("names", "target_names", "category_names", "categories", "class_mapping", "index_to_name"),
    *("idx_to_name", "label_mapping", "class_map", "label_to_id", "id_to_label", "classes_list"),
    *("class_dict", "label_dict", "idx_to_labels", "class_index", "labelmap"),
}
"""What people call the names of their classes in a checkpoint."""

_OTHER = ("optim", "sched", "scaler", "param_groups", "rng", "random_state", "grad_", "callbacks")
"""How the keys begin of what keeps a training going, and no weights."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """One set of tensors, and the checkpoint's keys that lead to it, with dots."""

    path: str
    tensors: State


@dataclasses.dataclass(frozen=True)
class Held:
    """What a checkpoint holds: whole networks by path, sets of weights, names of classes."""

    modules: Mapping[str, Any]
    sets: tuple[Weights, ...]
    names: tuple[Inside, ...]


def find(content: object) -> Held:
    """Look through a checkpoint's mappings, the outer ones first."""
    import torch

    modules: dict[str, Any] = {}
    sets: list[Weights] = []
    names: list[Inside] = []
    waiting: deque[tuple[str, object]] = deque([("", content)])
    places = 0
    met: set[int] = set()
    while waiting and places < MAX_PLACES:
        places += 1
        path, item = waiting.popleft()
        if id(item) in met:  # one set under two names, or a record that holds itself
            continue
        met.add(id(item))
        if isinstance(item, torch.nn.Module):
            modules[path] = item
            names += _names_of_module(path, item)
            continue
        tensors: dict[str, Any] = {}
        for key, value, kept in _entries(item):
            inner = f"{path}.{key}" if path else key
            if _is_names(key, value):
                names.append((f"the checkpoint's {shown_name(inner)}", value))
            elif kept:  # of a record of a class that is not here, nothing but names is of use
                continue
            elif isinstance(value, torch.Tensor):
                tensors[key] = value
            elif key.lower().startswith(_OTHER) or inner.count(".") >= MAX_DEPTH:
                continue
            elif isinstance(value, torch.nn.Module) or _holds(value):
                waiting.append((inner, value))
        if tensors:
            sets.append(Weights(path, tensors))
    return Held(modules, tuple(sets), tuple(names))


def parts(sets: tuple[Weights, ...]) -> list[Weights]:
    """Join the sets that lie beside each other, as a network that was saved in parts."""
    beside: dict[str, dict[str, Any]] = {}
    for each in sets:
        parent, _, last = each.path.rpartition(".")
        if last:
            rows = {f"{last}.{key}": tensor for key, tensor in each.tensors.items()}
            beside.setdefault(parent, {}).update(rows)
    return [Weights(path, tensors) for path, tensors in beside.items()]


def choose(names: Sequence[str], asked: str) -> tuple[int, tuple[Finding, ...]]:
    """Return which of several sets of weights is taken, and what to say where there are several.

    What a person asked goes first; then weights as they were trained go before averaged ones, and
    the first of the file before the next. Raises LoadError for a name that none has.
    """
    shown = [shown_name(name) for name in names]
    if asked:
        wanted = asked.strip().lower()
        for fits in (str.__eq__, _ends, str.__contains__):
            found = [index for index, name in enumerate(names) if fits(name.lower(), wanted)]
            if found:
                said = f"The weights under {shown[found[0]]} are taken, as was asked."
                return found[0], (Finding("info", said, "weights"),)
        raise LoadError(
            f"The file has no weights under {shown_name(asked)}; it has {_list(shown)}. Say one of "
            "them (--weights)."
        )
    taken = next((index for index, name in enumerate(names) if not is_averaged(name)), 0)
    if len(names) < 2:
        return taken, ()
    rule = "as weights as they were trained go before averaged ones, and the first before the next"
    said = (
        f"The file holds {len(names)} sets of weights, {_list(shown)}: {shown[taken]} is taken, "
        f"{rule}. If the others are meant, name them (--weights)."
    )
    return taken, (Finding("warning", said, "weights"),)


def shown_name(path: str) -> str:
    """Return a name as it can be shown, or what stands for none."""
    if not path:
        return "what has no prefix"
    return "'" + "".join(letter for letter in path[:80] if letter.isprintable()) + "'"


def _ends(name: str, wanted: str) -> bool:
    return name.endswith("." + wanted) or name.startswith(wanted + ".")


def _list(shown: Sequence[str]) -> str:
    few = list(shown[:6]) + ([f"{len(shown) - 6:,} more"] if len(shown) > 6 else [])
    return few[0] if len(few) == 1 else ", ".join(few[:-1]) + " and " + few[-1]


def _holds(value: object) -> bool:
    """Say whether a value may lead to weights or names: a record, or a list of such."""
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= MAX_LIST and isinstance(value[0], Mapping)
    return isinstance(value, Mapping) and (len(value) > 0 or bool(_state_of(value)))


def _state_of(value: object) -> dict[str, Any]:
    """Return what the reader kept of a record of a class that is not here."""
    kept = getattr(value, "__dict__", None)
    return kept if isinstance(value, Mapping) and isinstance(kept, dict) else {}


def _entries(item: object) -> Iterator[tuple[str, object, bool]]:
    if isinstance(item, (list, tuple)):
        yield from ((str(index), value, False) for index, value in enumerate(item[:MAX_LIST]))
    if isinstance(item, Mapping):
        for entries, kept in ((item, False), (_state_of(item), True)):
            rows = ((key, value, kept) for key, value in entries.items() if isinstance(key, str))
            yield from rows


def _is_names(key: str, value: object) -> bool:
    """Say whether a value is what its key says, names: not a count, nor the labels of photos."""
    if key.lower()[:40].replace("-", "_").replace(" ", "_") not in _NAMES:
        return False
    if isinstance(value, Mapping) and value:
        one, other = next(iter(value.items()))
        return any(isinstance(each, (str, list, tuple)) for each in (one, other))
    if isinstance(value, (list, tuple)) and value:
        return isinstance(value[0], str)
    return isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and len(value) > 2


def _names_of_module(path: str, module: Any) -> Iterator[Inside]:
    where = f" under {shown_name(path)}" if path else ""
    for each in (module, getattr(module, "module", None)):
        for key, value in vars(each).items() if hasattr(each, "__dict__") else ():
            if isinstance(key, str) and _is_names(key, value):
                yield f"the network's own {shown_name(key)}{where}", value
