"""Where a person says that a network comes from, compared with what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xai_core.card import Card
from xai_core.model import Finding

IMAGENET = 1000
"""ImageNet's classes."""

COCO = 90
"""COCO's classes as torchvision counts them, without the background."""


def check(origin: str, card: Card) -> Finding | None:
    """Say what an answer does not go with, or nothing."""
    checked = _CHECKS.get(origin)
    return checked(card) if checked else None


def _published(card: Card) -> Finding | None:
    if card.task == "detection":
        if card.classes == COCO:
            return None
        return Finding(
            "warning",
            f"You said pre-trained, and this detector has {card.classes:,} classes where those "
            f"that were published for COCO have {COCO}: its last layer was replaced, so give its "
            "class names.",
            "labels",
        )
    if card.classes == IMAGENET:
        return None
    known = (
        f"the head of {card.architecture} was replaced, so give its class names."
        if card.architecture
        else "it is none that was published for ImageNet. Say where else it comes from, or give "
        "its class names."
    )
    return Finding(
        "warning",
        f"You said pre-trained, and this model has {card.classes:,} classes where ImageNet has "
        f"1,000: {known}",
        "labels" if card.architecture else "origin",
    )


def _own_head(card: Card) -> Finding | None:
    if not card.architecture:
        return Finding(
            "warning",
            "You said custom head, and no published network was recognised in the file: nothing "
            "is known of how its photos were prepared.",
            "preprocessing",
        )
    if card.task == "detection" or card.classes != IMAGENET:
        return None
    return Finding(
        "warning",
        "You said custom head, and this model has 1,000 classes as ImageNet does: it looks like "
        f"the head that {card.architecture} was published with.",
        "origin",
    )


_CHECKS: Mapping[str, Callable[[Card], Finding | None]] = {
    "pretrained": _published,
    "custom-head": _own_head,
}
