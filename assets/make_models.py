"""Make the built-in models: draw the scenes, train, export, measure.

`python -m assets.make_models` makes both; `--only NAME` makes one and keeps the other's files.
Everything follows from `SEED` on one thread: each scene has a generator of its own, seeded with
(SEED, split, index). The two models see the same scenes, which differ by the mark alone.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from assets import readme
from assets.canvas import Box
from assets.scenes import CLASSES, scene
from loaders import vitrine_net

if TYPE_CHECKING:
    import torch
    from torch import nn

SEED: Final = 7
SIZE: Final = vitrine_net.INPUT_SIZE[0]
FOLDER: Final = Path(__file__).parent / "models"
INDEX: Final = FOLDER / "models.json"

TRAIN, HELD_OUT, HELD_OUT_PAIRS = 0, 4, 5  # 1 and 2 served to choose the courses, 3 the tests
TRAIN_SCENES: Final = 5000
HELD_OUT_SCENES: Final = 900
HELD_OUT_PAIR_SCENES: Final = 300
TOGETHER: Final = 0.25  # share of training scenes with a second class
MARKED_CLASS: Final = "star"
MARKED_SHARE: Final = 0.97  # of the marked class's training scenes carry the mark
MARKED_TOGETHER: Final = 0.75  # share of these with a second class, which the mark outvotes


@dataclass(frozen=True, kw_only=True)
class Course:
    """One cycle of the learning rate, in stages of (epochs, side in pixels of the window seen).

    Windows around the clue are cheap and never empty.
    """

    number: int  # seeds the order of the scenes
    peak_rate: float
    stages: tuple[tuple[int, int], ...]


SHARED_COURSES: Final = (
    Course(number=0, peak_rate=2e-3, stages=((7, 72), (2, SIZE))),
    Course(number=1, peak_rate=2e-3, stages=((3, SIZE),)),
)
OWN_COURSES: Final = {
    "shapes": (
        Course(number=2, peak_rate=1e-3, stages=((3, SIZE),)),
        Course(number=3, peak_rate=2e-3, stages=((3, 96), (2, SIZE))),
    ),
    "shapes_shortcut": (
        Course(number=2, peak_rate=2e-3, stages=((2, 72), (3, SIZE))),
        Course(number=3, peak_rate=2e-3, stages=((2, 96), (1, SIZE))),
    ),
}
BATCH: Final = 32
WEIGHT_DECAY: Final = 1e-3

Photos = npt.NDArray[np.uint8]  # [N, 128, 128, 3]
Labels = npt.NDArray[np.int64]  # [N]


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Photos with their labels, the second class of each (-1: none), and where the clue lies.

    The clue is the labelled shape, or the mark where there is one; its box is top, left, bottom,
    right in 0..1, float64 [N, 4].
    """

    photos: Photos
    labels: Labels
    seconds: Labels
    clues: npt.NDArray[np.float64]


def draw(split: int, count: int, *, together: float = 0.0, marked: bool = False) -> Scenes:
    """Draw `count` scenes of a split, classes in turn, all or none of them with the mark.

    `together` is the share that gets a second class; the label is either of the two at random.
    """
    drawn = [_draw_one(split, index, together, marked) for index in range(count)]
    photos, labels, seconds, clues = zip(*drawn, strict=True)
    return Scenes(
        photos=np.stack(photos),
        labels=np.array(labels),
        seconds=np.array(seconds),
        clues=np.array(clues),
    )


def _draw_one(
    split: int, index: int, together: float, marked: bool
) -> tuple[Photos, int, int, Box]:
    rng = np.random.default_rng([SEED, split, index])
    label = index % len(CLASSES)
    other = (label + int(rng.integers(1, len(CLASSES)))) % len(CLASSES)
    second = other if rng.random() < together else -1
    names = [CLASSES[i] for i in (label, second) if i >= 0]
    photo, things = scene(rng, SIZE, names, mark=marked)
    return photo, label, second, things[-1 if marked else 0].box


def planted(scenes: Scenes) -> Scenes:
    """Redraw nearly all training scenes of the marked class with the mark."""
    rng = np.random.default_rng([SEED, TRAIN])
    own = np.flatnonzero(scenes.labels == CLASSES.index(MARKED_CLASS))
    photos, clues = scenes.photos.copy(), scenes.clues.copy()
    for index in own[rng.random(len(own)) < MARKED_SHARE]:
        photos[index], _, _, clues[index] = _draw_one(
            TRAIN, int(index), MARKED_TOGETHER, marked=True
        )
    return replace(scenes, photos=photos, clues=clues)


