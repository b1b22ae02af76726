"""Another model in this one's place: built in, published, or a file with what belongs to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import streamlit as st

from loaders import catalogue, companions
from loaders.options import Options
from ui import kept, missing, pretrained, upload, views
from ui.desk import Desk
from ui.held import Model
from ui.popovers import close, key, shut
from workers.incoming import Upload
from xai_core.card import Card
from xai_core.errors import ParamError, VitrineError
from xai_core.model import Finding

ASKED = Options.declared()
FRAMEWORK, ORIGIN, VALUES = ASKED["framework"], ASKED["origin"], ASKED["preprocessing"]


@dataclasses.dataclass(frozen=True)
class Origin:
    """An answer to where a model comes from: what it asks for, and what it leads us to check."""

    sentence: str
    asks_classes: bool
    asks_preprocessing: bool
    imagenet_head: bool | None

    def check(self, card: Card) -> Finding | None:
        """Compare the answer with what was loaded."""
        classes = card.classes
        if self.imagenet_head is True and classes != 1000:
            return Finding(
                "warning",
                f"You said pre-trained, and this model has {classes} classes where ImageNet has "
                "1,000: its head was replaced, so give its class names.",
            )
        if self.imagenet_head is False and classes == 1000:
            return Finding(
                "warning",
                "You said custom head, and this model has 1,000 classes as ImageNet does: it "
                "looks like the head it was published with.",
            )
        return None


ORIGINS = {
    "custom": Origin(
        "A network of your own. Nothing is taken for granted: say how its photos were prepared, "
        "and name its classes if the file does not.",
        asks_classes=True,
        asks_preprocessing=True,
        imagenet_head=None,
    ),
    "pretrained": Origin(
        "A published network as it came. Names and pre-processing follow from the recognised "
        "architecture; we check that it has ImageNet's 1,000 classes.",
        asks_classes=False,
        asks_preprocessing=False,
        imagenet_head=True,
    ),
    "custom-head": Origin(
        "A published network with your own last layers. Pre-processing follows from the "
        "architecture; we check that the head is not ImageNet's, and that your names fit it.",
        asks_classes=True,
        asks_preprocessing=False,
        imagenet_head=False,
    ),
}


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


def popover(desk: Desk) -> None:
    """Draw the button and what is behind it: a built-in, a published or an uploaded model."""
    with st.popover("Change model", key=key("change-model"), on_change="rerun"):
        entries = {entry.name: entry for entry in catalogue.models()}
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
                close("change-model")
        if pretrained.choose(desk):
            close("change-model")
        views.line("Or a file of your own", "v-label v-ruled")
        upload.place()
        views.line(
            "A PyTorch, Keras or ONNX file. It is read by its content, in a process without "
            "network or files, and opened with the answers below as they stand when it has "
            "arrived. Drop what belongs to it along with it: its class's source, its network's "
            "JSON, its class names."
        )
        _asked_of_upload()
        if desk.model is not None and not desk.model.built_in:
            st.button("Open again with these answers", on_click=_again, args=(desk,))
            with st.expander(ASKED["source"].place):
                missing.source(desk, desk.model, "again", lambda **given: _with(desk, given))


def _asked_of_upload() -> None:
    st.segmented_control(
        FRAMEWORK.title,
        FRAMEWORK.options,
        format_func=FRAMEWORK.titles.__getitem__,
        key=kept.control("framework", "auto"),
        required=True,
        persist_state="session",
    )
    st.segmented_control(
        ORIGIN.title,
        ORIGIN.options,
        format_func=ORIGIN.titles.__getitem__,
        key=kept.control("origin", "custom"),
        required=True,
        persist_state="session",
    )
    origin = ORIGINS[st.session_state["origin"]]
    views.line(origin.sentence)
    if origin.asks_preprocessing:
        st.selectbox(
            VALUES.place,
            VALUES.options,
            format_func=VALUES.titles.__getitem__,
            key=kept.control("upload-preprocessing"),
            persist_state="session",
        )
    if origin.asks_classes:
        st.text_area(
            f"{ASKED['classes'].title}, one a line",
            key=kept.control("upload-classes"),
            height=80,
            placeholder="Optional: cat, dog, ... in the order of the training",
            persist_state="session",
        )


def _answers() -> Options:
    """Read the form above the uploader. Raises ParamError."""
    state = st.session_state
    origin = ORIGINS[state.get("origin", "custom")]
    flags = {
        "framework": state.get("framework", "auto"),
        "origin": state.get("origin", "custom"),
        "preprocessing": state.get("upload-preprocessing") if origin.asks_preprocessing else None,
        "classes": (state.get("upload-classes") or None) if origin.asks_classes else None,
    }
    return Options.from_text(flags)


def arrived(desk: Desk, found: Sequence[Upload]) -> None:
    """Open what was sent with the answers above its place, and close the popover."""
    if _supplied(desk, found):
        close("change-model")
        return
    said = ""
    try:
        options = _answers()
    except ParamError as error:
        # The file is kept and opened: the answers can be mended on the card.
        options, said = Options(), str(error)
    try:
        sent, options = _sorted(desk, found, options)
    except VitrineError as error:
        for each in found:
            if each.path.exists():
                desk.session.remove_file(each.path)
        desk.model_error = str(error)
    else:
        for each in found:
            if each is not sent and each.path.exists():
                desk.session.remove_file(each.path)
        desk.open_model(sent.path, options, name=sent.name, word=sent.name)
        desk.model_error = said or desk.model_error
    close("change-model")


def _supplied(desk: Desk, found: Sequence[Upload]) -> bool:
    """Give a refused model what it lacked, where just that was sent after it."""
    refused = desk.refused
    if refused is None:
        return False
    if refused.wants == "files":
        return _joined(desk, refused.model, found)
    if len(found) != 1:
        return False
    try:
        said = companions.alone(found[0].name, found[0].path)
    except VitrineError:
        return False
    if said is None or said[0] != refused.wants:
        return False
    desk.session.remove_file(found[0].path)
    desk.supply(**{said[0]: said[1]})
    return True


def _joined(desk: Desk, model: Model, found: Sequence[Upload]) -> bool:
    """Put files of weights beside the refused model, where what was sent is nothing else."""
    sent = [(each.name, each.path) for each in found]
    try:
        bundle = companions.sort([(model.name, model.path), *sent])
        if bundle.model != model.path or not bundle.beside:
            return False
        for name, path in bundle.beside:
            desk.session.add_beside(model.path, name, path)
    except VitrineError:
        return False
    for each in found:
        if each.path.exists():
            desk.session.remove_file(each.path)
    desk.supply(**bundle.options)
    return True


def _sorted(desk: Desk, found: Sequence[Upload], options: Options) -> tuple[Upload, Options]:
    """Return the model among what was sent, and the options that the rest stands for."""
    if len(found) == 1:
        return found[0], options
    bundle = companions.sort([(each.name, each.path) for each in found])
    sent = next(each for each in found if each.path == bundle.model)
    for name, path in bundle.beside:
        desk.session.add_beside(sent.path, name, path)
    return sent, dataclasses.replace(options, **bundle.options)


def _with(desk: Desk, given: Mapping[str, str]) -> None:
    desk.reopen(**given)
    shut("change-model")


def _again(desk: Desk) -> None:
    try:
        changes = _answers()
    except ParamError as error:
        desk.model_error = str(error)
        return
    desk.reopen(
        framework=changes.framework,
        origin=changes.origin,
        preprocessing=changes.preprocessing,
        classes=changes.classes,
    )
    shut("change-model")
