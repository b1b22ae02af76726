"""What a person asks of a model and its photos, by flags of the command line or a form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

from loaders.class_names import check_classes, read_classes
from loaders.presets import PRESETS, Channels, Fit, Interpolation
from xai_core import params
from xai_core.checks import from_plain, to_plain
from xai_core.errors import ParamError
from xai_core.params import Param, choice, maybe, names, numbers, pair, text, whole

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

PREPROCESSING, READING, SENT = "pre-processing", "how it is read", "what comes with the model"
"""The headings of the flags."""

ON_CARD, ON_READING, ON_NAMES = "Pre-processing", "How it is read", "Class names"
ON_SOURCE, ON_JSON = "With the source of its class", "With its JSON"
"""Where on the page a control lies."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked about a model and its photos; None and '' mean not asked.

    Flags, forms, checks and the printed command follow from the declarations. `mean` and `std` are
    in units of the 0..1 view, in the order of the network's channels.
    Raises ParamError, naming the flag, the rule and the value.
    """

    preprocessing: str = choice(
        "auto",
        ("auto", *PRESETS),
        help="What the network was trained on.",
        label="Values",
        titles={
            "auto": "Automatic",
            **{name: f"{name}: {each.meaning}" for name, each in PRESETS.items()},
        },
        group=PREPROCESSING,
        place=ON_CARD,
    )
    mean: tuple[float, ...] | None = numbers(
        -4,
        4,
        unit="in units of the 0..1 photo",
        hint="divide 0..255 means by 255",
        help="Subtracted from the 0..1 photo: one number, or one a channel.",
        example="0.485, 0.456, 0.406",
        metavar="M[,M,M]",
        group=PREPROCESSING,
        place=ON_CARD,
    )
    std: tuple[float, ...] | None = numbers(
        1e-4,
        100,
        unit="in units of the 0..1 photo",
        hint="divide 0..255 deviations by 255",
        help="Divides what is left, in units of the 0..1 photo: one number, or one a channel.",
        label="Deviation",
        example="0.229, 0.224, 0.225",
        metavar="S[,S,S]",
        group=PREPROCESSING,
        place=ON_CARD,
    )
    size: tuple[int, int] | None = pair(
        MIN_SIZE,
        MAX_SIZE,
        unit="pixels",
        help="Height x width of what the network sees of a photo, in pixels.",
        example="224x224",
        metavar="HxW",
        group=PREPROCESSING,
        place=ON_CARD,
        lacking=True,
    )
    channels: Channels | None = maybe(
        get_args(Channels),
        help="The order of the network's channels.",
        group=PREPROCESSING,
        place=ON_CARD,
        lacking=True,
    )
    resize: int | None = whole(
        MIN_SIZE,
        MAX_RESIZE,
        unit="pixels",
        help="The photo's shorter side in pixels, before it is cropped.",
        label="Shorter side before a crop",
        example="256",
        metavar="SIDE",
        group=PREPROCESSING,
        place=ON_CARD,
    )
    interpolation: Interpolation | None = maybe(
        get_args(Interpolation),
        help="How the photo is resized.",
        group=PREPROCESSING,
        place=ON_CARD,
    )
    fit: Fit | None = maybe(
        get_args(Fit),
        help="How a photo of another shape fits the view.",
        group=PREPROCESSING,
        place=ON_CARD,
    )
    classes: tuple[str, ...] | None = names(
        read_classes,
        check_classes,
        help="One name a line, with its number or without; a table; JSON, YAML or Python.",
        label="Class names",
        spoken="The class names",
        group=SENT,
        file="classes.txt",
        place=ON_NAMES,
    )
    framework: Framework = choice(
        "auto",
        get_args(Framework),
        help="What the file was saved by.",
        titles={"auto": "Detect it", "torch": "PyTorch", "keras": "TensorFlow", "onnx": "ONNX"},
        place=ON_READING,
    )
    origin: Origin = choice(
        "custom",
        get_args(Origin),
        help="Where the network comes from, which is compared with what is in the file.",
        label="Where it comes from",
        titles={
            "custom": "Custom",
            "pretrained": "Pre-trained",
            "custom-head": "Pre-trained + custom head",
        },
        place=ON_READING,
    )
    source: str = text(
        MAX_SOURCE,
        help="The Python of the network's class, run in the sandbox alone.",
        label="Paste the source",
        spoken="the source",
        group=SENT,
        file="source.py",
        place=ON_SOURCE,
    )
    build: str = text(
        MAX_BUILD,
        help="How the network is built of its source. Without it the source's classes are tried "
        "until one fits the weights.",
        label="How it is built",
        example="Net(num_classes=5)",
        metavar="EXPRESSION",
        group=SENT,
        place=ON_SOURCE,
    )
    architecture: str = text(
        MAX_ARCHITECTURE,
        help="The JSON of a Keras network, for a file of weights alone.",
        label="The file that model.to_json() gave",
        spoken="the network's JSON",
        group=SENT,
        file="architecture.json",
        place=ON_JSON,
    )
    output: str = text(
        MAX_NAME,
        help="The name or the number of the output that holds the scores, where there are several.",
        label="The scores are in",
        example="logits",
        metavar="NAME",
        group=READING,
        place=ON_READING,
        lacking=True,
    )
    head: Outputs | None = maybe(
        get_args(Outputs),
        help="What the last numbers of the network mean. Probabilities are turned back into "
        "scores.",
        label="The outputs are",
        group=READING,
        place=ON_READING,
        lacking=True,
    )
    weights: str = text(
        MAX_NAME,
        help="The name of the set of weights to take, where the file holds several.",
        example="ema",
        metavar="NAME",
        group=READING,
        place=ON_READING,
    )
    layout: Maps | None = maybe(
        get_args(Maps),
        help="Which side of an inner layer's output holds its channels.",
        label="Inner maps lie",
        group=READING,
        place=ON_READING,
    )
    activation: Activation | None = maybe(
        get_args(Activation),
        help="The activation between the last layers of a head that was rebuilt of its weights.",
        label="Between the head's layers",
        group=READING,
        place=ON_READING,
    )

    def __post_init__(self) -> None:
        """Check every declared value, and those that go together. Raises ParamError."""
        params.validate(self, owner="")
        if self.resize is not None and self.fit in ("stretch", "pad"):
            raise ParamError(
                f"--resize belongs to --fit crop, got --resize {self.resize} with --fit {self.fit}"
            )
        if self.build and not self.source:
            raise ParamError(
                "--build says how the network is made of the class in --source, which is missing"
            )

    @classmethod
    def declared(cls) -> dict[str, Param]:
        """Return the options by name."""
        return params.declared(cls)

    @classmethod
    def flags(cls) -> dict[str, Param]:
        """Return those that have a flag of the command line."""
        return {name: param for name, param in cls.declared().items() if param.group}

    @classmethod
    def from_text(cls, given: Mapping[str, str | None]) -> Options:
        """Read what a command line or a form gave, by field name; None and '' are not asked.

        What a flag takes as a file is its text. Raises ParamError.
        """
        declared = cls.declared()
        # an empty file of class names is a mistake, an empty form field is not
        return cls(
            **{
                name: declared[name].parse("", text)
                for name, text in given.items()
                if text or (text is not None and declared[name].kind == "names")
            }
        )

    @property
    def asked(self) -> dict[str, Any]:
        """What differs from its default, by name."""
        given = {name: getattr(self, name) for name in self.declared()}
        return {
            name: value
            for name, value in given.items()
            if value != self.declared()[name].default and value is not None
        }

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        """Rebuild from `to_json`; what is missing was not asked. Raises ParamError."""
        return cls(**from_plain(cls, data))
