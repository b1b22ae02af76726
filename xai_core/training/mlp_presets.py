"""Trainings that show one thing each, on the digits that ship with a package, in a few seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from xai_core.training.mlp import MlpSettings


@dataclasses.dataclass(frozen=True)
class MlpPreset:
    """Values that differ from the defaults, and what to watch."""

    name: str
    title: str
    watch: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    def settings(self) -> MlpSettings:
        """Return all its values."""
        return MlpSettings(**self.values)


def _preset(name: str, title: str, watch: str, **values: Any) -> MlpPreset:
    return MlpPreset(name, title, watch, MappingProxyType(values))


PRESETS = (
    _preset(
        "healthy",
        "Healthy",
        "Both losses fall together and stay close, and every class keeps its own pattern of units.",
        hidden_size=128, epochs=20, dropout=0.5,
    ),
    _preset(
        "overfit",
        "Overfit",
        "From 400 digits the training loss falls to nothing while the validation loss turns and "
        "rises. Few lines are dark.",
        hidden_size=64, epochs=80, batch_size=16, share=0.1,
    ),
    _preset(
        "underfit",
        "Underfit",
        "Eight units and small steps: both losses are still high and falling when it ends.",
        hidden_size=8, epochs=10, learning_rate=0.0001,
    ),
    _preset(
        "dying",
        "Dying ReLU",
        "Steps that are too long push units below zero for every digit: whole lines go dark and "
        "stay so, and the two losses stay close.",
        hidden_size=128, epochs=15, learning_rate=0.1, batch_size=500,
    ),
    _preset(
        "noise",
        "Memorises noise",
        "Of the labels 40\u00a0% are wrong. The accuracy on those rises to the top all the same, "
        "and the validation loss pays for it.",
        hidden_size=256, epochs=40, learning_rate=0.003, share=0.25, label_noise=0.4,
    ),
)  # fmt: skip


def preset(name: str) -> MlpPreset:
    """Return the preset of that name. Raises KeyError."""
    return {each.name: each for each in PRESETS}[name]
