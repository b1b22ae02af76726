"""How often the doubt about a model's pre-processing is right: small networks under every preset.

Each is trained here under one preset and asked under all. What counts as wrong is measured: an
accuracy on held-out pictures that is less than half of what the right preset gives. Its data are
inside registry packages: scikit-learn's digits, and patches of its and scikit-image's photos.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from loaders.load import load
from loaders.options import Options
from loaders.presets import PRESETS

Pixels = NDArray[np.uint8]
TRAINED = ("unit", "symmetric", "imagenet", "raw")
SEED = 0


def patches(count: int = 2000, side: int = 48) -> tuple[Pixels, NDArray[np.int64]]:
    """Return squares of five photos, uint8 `[N, side, side, 3]`, and the photo of each."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    photos = [skimage.data.chelsea(), skimage.data.astronaut(), skimage.data.coffee()]
    photos += load_sample_images().images
    rng = np.random.default_rng(SEED)
    squares, classes = [], rng.integers(len(photos), size=count)
    for index in classes:
        photo, cut = photos[index], int(rng.integers(90, 200))
        top, left = (int(rng.integers(edge - cut)) for edge in photo.shape[:2])
        square = Image.fromarray(photo[top : top + cut, left : left + cut])
        squares.append(np.asarray(square.resize((side, side))))
    return np.stack(squares), classes


def digits() -> tuple[Pixels, NDArray[np.int64]]:
    """Return scikit-learn's digits, uint8 `[N, 32, 32, 3]`, and what they are."""
    from sklearn.datasets import load_digits

    read = load_digits()
    grown = np.kron(read.images / 16, np.ones((1, 4, 4)))[..., None].repeat(3, -1)
    return (grown * 255).astype(np.uint8), read.target


def _plain(side: int, classes: int) -> nn.Sequential:
    rest = side // 8
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * rest * rest, 64), nn.ReLU(), nn.Dropout(0.3)),
        nn.Linear(64, classes),
    )


def _normalised(side: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes)),
    )


def _dense(side: int, classes: int) -> nn.Sequential:
    first = nn.Linear(3 * side * side, 128)
    return nn.Sequential(
        nn.Flatten(), first, nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, classes)
    )


NETWORKS = {"convolutions": _plain, "with batch norm": _normalised, "dense": _dense}


def train(network: Any, pixels: Pixels, classes: Any, name: str, epochs: int) -> Any:
    """Train under one preset; the network is changed and returned."""
    preset = PRESETS[name]
    prepared = (pixels / 255 - np.array(preset.mean)) / np.array(preset.std)
    inputs = torch.tensor(prepared.transpose(0, 3, 1, 2), dtype=torch.float32)
    wanted = torch.tensor(classes)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(32):
            loss = nn.functional.cross_entropy(network(inputs[chosen]), wanted[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def ask(path: Path, pixels: Pixels, classes: Any, name: str) -> tuple[float, bool]:
    """Return the accuracy under a preset, and whether the pre-processing is doubted."""
    options = Options(preprocessing=name, size=(pixels.shape[1], pixels.shape[2]))
    model = load(path, options, name=path.name)
    answers = model.logits((pixels / 255).astype(np.float32)).argmax(1)
    doubted = any("would fit" in finding.message for finding in model.findings)
    return float((answers == classes).mean()), doubted


def main() -> None:
    """Train, ask, and print the table."""
    torch.set_num_threads(1)
    counted: Counter[tuple[str, bool]] = Counter()
    print(f"{'data':8} {'network':16} {'trained':10} {'asked':10} accuracy doubted")
    with tempfile.TemporaryDirectory() as folder:
        for data, (read, epochs) in {"patches": (patches, 6), "digits": (digits, 5)}.items():
            pixels, classes = read()
            held = int(len(pixels) * 0.85)
            count = int(classes.max()) + 1
            for kind, build in NETWORKS.items():
                for trained in TRAINED:
                    torch.manual_seed(SEED)
                    network = build(pixels.shape[1], count)
                    path = Path(folder) / "network.pth"
                    torch.save(train(network, pixels[:held], classes[:held], trained, epochs), path)
                    asked = {
                        name: ask(path, pixels[held:], classes[held:], name) for name in TRAINED
                    }
                    best = asked[trained][0]
                    for name, (accuracy, doubted) in asked.items():
                        what = "right" if name == trained else "mild"
                        if accuracy < best / 2:
                            what = "wrong"
                        counted[what, doubted] += 1
                        mark = "yes" if doubted else ""
                        print(f"{data:8} {kind:16} {trained:10} {name:10} {accuracy:8.2f} {mark}")
                        sys.stdout.flush()
    for what, said in {
        "right": "right preset",
        "wrong": "wrong preset, under half of the accuracy",
        "mild": "another preset, over half of the accuracy",
    }.items():
        yes = counted[what, True]
        print(f"{said}: doubted {yes} of {yes + counted[what, False]}")


if __name__ == "__main__":
    main()
