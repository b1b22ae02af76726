"""What made a tensor's numbers, told by the operations of a pass that was watched."""

from __future__ import annotations

from loaders import heads
from loaders.torch.watch import Step
from xai_core.model import HeadKind

_KEPT = (
    *("view", "reshape", "unsafe_view", "squeeze", "unsqueeze", "flatten", "contiguous", "clone"),
    *("detach", "alias", "to", "to_copy", "float", "dropout", "expand", "select", "slice"),
    *("identity", "lift_fresh", "unbind", "split", "chunk", "transpose", "permute", "type_as"),
)
"""Operations that hand on the numbers that they are given."""

_SQUASHED = ("softmax", "log_softmax", "sigmoid")
_LINEAR = ("linear", "addmm", "mm", "matmul", "conv2d", "convolution", "batch_norm", "bilinear")
_POOLED = ("mean", "adaptive_avg_pool2d", "avg_pool2d")
_MIXING = ("add", "sub", "mul", "div", "sum", "stack", "cat", "neg", "einsum", *_POOLED)
_RECTIFIED = ("relu", "hardswish", "silu", "gelu")


def origin(step: Step | None) -> Step | None:
    """Return the operation that made the numbers which a step hands on."""
    seen = 0
    while step is not None and step.name in _KEPT and seen < 1000:
        step, seen = next((each for each in step.sources if each is not None), None), seen + 1
    return step


def kind(step: Step | None, depth: int = 0) -> HeadKind | None:
    """Return what the numbers that an operation gives are; None where it does not say."""
    step = origin(step)
    if step is None or depth > 8:
        return None
    if step.name in _SQUASHED:
        return heads.by_name(step.name)
    if step.name in _LINEAR:
        return "logits"
    below = [kind(each, depth + 1) for each in step.sources if each is not None]
    if step.name == "log" and below == ["softmax"]:
        return "log-softmax"
    if step.name == "exp" and below == ["log-softmax"]:
        return "softmax"
    if step.name in _MIXING and below and all(each == "logits" for each in below):
        return "logits"
    if step.name in _POOLED and below == [None]:
        # maps of the classes, averaged: a network without dense layers
        source = origin(step.sources[0] if step.sources else None)
        return "logits" if source is not None and source.name in _RECTIFIED else None
    return None


def leads_to(early: Step | None, late: Step | None) -> bool:
    """Say whether one step's numbers went into another's."""
    goal = origin(early)
    waiting, seen = [late] if late else [], set()
    while waiting and goal is not None:
        step = waiting.pop()
        if step is goal:
            return True
        if id(step) not in seen:
            seen.add(id(step))
            waiting += [each for each in step.sources if each is not None]
    return False
