"""An LSTM that learns to forecast a series, in torch, on one thread."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.task import Progress, silent
from xai_core.training import course, lstm_cells
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Seen, Tell, Turn
from xai_core.training.lstm import (
    FORECAST,
    GATE,
    HELD_OUT,
    LEARNING_RATE,
    LOSS,
    SHOWN,
    LstmRecording,
    LstmSettings,
    words,
)
from xai_core.training.mlp_learner import one_thread
from xai_core.training.prices import Series
from xai_core.training.recording import Writer


class LstmLearner:
    """Trains by a seed, and repeats itself exactly. See `course.Learner`."""

    loss, held_out = LOSS, HELD_OUT

    def __init__(self, settings: LstmSettings, series: Series) -> None:
        import torch

        self.settings, self.series = settings, series
        self.windows = settings.windows(series)
        train = self.windows.train
        self._x = torch.tensor(self.windows.x[:train], dtype=torch.float32)
        self._y = torch.tensor(self.windows.y[:train], dtype=torch.float32)
        self._net: Any = None
        self._optimiser: Any = None
        self._generator = torch.Generator()
        self._rate = settings.learning_rate

    def key(self) -> str:
        """Say all that its weights come from."""
        seen = self.windows.x.tobytes() + self.windows.y.tobytes()
        return f"{self.settings.key()} {hashlib.sha256(seen).hexdigest()}"

    def start(self) -> None:
        """Draw the weights as torch draws them."""
        import torch

        own = self.settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own.seed)
            lstm = torch.nn.LSTM(own.inputs, own.hidden_size, own.layers, batch_first=True)
            head = torch.nn.Linear(own.hidden_size, 1)
        self._net = torch.nn.ModuleDict({"lstm": lstm, "head": head})
        self._generator.manual_seed(own.seed)
        self._rate = own.learning_rate
        self._optimiser = torch.optim.Adam(self._net.parameters(), self._rate)

    def change(self, values: Mapping[str, float]) -> None:
        """Go on with another learning rate. Raises ParamError for anything else."""
        for name in values:
            if name != LEARNING_RATE:
                raise ParamError(f"A branch may change {LEARNING_RATE}, and not {name[:40]!r}")
        self._rate = float(values.get(LEARNING_RATE, self._rate))
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate

    def epoch(self, tell: Tell) -> None:
        """Look at every window of the training part once, in an order drawn anew."""
        import torch

        size, count = self.settings.batch_size, len(self._y)
        order = torch.randperm(count, generator=self._generator)
        batches = -(-count // size)
        for at in range(batches):
            part = order[at * size : (at + 1) * size]
            hidden, _ = self._net["lstm"](self._x[part])
            said = self._net["head"](hidden[:, -1])[:, 0]
            loss = torch.nn.functional.mse_loss(said, self._y[part])
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._optimiser.step()
            tell(at + 1, batches)

    def look(self) -> Seen:
        """Run it on every window, with each step written out from its weights."""
        made, flat = self.windows, self.flat()
        if not np.isfinite(flat).all():
            return Seen(curves={LOSS: np.nan, HELD_OUT: np.nan}, frames={})
        run = self._written().ends(made.x)
        outputs = run.outputs.astype(np.float64)
        wrong = (outputs - made.y) ** 2
        values = made.values(outputs)
        off = np.abs(values - self.series.values[made.targets])
        curves = {
            LOSS: float(wrong[: made.train].mean()),
            HELD_OUT: float(wrong[made.train :].mean()),
            "training error": float(off[: made.train].mean()),
            "held-out error": float(off[made.train :].mean()),
        }
        frames = {
            name: run.layers[at][GATE][-SHOWN:].astype(np.float32)
            for at, name in enumerate(self.settings.names())
        }
        return Seen(curves=curves, frames=frames, arrays={FORECAST: values.astype(np.float32)})

    def _written(self) -> lstm_cells.Network:
        own = self.settings
        # half the digits in half the time: what is recorded has 8 bits
        sides = (own.inputs, own.hidden_size, own.layers)
        return lstm_cells.from_flat(self.flat(), *sides, precision=np.float32)

    def writers(self) -> Mapping[str, Writer]:
        """Return a writer for each layer's forget gate."""
        return {name: Writer(top=1.0) for name in self.settings.names()}

    def named(self) -> dict[str, Any]:
        """Return its parameters as tensors, by the names of `lstm_cells.sides`."""
        own = self.settings
        state = self._net.state_dict()
        found = {name.removeprefix("lstm."): tensor for name, tensor in state.items()}
        sides = lstm_cells.sides(own.inputs, own.hidden_size, own.layers)
        return {name: found[name] for name, _ in sides}

    def flat(self) -> NDArray[np.float32]:
        """Return its weights, one after the other."""
        parts = [tensor.detach().numpy().ravel() for tensor in self.named().values()]
        return np.concatenate(parts).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write it as a state dict, which torch opens without unpickling code."""
        import torch

        torch.save({name: each.clone() for name, each in self._net.state_dict().items()}, path)

    def state(self) -> tuple[Any, int]:
        """Return weights, optimiser and generator, and the bytes that they take."""
        weights = {name: each.clone() for name, each in self._net.state_dict().items()}
        optimiser = copy.deepcopy(self._optimiser.state_dict())
        size = sum(each.nbytes for each in weights.values())
        for kept in optimiser["state"].values():
            size += sum(getattr(each, "nbytes", 0) for each in kept.values())
        drawn = self._generator.get_state()
        return (weights, optimiser, drawn, self._rate), size + drawn.nbytes

    def restore(self, state: Any) -> None:
        """Go back to a state."""
        weights, optimiser, drawn, self._rate = state
        self._net.load_state_dict(weights)
        self._optimiser.load_state_dict(copy.deepcopy(optimiser))
        self._generator.set_state(drawn)


def train(
    settings: LstmSettings,
    series: Series,
    progress: Progress = silent,
    *,
    turns: Sequence[Turn] = (),
    kept: Checkpoints | None = None,
    path: Path | None = None,
) -> LstmRecording:
    """Train an LSTM on a series, on one thread, and return what was seen of it.

    `path` is where its model is written. Raises ParamError for a series that does not serve.
    """
    with one_thread():
        learner = LstmLearner(settings, series)
        made = course.train(
            learner, epochs=settings.epochs, progress=progress, turns=turns, kept=kept
        )
        flat = learner.flat()
        if path is not None:
            learner.save(path)
    own = made.recording
    ways = [
        f"From epoch {turn.after + 1} on with a learning rate of {turn.values[LEARNING_RATE]:g}."
        for turn in turns
        if LEARNING_RATE in turn.values
    ]
    notes = [note for note in (made.ended, *ways, series.note, series.gap_words()) if note]
    return LstmRecording(
        frames=own.frames, curves=own.curves, arrays=own.arrays, first=own.first,
        chosen=own.chosen, notes=tuple(notes), words=words(settings, series),
        settings=settings, series=series, weights=flat,
    )  # fmt: skip
