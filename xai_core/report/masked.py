"""A masking curve in words. Every number in a sentence comes out of `masked_facts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_core.probes._hidden import Answers
from xai_core.probes._masked import ORDERS, Masked
from xai_core.report.hiding import moved, then
from xai_core.report.numbers import amount, percent, quote

CALLED = {
    "strongest": "the strongest parts of the map",
    "least": "its least important parts",
    "brightest": "the brightest pixels of the photo",
}


def masked_facts(made: Masked, point: int) -> dict[str, Any]:
    """Measure what a masking curve found at a point, and where the answer changes.

    Returns
    -------
    dict
        `area`: the share of the view; `way`; `unit`: whether `values` are the probability of the
        target's class or the target's score; `values` of `whole`, `blank`, each order at the point,
        and of each draw (`random`); `firsts`, by the same names: the class with the highest score,
        or None; `changes`: of how many draws it is not the whole photo's; `flips`, by order: the
        share from which on the answer changes (where parts are kept: from which on it is there), or
        None; `random_flips`: the same of each draw; `returns`: whether the answer comes back later
        on (or goes again); `sooner`: whether the map's order is before brightness and before each
        draw, None where the answer never changes.
    """
    chances = made.whole.probabilities is not None and len(made.target.classes()) == 1

    def values(answers: Answers) -> Any:
        given = answers.probabilities if chances else answers.scores
        return given.tolist()  # type: ignore[union-attr]  # asked for where they are

    def first(answers: Answers, at: int) -> int | None:
        return None if answers.firsts is None else int(answers.firsts[at])

    def share(at: int | None) -> float | None:
        return None if at is None else float(made.areas[at])

    answers: dict[str, Answers] = {order: getattr(made, order) for order in ORDERS}
    whole = first(made.whole, 0)
    firsts = made.random.firsts
    flips: dict[str, float | None] = {order: share(made.flips(order)) for order in ORDERS}
    random_flips = [share(each) for each in made.random_flips()]
    return {
        "area": float(made.areas[point]),
        "way": made.way,
        "unit": "probability" if chances else "score",
        "values": {order: values(each)[point] for order, each in answers.items()}
        | {"whole": values(made.whole)[0], "blank": values(made.blank)[0]}
        | {"random": values(made.random)[point]},
        "firsts": {order: first(each, point) for order, each in answers.items()}
        | {"whole": whole, "blank": first(made.blank, 0)},
        "changes": None if firsts is None else int((firsts[point] != whole).sum()),
        "draws": made.draws,
        "flips": flips,
        "random_flips": random_flips,
        "returns": _returns(made),
        "sooner": _sooner(flips, random_flips),
        "flat": made.flat,
    }


def _returns(made: Masked) -> bool:
    """Whether the answer, once it has changed, changes back before the curve's end."""
    at, firsts = made.flips("strongest"), made.strongest.firsts
    if at is None or firsts is None or made.whole.firsts is None:
        return False
    same = firsts[at:-1] == made.whole.firsts[0]
    return bool((~same).any() if made.way == "keep" else same.any())


def _sooner(flips: dict[str, float | None], draws: Sequence[float | None]) -> bool | None:
    own = flips["strongest"]
    if own is None:
        return None
    others = [flips["brightest"], *draws]
    return all(each is None or own < each for each in others)


def masked_sentences(made: Masked, labels: Sequence[str], point: int) -> list[str]:
    """Say what hiding (or keeping) did at a point, from where on the answer changes, and so what.

    The last sentence says what it cannot mean.
    """
    found = masked_facts(made, point)
    said = [*_at(made, found, labels), *_controls(made, found, labels), *_flips(found, labels)]
    return [*said, *_meaning(made, found)]


CONTROLS = 1
"""Which of the sentences speaks of the controls alone."""


def _number(found: dict[str, Any], value: float) -> str:
    return percent(value) if found["unit"] == "probability" else amount(value)


def _what(made: Masked, found: dict[str, Any], labels: Sequence[str]) -> str:
    name = made.target.words(labels)
    return name if found["unit"] == "probability" else f"the score of {name}"


def _then(found: dict[str, Any], order: str, labels: Sequence[str]) -> str:
    named = {"first": found["firsts"]["whole"], order: found["firsts"][order]}
    return then(named, order, labels)


