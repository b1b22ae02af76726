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


def show(found: Sequence[Finding], places: Sequence[str]) -> None:
    """Show findings, warnings first and in amber; `places` are the dialogs that there are."""
    ordered = sorted(found, key=lambda finding: finding.level != "warning")
    with st.container(key="findings", gap="xxsmall"):
        for at, finding in enumerate(ordered):
            views.finding(text.on_page(finding.message), warning=finding.level == "warning")
            param = answers(finding)
            if param is not None and param.place in places:
                st.button(
                    LINKS[param.place],
                    key=f"mend-{at}",
                    type="tertiary",
                    on_click=dialogs.opens,
                    args=(param.place,),
                )
