"""How the model's photos are prepared, and what its classes are called: two forms on the card."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from loaders.options import ON_CARD, Options
from loaders.texts import NotText, decode_text
from ui import option_form, views
from ui.desk import Desk
from ui.popovers import close, key
from xai_core.errors import ParamError

CLASSES = Options.declared()["classes"]


def preprocessing(desk: Desk) -> None:
    """Draw the form of the values, the fit and the size."""
    with st.popover(
        ON_CARD, key=key("change-preprocessing"), on_change="rerun", disabled=desk.model is None
    ):
        model = desk.model
        if model is None:
            return
        views.line(model.preprocessing.sentence())
        asked, form = option_form.at(ON_CARD), f"preprocessing-{model.id}"
        if option_form.draw(form, asked, model.options, desk.reopen, button="Apply"):
            close("change-preprocessing")


def classes(desk: Desk) -> None:
    """Draw the form of the class names."""
    with st.popover(
        CLASSES.title, key=key("change-classes"), on_change="rerun", disabled=desk.model is None
    ):
        if desk.model is None:
            return
        count = len(desk.model.card.labels)
        views.line(f"{count:,} names, in the order of the network's outputs.")
        with st.form(f"classes-{desk.model.id}", border=False):
            given = st.text_area(
                "One a line", "\n".join(desk.model.card.labels) if count <= 200 else "", height=180
            )
            file = st.file_uploader("Or a file", help=CLASSES.help)
            if st.form_submit_button("Apply", type="primary"):
                _name(desk, file.getvalue() if file else given)
        if count == 1000 and st.button("Use ImageNet's names"):
            desk.reopen(classes=catalogue.imagenet_labels())
            close("change-classes")


def _name(desk: Desk, listed: str | bytes) -> None:
    try:
        given = decode_text(listed) if isinstance(listed, bytes) else listed
        classes = Options.from_text({"classes": given}).classes
    except NotText as error:
        views.error(f"The class names cannot be read: {error}.")
        return
    except ParamError as error:
        views.error(str(error))
        return
    desk.reopen(classes=classes)
    close("change-classes")
