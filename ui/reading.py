"""How a model's file is read: what the loader had to assume, and the controls to say otherwise."""

from __future__ import annotations

import streamlit as st

from loaders.options import ON_READING, ON_SOURCE
from ui import dialogs, missing, option_form, sent_text, text, views
from ui.desk import Desk


def dialog(desk: Desk) -> None:
    """Draw the form of what the file does not say, and the place for its class's source."""
    model = desk.model
    if model is None:
        return
    if desk.opening is not None:
        views.line(f"Opening {text.sentence(desk.opening.name)}")
        return
    if desk.error_of == model.name:
        missing.why(desk)
    views.line(
        "What the file does not say is told from the network's layers and answers. Where that "
        "went wrong, say it here."
    )
    asked = option_form.at(ON_READING)
    names = sent_text.names_by(desk.session)
    if option_form.draw(f"reading-{model.id}", asked, model.options, desk.reopen, read=names):
        dialogs.again()
    with st.expander(ON_SOURCE):
        missing.source(desk, model, desk.reopen)
