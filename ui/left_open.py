"""What a file leaves open once it is loaded: the options that a person has to answer."""

from __future__ import annotations

from loaders.labels import are_numbers
from loaders.options import Options
from xai_core.card import Card
from xai_core.model import Finding
from xai_core.param import Param

CLASSES = Options.declared()["classes"]

_ABOUT = {"labels": CLASSES.name}
"""The option that answers a finding, where it is not called as what the finding is about."""


def answers(finding: Finding) -> Param | None:
    """Return the option that says otherwise than a finding does, or None."""
    return Options.declared().get(_ABOUT.get(finding.about, finding.about))


def left_open(card: Card, options: Options) -> list[tuple[Param, str]]:
    """Return what a loaded model's file did not say, each with the sentence about it.

    What the loader had to assume it says in a warning; names that are numbers were not there.
    """
    found: dict[str, tuple[Param, str]] = {}
    nameless = are_numbers(card.labels) and not options.classes
    for finding in card.findings:
        param = answers(finding)
        if param is None or param.name in found:
            continue
        if finding.level == "warning" or (nameless and param.name == CLASSES.name):
            found[param.name] = param, finding.message
    if nameless:
        found.setdefault(CLASSES.name, (CLASSES, "The file does not name its classes."))
    return list(found.values())
