"""What a person asks of a model and its photos, by flags of the command line or a form."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from loaders.class_names import check_classes, read_classes
from loaders.presets import PRESETS, Channels, Fit, Interpolation
from xai_core.checks import (
    are_numbers,
    check_choice,
    from_plain,
    is_pair,
    is_whole,
    refusal,
    to_plain,
)
from xai_core.errors import ParamError

Framework = Literal["auto", "torch", "keras", "onnx"]
Origin = Literal["custom", "pretrained", "custom-head"]
Outputs = Literal["logits", "softmax", "log-softmax", "sigmoid"]
Maps = Literal["channels-first", "channels-last"]
Activation = Literal["relu", "leaky-relu", "elu", "gelu", "silu", "tanh", "sigmoid", "none"]

MIN_SIZE, MAX_SIZE = 16, 2048
"""What a person may ask of `--size`, in pixels a side."""

MAX_NAME = 200
"""The longest name of an output or of a set of weights, in characters."""

MAX_SOURCE, MAX_BUILD, MAX_ARCHITECTURE = 200_000, 300, 2_000_000
"""The longest source, expression and JSON that may come with a file, in characters."""

MAX_RESIZE = 4096
"""The longest shorter side that a person may ask of `--resize`, in pixels."""

SIZE_RULE = f"HEIGHTxWIDTH in pixels from {MIN_SIZE} to {MAX_SIZE}"
RESIZE_RULE = f"a whole number from {MIN_SIZE} to {MAX_RESIZE} pixels"
MEAN_RULE = (
    "one number or one for each channel, with commas, from -4 to 4 in units of the 0..1 photo "
    "(divide 0..255 means by 255)"
)
STD_RULE = (
    "one number or one for each channel, with commas, from 0.0001 to 100 in units of the 0..1 "
    "photo (divide 0..255 deviations by 255)"
)


def parse_size(text: str) -> tuple[int, int]:
    """Read 'HEIGHTxWIDTH', or one number for a square. Raises ParamError."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*(?:[xX]\s*(\d{1,5})\s*)?", text, re.ASCII)
    if not match:
        raise refusal("size", SIZE_RULE, text)
    size = int(match[1]), int(match[2] or match[1])
    if not is_pair(size, MIN_SIZE, MAX_SIZE):
        raise refusal("size", SIZE_RULE, text)
    return size


def parse_resize(text: str) -> int:
    """Read the shorter side of `--resize`. Raises ParamError."""
    value = int(text) if re.fullmatch(r"\s*\d{1,5}\s*", text, re.ASCII) else 0
    if not is_whole(value, MIN_SIZE, MAX_RESIZE):
        raise refusal("resize", RESIZE_RULE, text)
    return value


def parse_mean(text: str) -> tuple[float, ...]:
    """Read one or three numbers with commas, in units of the 0..1 view. Raises ParamError."""
    return _parse_numbers("mean", text, MEAN_RULE, -4, 4)


def parse_std(text: str) -> tuple[float, ...]:
    """Read one or three numbers with commas, in units of the 0..1 view. Raises ParamError."""
    return _parse_numbers("std", text, STD_RULE, 1e-4, 100)


def _parse_numbers(flag: str, text: str, rule: str, low: float, high: float) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise refusal(flag, rule, text) from None
    if not are_numbers(numbers, low, high):
        raise refusal(flag, rule, text)
    return numbers


_TEXTS = {
    "source": MAX_SOURCE,
    "build": MAX_BUILD,
    "architecture": MAX_ARCHITECTURE,
    "output": MAX_NAME,
    "weights": MAX_NAME,
}
_CHOICES = {
    "channels": Channels,
    "interpolation": Interpolation,
    "fit": Fit,
    "head": Outputs,
    "layout": Maps,
    "activation": Activation,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked about a model and its photos; None means not asked.

    `mean` and `std` are in units of the 0..1 view, in the order of the network's channels.
    `source` is the Python of the network's class, `build` the expression that makes the network
    of it, and `architecture` the JSON of a Keras network whose file holds weights alone. What
    was guessed can be said: `head` is what the outputs are, `output` the name or number of the
    one that holds the scores, `weights` the name of the set to take where a file has several,
    `layout` how inner maps lie, `activation` what stands between the layers of a rebuilt head.
    Raises ParamError, naming the flag, the rule and the value.
    """

    preprocessing: str = "auto"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: Channels | None = None
    size: tuple[int, int] | None = None
    resize: int | None = None
    interpolation: Interpolation | None = None
    fit: Fit | None = None
    classes: tuple[str, ...] | None = None
    framework: Framework = "auto"
    origin: Origin = "custom"
    source: str = ""
    build: str = ""
    architecture: str = ""
    head: Outputs | None = None
    output: str = ""
    weights: str = ""
    layout: Maps | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        check_choice("preprocessing", ("auto", *PRESETS), self.preprocessing)
        if self.mean is not None and not are_numbers(self.mean, -4, 4):
            raise refusal("mean", MEAN_RULE, self.mean)
        if self.std is not None and not are_numbers(self.std, 1e-4, 100):
            raise refusal("std", STD_RULE, self.std)
        if self.size is not None and not is_pair(self.size, MIN_SIZE, MAX_SIZE):
            raise refusal("size", SIZE_RULE, self.size)
        if self.resize is not None and not is_whole(self.resize, MIN_SIZE, MAX_RESIZE):
            raise refusal("resize", RESIZE_RULE, self.resize)
        for name, kind in _CHOICES.items():
            if getattr(self, name) is not None:
                check_choice(name, get_args(kind), getattr(self, name))
        if self.resize is not None and self.fit in ("stretch", "pad"):
            raise ParamError(
                f"--resize belongs to --fit crop, got --resize {self.resize} with --fit {self.fit}"
            )
        if self.classes is not None:
            check_classes(self.classes)
        check_choice("framework", get_args(Framework), self.framework)
        check_choice("origin", get_args(Origin), self.origin)
        for name, limit in _TEXTS.items():
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > limit:
                raise ParamError(f"--{name} must be text of at most {limit:,} characters")
        if self.build and not self.source:
            raise ParamError(
                "--build says how the network is made of the class in --source, which is missing"
            )

    @classmethod
    def from_text(cls, flags: Mapping[str, str | None]) -> Options:
        """Read what a command line or a form gave, by field name; None and '' are not asked.

        `classes` is the text of a file of class names. Raises ParamError.
        """
        parsers = {
            "size": parse_size,
            "resize": parse_resize,
            "mean": parse_mean,
            "std": parse_std,
            "classes": read_classes,
        }
        values: dict[str, Any] = {
            name: parsers[name](text) if name in parsers else text
            for name, text in flags.items()
            # an empty file of class names is a mistake, an empty form field is not
            if text or (text is not None and name == "classes")
        }
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        """Rebuild from `to_json`; what is missing was not asked. Raises ParamError."""
        return cls(**from_plain(cls, data))
