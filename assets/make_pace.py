"""Measure how long the parts of a training take, from which a page says how long one will take.

`python -m assets.make_pace`: short trainings on one thread, and the paces that explain them best.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from assets import readme
from loaders.trainings import FOLDER, PACE
from workers.tasks.train_lstm import TrainLstm
from workers.tasks.train_mlp import TrainMlp
from xai_core.task import Bench, silent
from xai_core.training.lstm import LstmSettings, series_of
from xai_core.training.mlp import MlpSettings
from xai_core.training.pace import Work

EPOCHS: Final = 3
DENSE: Final[list[dict[str, Any]]] = [
    {},
    {"batch_size": 16},
    {"batch_size": 500},
    {"hidden_size": 64, "batch_size": 16},
    {"hidden_size": 128, "batch_size": 32},
    {"hidden_size": 1024, "batch_size": 128},
    {"hidden_size": 256, "layers": 3},
]
RECURRENT: Final[list[dict[str, Any]]] = [
    {},
    {"batch_size": 8},
    {"batch_size": 128, "hidden_size": 64},
    {"hidden_size": 8},
    {"hidden_size": 128, "window": 40},
    {"hidden_size": 32, "layers": 3},
    {"window": 60, "hidden_size": 64},
]


def measured(task: TrainMlp | TrainLstm) -> tuple[Work, float]:
    """Return what a training does, and the seconds of processor that it took."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        task.run(Bench(folder=Path(folder)), silent)
        return task.work(), time.process_time() - start


def fitted(found: list[tuple[Work, float]]) -> list[float]:
    """Return the pace of each part, none below zero, whose errors are the smallest shares."""
    from scipy.optimize import nnls

    parts = np.array([work.parts() for work, _ in found])
    took = np.array([seconds for _, seconds in found])
    paces, _ = nnls(parts / took[:, None], np.ones(len(found)))
    for (work, seconds), said in zip(found, parts @ paces, strict=True):
        print(f"  {seconds:6.2f} s, by the pace {said:6.2f} s: {work}")
    return [float(f"{each:.4g}") for each in paces]


def main() -> None:
    """Write them."""
    series = series_of("stock", ticker="AAPL", start="2022-01-01", end="2023-01-01")
    dense = [MlpSettings(epochs=EPOCHS, **values) for values in DENSE]
    recurrent = [LstmSettings(epochs=4 * EPOCHS, **values) for values in RECURRENT]
    measured(TrainMlp(settings=MlpSettings(epochs=1)))  # torch is imported, the digits are read
    made = {
        "mlp": fitted([measured(TrainMlp(settings=each)) for each in dense]),
        "lstm": fitted([measured(TrainLstm(series=series, settings=each)) for each in recurrent]),
    }
    (FOLDER / PACE).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    readme.write_sizes()


if __name__ == "__main__":
    main()
