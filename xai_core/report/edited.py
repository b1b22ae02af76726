"""An edit in words. Every number in a sentence comes out of `edited_facts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_core.probes._edited import Edited
from xai_core.probes.edits import Act
from xai_core.report.hiding import moved, ranged
from xai_core.report.numbers import amount, percent, quote

DONE = {
    "hide": "Hiding {} of the photo",
    "keep": "Hiding all but {} of the photo",
    "move": "Moving {} of the photo",
    "paste": "Pasting {} of a photo",
}
"""What was done, with the share of the photo out of which the part was drawn."""
ELSEWHERE = {
    "hide": "Hiding the same region elsewhere",
    "keep": "Keeping the same region elsewhere alone",
    "move": "Moving the same region elsewhere as far",
    "paste": "Pasting as many pixels from elsewhere into the same place",
}
"""What a control does."""


def edited_facts(made: Edited) -> dict[str, Any]:
    """Measure what an edit did to the answer.

    Returns
    -------
    dict
        `first` and `now`: the class with the highest score before and after; `flips` whether they
        differ; `classes`: for each of the two (one where they are the same) its `index`, `before`
        and `after` (probabilities), `score_before` and `score_after`, and `controls`, its
        probability in each control; `firsts` the controls' classes, `same` in how many of them the
        answer is what the edit made it (where it flips), `changes` in how many it is not `first`.
    """
    firsts = [int(each) for each in made.firsts]
    first, now, controls = firsts[0], firsts[1], firsts[2:]
    return {
        "first": first,
        "now": now,
        "flips": first != now,
        "classes": [
            {
                "index": index,
                "before": float(made.probabilities[0, index]),
                "after": float(made.probabilities[1, index]),
                "score_before": float(made.logits[0, index]),
                "score_after": float(made.logits[1, index]),
                "controls": [float(each) for each in made.probabilities[2:, index]],
            }
            for index in dict.fromkeys((first, now))
        ],
        "firsts": controls,
        "same": sum(each == now for each in controls),
        "changes": sum(each != first for each in controls),
        "draws": made.draws,
    }


def edited_sentences(made: Edited, act: Act, share: float, labels: Sequence[str]) -> list[str]:
    """Say what an edit of a share of the photo did, what its controls did, and so what.

    The last sentence says what it cannot mean.
    """
    found = edited_facts(made)
    done = DONE[act].format(percent(share))
    return [_changed(found, done, labels), _controls(found, act, labels), *_meaning(found)]


def _changed(found: dict[str, Any], done: str, labels: Sequence[str]) -> str:
    each = found["classes"][0]
    name = quote(labels[each["index"]])
    said = [
        f"{done} {moved(name, percent(each['before']), percent(each['after']))}; its score "
        f"{_scored(each)}"
    ]
    if found["flips"]:
        other = found["classes"][1]
        before, after = (percent(other[at]) for at in ("before", "after"))
        said.append(
            f"The model then says {quote(labels[other['index']])}, {after} now and {before} "
            f"before; its score {_scored(other)}"
        )
    else:
        said.append(f"The model still says {name}")
    return f"{'. '.join(said)}."


def _scored(each: dict[str, Any]) -> str:
    """Say how a score changes, 'falls by 7.3, from 5.2 to -2.1'."""
    before, after = each["score_before"], each["score_after"]
    if amount(before) == amount(after):
        return f"stays at {amount(after)}"
    verb = "rises" if after > before else "falls"
    return f"{verb} by {amount(abs(after - before))}, from {amount(before)} to {amount(after)}"


def _controls(found: dict[str, Any], act: Act, labels: Sequence[str]) -> str:
    each = found["classes"][0]
    drawn, draws = each["controls"], found["draws"]
    low, high, mean = (percent(float(value)) for value in (min(drawn), max(drawn), np.mean(drawn)))
    spread = "" if draws == 1 else f" on average ({draws} draws, {ranged(low, high)})"
    return (
        f"{ELSEWHERE[act]}, drawn at random, leaves {quote(labels[each['index']])} {mean}{spread}, "
        f"and changes the answer in {found['changes']} of {draws}."
    )


def _meaning(found: dict[str, Any]) -> list[str]:
    if found["flips"] and not found["changes"]:
        so = "Elsewhere the answer stays: it hangs on what this edit did here."
    elif found["flips"]:
        so = (
            "Elsewhere it changes the answer, too, at least once: some of this is the change "
            "itself, wherever it is made."
        )
    elif found["changes"]:
        so = "The answer bears this edit, and not every one as large elsewhere."
    else:
        so = "The answer does not hang on this part alone, nor on any of those elsewhere."
    return [
        so,
        "An edited photo is one that the model has never seen: what it says of it need not be what "
        "it says of a photo that came to look so by itself.",
    ]
