"""The hiding test in words. Every number in a sentence comes out of `hidden_facts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xai_core.report.numbers import amount, percent, quote

if TYPE_CHECKING:
    from xai_core.probes._hidden import Answers, Hidden

Verdict = Literal["passes", "unclear", "fails", "untested"]
UNSEEN = 1 / 255


def hidden_facts(made: Hidden, at: int = 0) -> dict[str, Any]:
    """Measure what a hiding test found at its share number `at`.

    Returns
    -------
    dict
        `area`: the share of the view that was hidden, `least_area`: that of the least important
        parts; `fall`: how far the score falls when the strongest is hidden, `random_falls`: the
        same for each draw; `beaten`: how many draws fall as far or farther, `beaten_touching`: how
        many of these touch the map's mark; `draws`: of how many; `touching`: how many of them touch
        it; `verdict`: whether the map passes (no draw falls as far), fails (half of them do, or
        the score does not fall) or neither, or that nothing was tested; `first`,
        `strongest_first`, `kept_first`, `least_first`: the class with the highest score then (None
        without class scores), `changes`: how many draws change it, `changes_touching`: how many of
        these touch the map's mark; `asked`: the target's class, or None; `values`, by the same
        names, `blank` and `random`: the probability of the target's class, or its score where
        `unit` says so.
    """
    whole, strongest = float(made.whole.scores[0]), float(made.strongest.scores[at])
    falls = [whole - float(score) for score in made.random.scores[at]]
    far = np.array([each >= whole - strongest for each in falls])
    beaten = int(far.sum())
    chances = made.whole.probabilities is not None and len(made.target.classes()) == 1
    firsts, first = made.random.firsts, _first(made.whole, 0)
    touching = made.overlap[at] > 0
    changed = touching & False if firsts is None else firsts[at] != first
    return {
        "area": float(made.areas[at]),
        "least_area": float(made.least_areas[at]),
        "fall": whole - strongest,
        "random_falls": falls,
        "beaten": beaten,
        "beaten_touching": int((far & touching).sum()),
        "draws": made.draws,
        "touching": int(touching.sum()),
        "verdict": _verdict(made, at, whole - strongest, beaten),
        "first": first,
        "strongest_first": _first(made.strongest, at),
        "kept_first": _first(made.kept, at),
        "least_first": _first(made.least, at),
        "changes": int(changed.sum()) if first is not None else None,
        "changes_touching": int((changed & touching).sum()) if first is not None else None,
        "asked": (made.target.classes() or (None,))[0],
        "unit": "probability" if chances else "score",
        "values": {
            "whole": _values(made.whole, chances)[0],
            "blank": _values(made.blank, chances)[0],
            "strongest": _values(made.strongest, chances)[at],
            "kept": _values(made.kept, chances)[at],
            "least": _values(made.least, chances)[at],
            "random": _values(made.random, chances)[at],
        },
    }


def hidden_sentences(made: Hidden, labels: Sequence[str], at: int = 0) -> list[str]:
    """Say what hiding did at share number `at`, whether the map passes, and what that means."""
    found = hidden_facts(made, at)
    values, area = found["values"], percent(found["area"])
    name = made.target.words(labels)
    what = name if found["unit"] == "probability" else f"the score of {name}"

    def number(value: float) -> str:
        return percent(value) if found["unit"] == "probability" else amount(value)

    before = number(values["whole"])
    hidden = [
        f"Hiding the strongest {area} {moved(what, before, number(values['strongest']))}"
        f"{then(found, 'strongest_first', labels)}."
    ]
    spread = sorted(values["random"])
    mean = number(sum(spread) / len(spread))
    if found["draws"] == 1:
        drawn = f"Hiding one random region as large {moved('it', before, mean)}"
        drawn += _one_answer(found["changes"])
    else:
        range_ = ranged(number(spread[0]), number(spread[-1]))
        drawn = (
            f"Hiding random regions as large {moved('it', before, mean)} on average "
            f"({found['draws']} draws, {range_})"
        )
        if found["changes"] is not None:
            drawn += f", and changes the answer in {found['changes']} of {found['draws']}"
            drawn += _touching(found["changes"], found["changes_touching"])
    hidden.append(drawn + ".")
    hidden.append(
        f"With nothing but the strongest {area} left, {what} has {number(values['kept'])}"
        f"{then(found, 'kept_first', labels)}; the fill alone gives it {number(values['blank'])}."
    )
    hidden.append(
        f"Hiding the least important {percent(found['least_area'])} "
        f"{moved(what, before, number(values['least']))}{then(found, 'least_first', labels)}."
    )
    return [*hidden, _judged(found), *_meaning(found)]


def _verdict(made: Hidden, at: int, fall: float, beaten: int) -> Verdict:
    if made.flat or made.changed[at] < UNSEEN:
        return "untested"
    if fall <= 0 or 2 * beaten >= made.draws:
        return "fails"
    return "unclear" if beaten else "passes"


def _judged(found: dict[str, Any]) -> str:
    """Say whether the map passes."""
    fall, draws, beaten = amount(found["fall"]), found["draws"], found["beaten"]
    if found["verdict"] == "untested":
        return "The map was not tested: what was hidden is not its mark, or did not change."
    if found["fall"] <= 0:
        return "The map fails the hiding test: without what it marks, the score does not fall."
    if found["verdict"] == "passes":
        most = amount(max(found["random_falls"]))
        than = "the random region" if draws == 1 else f"any of the {draws} random regions"
        much = "" if most == fall else f" ({'' if draws == 1 else 'at most '}{most})"
        said = (
            "The map passes the hiding test: without what it marks the score falls by "
            f"{fall}, more than by "
        )
        return f"{said}{than}{much}."
    lower = (
        f"{beaten} of {draws} random regions as large "
        f"{'lowers' if beaten == 1 else 'lower'} the score by as much ({fall}) or more"
        f"{_touching(beaten, found['beaten_touching'])}"
    )
    if found["verdict"] == "fails":
        return f"The map fails the hiding test: {lower}."
    return f"The hiding test leaves a doubt: {lower}."


def _meaning(found: dict[str, Any]) -> list[str]:
    """Say what follows, and what does not."""
    if found["verdict"] == "untested":
        return []
    if found["verdict"] == "fails":
        return [
            "So the map does not show what the score hangs on, or this fill disturbs the model "
            "wherever it lies; try another fill, and another method."
        ]
    stays = found["first"] is not None
    stays = stays and found["first"] == found["asked"] == found["strongest_first"]
    rest = "; the answer stays, so other parts speak for it too" if stays else ""
    return [
        f"This says that the score hangs on that place{rest}. It does not say that the place is "
        "a good reason."
    ]


LITTLE, FULL = {percent(0.001), percent(0.01)}, {percent(0.99), percent(0.999)}
"""What is as good as nothing, and as all: a step from one to the other is none to speak of."""


def ranged(low: str, high: str) -> str:
    """Say within which ends numbers lie, 'from 70 % to 90 %'."""
    if low == high:
        return f"{low} each time"
    if low == percent(0.001):
        return f"{high} at most"
    return f"{low} at least" if high == percent(0.999) else f"from {low} to {high}"


def hidden_verdict(made: Hidden, at: int = 0) -> str:
    """Say in one sentence whether the map passes the test at its share number `at`."""
    return _judged(hidden_facts(made, at))


def moved(what: str, before: str, after: str) -> str:
    """Say how a number moves, 'takes “star” from 97 % to 3 %'."""
    for ends, words in ((LITTLE, "1\u00a0% or less"), (FULL, "99\u00a0% or more")):
        if {before, after} == ends:
            return f"leaves {what} at {words}"
    if before == after:
        return f"leaves {what} at {before}"
    return f"takes {what} from {before} to {after}"


def then(found: dict[str, Any], which: str, labels: Sequence[str]) -> str:
    """Say which class has the highest score then."""
    if found[which] is None:
        return ""
    still = "still" if found[which] == found["first"] else "then"
    return f", and the model {still} says {quote(labels[found[which]])}"


def _touching(draws: int, touching: int) -> str:
    """Say how many of some draws hide some of the map's mark, too."""
    if not touching:
        return ""
    if draws == 1:
        return " (a region that touches what the map marks)"
    return f" ({touching} of these {'touches' if touching == 1 else 'touch'} what the map marks)"


def _one_answer(changes: int | None) -> str:
    if changes is None:
        return ""
    return ", and changes the answer" if changes else ", and does not change the answer"


def _first(answers: Answers, at: int) -> int | None:
    return None if answers.firsts is None else int(answers.firsts[at])


def _values(answers: Answers, chances: bool) -> Any:
    """Return probabilities or scores as plain numbers."""
    given = answers.probabilities if chances else answers.scores
    return given.tolist()  # type: ignore[union-attr]  # asked for where they are
