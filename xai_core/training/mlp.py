"""What is said of a dense network before it trains: its values, and what they make of the data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import params
from xai_core.errors import ParamError
from xai_core.params import choice, number, switch
from xai_core.training import recording
from xai_core.training.digits import Data
from xai_core.training.pace import Work
from xai_core.training.recording import EPOCHS

BRANCHES = ("learning_rate", "dropout", "weight_decay")
"""What may change on the way."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MlpSettings:
    """The values of a training. Raises ParamError for one out of its range."""

    batch_size: int = number(
        64, 1, 1000, unit="digits",
        help="How many digits are looked at before the weights take a step. Small batches make "
        "many noisy steps an epoch, large ones few smooth steps.",
    )  # fmt: skip
    hidden_size: int = number(
        512, 4, 1024, unit="units", label="Hidden layer size",
        help="How many units each hidden layer has. More units can learn finer differences, and "
        "can learn a small set of digits by heart.",
    )  # fmt: skip
    learning_rate: float = number(
        0.001, 1e-6, 100.0, step=0.0005,
        help="How long a step the weights take. Too small, and the losses hardly fall; too large, "
        "and units die or the loss stops being a number.",
    )  # fmt: skip
    epochs: int = number(
        100, 1, EPOCHS,
        help="How often the network sees every training digit.",
    )  # fmt: skip
    layers: int = number(
        1, 1, 4, label="Hidden layers", more=True,
        help="How many hidden layers of that size, one after the other.",
    )  # fmt: skip
    dropout: float = number(
        0.0, 0.0, 0.9, step=0.05, more=True,
        help="Which share of the units is silenced at random at each step while it trains, so "
        "that none is relied on alone.",
    )  # fmt: skip
    weight_decay: float = number(
        0.0, 0.0, 1.0, step=0.0001, more=True,
        help="How strongly weights are pulled towards zero at each step.",
    )  # fmt: skip
    optimiser: str = choice(
        "adam", ("adam", "momentum", "sgd"), more=True,
        titles={"adam": "Adam", "momentum": "SGD with momentum 0.9", "sgd": "SGD"},
        help="How a step follows from the gradient: Adam fits its length to each weight, SGD takes "
        "the gradient as it is.",
    )  # fmt: skip
    share: float = number(
        1.0, 0.01, 1.0, step=0.01, label="Share of the training digits", more=True,
        help="Which share of the training digits is learned. From few digits a network overfits.",
    )  # fmt: skip
    label_noise: float = number(
        0.0, 0.0, 1.0, step=0.05, more=True,
        help="Which share of the training digits gets a wrong label, drawn at random. The held-out "
        "digits keep theirs.",
    )  # fmt: skip
    stop_early: bool = switch(
        False, label="Stop when the validation loss rises", more=True,
        help="Ends the training when the validation loss has not fallen for some epochs, and goes "
        "back to the epoch where it was lowest.",
    )  # fmt: skip
    patience: int = number(
        10, 1, 100, unit="epochs", more=True,
        help="How many epochs the validation loss may take to fall again. It counts only where the "
        "training stops early.",
    )  # fmt: skip
    seed: int = params.seed("weights and batches")

    def __post_init__(self) -> None:
        """Check every value, and that its recording has room. Raises ParamError."""
        params.validate(self, "")

    def key(self) -> str:
        """Say all that weights come from, in one line; how long it trains is not in it."""
        values = dataclasses.asdict(self)
        for name in ("epochs", "stop_early", "patience"):
            del values[name]
        return json.dumps(values)

    def changed(self, values: Mapping[str, float]) -> MlpSettings:
        """Return them with what a branch changes. Raises ParamError for what cannot change."""
        for name in values:
            if name not in BRANCHES:
                raise ParamError(
                    f"A branch may change {', '.join(BRANCHES)}, and not {name[:40]!r}"
                )
        changes: dict[str, Any] = {name: float(value) for name, value in values.items()}
        return dataclasses.replace(self, **changes)

    def names(self) -> list[str]:
        """Name the hidden layers."""
        return [f"layer {at + 1}" for at in range(self.layers)]

    def sides(self, probes: int) -> dict[str, tuple[int, int]]:
        """Return what is recorded of each hidden layer an epoch. Raises ParamError."""
        made = dict.fromkeys(self.names(), (probes, self.hidden_size))
        recording.room(list(made.values()), self.epochs)
        return made

    def work(self, samples: int, held_out: int, inputs: int, classes: int) -> Work:
        """Return what it does with so many samples to learn from and to be tried on."""
        units, taken = self.hidden_size, max(1, round(self.share * samples))
        weights = units * (inputs + (self.layers - 1) * units + classes)
        steps = self.epochs * -(-taken // self.batch_size)
        tried = self.epochs * (taken + held_out)  # forward alone; learning goes back, too
        return Work(
            steps * (self.layers + 1),
            steps * weights / 1e6,
            (3 * self.epochs * taken + tried) * weights / 1e6,
        )

    def learned(self, data: Data) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return which training samples are learned, their labels, and which labels are wrong.

        The same seed takes the same samples and draws the same labels.
        """
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(data.y))
        taken = order[: max(1, round(self.share * len(order)))]
        labels = data.y[taken].copy()
        wrong = np.zeros(len(taken), np.bool_)
        wrong[rng.permutation(len(taken))[: round(self.label_noise * len(taken))]] = True
        away = rng.integers(1, len(data.classes), len(taken))
        labels[wrong] = (labels[wrong] + away[wrong]) % len(data.classes)
        return taken, labels, wrong
