"""One training from its first epoch to its last, whatever is trained."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.task import Progress, Shape
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.recording import EACH, EPOCHS, Recording, Writer

Array = NDArray[np.float32]


class Stop(Exception):
    """Ends an epoch in its middle."""


@dataclasses.dataclass(frozen=True)
class Turn:
    """From the end of epoch `after` on, other values: `values` by the names of the settings."""

    after: int
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        """Check the epoch. Raises ParamError."""
        if not 0 <= self.after < EPOCHS:
            raise ParamError(f"A branch must leave at an epoch from 0, got {self.after}")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What is seen of a network after an epoch.

    `curves` are numbers; `frames` float `[rows, columns]` go into the recording, `arrays` into a
    row each of the recording's `each NAME`.
    """

    curves: Mapping[str, float]
    frames: Mapping[str, Array]
    arrays: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)


class Tell(Protocol):
    """Told after each batch of an epoch; raises Stop where it is to end there."""

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of the epoch's `total` batches are made."""


class Learner(Protocol):
    """A network that learns. `loss` and `held_out` name its curves of the two losses."""

    loss: str
    held_out: str

    def key(self) -> str:
        """Say all that its weights come from but the turns: values, seed, data."""

    def start(self) -> None:
        """Build it by its seed, with the generator that all else is drawn from."""

    def change(self, values: Mapping[str, float]) -> None:
        """Go on with other values. Raises ParamError for one that cannot change on the way."""

    def epoch(self, tell: Tell) -> None:
        """Make one epoch."""

    def look(self) -> Seen:
        """Look at it, without changing anything that learning depends on."""

    def writers(self) -> Mapping[str, Writer]:
        """Return a new writer for each of the frames that `look` gives."""

    def state(self) -> tuple[Any, int]:
        """Return a copy of all that it needs to go on exactly, and its bytes."""

    def restore(self, state: Any) -> None:
        """Go back to a state, which stays as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """How a training went: what was seen, and why it ended where it was to go on.

    `ended` is a sentence, or empty; the learner has the weights of `recording.chosen`.
    """

    recording: Recording
    ended: str = ""


def train(
    learner: Learner,
    *,
    epochs: int,
    progress: Progress,
    turns: Sequence[Turn] = (),
    patience: int = 0,
    kept: Checkpoints | None = None,
    whole: bool = False,
) -> Course:
    """Train for so many epochs, from the start or from where the last of `turns` leaves.

    The recording begins after that, or with `whole` at the start all the same. With `patience` it
    ends when the held-out loss has not fallen for so many epochs, and the epoch with the lowest one
    is chosen. Raises ParamError where not one epoch could be made.
    """
    turns = sorted(turns, key=lambda turn: turn.after)
    if turns and turns[-1].after >= epochs - 1:
        raise ParamError(
            f"A branch that leaves after epoch {turns[-1].after} must have more epochs than "
            f"{turns[-1].after + 1}, got {epochs}"
        )
    kept = Checkpoints(0) if kept is None else kept
    first = 0 if whole or not turns else turns[-1].after + 1
    return _Run(learner, epochs, progress, turns, patience, kept, first).made()


class _Run:
    def __init__(
        self, learner: Learner, epochs: int, progress: Progress, turns: Sequence[Turn],
        patience: int, kept: Checkpoints, first: int,
    ) -> None:  # fmt: skip
        self.learner, self.epochs, self.progress = learner, epochs, progress
        self.turns, self.patience, self.kept, self.first = turns, patience, kept, first
        self.writers = dict(learner.writers())
        self.seen: list[Seen] = []
        self.best, self.best_loss = -1, math.inf
        self.good: Any = None  # the state after the last epoch that was seen
        self.chosen_state: Any = None
        self.from_epoch, self.batches = 0, 1

    def made(self) -> Course:
        epoch = self.from_epoch = self._begin()
        ended = ""
        try:
            while epoch < self.epochs:
                self._epoch(epoch)
                if epoch >= self.first and not self._saw(epoch):
                    ended = self._diverged(epoch)
                    break
                epoch += 1
                if self._tired(epoch - 1):
                    ended = (
                        f"Stopped after epoch {epoch - 1}: the {self.learner.held_out} has not "
                        f"fallen for {self.patience} epochs. Epoch {self.best}, where it was "
                        "lowest, is the model."
                    )
                    break
        except Stop:
            if not self.seen:
                raise ParamError(
                    "The training was stopped before its first epoch was made, so there is "
                    "nothing to keep."
                ) from None
            ended = f"Stopped in epoch {epoch}: what was trained up to epoch {epoch - 1} is kept."
            self.learner.restore(self.good)
        if self.patience:
            self.learner.restore(self.chosen_state)
        return Course(recording=self._recording(), ended=ended)

    # -- from where ------------------------------------------------------------------------------

    def _key(self, epoch: int) -> str:
        """Say all that leads to the state after an epoch."""
        turns = [[turn.after, sorted(turn.values.items())] for turn in self._before(epoch)]
        return f"{self.learner.key()} {json.dumps(turns)}"

    def _before(self, epoch: int) -> list[Turn]:
        return [turn for turn in self.turns if turn.after < epoch]

    def _begin(self) -> int:
        """Build the network, or go back to the nearest kept state; return the next epoch."""
        self.learner.start()
        for epoch in range(self.first - 1, -1, -1):
            state = self.kept.get(self._key(epoch), epoch)
            if state is not None:
                self.learner.restore(state[0])
                for name, step in state[1].items():
                    self.writers[name].step = step
                for turn in self._before(epoch):
                    self.learner.change(turn.values)
                return epoch + 1
        return 0

    # -- one epoch -------------------------------------------------------------------------------

    def _epoch(self, epoch: int) -> None:
        for turn in self.turns:
            if turn.after == epoch - 1:
                self.learner.change(turn.values)
        made = epoch - self.from_epoch

        def tell(done: int, total: int) -> None:
            self.batches = total
            self.progress(made * total + done, (self.epochs - self.from_epoch) * total)
            if self.progress.stopping:
                raise Stop

        self.learner.epoch(tell)
        if epoch < self.first:
            for name, frame in self.learner.look().frames.items():
                self.writers[name].fit(frame)  # so that a branch is coded as the original is
            self._keep(epoch)

    def _keep(self, epoch: int) -> Any:
        state, size = self.learner.state()
        scales = {name: writer.step for name, writer in self.writers.items()}
        self.kept.put(self._key(epoch), epoch, (state, scales), size)
        return state

    def _saw(self, epoch: int) -> bool:
        """Look at the network and show it; return whether its loss is still a number."""
        seen = self.learner.look()
        finite = all(np.isfinite(frame).all() for frame in seen.frames.values())
        if not finite or not math.isfinite(seen.curves[self.learner.loss]):
            return False
        self.seen.append(seen)
        shown: dict[str, NDArray[Any]] = {
            f"frame.{name}": self.writers[name].add(np.asarray(frame, np.float32))
            for name, frame in seen.frames.items()
        }
        shown["curves"] = self._curves()
        self.good = self._keep(epoch)
        held_out = seen.curves.get(self.learner.held_out, math.nan)
        if self.best < 0 or held_out < self.best_loss:
            self.best, self.best_loss, self.chosen_state = epoch, held_out, self.good
        done, total = epoch + 1 - self.from_epoch, self.epochs - self.from_epoch
        self.progress(done * self.batches, total * self.batches, arrays=shown)
        return True

    def _curves(self) -> Array:
        return np.array([list(seen.curves.values()) for seen in self.seen], np.float32)

    def _tired(self, epoch: int) -> bool:
        return bool(self.patience) and self.best >= 0 and epoch - self.best >= self.patience

    def _diverged(self, epoch: int) -> str:
        why = (
            f"In epoch {epoch} the {self.learner.loss} stopped being a number: the learning rate "
            "is too large."
        )
        if not self.seen:
            raise ParamError(f"{why} Nothing was trained before. Choose a smaller one.")
        self.learner.restore(self.good)
        return f"{why} What was trained up to epoch {epoch - 1} is kept."

    def _recording(self) -> Recording:
        last = self.first + len(self.seen) - 1
        names = self.seen[0].curves
        rows = {
            f"{EACH}{name}": np.stack([seen.arrays[name] for seen in self.seen])
            for name in self.seen[0].arrays
        }
        return Recording(
            frames={name: writer.made() for name, writer in self.writers.items()},
            curves={
                name: np.array([seen.curves[name] for seen in self.seen], np.float32)
                for name in names
            },
            arrays=rows,
            first=self.first,
            chosen=self.best if self.patience else last,
        )


def shows(layers: Mapping[str, tuple[int, int]]) -> dict[str, Shape]:
    """Return the arrays of its progress for a task's `shows`, by layer and its sides.

    `frame.LAYER` is the last epoch as its recording has it; `curves` float32 `[epochs, curves]`.
    """
    made = {"curves": Shape("<f4", ("", ""), most=EPOCHS * 64)}
    return made | {f"frame.{name}": Shape("|u1", sides) for name, sides in layers.items()}
