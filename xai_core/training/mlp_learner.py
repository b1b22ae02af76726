"""A dense network with ReLU that learns, in torch, on one thread."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.training.course import Seen, Tell
from xai_core.training.digits import Data
from xai_core.training.mlp import MlpSettings
from xai_core.training.recording import Writer

Array = NDArray[np.float32]

AT_ONCE = 1000
"""Samples that are evaluated together."""
ALWAYS = 255
"""How a unit is noted that is active on every training sample; 0 is one that never is."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: two would wait for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rarely(active: NDArray[np.int64], samples: int) -> NDArray[np.uint8]:
    """Note on which share of the samples units are active: 0 never, 255 always, 1..254 between."""
    between = 1 + np.floor(253.999 * active / samples).astype(np.uint8)
    made = np.where(active == 0, 0, np.where(active == samples, ALWAYS, between))
    return made.astype(np.uint8)


class MlpLearner:
    """Trains by a seed, and repeats itself exactly. See `course.Learner`."""

    loss, held_out = "training loss", "validation loss"

    def __init__(self, settings: MlpSettings, data: Data) -> None:
        import torch

        self.settings, self.data = settings, data
        taken, labels, self._wrong = settings.learned(data)
        self._x = torch.tensor(data.x[taken], dtype=torch.float32) / 255
        self._y = torch.tensor(labels)
        self._held_x = torch.tensor(data.held_x, dtype=torch.float32) / 255
        self._held_y = torch.tensor(data.held_y)
        self._probes = self._held_x[torch.tensor(data.probes)]
        self._now = settings
        self._weights: list[Any] = []
        self._optimiser: Any = None
        self._generator = torch.Generator()

    def key(self) -> str:
        """Say all that its weights come from."""
        seen = hashlib.sha256(self.data.x.tobytes() + self.data.y.tobytes()).hexdigest()
        return f"{self.settings.key()} {seen}"

    def start(self) -> None:
        """Draw the weights as torch's own dense layers are drawn."""
        import torch

        self._generator.manual_seed(self.settings.seed)
        hidden = [self.settings.hidden_size] * self.settings.layers
        sides = [self._x.shape[1], *hidden, len(self.data.classes)]
        self._weights = []
        for inputs, outputs in itertools.pairwise(sides):
            bound = inputs**-0.5
            for shape in ((outputs, inputs), (outputs,)):
                made = torch.empty(shape).uniform_(-bound, bound, generator=self._generator)
                self._weights.append(made.requires_grad_())
        self._now = self.settings
        self._optimiser = self._made_optimiser()

    def _made_optimiser(self) -> Any:
        import torch

        rate, decay = self._now.learning_rate, self._now.weight_decay
        if self._now.optimiser == "adam":
            return torch.optim.AdamW(self._weights, rate, weight_decay=decay, fused=True)
        momentum = 0.9 if self._now.optimiser == "momentum" else 0.0
        return torch.optim.SGD(self._weights, rate, momentum, weight_decay=decay, fused=True)

    def change(self, values: Mapping[str, float]) -> None:
        """Go on with another learning rate, dropout or weight decay. Raises ParamError."""
        self._now = self._now.changed(values)
        for group in self._optimiser.param_groups:
            group["lr"], group["weight_decay"] = self._now.learning_rate, self._now.weight_decay

    def epoch(self, tell: Tell) -> None:
        """Look at every sample once, in an order drawn anew."""
        import torch
        from torch.nn.functional import cross_entropy

        size, count = self._now.batch_size, len(self._y)
        order = torch.randperm(count, generator=self._generator)
        x, y = self._x[order], self._y[order]
        batches = -(-count // size)
        for at in range(batches):
            part = slice(at * size, (at + 1) * size)
            loss = cross_entropy(self._forward(x[part], learning=True)[-1], y[part])
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._optimiser.step()
            tell(at + 1, batches)

    def _forward(self, x: Any, *, learning: bool = False) -> list[Any]:
        """Return the activations of each hidden layer, and the scores."""
        import torch

        made, dropout = [], self._now.dropout
        for at in range(0, len(self._weights), 2):
            x = torch.addmm(self._weights[at + 1], x, self._weights[at].t())
            if at + 2 < len(self._weights):
                x = x.relu()
                if learning and dropout:
                    drawn = torch.rand(x.shape, generator=self._generator)
                    x = x * (drawn >= dropout) / (1 - dropout)
            made.append(x)
        return made

    def writers(self) -> Mapping[str, Writer]:
        """Return a writer for each hidden layer."""
        return {name: Writer() for name in self.settings.names()}

    def activations(self) -> dict[str, Array]:
        """Return what each hidden layer answers to the probes, float32 `[probes, units]`."""
        import torch

        with torch.no_grad():
            made = self._forward(self._probes)[:-1]
        return {name: h.numpy() for name, h in zip(self.settings.names(), made, strict=True)}

    def look(self) -> Seen:
        """Try it on all that it learned and on what it never saw."""
        loss, right, active, _ = self._tried(self._x, self._y)
        held_loss, held_right, _, said = self._tried(self._held_x, self._held_y)
        classes = len(self.data.classes)
        confusion = np.zeros((classes, classes), np.int32)
        np.add.at(confusion, (self.data.held_y, said), 1)
        curves = {
            self.loss: loss,
            self.held_out: held_loss,
            "training accuracy": float(right.mean()),
            "validation accuracy": float(held_right.mean()),
        }
        if self._wrong.any():
            curves["accuracy on wrong labels"] = float(right[self._wrong].mean())
        norms = [float(weight.detach().norm()) for weight in self._weights[::2]]
        arrays: dict[str, NDArray[Any]] = {
            f"active {name}": rarely(count, len(self._y))
            for name, count in zip(self.settings.names(), active, strict=True)
        }
        arrays |= {"norms": np.array(norms, np.float32), "confusion": confusion}
        return Seen(curves=curves, frames=self.activations(), arrays=arrays)

    def _tried(self, x: Any, y: Any) -> tuple[float, NDArray[np.bool_], list[Any], Any]:
        """Return the mean loss, which are right, how often each unit is active, what it says."""
        import torch
        from torch.nn.functional import cross_entropy

        loss, said = 0.0, []
        active = [np.zeros(self.settings.hidden_size, np.int64)] * self.settings.layers
        with torch.no_grad():
            for at in range(0, len(y), AT_ONCE):
                part = slice(at, at + AT_ONCE)
                *hidden, scores = self._forward(x[part])
                loss += float(cross_entropy(scores, y[part], reduction="sum"))
                said.append(scores.argmax(1).numpy())
                active = [
                    count + (h > 0).sum(0).numpy() for count, h in zip(active, hidden, strict=True)
                ]
        answers = np.concatenate(said)
        return loss / len(y), answers == y.numpy(), active, answers

    def weights(self) -> dict[str, Array]:
        """Return its weights: `weight 1` float32 `[units, inputs]`, `bias 1`, and so on."""
        made = [weight.detach().numpy().copy() for weight in self._weights]
        return {f"{('weight', 'bias')[at % 2]} {at // 2 + 1}": w for at, w in enumerate(made)}

    def said(self) -> NDArray[np.int64]:
        """Return the class that it gives to each held-out sample."""
        found: NDArray[np.int64] = self._tried(self._held_x, self._held_y)[3]
        return found

    def save(self, folder: Path) -> Path:
        """Write it as a file of torch's own layers, which takes the input as an image, 0..1."""
        import torch
        from torch import nn

        layers: list[Any] = [nn.Flatten()]
        for at in range(0, len(self._weights), 2):
            weight, bias = self._weights[at : at + 2]
            layers += [nn.Linear(weight.shape[1], weight.shape[0]), nn.ReLU()]
            with torch.no_grad():
                layers[-2].weight.copy_(weight)
                layers[-2].bias.copy_(bias)
        path = folder / "mlp.pt"
        torch.save(nn.Sequential(*layers[:-1]), path)
        return path

    def state(self) -> tuple[Any, int]:
        """Return weights, optimiser and generator, and the bytes that they take."""
        weights = [weight.detach().clone() for weight in self._weights]
        optimiser = copy.deepcopy(self._optimiser.state_dict())
        size = sum(w.nbytes for w in weights)
        for kept in optimiser["state"].values():
            size += sum(getattr(each, "nbytes", 0) for each in kept.values())
        drawn = self._generator.get_state()
        return (weights, optimiser, drawn, self._now), size + drawn.nbytes

    def restore(self, state: Any) -> None:
        """Go back to a state."""
        import torch

        weights, optimiser, drawn, self._now = state
        with torch.no_grad():
            for own, kept in zip(self._weights, weights, strict=True):
                own.copy_(kept)
        self._optimiser.load_state_dict(copy.deepcopy(optimiser))
        self._generator.set_state(drawn)
