"""Where a network that came whole turns scores into probabilities, and how that is taken off."""

from __future__ import annotations

from typing import Any

from xai_core.model import Finding, Head, HeadKind

ONE_UNIT = Finding(
    "warning", "The network gives one number: taken as one class against its absence."
)
LOGITS = Finding("info", "The network gives logits.")


def open_head(module: Any, channels: int, size: tuple[int, int]) -> tuple[Any, Head, Finding]:
    """Take a softmax or a sigmoid off a network's end.

    A layer at the end is taken off; one inside the network's own code is told by its answers and
    inverted, which loses what a saturated one has lost. Returns the network that gives logits,
    the head, and a finding about it.
    """
    import torch
    from torch import nn

    views = torch.randn((4, channels, *size), generator=torch.Generator().manual_seed(0))

    def answers() -> Any:
        with torch.inference_mode():
            return module(views)

    before = answers()
    one = before.shape[1] == 1
    kind = _kind(before)
    bare = (Head("sigmoid"), ONE_UNIT) if one else (Head("logits"), LOGITS)
    if kind == "logits":
        return module, *bare
    head = Head(kind, exclusive=kind != "sigmoid" or one)
    if kind == "log-softmax":
        said = "The network ends in a log-softmax, which is read as it is."
        return module, head, Finding("info", said)
    squash = nn.Sigmoid if kind == "sigmoid" else nn.Softmax
    for name, layer in reversed(list(module.named_modules())):
        if type(layer) is squash and name:
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, nn.Identity())
            after = answers()
            again = after.sigmoid() if kind == "sigmoid" else after.softmax(1)
            if torch.allclose(again, before, atol=1e-5):
                said = f"The network ends in a {kind} ({name}), which is taken off."
                return module, head, Finding("info", said)
            setattr(module.get_submodule(parent), child, layer)
            break
    if not _brings_code(module):
        return module, *bare  # logits may lie between 0 and 1 by chance
    said = (
        f"The network's own code ends in a {kind}, told by its answers and inverted: where it is "
        "saturated the scores are cut off."
    )
    return nn.Sequential(module, _inverse(kind)), head, Finding("warning", said)


def _brings_code(module: Any) -> bool:
    """Say whether a network has code other than torch's and torchvision's own layers."""
    own = ("torch.nn.modules.", "torchvision.")
    return not all(type(part).__module__.startswith(own) for part in module.modules())


def _kind(answer: Any) -> HeadKind:
    """Tell a head from its answers, float32 `[N, classes]`."""
    import torch

    def adds_up(chances: Any) -> bool:
        total = chances.sum(1)
        return bool(torch.allclose(total, torch.ones_like(total), atol=1e-4))

    many = answer.shape[1] > 1
    if many and bool((answer >= 0).all()) and adds_up(answer):
        return "softmax"
    if many and bool((answer <= 0).all()) and adds_up(answer.exp()):
        return "log-softmax"
    if bool(((answer >= 0) & (answer <= 1)).all()) and float(answer.std()) > 0:
        return "sigmoid"
    return "logits"


def _inverse(kind: HeadKind) -> Any:
    from loaders.torch.model import Inverse

    return Inverse(kind)
