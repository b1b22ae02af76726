"""A task that trains for a few steps, shows its weights, and leaves the network for later."""

from typing import Any

import numpy as np

from xai_core.params import number
from xai_core.result import Result
from xai_core.task import Shape, Task, task

X = np.array([[0.0], [1.0], [2.0]])
Y = 3 * X[:, 0] + 1


@task
class Schooling(Task):
    """Fits a line to three points by descent."""

    title = "A line's schooling"
    worker = "plain"
    commands = ("pause", "go on", "step", "stop")

    rate: float = number(0.1, 0.001, 1.0, help="Learning rate.")
    epochs: int = number(3, 1, 100, help="Steps over all points.")

    def gives(self, card: Any) -> Any:
        """Return the losses and the weights."""
        return {
            "arrays.losses": Shape("<f8", ("",), most=100),
            "arrays.weights": Shape("<f8", (2,)),
        }

    def shows(self, card: Any) -> Any:
        """Return the weights so far."""
        return {"weights": Shape("<f8", (2,))}

    def run(self, bench: Any, progress: Any) -> Result:
        """Return the curve."""
        weights, losses = np.zeros(2), []
        for step in range(self.epochs):
            off = weights[0] * X[:, 0] + weights[1] - Y
            losses.append(float((off**2).mean()))
            weights = weights - self.rate * 2 * np.array([(off * X[:, 0]).mean(), off.mean()])
            progress(step + 1, self.epochs, arrays={"weights": weights})
            if progress.stopping:
                break
        bench.kept["line"] = weights
        return Result(arrays={"losses": np.array(losses), "weights": weights})
