"""What an activation maximisation says: sentences with their numbers, and a record for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xai_core.probes.maximisation import Maximised
from xai_core.report.numbers import amount, counted, percent, quote

NOT_A_PHOTO = (
    "This is what drives the number highest along this way, not what such things look like: no "
    "photo is like it, and another seed gives another picture."
)


def sentences(made: Maximised, labels: Sequence[str]) -> list[str]:
    """Say how far the number rose, how it compares with the photo's, and what the model says."""
    before, after = float(made.scores[0]), float(made.scores[-1])
    what, first = made.target.words(labels), int(made.probabilities[-1].argmax())
    steps, said = counted(made.done, "step"), []
    if made.target.classes():
        index = made.target.classes()[0]
        was, now = (float(made.probabilities[at, index]) for at in (0, -1))
        said.append(
            f"From noise to this picture the probability of {quote(labels[index])} goes from "
            f"{percent(was)} to {percent(now)} in {steps}, and the number that is raised, "
            f"{what}, from {amount(before)} to {amount(after)}."
        )
    else:
        said.append(
            f"From noise to this picture {what} goes from {amount(before)} to {amount(after)} in "
            f"{steps}."
        )
    if made.photo is not None:
        more = "less" if after < made.photo else "more"
        said.append(
            f"On the photo it is {amount(made.photo)}: the picture holds "
            f"{amount(abs(after - made.photo))} {more}."
        )
    chance = float(made.probabilities[-1, first])
    if made.target.classes()[:1] != (first,):
        said.append(
            f"The model\u2019s first answer to the picture is {quote(labels[first])} "
            f"({percent(chance)})."
        )
    if after <= before:
        said.append(
            "It did not rise: choose more steps, less smoothness or another start (the seed)."
        )
    if made.contrast > 1:
        said.append(
            f"It answers nothing to the usual noise, so the start had {amount(made.contrast)} "
            "times its contrast."
        )
    return said


def record(made: Maximised, labels: Sequence[str]) -> dict[str, Any]:
    """Return what came of it as plain data; the picture is a file of its own."""
    first = int(made.probabilities[-1].argmax())
    index = made.target.classes()[0] if made.target.classes() else None
    return {
        "steps": made.done,
        "target": made.target.words(labels),
        "score_of_noise": float(made.scores[0]),
        "score": float(made.scores[-1]),
        "score_of_photo": made.photo,
        "probability": None if index is None else float(made.probabilities[-1, index]),
        "prediction": {"index": first, "label": labels[first],
                       "probability": float(made.probabilities[-1, first])},
        "sentences": [*sentences(made, labels), NOT_A_PHOTO],
    }  # fmt: skip
