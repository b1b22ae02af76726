"""The agreement with other runs in words."""

from __future__ import annotations

from collections.abc import Sequence

from xai_core.agreement import STRONGEST, Agreement
from xai_core.report.numbers import percent

AGREE, PARTLY = 0.6, 0.3
"""Two maps agree from that rank correlation and overlap on, and partly from that one of them on."""


def agreement_sentences(found: Sequence[tuple[str, Agreement]]) -> list[str]:
    """Say how the map agrees with each of the other runs on the same question.

    `found` has what a run is called and its agreement. Nothing where there is none.
    """
    said = [_one(called, each) for called, each in found]
    if len(said) > 1:
        agreed = sum(verdict(each) == "agrees" for _, each in found)
        said.append(f"{agreed} of {len(found)} other runs on the same question "
                    f"{'agrees' if agreed == 1 else 'agree'} with this map.")  # fmt: skip
    if said:
        said.append("Two maps that agree may still be wrong in the same way.")
    return said


def pair_sentence(first: str, second: str, found: Agreement) -> str:
    """Say how two runs agree, by what they are called; they may ask different questions."""
    if found.rank is None or found.overlap is None:
        return f"{first} and {second} cannot be compared: one of the two maps is flat."
    agree = verdict(found).replace("agrees", "agree")
    return f"{first} and {second} {agree}: {_numbers(found)}."


def verdict(found: Agreement) -> str:
    """Return whether two maps 'agrees', 'agrees in part' or 'disagrees'; '' where nothing tells."""
    known = [each for each in (found.rank, found.overlap) if each is not None]
    if len(known) < 2:
        return ""
    if min(known) >= AGREE:
        return "agrees"
    return "agrees in part" if max(known) >= PARTLY else "disagrees"


def _one(called: str, found: Agreement) -> str:
    """Say how one other run compares."""
    if found.rank is None or found.overlap is None:
        return f"On the same question, {called} cannot be compared: one of the two maps is flat."
    return f"On the same question, {called} {verdict(found)}: {_numbers(found)}."


def _numbers(found: Agreement) -> str:
    rank = f"{found.rank:.2f}".replace("-", "\u2212")
    return (
        f"the rank correlation is {rank}, and {percent(found.overlap or 0.0)} of what either "
        f"counts among its strongest {percent(STRONGEST)} is in both (by chance about "
        f"{percent(found.chance)})"
    )
