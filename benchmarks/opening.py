"""Opening a model and ten passes of it: this checkout beside another, in CPU time, as ratios.

    git worktree add ../before COMMIT
    python -m benchmarks.opening ../before

Each measurement is a process of its own with one thread, the two checkouts by turns; without
another checkout the figures of this one are printed alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ROUNDS = 7
MODELS = ("shapes.pth", "shapes.keras", "resnet50")

_CODE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
path, name = sys.argv[1], sys.argv[2]
if path.endswith(".pth"):
    import torch, torchvision
    torch.set_num_threads(1)
else:
    import tensorflow, keras, tf_keras, h5py
import importlib
from pathlib import Path
from loaders.load import load
from loaders.options import Options
from workers.kinds import KINDS  # what a worker finds imported when it is forked
for module in KINDS["torch" if path.endswith(".pth") else "keras"].adapters:
    importlib.import_module(module)
start = time.process_time()
model = load(Path(path), Options(), name=name)
opened = time.process_time() - start
view = np.random.default_rng(0).random((1, *model.input_size, 3), np.float32)
model.logits(view)
start = time.process_time()
for _ in range(10):
    model.logits(view)
print(json.dumps([opened, time.process_time() - start]))
"""


def measured(checkout: Path, path: Path) -> tuple[float, float]:
    """Return the CPU seconds of opening a model and of ten passes, in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-c", _CODE, str(path), path.name],
        cwd=checkout,
        env=environment | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    opened, passes = json.loads(done.stdout.splitlines()[-1])
    return opened, passes


def files(folder: Path) -> dict[str, Path]:
    """Return the models to open, by name; resnet50 with random weights is written here."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    torch.save(models.resnet50(weights=None).state_dict(), folder / "resnet50.pth")
    own = HERE / "assets" / "models"
    return {name: folder / "resnet50.pth" if name == "resnet50" else own / name for name in MODELS}


def main() -> None:
    """Print a row for each model: medians, and the ratio to the other checkout."""
    other = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files(Path(folder)).items():
            mine: list[tuple[float, float]] = []
            theirs: list[tuple[float, float]] = []
            for _ in range(ROUNDS):
                mine.append(measured(HERE, path))
                if other is not None:
                    theirs.append(measured(other, path))
            for index, what in enumerate(("opening", "ten passes")):
                now = statistics.median(row[index] for row in mine)
                line = f"{name:14} {what:10} {now:6.2f} s"
                if theirs:
                    # run by run: what else the machine did was much the same for both
                    ratios = [a[index] / b[index] for a, b in zip(mine, theirs, strict=True)]
                    line += f", {statistics.median(ratios):.2f} of the other's"
                print(line, flush=True)


if __name__ == "__main__":
    main()
