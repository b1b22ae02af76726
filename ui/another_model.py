"""Another model in this one's place, in one dialog: chosen, or dropped, asked about, and opened."""

from __future__ import annotations

import streamlit as st

from loaders import catalogue
from loaders.options import ON_CARD, ON_NAMES, ON_READING, Options
from ui import dialogs, missing, option_form, pretrained, sent_text, upload, views
from ui.desk import Desk
from ui.held import Model
from ui.left_open import left_open
from xai_core.card import Card

TITLE = "Change model"
ASKED = Options.declared()
READ_AS = {
    "torch": "a PyTorch file",
    "keras": "a Keras file",
    "onnx": "an ONNX file",
}
"""What the first bytes told, by the kind of worker that reads the file."""


def open_built_in(desk: Desk, entry: catalogue.Entry) -> None:
    """Start to load a built-in model."""
    desk.open_model(
        entry.path,
        entry.options,
        name=entry.title,
        word=entry.name,
        about=entry.trained_on,
        built_in=True,
    )


def button() -> None:
    """Draw what opens the dialog."""
    st.button(TITLE, key="change-model", on_click=dialogs.opens, args=(TITLE,))


def dialog(desk: Desk) -> None:
    """Draw where the file stands: to be chosen, on its way, asked about, or refused."""
    coming = desk.opening
    if coming is not None and not coming.built_in:
        _reading(coming)
        return
    missing.why(desk)
    if desk.found is not None:
        _ask(desk, desk.found)
    elif desk.refused is not None:
        missing.ask(desk)
    else:
        _choose(desk)


def box(desk: Desk) -> None:
    """Draw on the card, while no dialog is open, which file waits or was refused."""
    if dialogs.is_open() or desk.opening is not None:
        return
    waits, refused = desk.found, desk.refused
    if waits is None and refused is None and not desk.error_of:
        if desk.model_error:
            views.error(desk.model_error)
        return
    with st.container(border=True, key="waits"):
        missing.why(desk)
        if waits is not None:
            views.line(f"\u201c{waits.name}\u201d has arrived and waits for answers.")
        with st.container(horizontal=True, gap="small"):
            if waits is not None or refused is not None:
                said = "Send what it lacks" if waits is None else "Answer and open"
                st.button(said, key="go-on", on_click=dialogs.opens, args=(TITLE,))
            st.button("Dismiss", key="dismiss", on_click=desk.discard)


def _choose(desk: Desk) -> None:
    entries = {entry.name: entry for entry in desk.built_in()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Built-in models",
            list(entries),
            format_func=lambda name: entries[name].title,
            key="built-in",
            persist_state="session",
        )
        if st.button("Open", key="open-built-in") and chosen:
            open_built_in(desk, entries[chosen])
            dialogs.close()
    if pretrained.choose(desk):
        dialogs.close()
    views.line("Or a file of your own", "v-label v-ruled")
    upload.place()
    views.line(
        "A PyTorch, Keras or ONNX file. It is read by its content, in a process without network "
        "or files. Drop what belongs to it along with it: its class's source, its network's JSON, "
        "its class names. What it leaves open is asked once it is here."
    )


def _reading(model: Model) -> None:
    """Say what the first bytes told, until the rest is read."""
    known = READ_AS.get(model.handle.framework)
    name = f"\u201c{model.name}\u201d"
    if known:
        views.line(f"{name} is {known}. Its network is being read ...", "v-prose")
    else:
        views.line(f"{name} has arrived. Its first bytes are being read ...", "v-prose")
    views.line("It goes on if you close this; the model that is open stays until then.")


def found(model: Model) -> str:
    """Say in a sentence what a file was found to be."""
    card = model.card
    known = f", recognised as {card.architecture}" if card.architecture else ""
    height, width = card.input_size
    seen = f"{width} x {height} px" + (", grey" if card.channels == 1 else "")
    return (
        f"\u201c{model.name}\u201d is read: {kind(card)}{known}, with {card.classes:,} classes for "
        f"photos of {seen}."
    )


def kind(card: Card) -> str:
    """Return what a file is, with its article."""
    article = "an" if card.kind[:1] in "AEIOaeio" else "a"
    return f"{article} {card.kind}"


def _ask(desk: Desk, model: Model) -> None:
    asked = left_open(model.card, model.options)
    params = [param for param, _ in asked]
    views.line(found(model), "v-prose")
    said = "It leaves this open. What you do not know may stay as it is: it can be said later."
    views.line(said)
    rest = [each for each in option_form.at(ON_CARD, ON_NAMES, ON_READING) if each not in params]
    if option_form.draw(
        f"found-{model.id}",
        params,
        model.options,
        desk.answer_found,
        read=sent_text.names_by(desk.session),
        button="Open the model",
        applied=model.preprocessing,
        said={param.name: sentence for param, sentence in asked},
        labels=model.card.labels,
        more=rest,
    ):
        dialogs.again()
    with st.expander(ASKED["source"].place):
        missing.source(desk, model, desk.answer_found)
    st.button("Another file", key="another-file", on_click=desk.discard)
