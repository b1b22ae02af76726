"""How a model's file is read: what the loader had to assume, and the controls to say otherwise."""

from __future__ import annotations

import streamlit as st

from loaders.options import ON_NAMES, ON_READING, Options
from ui import option_form, views
from ui.desk import Desk
from ui.popovers import close, key

PLACES = {name: param.place for name, param in Options.declared().items()} | {"labels": ON_NAMES}
"""Where on the card the control for a finding is, by what the finding is about."""


def popover(desk: Desk) -> None:
    """Draw the button and its form."""
    model = desk.model
    if model is None or model.built_in:
        return
    with st.popover(ON_READING, key=key("change-reading"), on_change="rerun"):
        views.line(
            "What the file does not say is told from the network's layers and answers. Where "
            "that went wrong, say it here."
        )
        asked = option_form.at(ON_READING)
        if option_form.draw(f"reading-{model.id}", asked, model.options, desk.reopen):
            close("change-reading")


def lacking(desk: Desk, options: Options) -> None:
    """Draw what a refused file asks for."""
    asked = [param for param in Options.declared().values() if param.lacking]
    option_form.draw("refused-answers", asked, options, desk.supply)
