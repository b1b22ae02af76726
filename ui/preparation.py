"""How the model's photos are prepared, and what its classes are called: a dialog each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import streamlit as st

from loaders import catalogue
from loaders.class_names import write_classes
from loaders.options import ON_CARD, Options
from ui import dialogs, missing, option_form, sent_text, text, views
from ui.desk import Desk
from ui.held import Model
from xai_core.errors import ParamError

CLASSES = Options.declared()["classes"]


def preprocessing(desk: Desk) -> None:
    """Draw the form of the values, the fit and the size."""
    model = desk.model
    if model is None or _under_way(desk, model):
        return
    views.line(text.on_page(model.preprocessing.sentence()))
    asked, form = option_form.at(ON_CARD), f"preprocessing-{model.id}"
    applied = model.preprocessing
    read = sent_text.names_by(desk.session)
    if option_form.draw(
        form, asked, model.options, desk.reopen, read=read, button="Apply", applied=applied
    ):
        dialogs.again()


def classes(desk: Desk) -> None:
    """Draw the form of the class names, and the file to fetch them back as."""
    model = desk.model
    if model is None or _under_way(desk, model):
        return
    labels = model.card.labels

    def named(classes: Sequence[str] | None) -> None:
        if not classes:
            raise ParamError("There are no class names yet: type them, or bring a file.")
        desk.reopen(classes=tuple(classes))

    views.line(f"{len(labels):,} names, in the order of the network's outputs.")
    now = dataclasses.replace(model.options, classes=labels)
    form = f"classes-{model.id}"
    read = sent_text.names_by(desk.session)
    if option_form.draw(form, [CLASSES], now, named, read=read, button="Apply", labels=labels):
        dialogs.again()
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            CLASSES.file,
            write_classes(labels),
            CLASSES.file,
            "text/plain",
            icon=":material/download:",
            on_click="ignore",
            help="The names as they are now, one a line, to change and bring back.",
        )
        if len(labels) == 1000 and st.button("Use ImageNet's names"):
            desk.reopen(classes=catalogue.imagenet_labels())
            dialogs.again()


def _under_way(desk: Desk, model: Model) -> bool:
    """Say that the model is being opened again, or why it was not; return the first."""
    if desk.opening is not None:
        views.line(f"Opening {text.sentence(desk.opening.name)}")
        return True
    if desk.error_of == model.name:
        missing.why(desk)
    return False
