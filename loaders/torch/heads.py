"""The head of a known network, made to fit what a file holds of it.

People who fine-tune put a Linear, or a chain of Linear, ReLU, Dropout and BatchNorm, in the place
of `fc` or `classifier`, inside a part of it, or behind a body of their own class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from loaders.options import Activation, Options
from loaders.recognise import Match
from loaders.torch import chain
from loaders.torch.sets import shown_name
from xai_core.errors import LoadError, NeedsSource
from xai_core.model import Finding

Shapes = Mapping[str, tuple[int, ...]]
State = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Head:
    """The head's tensors by the network's names, and what was assumed."""

    tensors: State
    findings: tuple[Finding, ...] = ()


def fit(module: Any, head: str, match: Match, state: State, options: Options) -> Head:
    """Give `module` a head that fits the file's tensors. Raises LoadError where it cannot be."""
    own = {
        key: tuple(tensor.shape)
        for key, tensor in module.state_dict().items()
        if key.startswith(head + ".") and not key.endswith("num_batches_tracked")
    }
    mine = {key: state[name] for key, name in match.head.items()}
    outer: State = {name: state[name] for name in match.outer}
    if not mine and not outer:
        raise LoadError(
            f"This file holds a body without its head ({head}.* is missing), so it has no "
            "classes. Save the whole model's state_dict()."
        )
    findings: list[Finding] = []
    if mine:
        file = {key: tuple(tensor.shape) for key, tensor in mine.items()}
        findings += _fit_own(module, head, own, file, options.activation)
    if not outer:
        return Head(mine, tuple(findings))
    outer, whole = _one_of(module, head, outer, options.output)
    common = _common(list(outer))
    inner = {name[len(common) :].removeprefix("."): tensor for name, tensor in outer.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in inner.items()}
    made = chain.build(shapes, common, options.activation)
    if not mine:
        findings += _join(module, head, made)
        findings.append(_said(made, options.activation, whole))
        setattr(module, head, made.module)
        return Head({f"{head}.{name}": tensor for name, tensor in inner.items()}, tuple(findings))
    return _behind(module, head, mine, inner, made, options.activation, tuple(findings))


def _fit_own(
    module: Any, head: str, own: Shapes, file: Shapes, activation: Activation | None
) -> list[Finding]:
    """Fit a head that has its place and name in the network."""
    mine, theirs = _under(own, head), _under(file, head)
    if mine.keys() == theirs.keys():
        changed = [key for key in mine if mine[key] != theirs[key]]
        last = next((key for key in reversed(theirs) if len(theirs[key]) > 1), "")
        if all(key.rpartition(".")[0] == last.rpartition(".")[0] for key in changed):
            _resize_last(module, head, theirs, changed)
            return []
    # a head inside the head: classifier.6 replaced by a Sequential, and the rest left alone
    child = _replaced_child(mine, theirs)
    if child is not None:
        made = chain.build(_under(theirs, child), f"{head}.{child}", activation)
        setattr(module.get_submodule(head), child, made.module)
        joined = []
    else:
        made = chain.build(theirs, head, activation)
        joined = _join(module, head, made)
        setattr(module, head, made.module)
    return [*joined, *([_said(made, activation)] if ", " in made.described else [])]


def _behind(
    module: Any,
    head: str,
    mine: State,
    inner: State,
    made: chain.Chain,
    activation: Activation | None,
    findings: tuple[Finding, ...],
) -> Head:
    """Put layers that stand beside a whole network behind its own head."""
    from torch import nn

    first = module.get_submodule(head)
    gives = [layer.out_features for layer in first.modules() if isinstance(layer, nn.Linear)]
    if not gives or gives[-1] != made.takes:
        raise NeedsSource(
            f"Beside a whole network the file holds layers that take {made.takes} values, and the "
            f"network gives {gives[-1] if gives else 'maps'}: how they belong together is code "
            "that is not in it. Send the source of its class with it."
        )
    between = getattr(nn, chain.TITLES[activation or "none"])()
    both = nn.Sequential()
    for name, layer in (("own", first), ("between", between), ("outer", made.module)):
        both.add_module(name, layer)
    setattr(module, head, both)
    tensors = {f"{head}.own{key.removeprefix(head)}": tensor for key, tensor in mine.items()}
    tensors |= {f"{head}.outer.{name}": tensor for name, tensor in inner.items()}
    assumed = f"{chain.TITLES[activation]}, as was asked," if activation else "nothing"
    said = Finding(
        "info" if activation else "warning",
        f"Behind the network's own {gives[-1]} outputs the file holds further layers: "
        f"{made.described}. They are taken to follow it with {assumed} between. If an activation "
        "stood there, choose it (--activation).",
        "activation",
    )
    return Head(tensors, (*findings, said))


