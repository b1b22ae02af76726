"""What the reader should know of the model, each with the control that says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from loaders.options import ON_CARD, ON_NAMES, ON_READING
from ui import dialogs, text, views
from ui.left_open import answers
from xai_core.model import Finding

LINKS: Mapping[str, str] = {
    ON_CARD: "Change the pre-processing",
    ON_NAMES: "Give its class names",
    ON_READING: "Change how it is read",
}
"""What leads to a dialog from a finding, by the dialog's title."""


def show(found: Sequence[Finding], places: Sequence[str], key: str = "first") -> None:
    """Show findings, warnings first and in amber; `places` are the dialogs that there are.

    Those that one dialog mends stand together, and its link below them. `key` tells lists apart.
    """

    def rank(finding: Finding) -> tuple[bool, str]:
        return finding.level != "warning", mends(finding, places)

    ordered = sorted(found, key=rank)
    with st.container(key=f"findings-{key}", gap="xxsmall"):
        for at, finding in enumerate(ordered):
            views.finding(text.on_page(finding.message), warning=finding.level == "warning")
            place = mends(finding, places)
            goes_on = at + 1 < len(ordered) and rank(ordered[at + 1]) == rank(finding)
            if place and not goes_on:
                st.button(
                    LINKS[place],
                    key=f"mend-{key}-{at}",
                    type="tertiary",
                    on_click=dialogs.opens,
                    args=(place,),
                )


def mends(finding: Finding, places: Sequence[str]) -> str:
    """Return the dialog that mends what a finding is about, empty where none does."""
    param = answers(finding)
    return param.place if param is not None and param.place in places else ""
