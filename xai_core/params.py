"""Declared parameters: a field that carries its default, range, unit, help and source.

Sliders, command-line flags, validation, reports and tests are all read from these declarations.
What a person may say of a model and its photos is declared in the same way; such a declaration
carries besides how the command line and the page ask for it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast

from xai_core.param import Kind, Param, Titles

__all__ = [
    "FILLS", "Kind", "Param", "choice", "declared", "fill", "layer", "maybe", "names", "number",
    "numbers", "pair", "patch", "seed", "segmentation", "segments", "stop_at", "stride", "switch",
    "text", "validate", "whole",
]  # fmt: skip


class Details(TypedDict, total=False):
    """What every declaration may add to its default and its range."""

    step: float
    unit: str
    help: str
    source: str
    engines: tuple[str, ...]
    label: str
    more: bool
    pace: bool
    hint: str
    titles: Titles
    group: str
    metavar: str
    file: str
    place: str
    example: str
    spoken: str
    lacking: bool
    linked: str


N = TypeVar("N", int, float)
C = TypeVar("C", bound=str)


def _field(param: Param) -> Any:
    return dataclasses.field(default=param.default, metadata={"param": param})


def number(default: N, lo: N, hi: N, **details: Unpack[Details]) -> N:
    """Declare a whole number (if `default` is an int) or a real one in `lo..hi`, ends included."""
    kind: Kind = "integer" if isinstance(default, int) else "real"
    return cast(N, _field(Param(kind=kind, default=default, lo=lo, hi=hi, **details)))


def choice(default: C, options: tuple[C, ...], **details: Unpack[Details]) -> C:
    """Declare one of a few names."""
    return cast(C, _field(Param(kind="choice", default=default, options=options, **details)))


def switch(default: bool, **details: Unpack[Details]) -> bool:
    """Declare a yes or no."""
    return cast(bool, _field(Param(kind="switch", default=default, **details)))


def layer(**details: Unpack[Details]) -> str:
    """Declare the name of one of the model's layers; empty stands for the method's default."""
    return cast(str, _field(Param(kind="layer", default="", **details)))


# What is None where it was not asked


def maybe(options: tuple[C, ...], **details: Unpack[Details]) -> C | None:
    """Declare one of a few names, or None."""
    made = Param(kind="choice", default=None, optional=True, options=options, **details)
    return cast("C | None", _field(made))


def whole(lo: int, hi: int, **details: Unpack[Details]) -> int | None:
    """Declare a whole number in `lo..hi`, or None."""
    made = Param(kind="integer", default=None, optional=True, lo=lo, hi=hi, **details)
    return cast("int | None", _field(made))


def text(longest: int, **details: Unpack[Details]) -> str:
    """Declare a text of at most so many characters; empty where it was not asked."""
    return cast(str, _field(Param(kind="text", default="", hi=longest, **details)))


def pair(lo: int, hi: int, **details: Unpack[Details]) -> tuple[int, int] | None:
    """Declare a height and a width, each in `lo..hi`, or None."""
    made = Param(kind="pair", default=None, optional=True, lo=lo, hi=hi, **details)
    return cast("tuple[int, int] | None", _field(made))


def numbers(lo: float, hi: float, **details: Unpack[Details]) -> tuple[float, ...] | None:
    """Declare one number or one for each of three channels, each in `lo..hi`, or None."""
    made = Param(kind="numbers", default=None, optional=True, lo=lo, hi=hi, **details)
    return cast("tuple[float, ...] | None", _field(made))


def names(
    read: Callable[[str], Any], check: Callable[[Any], None], **details: Unpack[Details]
) -> tuple[str, ...] | None:
    """Declare names that come as a text, or None; `read` and `check` raise ParamError."""
    made = Param(kind="names", default=None, optional=True, read=read, check=check, **details)
    return cast("tuple[str, ...] | None", _field(made))


# What many methods have


def seed(drawn: str = "masks", **details: Unpack[Details]) -> int:
    """Declare what makes a random method repeat itself; `drawn` is what is random in it."""
    about: Details = {
        "help": f"Draws the random {drawn}. The same seed repeats the result; another shows how "
        "steady it is.",
        "more": True,
    }
    given: Details = {**about, **details}
    return number(0, 0, 2**31 - 1, **given)


def batch(default: int, **details: Unpack[Details]) -> int:
    """Declare how many photos go through the network at once."""
    about: Details = {
        "unit": "photos",
        "help": "How many photos go through the network at once. It changes the time and the "
        "memory of a run and never its map; a network that takes one number only keeps to that.",
        "label": "Batch size",
        "more": True,
        "pace": True,
    }
    given: Details = {**about, **details}
    return number(default, 1, 256, **given)


def stop_at(
    what: str, *, order: str = "the places of the map", **details: Unpack[Details]
) -> float:
    """Declare at which agreement of two halves of `what` a run ends before its limit; 1 never.

    `order` is what they have to order alike.
    """
    about: Details = {
        "step": 0.01,
        "help": f"End the run as soon as two halves of the {what} order {order} this much alike "
        "(rank correlation, by each of three ways to halve them), and say after how many. 1 takes "
        "all.",
        "label": "Stop at an agreement of",
        "more": True,
    }
    given: Details = {**about, **details}
    return number(1.0, 0.5, 1.0, **given)


FILLS: Mapping[str, str] = MappingProxyType(
    {
        "value": "the grey above",
        "segment": "its own mean colour",
        "black": "black",
        "grey": "a middle grey",
        "white": "white",
        "mean": "the photo's mean colour",
        "blur": "the blurred photo",
        "noise": "random colours",
        "inpainted": "what stands round it, continued",
    }
)
"""What can stand where a photo is hidden, in image terms; the first two need the method's help."""


