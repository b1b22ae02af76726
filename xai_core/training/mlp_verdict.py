"""What a dense network's training shows, in words: overfitting is read off the curves alone."""

from __future__ import annotations

from typing import Literal

from xai_core.training import opened
from xai_core.training.mlp_learner import ALWAYS, MlpLearner
from xai_core.training.mlp_units import about
from xai_core.training.recording import EACH, Recording

Fit = Literal["overfits", "underfits", "fits"]

RISE = 1.10
"""Times its lowest that a validation loss has risen to, from which a network overfits."""
GAP = 0.10
"""How much better it does on what it learned, from which it overfits whatever its losses do."""
POOR = 0.85
"""Share of its own training samples right, below which it underfits."""

LOSS, HELD_OUT = MlpLearner.loss, MlpLearner.held_out
RIGHT, HELD_RIGHT = "training accuracy", "validation accuracy"
WRONG = "accuracy on wrong labels"


def fit(recording: Recording) -> Fit:
    """Say whether the model overfits, by the curves up to its epoch and by nothing else."""
    at = recording.chosen - recording.first
    loss, held = (recording.curves[name][: at + 1] for name in (LOSS, HELD_OUT))
    right, held_right = (recording.curves[name][at] for name in (RIGHT, HELD_RIGHT))
    low = int(held.argmin())
    if held[at] >= RISE * held[low] and loss[at] < loss[low]:
        return "overfits"
    if right - held_right >= GAP:
        return "overfits"
    return "underfits" if right < POOR else "fits"


def _small(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else "under 0.001"


def curves_say(recording: Recording) -> str:
    """Say in a sentence or two how it fits, with the numbers that say so."""
    if about(recording).opened:
        return _opened_says(recording)
    at = recording.chosen - recording.first
    loss, held = (recording.curves[name][: at + 1] for name in (LOSS, HELD_OUT))
    right, held_right = (
        f"{100 * recording.curves[name][at]:.0f}\u00a0%" for name in (RIGHT, HELD_RIGHT)
    )
    low = int(held.argmin())
    noun = about(recording).noun
    rates = f"{right} of the training {noun} are right, and {held_right} of the held-out ones."
    match fit(recording):
        case "overfits" if held[at] >= RISE * held[low]:
            return (
                f"It overfits from epoch {recording.first + low} on: the validation loss was "
                f"lowest there, {held[low]:.3g}, and has risen to {held[at]:.3g}, while the "
                f"training loss fell from {loss[low]:.3g} to {_small(loss[at])}. {rates}"
            )
        case "overfits":
            return (
                f"It overfits: {rates} The gap between the two is what it has learned of its "
                f"training {noun} alone."
            )
        case "underfits":
            return (
                f"It underfits: {rates} It has not learned its own training {noun}, so a longer "
                "training, longer steps or more units that answer would help."
            )
    return (
        f"It does not overfit: the validation loss is {held[at]:.3g} and was never lower than "
        f"{held[low]:.3g}. {rates}"
    )


def _opened_says(recording: Recording) -> str:
    """Say what a network that was opened gets right: there is no curve to read a gap from."""
    parts, count = about(recording), int(recording.scalars["learned"])
    right, loss = (recording.curves[name] for name in (opened.RIGHT, opened.LOSS))
    said = (
        f"{100 * right[-1]:.0f}\u00a0% of the {count:,} {parts.noun} are right, and the loss is "
        f"{loss[-1]:.3g}"
    )
    if len(recording) > 1:
        best = int(loss.argmin())
        said += (
            f"; at the first checkpoint they were {100 * right[0]:.0f}\u00a0% and {loss[0]:.3g}. "
            f"The loss is lowest at checkpoint {recording.first + best}"
        )
    guess = 1 / len(parts.classes)
    poor = (
        " That is hardly more than guessing: were its inputs scaled otherwise, or its classes in "
        "another order?"
        if right[-1] < 2 * guess
        else ""
    )
    return (
        f"{said}.{poor} Which of these it learned from is not in its file, so whether it overfits "
        "cannot be read off here."
    )


def dark(recording: Recording, layer: str) -> tuple[int, int, int]:
    """Count a layer's units, those silent on every probe, and those dead, in the last epoch."""
    frames = recording.frames[layer]
    last = frames.coded()[-1]
    active = recording.arrays[f"{EACH}active {layer}"][-1]
    return frames.sides[1], int((last == 0).all(0).sum()), int((active == 0).sum())


def always(recording: Recording, layer: str) -> int:
    """Count a layer's units that answer to every training sample in the last epoch."""
    return int((recording.arrays[f"{EACH}active {layer}"][-1] == ALWAYS).sum())


def lines_say(recording: Recording, layer: str) -> str:
    """Say what the dark lines of a layer are, and what they are not."""
    units, silent, dead = dark(recording, layer)
    rows = recording.frames[layer].sides[0]
    parts = about(recording)
    learned, noun = int(recording.scalars["learned"]), parts.noun
    if not silent:
        return (
            f"{layer.capitalize()} has no dark line: each of its {units} units answers to at least "
            f"one of the {rows} {noun}."
        )
    lines = "line is" if silent == 1 else "lines are"
    said = (
        f"In {layer}, {silent} of {units} {lines} dark in the last {parts.step}: silent on all "
        f"{rows} {noun} shown. "
    )
    if dead:
        answer = "unit answers" if dead == 1 else "units answer"
        said += f"{dead} {answer} to none of the {learned:,} {parts.learned} either: dead"
        said += ". " if parts.opened else ", so that no gradient moves their weights. "
    if silent > dead:
        said += f"{silent - dead} only answer to other {noun}. "
    return said + (
        "Dark lines say how much of the layer works, and nothing about overfitting: a unit that is "
        "silent has no part in the answer."
    )


def noise_says(recording: Recording) -> str:
    """Say what became of wrong labels, where there were any."""
    if WRONG not in recording.curves:
        return ""
    noun = about(recording).noun
    share = float(recording.curves[WRONG][recording.chosen - recording.first])
    if share >= 0.5:
        return (
            f"It gives {100 * share:.0f}\u00a0% of the wrongly labelled training {noun} the wrong "
            "label that it was shown: it has learned them by heart."
        )
    return (
        f"It gives {100 * share:.0f}\u00a0% of the wrongly labelled training {noun} the label that "
        "it was shown: most of the noise was not learned."
    )


def says(recording: Recording, layer: str) -> list[str]:
    """Return all of it: how it fits, what became of wrong labels, what the dark lines are."""
    sentences = [curves_say(recording), noise_says(recording), lines_say(recording, layer)]
    if (count := always(recording, layer)) > recording.frames[layer].sides[1] // 10:
        which = "" if about(recording).opened else "training "
        sentences.append(
            f"{count} of the units answer to every {which}sample: for them the ReLU bends nothing."
        )
    return [sentence for sentence in sentences if sentence]
