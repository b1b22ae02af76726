"""Make the built-in detector: draw crowds of shapes, train, measure.

`python -m assets.make_detector`. Everything follows from `SEED` on one thread: each scene has a
generator of its own, seeded with (SEED, split, index). The body starts from `shapes.pth`.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from assets.scenes import CLASSES, crowd
from loaders import vitrine_detector

if TYPE_CHECKING:
    from torch import nn

SEED: Final = 11
SIZE: Final = vitrine_detector.SIDE
FOLDER: Final = Path(__file__).parent / "models"
INDEX: Final = FOLDER / "detectors.json"

TRAIN, HELD_OUT = 0, 4  # 1 served to choose the course, 3 the tests
TRAIN_SCENES: Final = 2400
HELD_OUT_SCENES: Final = 400
MOST: Final = 6  # shapes in a scene, from one on
BATCH: Final = 8
EPOCHS: Final = 9
PEAK_RATE: Final = 1.2e-3
WEIGHT_DECAY: Final = 1e-3
THRESHOLD, OVERLAP = 0.5, 0.5  # a box counts as found from this score and this overlap on

Photos = npt.NDArray[np.uint8]  # [N, 224, 224, 3]
Boxes = npt.NDArray[np.float32]  # [n, 4]: left, top, right, bottom in pixels


@dataclass(frozen=True, kw_only=True)
class Crowds:
    """Photos with the boxes and classes of what stands on each; class 0 is the first shape."""

    photos: Photos
    boxes: list[Boxes]
    labels: list[npt.NDArray[np.int64]]


def draw(split: int, count: int, size: int = SIZE) -> Crowds:
    """Draw `count` scenes of a split, uint8 `[count, size, size, 3]`, with one to six shapes."""
    photos, boxes, labels = [], [], []
    for index in range(count):
        rng = np.random.default_rng([SEED, split, index])
        chosen = rng.integers(len(CLASSES), size=int(rng.integers(1, MOST + 1)))
        photo, things = crowd(rng, size, [CLASSES[each] for each in chosen])
        photos.append(photo)
        corners = np.array([thing.box for thing in things])[:, [1, 0, 3, 2]]
        boxes.append((corners * size).astype(np.float32))
        labels.append(chosen)
    return Crowds(photos=np.stack(photos), boxes=boxes, labels=labels)


def turned(photo: Photos, boxes: Boxes, way: int) -> tuple[Photos, Boxes]:
    """Turn a photo and its boxes by `way % 4` quarters, and mirror them from the fifth on."""
    side = len(photo)
    for _ in range(way % 4):  # np.rot90 turns against the clock
        photo = np.rot90(photo)
        left, top, right, bottom = boxes.T
        boxes = np.stack([top, side - right, bottom, side - left], axis=1)
    if way >= 4:
        photo = photo[:, ::-1]
        left, top, right, bottom = boxes.T
        boxes = np.stack([side - right, top, side - left, bottom], axis=1)
    return photo, boxes


def batch_of(crowds: Crowds, chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> Any:
    """Return images and targets as torchvision's detectors learn from them, turned and relit."""
    import torch

    images, targets = [], []
    for index in chosen:
        photo, boxes = turned(crowds.photos[index], crowds.boxes[index], int(rng.integers(8)))
        lit = photo.astype(np.float32) / 255 * rng.uniform(0.8, 1.15) + rng.uniform(-0.05, 0.05)
        values = np.clip(lit, 0, 1).astype(np.float32).transpose(2, 0, 1)
        images.append(torch.from_numpy(np.ascontiguousarray(values)))
        labels = torch.from_numpy(crowds.labels[index] + 1)
        targets.append({"boxes": torch.from_numpy(boxes.copy()), "labels": labels})
    return images, targets