def _said(made: chain.Chain, activation: Activation | None, beside: str = "") -> Finding:
    said = f"The head was replaced, and was rebuilt from its weights as {made.described}."
    if beside:
        said = (
            f"The head stands beside its body, {beside}, and was rebuilt from its weights as "
            f"{made.described}, right behind the body's pooled maps. If something else stands "
            "between them, send the source of its class."
        )
    if not made.assumed:
        return Finding("warning" if beside else "info", said, "activation")
    if activation is not None:
        said += f" {chain.TITLES[activation]} stands where the file tells no activation, as asked."
        return Finding("info", said, "activation")
    place = ", nor whether before or behind the normalisation" if made.unsure else ""
    said += (
        f" The file does not say which activations stood between them{place}: ReLU is assumed. If "
        "it was another, the scores are wrong: choose it (--activation)."
    )
    return Finding("warning", said, "activation")


def _one_of(module: Any, head: str, outer: State, asked: str) -> tuple[State, str]:
    """Return the layers of one head where several stand beside each other, and its name."""
    common = _common(list(outer))
    groups: dict[str, dict[str, Any]] = {}
    for name, tensor in outer.items():
        child = name[len(common) :].removeprefix(".").partition(".")[0]
        groups.setdefault(child, {})[name] = tensor
    width = _width(module, head)
    dense = [[each for each in group.values() if each.ndim == 2] for group in groups.values()]
    takes = [int(each[0].shape[1]) if each else 0 for each in dense]
    gives = [int(each[-1].shape[0]) if each else 0 for each in dense]
    if len(groups) < 2 or set(takes) != {width} or gives[:-1] == takes[1:]:
        return outer, shown_name(common) if common else "in layers of their own"
    if asked in groups:
        return groups[asked], shown_name(asked)
    names = ", ".join(shown_name(name) for name in groups)
    raise LoadError(
        f"The file holds {len(groups)} heads on one body ({names}), and each gives other scores. "
        "Say which one is asked for by its name (--output)."
    )


def _common(names: Sequence[str]) -> str:
    """Return the path that all layers stand under: `head` of `head.0.weight`, `head.3.weight`."""
    paths = [name.split(".")[:-1] for name in names]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _width(module: Any, head: str) -> int:
    """Return how many values the network's own head takes; 0 where it takes maps."""
    from torch import nn

    own = (layer for layer in module.get_submodule(head).modules())
    return next((layer.in_features for layer in own if isinstance(layer, nn.Linear)), 0)


def _join(module: Any, head: str, made: chain.Chain) -> list[Finding]:
    """Fit the body's end to a chain that takes the place of the whole head."""
    from torch import nn

    width = _width(module, head)
    own = module.get_submodule(head)
    pool = getattr(module, "avgpool", None)
    if made.takes == 2 * width and isinstance(pool, nn.AdaptiveAvgPool2d):
        from loaders.torch.pools import BothPools

        module.avgpool = BothPools()
        return [
            Finding(
                "warning",
                f"The head takes {made.takes} values, twice what the body gives: the maps' maxima "
                "and means side by side are assumed, in this order, as fastai has them. If they "
                "were joined otherwise, send the source of its class.",
                "activation",
            )
        ]
    if made.takes != width:
        raise NeedsSource(
            f"The head takes {made.takes} values and the body gives {width}: what stands between "
            "them is code that is not in the file. Send the source of its class with it."
        )
    if any(isinstance(layer, (nn.Flatten, nn.AdaptiveAvgPool2d)) for layer in own.modules()):
        made.module.register_forward_pre_hook(_pooled)
    return []


def _pooled(module: Any, inputs: Any) -> Any:
    """Hand a chain `[N, C]` of maps `[N, C, h, w]`, by their means."""
    (values,) = inputs
    return (values.mean((2, 3)) if values.ndim == 4 else values,)


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
        if isinstance(old, nn.Linear) and len(shape) == 2:
            new: Any = nn.Linear(shape[1], shape[0], bias=old.bias is not None)
        elif isinstance(old, nn.Conv2d) and len(shape) == 4:
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
