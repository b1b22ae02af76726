"""A photo's changes in words. Every number in a sentence comes out of `change_facts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from xai_core.agreement import STRONGEST
from xai_core.probes._augmented import AS_IS, Augmented, Cell, Change, Returned, Strengths, returned
from xai_core.probes._places import Places
from xai_core.probes.augmentations import named
from xai_core.report.agreement import verdict
from xai_core.report.numbers import counted, percent, quote

LISTED = 4
"""Changes that a sentence names."""


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A cell with its facts, and its map in the frame of the photo's own view."""

    cell: Cell
    at: int
    facts: dict[str, Any]
    back: Returned | None


def words(change: Change) -> str:
    """Return what was done, 'turned left by 15°'."""
    return "as it is" if change.name == AS_IS else named(change.name).words(change.strength)


def change_facts(own: Cell, cell: Cell, back: Returned | None) -> dict[str, Any]:
    """Measure how a changed photo's answer differs from the photo's own.

    Returns
    -------
    dict
        `words`; `problem`; `first` the class with the highest score and `flips` whether it is
        another than the photo's own; `chance` and `was` the probability of the class that is
        explained on the changed photo and on the photo (None where no class is); `first_chance`
        that of the first class; `overlap` of the strongest 10 % of both maps in the photo's frame,
        `rank`, `by_chance` and `verdict` of their agreement, and `seen` the share of the view that
        the changed photo still shows.
    """
    made: dict[str, Any] = {"words": words(cell.change), "problem": cell.problem}
    if cell.problem or own.probabilities is None or own.explanation is None:
        return made
    classes = own.explanation.target.classes()
    found = None if back is None else back.found
    chances, first = cell.probabilities, cell.first
    assert chances is not None  # noqa: S101 - there is no problem
    assert first is not None  # noqa: S101
    return made | {
        "first": first,
        "flips": first != own.first,
        "first_chance": float(chances[first]),
        "chance": float(chances[classes[0]]) if classes else None,
        "was": float(own.probabilities[classes[0]]) if classes else None,
        "overlap": None if found is None else found.overlap,
        "rank": None if found is None else found.rank,
        "by_chance": None if found is None else found.chance,
        "verdict": "" if found is None else verdict(found),
        "seen": 0.0 if back is None else back.seen,
    }


def rows(made: Augmented, places: Callable[[Change], Places]) -> list[Row]:
    """Return a row for each changed photo, those that change most first.

    First those that flip the label, by how far the probability falls; then the others by how little
    of the strongest evidence stays; then those without an answer. `places` says of a change where
    places go.
    """
    own, *others = made.cells
    found = []
    for at, cell in enumerate(others, 1):
        back = None
        if own.explanation is not None and cell.explanation is not None:
            back = returned(own.explanation, cell.explanation, places(cell.change))
        found.append(Row(cell, at, change_facts(own, cell, back), back))
    return sorted(found, key=_changed_most)


def _changed_most(row: Row) -> tuple[int, float, float]:
    facts = row.facts
    if "first" not in facts:
        return 2, 0.0, 0.0
    fall = 0.0 if facts["chance"] is None else facts["chance"] - facts["was"]
    overlap = 2.0 if facts["overlap"] is None else facts["overlap"]
    return (0, fall, overlap) if facts["flips"] else (1, overlap, fall)


def answered(row: Row, labels: Sequence[str]) -> list[str]:
    """Say what the answer is then, and where the evidence went; or why there is none."""
    facts = row.facts
    if "first" not in facts:
        return [facts["problem"] or "No answer."]
    then = "then " if facts["flips"] else ""
    answer = f"{then}{quote(labels[facts['first']])}, {percent(facts['first_chance'])}"
    overlap = facts["overlap"]
    if overlap is None:
        return [answer, "no evidence to compare"]
    chance = percent(facts["by_chance"])
    return [answer, f"evidence: {percent(overlap)} overlap (chance {chance})"]


def change_sentences(own: Cell, found: Sequence[Row], labels: Sequence[str]) -> list[str]:
    """Say which changes flip the label, which move the evidence alone, and what that can mean.

    The last sentence says what it cannot.
    """
    if own.problem or own.first is None:
        return [f"The photo as it is has no answer: {own.problem}"]
    answered = [row for row in found if "first" in row.facts]
    flips = [row for row in answered if row.facts["flips"]]
    stays = [row for row in answered if not row.facts["flips"]]
    moves = [row for row in stays if row.facts["verdict"] == "disagrees"]
    label = quote(labels[own.first])
    said = []
    if answered:
        count = counted(len(answered), "change")
        if flips:
            each = [f"{row.facts['words']} ({quote(labels[row.facts['first']])})" for row in flips]
            said.append(
                f"{len(flips)} of {count} {'flips' if len(flips) == 1 else 'flip'} the label "
                f"{label}: {_listed(each)}."
            )
        else:
            said.append(f"The label {label} stays under {_all(count, len(answered))}.")
    share = percent(STRONGEST)
    if moves:
        each = [f"{row.facts['words']} ({_overlap(row)})" for row in moves]
        chance = percent(moves[0].facts["by_chance"])
        said.append(
            f"{len(moves)} {'leaves' if len(moves) == 1 else 'leave'} the label and "
            f"{'moves' if len(moves) == 1 else 'move'} the evidence, with the overlap of the "
            f"strongest {share} in brackets (by chance about {chance}): {_listed(each)}."
        )
    elif stays:
        said.append(
            "Where the label stays, the evidence stays too, at least in part, once the map is "
            "brought back into the photo\u2019s frame."
        )
    missing = len(found) - len(answered)
    if missing:
        said.append(f"{counted(missing, 'change')} could not be answered: the grid says why.")
    return [*said, *_meaning(flips, moves)]


def _meaning(flips: Sequence[Row], moves: Sequence[Row]) -> list[str]:
    said = []
    if flips:
        said.append(
            "A label that flips hangs on something that the change took away; which part that is, "
            "masking tells."
        )
    if moves:
        said.append(
            "Evidence that moves while the label stays means that the answer has several reasons, "
            "or that the map is not steady."
        )
    return [
        *said,
        "A change that leaves both says nothing of other changes, and a flip under a change that "
        "the model never met in training is no fault of its own.",
    ]


def flip_sentence(made: Strengths, name: str, labels: Sequence[str]) -> str:
    """Say at which strength of a change the answer flips."""
    each, row = named(name), made.names.index(name)
    found, steps = made.flip(name), int(made.done[row])
    if not steps:
        return f"{_begun(each.title)}: not asked."
    if found is None:
        most = each.words(float(made.strengths[row, steps - 1]))
        return f"{_begun(most)}: the answer {quote(labels[made.whole])} stays."
    other = quote(labels[int(made.turned[row])])
    if each.switch:
        return f"{_begun(each.title)}: the answer is {other}."
    before = f"{each.shown * found[0]:.3g}" if found[0] else "0"
    return (
        f"{_begun(each.title)} {each.shown * found[1]:.3g}{each.unit} the answer is {other}; at "
        f"{before} it was still {quote(labels[made.whole])}."
    )


def _overlap(row: Row) -> str:
    overlap = row.facts["overlap"]
    return "no evidence" if overlap is None else percent(overlap)


def _listed(each: Sequence[str]) -> str:
    shown = list(each[:LISTED])
    if len(each) > LISTED:
        return f"{', '.join(shown)} and {len(each) - LISTED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def _all(count: str, number: int) -> str:
    return "the one change" if number == 1 else f"all {count}"


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
