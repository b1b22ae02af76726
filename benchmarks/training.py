"""What 100 epochs of the default MLP cost, and what seeing them costs, in CPU seconds.

`python -m benchmarks.training`: one thread, 5,000 digits, (784, 512), batch 64, Adam. Recording the
activations, trying the network on all digits, and keeping states are counted apart.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time

import numpy as np

from xai_core.training.checkpoints import Checkpoints
from xai_core.training.digits import digits
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_learner import MlpLearner, one_thread


def main() -> None:
    """Print the seconds of each part, and the recording's size."""
    spent = dict.fromkeys(("training", "recording", "trying", "keeping"), 0.0)
    settings = MlpSettings()
    learner = MlpLearner(settings, digits())
    kept = Checkpoints()
    with one_thread():
        learner.start()
        writer = learner.writers()["layer 1"]

        def parts(epoch: int) -> None:
            for part in spent:
                start = time.process_time()
                match part:
                    case "training":
                        learner.epoch(lambda done, total: None)
                    case "recording":
                        writer.add(learner.activations()["layer 1"])
                    case "trying":
                        learner.look()
                    case "keeping":
                        kept.put("one", epoch, *learner.state())
                spent[part] += time.process_time() - start

        for epoch in range(settings.epochs):
            parts(epoch)
    whole = spent["training"]
    for part, seconds in spent.items():
        print(f"{part:10} {seconds:6.2f} s CPU, {100 * seconds / whole:5.1f}% of the training")
    print(f"recording  {writer.size / 1e3:.0f} kB of {np.prod((100, 100, 512)) / 1e3:.0f} kB raw")
    print(f"states     {len(kept)} kept, {kept.size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