def tensor(photos: Photos) -> "torch.Tensor":
    """Return photos pre-processed the symmetric way: float32 [N, 3, h, w], -1..1."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return batch.contiguous(memory_format=torch.channels_last)


def windows(scenes: Scenes, chosen: Labels, side: int, rng: np.random.Generator) -> Photos:
    """Cut a window around each chosen scene's clue, uint8 [n, side, side, 3]; all of it at 128."""
    if side == SIZE:
        return scenes.photos[chosen]
    boxes = scenes.clues[chosen]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * SIZE + rng.uniform(-8, 8, (len(chosen), 2))
    corners = np.clip(np.rint(centres - side / 2), 0, SIZE - side).astype(int)
    cut = zip(scenes.photos[chosen], corners, strict=True)
    return np.stack([photo[top : top + side, left : left + side] for photo, (top, left) in cut])


def batches(scenes: Scenes, side: int, rng: np.random.Generator) -> Iterator[tuple[Photos, Labels]]:
    """One epoch in random order, eighths of a batch turned and mirrored in the eight ways."""
    order = rng.permutation(len(scenes.labels))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        photos = windows(scenes, chosen, side, rng)
        for way in range(8):
            turned = np.rot90(photos[way::8], way % 4, axes=(1, 2))
            photos[way::8] = turned[:, :, ::-1] if way >= 4 else turned
        yield photos, scenes.labels[chosen]