def _at(made: Masked, found: dict[str, Any], labels: Sequence[str]) -> list[str]:
    what, values, area = _what(made, found, labels), found["values"], percent(found["area"])
    end = _then(found, "strongest", labels)
    if made.way == "keep":
        return [
            f"With nothing but the strongest {area} left, {what} has "
            f"{_number(found, values['strongest'])}{end}; with all of the photo it has "
            f"{_number(found, values['whole'])}, and with the fill alone "
            f"{_number(found, values['blank'])}."
        ]
    change = moved(what, _number(found, values["whole"]), _number(found, values["strongest"]))
    return [f"Hiding the strongest {area} {change}{end}."]


def _controls(made: Masked, found: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Say what as many pixels do elsewhere."""
    drawn, keep, draws = found["values"]["random"], made.way == "keep", found["draws"]
    mean, low, high = (_number(found, each) for each in (np.mean(drawn), min(drawn), max(drawn)))
    spread = f", {low} each time" if low == high else f", from {low} to {high}"
    spread = "" if draws == 1 else f" on average ({draws} draws{spread})"
    answer = ""
    if found["changes"] is not None:
        answer = (
            f", and the answer is the whole photo\u2019s in {draws - found['changes']} of {draws}"
            if keep
            else f", and changes the answer in {found['changes']} of {draws}"
        )
    what = _what(made, found, labels)
    begun, gives = ("Keeping", "gives") if keep else ("Hiding", "leaves")
    places = "in another place" if draws == 1 else "in other places"
    ends = {
        order: f"{_number(found, found['values'][order])}{_then(found, order, labels)}"
        for order in ("least", "brightest")
    }
    return [
        f"{begun} the same region {places}, drawn at random, {gives} {what} {mean}{spread}{answer}."
        f" {begun} as many pixels of {CALLED['least']} {gives} {ends['least']}; {begun.lower()} "
        f"{CALLED['brightest']} {gives} {ends['brightest']}."
    ]


def _flips(found: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Say how much it takes until the answer changes, in each order."""
    if found["firsts"]["whole"] is None:
        return []
    answer, keep = quote(labels[found["firsts"]["whole"]]), found["way"] == "keep"

    def takes(share: float | None) -> str:
        if share is None:
            return "all of it is not enough"
        return f"it takes {percent(share)}"

    flips, drawn = found["flips"], [each for each in found["random_flips"] if each is not None]
    done, verb = ("kept", "is there") if keep else ("hidden", "changes")
    own = flips["strongest"]
    if own is None:
        said = f"The answer {answer} never {'comes' if keep else 'changes'}, however much is {done}"
    else:
        said = f"The answer {answer} {verb} once the strongest {percent(own)} is {done}"
        said += " (though not at every larger share)" if found["returns"] else ""
    rest = [f"by {name}, {takes(flips[each])}" for each, name in _FIRST.items()]
    count = found["draws"]
    if not drawn:
        rest.append("in random places, all of it is not enough")
    else:
        least = percent(min(drawn))
        where = "" if len(drawn) == count else f" in {len(drawn)} of {count} draws, else never"
        rest.append(f"in random places, it takes at least {least}{where}")
    return [f"{said}; {'; '.join(rest)}."]


_FIRST = {"least": "the least important parts first", "brightest": "the brightest pixels first"}


def _meaning(made: Masked, found: dict[str, Any]) -> list[str]:
    if made.flat:
        return [
            "The map is flat: no part of it is stronger than another, so the order was drawn and "
            "nothing was tested."
        ]
    said = []
    if found["sooner"] is True:
        said.append(
            "The map finds what the answer hangs on sooner than chance and than brightness do."
        )
    elif found["sooner"] is False:
        said.append(
            "Chance or brightness alone do as well as the map here, so it does not show where the "
            "answer hangs, or this fill disturbs the model wherever it lies; try another fill."
        )
    elif found["firsts"]["whole"] is not None and made.way == "hide":
        said.append(
            "Not even the fill alone changes the answer: it is what the model says of nothing, "
            "and hiding cannot show what it hangs on. Hide with another fill."
        )
    return [
        *said,
        "A hidden part is a hole that the model has never seen: that it errs there need not mean "
        "that it looked there. The random places say how much of it is the hole\u2019s doing.",
    ]