def start() -> "nn.Module":
    """Return the detector before its training: the classifier's features, the rest to learn."""
    import torch

    from assets import make_models

    torch.manual_seed(SEED)
    made = vitrine_detector.build(len(CLASSES) + 1)
    features = make_models.load("shapes").features.state_dict()
    near = {key: value for key, value in features.items() if int(key.split(".")[0]) <= 10}
    rest = {
        f"{int(key.split('.')[0]) - 11}.{key.split('.', 1)[1]}": value
        for key, value in features.items()
        if key not in near
    }
    made.backbone.near.load_state_dict(near)
    made.backbone.middle.load_state_dict(rest)
    return made


def train(crowds: Crowds) -> "nn.Module":
    """Train through one cycle of the learning rate. The same scenes give the same weights."""
    import torch

    model = start()
    rng = np.random.default_rng([SEED, 1])
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    rounds = len(crowds.photos) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=EPOCHS * rounds, pct_start=0.15
    )
    model.train()
    for _ in range(EPOCHS):
        losses, begun = [], time.monotonic()
        order = rng.permutation(len(crowds.photos))
        for at in range(rounds):
            images, targets = batch_of(crowds, order[at * BATCH : (at + 1) * BATCH], rng)
            loss = sum(model(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        say(f"an epoch: loss {np.mean(losses):.3f}", begun)
    return model.eval()


def found(model: "nn.Module", photo: Photos) -> tuple[Boxes, Any, Any]:
    """Return the boxes, labels (0 is the first shape) and scores on one photo."""
    import torch

    image = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        said = model([image])[0]
    return said["boxes"].numpy(), said["labels"].numpy() - 1, said["scores"].numpy()


def matches(boxes: Boxes, labels: Any, truths: Boxes, classes: Any) -> int:
    """Count found boxes, the best first, that lie on a thing of their class that is still free."""
    free, hits = list(range(len(truths))), 0
    for box, label in zip(boxes, labels, strict=True):
        over = [(_overlap(box, truths[at]), at) for at in free if classes[at] == label]
        best, at = max(over, default=(0.0, -1))
        if best >= OVERLAP:
            free.remove(at)
            hits += 1
    return hits


def _overlap(first: Any, second: Any) -> float:
    wide = min(first[2], second[2]) - max(first[0], second[0])
    tall = min(first[3], second[3]) - max(first[1], second[1])
    common = max(wide, 0.0) * max(tall, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return float(common / (sum(areas) - common))


def measure(model: "nn.Module", crowds: Crowds) -> dict[str, float]:
    """Return precision and recall, 0..1, at the threshold and the overlap above."""
    hits = said = there = 0
    for photo, truths, classes in zip(crowds.photos, crowds.boxes, crowds.labels, strict=True):
        boxes, labels, scores = found(model, photo)
        kept = scores >= THRESHOLD
        hits += matches(boxes[kept], labels[kept], truths, classes)
        said += int(kept.sum())
        there += len(truths)
    return {"precision": round(hits / max(said, 1), 4), "recall": round(hits / there, 4)}


def save(model: "nn.Module", path: Path) -> None:
    """Write the state dict, plain contiguous float32."""
    import torch

    torch.save({k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}, path)


def say(what: str, begun: float) -> None:
    """Report a step and its seconds on standard error."""
    print(f"{what} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)


def main() -> None:
    """Make the detector and its record."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    begun = time.monotonic()
    crowds = draw(TRAIN, TRAIN_SCENES)
    say("drew the scenes", begun)
    model = train(crowds)
    accuracy = measure(model, draw(HELD_OUT, HELD_OUT_SCENES))
    save(model, FOLDER / "shapes_detector.pth")
    entry = {
        "name": "shapes_detector",
        "title": "Paper shapes, in boxes",
        "file": "shapes_detector.pth",
        "framework": "torch",
        "architecture": "vitrine_detector",
        "task": "detection",
        "classes": list(CLASSES),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_on": f"{TRAIN_SCENES} drawn scenes of one to six shapes",
        "seed": SEED,
        "accuracy": accuracy,
    }
    INDEX.write_text(json.dumps([entry], indent=2) + "\n")
    say(f"made shapes_detector: {accuracy}", begun)


if __name__ == "__main__":
    main()