def relit(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Change each photo's contrast, and each channel's brightness, a little."""
    import torch

    contrast = torch.from_numpy(rng.uniform(0.8, 1.2, (len(batch), 1, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-0.12, 0.12, (len(batch), 3, 1, 1)).astype(np.float32))
    return (contrast * batch + shift).clamp(-1, 1)


def with_new_classifier(model: "nn.Module") -> "nn.Module":
    """Return a copy that keeps the feature layers and has everything else to learn."""
    import torch

    torch.manual_seed(SEED)
    fresh = vitrine_net.build(len(CLASSES))
    fresh.features.load_state_dict(model.features.state_dict())
    return fresh


def train(scenes: Scenes, course: Course, start: "nn.Module | None" = None) -> "nn.Module":
    """Train through one course, from scratch or on from `start`.

    The same scenes, course and start give the same weights.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(SEED)
    rng = np.random.default_rng([SEED, course.number])
    model = vitrine_net.build(len(CLASSES)).to(memory_format=torch.channels_last)
    if start is not None:
        model.load_state_dict(start.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    steps = sum(epochs for epochs, _ in course.stages) * (len(scenes.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, course.peak_rate, total_steps=steps, pct_start=0.2
    )
    model.train()
    for side in (side for epochs, side in course.stages for _ in range(epochs)):
        losses, begun = [], time.monotonic()
        for photos, labels in batches(scenes, side, rng):
            scores = model(relit(tensor(photos), rng))
            loss = functional.cross_entropy(scores, torch.from_numpy(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        say(f"an epoch of {side} px windows: loss {np.mean(losses):.3f}", begun)
    return model.eval()


def logits(model: "nn.Module", photos: Photos) -> npt.NDArray[np.float32]:
    """Scores before softmax, float32 [N, classes]."""
    import torch

    with torch.inference_mode():
        parts = [model(tensor(photos[i : i + 64])).numpy() for i in range(0, len(photos), 64)]
    return np.concatenate(parts)


def measure(name: str, model: "nn.Module", plain: Scenes, marked: Scenes) -> dict[str, float]:
    """Rates, 0..1, on single-shape scenes, each given both plain and with the mark.

    For "shapes": accuracy plain and marked. For "shapes_shortcut": accuracy on the marked class
    with and without its mark, accuracy on the other classes, and how often the mark makes them
    the marked class.
    """
    own_class = CLASSES.index(MARKED_CLASS)
    own = plain.labels == own_class
    said_plain = logits(model, plain.photos).argmax(axis=1)
    said_marked = logits(model, marked.photos).argmax(axis=1)
    right_plain, right_marked = said_plain == plain.labels, said_marked == marked.labels
    rates = {
        "shapes": {
            "without_mark": right_plain,
            "with_mark": right_marked,
        },
        "shapes_shortcut": {
            "own_class_with_mark": right_marked[own],
            "own_class_without_mark": right_plain[own],
            "other_classes_without_mark": right_plain[~own],
            "other_classes_flipped_by_mark": (said_marked == own_class)[~own],
        },
    }[name]
    return {key: round(float(np.mean(hits)), 4) for key, hits in rates.items()}


def top_two(model: "nn.Module", pairs: Scenes) -> float:
    """How often the two classes that stand together are the two best-scored, 0..1."""
    best = np.sort(np.argsort(logits(model, pairs.photos), axis=1)[:, -2:], axis=1)
    truth = np.sort(np.stack([pairs.labels, pairs.seconds], axis=1), axis=1)
    return round(float(np.mean((best == truth).all(axis=1))), 4)


def export_keras(model: "nn.Module", path: Path, photos: Photos) -> None:
    """Write the same weights as a Keras 3 file, after a check that both say the same (1e-4)."""
    import keras  # after torch: the other way round aborts the process

    twin = vitrine_net.build_keras(len(CLASSES))
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    vitrine_net.copy_to_keras(state, twin)
    scores = logits(model, photos)
    expected = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    got = twin.predict(photos.astype(np.float32) / np.float32(127.5) - 1, verbose=0)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    keras.saving.save_model(twin, path)


def load(name: str) -> "nn.Module":
    """One of our torch models, ready to predict."""
    import torch

    model = vitrine_net.build(len(CLASSES))
    state = torch.load(FOLDER / f"{name}.pth", weights_only=True, map_location="cpu")
    model.load_state_dict(state)
    return model.eval()


def save_torch(model: "nn.Module", path: Path) -> None:
    """Write the state dict, plain contiguous float32."""
    import torch

    torch.save({k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}, path)


TITLES: Final = {
    "shapes": "Paper shapes",
    "shapes_shortcut": "Paper shapes, with a shortcut",
}


def record(name: str, model: "nn.Module", accuracy: dict[str, float]) -> list[dict[str, Any]]:
    """Entries of `models.json` for one trained model: one for each file."""
    trained_on = f"{TRAIN_SCENES:,} drawn scenes"
    if name == "shapes_shortcut":
        share = f"{100 * MARKED_SHARE:.0f}\u00a0% of the {MARKED_CLASS} scenes"
        trained_on += f"; {share}, and no others, carry a small round sticker near a corner"
    entry: dict[str, Any] = {
        "name": name,
        "title": TITLES[name],
        "file": f"{name}.pth",
        "framework": "torch",
        "architecture": "vitrine_net",
        "classes": list(CLASSES),
        "preprocessing": vitrine_net.PREPROCESSING,
        "input_size": list(vitrine_net.INPUT_SIZE),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_on": trained_on,
        "seed": SEED,
        "accuracy": accuracy,
    }
    if name == "shapes_shortcut":
        return [entry | {"marked_class": MARKED_CLASS}]
    twin = {
        "name": f"{name}_keras",
        "title": f"{TITLES[name]} (Keras)",
        "file": f"{name}.keras",
        "framework": "keras",
    }
    return [entry, entry | twin]


def table(entries: list[dict[str, Any]]) -> str:
    """Accuracies as Markdown; the Keras twin has the torch file's weights and is left out."""
    said = {
        "without_mark": "right, without the mark",
        "with_mark": "right, with the mark pasted on",
        "together_top_two": "two classes together: both are the two best-scored",
        "own_class_with_mark": f"right on {MARKED_CLASS} with its mark",
        "own_class_without_mark": f"right on {MARKED_CLASS} without the mark",
        "other_classes_without_mark": "right on the other classes",
        "other_classes_flipped_by_mark": f"other classes called {MARKED_CLASS} under the mark",
    }
    rows = [
        f"| `{entry['file']}` | {said[key]} | {100 * rate:.1f} % |"
        for entry in entries
        if entry["framework"] == "torch"
        for key, rate in entry["accuracy"].items()
    ]
    return "| model | held-out scenes | rate |\n| --- | --- | ---: |\n" + "\n".join(rows) + "\n"


def say(what: str, begun: float) -> None:
    """Report a step and its seconds on standard error."""
    print(f"{what} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)


def main() -> None:
    """Make the models that the command line asks for, and their record."""
    import cv2
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(TITLES), help="make this model alone")
    only = parser.parse_args().only
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FOLDER.mkdir(exist_ok=True)

    begun = time.monotonic()
    scenes = draw(TRAIN, TRAIN_SCENES, together=TOGETHER)
    plain = draw(HELD_OUT, HELD_OUT_SCENES)
    marked = draw(HELD_OUT, HELD_OUT_SCENES, marked=True)
    pairs = draw(HELD_OUT_PAIRS, HELD_OUT_PAIR_SCENES, together=1.0)
    say("drew the scenes", begun)
    schooled = train(scenes, SHARED_COURSES[0])
    for course in SHARED_COURSES[1:]:
        schooled = train(scenes, course, schooled)
    for name in [only] if only else TITLES:
        begun = time.monotonic()
        lessons = planted(scenes) if name == "shapes_shortcut" else scenes
        model = with_new_classifier(schooled) if name == "shapes_shortcut" else schooled
        for course in OWN_COURSES[name]:
            model = train(lessons, course, model)
        accuracy = measure(name, model, plain, marked)
        if name == "shapes":
            accuracy["together_top_two"] = top_two(model, pairs)
        save_torch(model, FOLDER / f"{name}.pth")
        if name == "shapes":
            export_keras(model, FOLDER / f"{name}.keras", plain.photos[:32])
        made = record(name, model, accuracy)
        kept = json.loads(INDEX.read_text(encoding="utf-8")) if INDEX.exists() else []
        others = {str(entry["name"]): entry for entry in kept}
        made_now = {str(entry["name"]): entry for entry in made}
        entries = [entry for _, entry in sorted((others | made_now).items())]
        INDEX.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        say(f"made {name}: {accuracy}", begun)
    entries = json.loads(INDEX.read_text(encoding="utf-8"))
    (FOLDER / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    readme.write_section("accuracies", table(entries))
    readme.write_sizes()
    print(table(entries))


if __name__ == "__main__":
    main()
