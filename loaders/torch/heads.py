"""Rebuilds a replaced classifier head from the names and shapes of its tensors.

People who fine-tune put a Linear, or a Sequential of Linear, ReLU, Dropout and BatchNorm, in the
place of `fc` or `classifier`. The layers with weights can be read off the file. Those without
(ReLU, Dropout) cannot, so a finding says what was assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from xai_core.errors import LoadError

Shapes = Mapping[str, tuple[int, ...]]


def fit_head(module: Any, head: str, own: Shapes, file: Shapes) -> str:
    """Give `module` a head that fits the file's tensors.

    Returns
    -------
    str
        A sentence about what was assumed; empty where nothing was.
    """
    mine = _under(own, head)
    theirs = _under(file, head)
    if not theirs:
        raise LoadError(
            f"This file holds a body without its head ({head}.* is missing), so it has no "
            "classes. Save the whole model's state_dict()."
        )
    if mine.keys() == theirs.keys():
        changed = [key for key in mine if mine[key] != theirs[key]]
        _resize_last(module, head, theirs, changed)
        return ""
    parent, path = module, head
    # a head inside the head: classifier.6 replaced by a Sequential, and the rest left alone
    inner = _replaced_child(mine, theirs)
    if inner is not None:
        parent, path = module.get_submodule(head), inner
        theirs = _under(theirs, inner)
    chain, sentence = _chain(theirs, f"{head}.{inner}" if inner else head)
    if path.isdigit():
        parent[int(path)] = chain
    else:
        setattr(parent, path, chain)
    return sentence


def _under(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    start = prefix + "."
    return {key[len(start) :]: shape for key, shape in shapes.items() if key.startswith(start)}


def _resize_last(module: Any, head: str, file: Shapes, changed: list[str]) -> None:
    from torch import nn

    for key in changed:
        path, _, kind = f"{head}.{key}".rpartition(".")
        if kind != "weight":
            continue
        old, shape = module.get_submodule(path), file[key]
        if isinstance(old, nn.Linear):
            new: Any = nn.Linear(shape[1], shape[0], bias=old.bias is not None)
        elif isinstance(old, nn.Conv2d):
            new = nn.Conv2d(shape[1], shape[0], tuple(shape[2:]))
        else:
            raise LoadError(
                f"The head's tensor {head + '.' + key!r} has the shape {list(shape)}, which does "
                "not fit the network. The file may mix two models."
            )
        parent, _, child = path.rpartition(".")
        setattr(module.get_submodule(parent) if parent else module, child, new)


def _replaced_child(mine: Shapes, theirs: Shapes) -> str | None:
    """Return the one direct child whose tensors differ in name, if the others are the same."""
    children = {key.split(".")[0] for key in (*mine, *theirs)}
    if any("." not in key for key in (*mine, *theirs)):
        return None
    differing = {
        child for child in children if _under(mine, child).keys() != _under(theirs, child).keys()
    }
    if len(differing) != 1 or len(children) == 1:
        return None
    child = differing.pop()
    others_same = all(
        _under(mine, other) == _under(theirs, other) for other in children if other != child
    )
    return child if others_same and _under(mine, child) and _under(theirs, child) else None


def _chain(shapes: Shapes, where: str) -> tuple[Any, str]:
    """Build a module from the leaves' shapes, in the order of the file."""
    from torch import nn

    leaves: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        path, _, leaf = key.rpartition(".")
        leaves.setdefault(path, {})[leaf] = shape
    if list(leaves) == [""]:
        return _leaf(leaves[""], where), ""
    container: Any = nn.Sequential()
    described: list[str] = []
    assumed = False
    after = -1
    width: int | None = None
    # the last layer that has weights: what stands between two of them is assumed
    for position, (path, tensors) in enumerate(leaves.items()):
        layer = _leaf(tensors, f"{where}.{path}")
        index = int(path) if re.fullmatch(r"\d+", path) else None
        batch_norm = isinstance(layer, nn.BatchNorm1d)
        gap = index - after - 1 if index is not None else int(position > 0 and not batch_norm)
        if position and gap:
            _name(container, nn.ReLU(), described, "ReLU")
            assumed = True
            if gap > 1:
                described.append("Dropout")
        elif position == 0 and gap:
            described.append("Dropout")
        if isinstance(layer, nn.Linear):
            if width is not None and layer.in_features != width:
                raise LoadError(
                    f"The head's layers do not follow one another: {where}.{path} takes "
                    f"{layer.in_features} values and the one before it gives {width}."
                )
            width = layer.out_features
            described.append(f"Linear({layer.in_features}, {layer.out_features})")
        else:
            described.append(type(layer).__name__)
        after = index if index is not None else after
        _place(container, path, layer)
    text = ", ".join(described)
    sentence = f"The head was replaced, and was rebuilt from its weights as {text}."
    if assumed:
        sentence += (
            " The file does not say which activations stood between them: ReLU is assumed. If it "
            "was another, the scores are wrong."
        )
    return container, sentence


def _leaf(tensors: Shapes, where: str) -> Any:
    from torch import nn

    weight = tensors.get("weight")
    if weight is not None and "running_mean" in tensors:
        return nn.BatchNorm1d(weight[0])
    if weight is not None and len(weight) == 2:
        return nn.Linear(weight[1], weight[0], bias="bias" in tensors)
    if weight is not None and len(weight) == 1 and "bias" in tensors:
        return nn.LayerNorm(weight[0])
    raise LoadError(
        f"The head holds a layer {where!r} that is not a Linear, BatchNorm or LayerNorm, so it "
        "cannot be rebuilt from its weights."
    )


def _name(container: Any, layer: Any, described: list[str], title: str) -> None:
    container.add_module(f"assumed_{len(container)}", layer)
    described.append(title)


def _place(container: Any, path: str, layer: Any) -> None:
    """Add a layer under its own path, so that the file's names fit."""
    from torch import nn

    *parents, last = path.split(".")
    for parent in parents:
        if parent not in dict(container.named_children()):
            container.add_module(parent, nn.Sequential())
        container = container.get_submodule(parent)
    container.add_module(last, layer)