def fill(what: str, fills: tuple[str, ...], **details: Unpack[Details]) -> str:
    """Declare what the hidden part, `what`, shows; the first of `fills` is the default."""
    first, last = ", ".join(FILLS[each] for each in fills[:-1]), FILLS[fills[-1]]
    about: Details = {
        "help": f"What is seen in the place of {what}: {first}, or {last}.",
        "label": "Hide with",
        "more": True,
    }
    given: Details = {**about, **details}
    return choice(fills[0], fills, **given)


SEGMENTATIONS = ("quickshift", "slic", "felzenszwalb", "grid")


def segmentation(**details: Unpack[Details]) -> str:
    """Declare how a photo is cut into superpixels."""
    about: Details = {
        "help": "How the photo is cut. Quickshift and felzenszwalb follow edges and leave small "
        "parts that stand out alone; slic cuts pieces of like size; the grid does not look at the "
        "photo.",
    }
    given: Details = {**about, **details}
    return choice(SEGMENTATIONS[0], SEGMENTATIONS, **given)


def segments(default: int, **details: Unpack[Details]) -> int:
    """Declare into about how many superpixels."""
    about: Details = {
        "unit": "superpixels",
        "help": "About how many. More show smaller parts, need more samples, and each alone does "
        "less. 0 takes the algorithm as the lime library sets it.",
        "source": "skimage n_segments, kernel_size, scale",
    }
    given: Details = {**about, **details}
    return number(default, 0, 500, **given)


Side = Literal["height", "width"]
LONGEST_SIDE = 512
"""The longest side of a patch, in pixels; a form bounds it by the view besides."""


def patch(side: Side, default: int = 32, **details: Unpack[Details]) -> int:
    """Declare a side of a hidden patch: `patch_height` or `patch_width`."""
    about: Details = {
        "unit": "px",
        "help": "Height of the hidden patch. Larger patches hide whole parts and give a coarser "
        "map; smaller ones may hide too little for the model to notice."
        if side == "height"
        else "Width of the hidden patch.",
        "linked": "patch_height" if side == "width" else "",
    }
    given: Details = {**about, **details}
    return number(default, 1, LONGEST_SIDE, **given)


def stride(side: Side, default: int = 16, **details: Unpack[Details]) -> int:
    """Declare how far a patch moves: down, `stride_height`, or across, `stride_width`."""
    about: Details = {
        "unit": "px",
        "help": "How far down the patch moves. Halving both strides gives a finer map and takes "
        "four times as long."
        if side == "height"
        else "How far across the patch moves.",
        "more": True,
        "linked": "stride_height" if side == "width" else "",
    }
    given: Details = {**about, **details}
    return number(default, 1, LONGEST_SIDE, **given)


def declared(cls: type) -> dict[str, Param]:
    """Every declared parameter of a dataclass, by name, in the order of declaration."""
    return dict(_declared(cls))


@functools.cache
def _declared(cls: type) -> tuple[tuple[str, Param], ...]:
    return tuple(
        (field.name, dataclasses.replace(field.metadata["param"], name=field.name))
        for field in dataclasses.fields(cls)
        if "param" in field.metadata
    )


def validate(instance: Any, owner: str | None = None) -> None:
    """Check every declared field of `instance`. Raises ParamError with the first that is wrong.

    A refusal begins with the class's name and the field's, or with the flag where `owner` is empty.
    """
    owner = type(instance).__name__ if owner is None else owner
    for name, param in declared(type(instance)).items():
        param.validate(owner, getattr(instance, name))
