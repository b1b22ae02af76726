"""What wrappers and reparametrisations put around a network and its weights, taken off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xai_core.model import Finding

State = Mapping[str, Any]
_HOLDERS = {"DataParallel", "DistributedDataParallel", "AveragedModel", "OptimizedModule"}
_INNER = ("module", "_orig_mod")


def module(wrapped: Any) -> Any:
    """Return the network inside DataParallel, AveragedModel or torch.compile's module."""
    for _ in range(8):
        inner = next((name for name in _INNER if name in wrapped._modules), "")
        if type(wrapped).__name__ not in _HOLDERS or not inner:
            break
        wrapped = wrapped._modules[inner]
    return _unpruned(wrapped)


def _unpruned(network: Any) -> Any:
    """Put a pruned network's weights in place of the parts that pruning made of them."""
    from torch.nn.utils import prune

    for part in network.modules():
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(part, hook._tensor_name)
    return network


def plain(state: State) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """Return weights without the parts that pruning and normalisation made of them.

    A pruned weight is `weight_orig` times `weight_mask`; a weight-normalised one is
    `weight_v / |weight_v| * weight_g`; a spectrally normalised one is `weight_orig / (u W v)`.
    """
    made = dict(state)
    kinds = []
    for key in state:
        for kind, ends, fold in _FOLDS:
            if not key.endswith(ends[0]):
                continue
            stem = key[: len(key) - len(ends[0])]
            found = [state.get(stem + end) for end in ends]
            value = None if any(each is None for each in found) else fold(*found)
            if value is None:
                continue
            for end in ends:
                made.pop(stem + end, None)
            made[_name(stem)] = value
            kinds.append(kind)
            break
    said = [
        f"The file holds {kinds.count(kind)} {kind} weights in parts, which were put together."
        for kind in dict.fromkeys(kinds)
    ]
    if not made.keys() <= state.keys():  # the file's order tells a head's layers
        order: dict[str, int] = {}
        for place, key in enumerate(state):
            order.setdefault(_name(_stem(key)), place)
            order.setdefault(key, place)
        made = dict(sorted(made.items(), key=lambda row: order.get(row[0], len(order))))
    return made, tuple(Finding("info", each, "weights") for each in said)


def _pruned(weight: Any, mask: Any) -> Any:
    return weight.float() * mask.float() if weight.shape == mask.shape else None


def _normalised(length: Any, direction: Any) -> Any:
    if length.ndim != direction.ndim or not direction.numel():
        return None
    over = [dim for dim, side in enumerate(length.shape) if side == 1 < direction.shape[dim]]
    if any(a not in (1, b) for a, b in zip(length.shape, direction.shape, strict=True)):
        return None
    direction = direction.float()
    norm = direction.square().sum(over, keepdim=True).sqrt() if over else direction.abs()
    return direction / norm * length.float()


def _spectral(weight: Any, left: Any, right: Any) -> Any:
    if weight.ndim < 2 or left.shape != weight.shape[:1]:
        return None
    flat = weight.float().flatten(1)
    if right.shape != flat.shape[1:]:
        return None
    return weight.float() / (left.float() @ flat @ right.float())


_PARAMETRISED = "parametrizations."
_FOLDS = (
    ("pruned", ("_orig", "_mask"), _pruned),
    ("spectrally normalised", ("_orig", "_u", "_v"), _spectral),
    ("spectrally normalised", (".original", ".0._u", ".0._v"), _spectral),
    ("weight-normalised", ("_g", "_v"), _normalised),
    ("weight-normalised", (".original0", ".original1"), _normalised),
)


def _stem(key: str) -> str:
    ends = [end for _, ends, _ in _FOLDS for end in ends if key.endswith(end)]
    return key[: len(key) - len(max(ends, key=len))] if ends else key


def _name(stem: str) -> str:
    """Return the weight's own name: `fc.parametrizations.weight` is `fc.weight`."""
    return stem.replace(_PARAMETRISED, "")
