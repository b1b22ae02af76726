"""What a refused file lacks, asked for where it was refused: a source, JSON, answers, weights."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from loaders.load import CLASSIFIES, DETECTS
from loaders.options import Options
from loaders.source import snippet
from loaders.texts import NotText, decode_text
from ui import dialogs, option_form, sent_text, text, upload, views
from ui.desk import Desk
from ui.held import Model
from xai_core.errors import LoadError, ParamError, VitrineError

ASKED = Options.declared()
SOURCE, BUILD, ARCHITECTURE = ASKED["source"], ASKED["build"], ASKED["architecture"]

JSON_SNIPPET = """\
from pathlib import Path

Path("model.json").write_text(model.to_json())  # to send beside the weights
model.save("model.keras")  # or all in one file
"""


OTHER = (
    (DETECTS, "pages/object_detection.py", "Object detection"),
    (CLASSIFIES, "pages/offering.py", "Offering"),
)
"""The page that explains a model of the other kind, by the sentence that refuses it here."""


def why(desk: Desk) -> None:
    """Say which file was not opened, and why."""
    if not desk.model_error:
        return
    if desk.error_of:
        views.line(f"\u201c{desk.error_of}\u201d was not opened.", "v-small")
    views.error(desk.model_error)
    for said, page, title in OTHER:
        if said in desk.model_error:
            st.page_link(page, label=f"Open {title}")


def ask(desk: Desk) -> None:
    """Draw where the refused file gets what it lacks; nothing where no file lacks anything."""
    refused = desk.refused
    if refused is None:
        return
    with st.container(key="missing"):
        name = text.markdown(refused.model.name)
        if refused.wants == "source":
            st.markdown(f"**Open {name} with the source of its class**")
            source(desk, refused.model, desk.supply)
            if refused.model.handle.framework == "torch":
                with st.expander("Or export it where its class is defined"):
                    st.code(snippet(refused.example), language="python")
        elif refused.wants == "answers":
            st.markdown(f"**Open {name} with what it does not say of itself**")
            _answers(desk, refused.model)
        elif refused.wants == "files":
            st.markdown(f"**Open {name} with its weights**")
            views.line(
                "Drop the missing file here: it joins the model, which need not be sent again."
            )
        else:
            st.markdown(f"**Open {name} with the JSON of its network**")
            _architecture(desk, refused.model)
            with st.expander("How to write it"):
                st.code(JSON_SNIPPET, language="python")
    if refused.wants != "files":
        views.line("Or drop what it lacks, or another file", "v-label v-ruled")
    upload.place()
    st.button("Choose another model", key="another-file", on_click=desk.discard)


def _answers(desk: Desk, model: Model) -> None:
    asked = [param for param in ASKED.values() if param.lacking]
    names = sent_text.names_by(desk.session)
    if option_form.draw(f"refused-{model.id}", asked, model.options, desk.supply, read=names):
        dialogs.again()


def source(desk: Desk, model: Model, opened: Callable[..., None]) -> None:
    """Draw where a class's source is pasted; `opened(source=, build=)` is called with it."""
    state = st.session_state
    scope = f"source-{model.id}"
    pasted, built, added = f"{scope}-text", f"{scope}-build", f"{scope}-file"
    # A source that came along with the file stands in the box, to be mended.
    state.setdefault(pasted, model.options.source)
    state.setdefault(built, model.options.build)
    wrong = ""

    def take() -> None:
        if state[added] is not None:
            try:
                state[pasted] = decode_text(state[added].getvalue())
            except NotText as error:
                desk.say(f"The source cannot be read: {error}.")

    st.text_area(
        SOURCE.title,
        key=pasted,
        height=160,
        placeholder="For example\n\nfrom torch import nn\n\nclass Net(nn.Module): ...",
        persist_state="session",
    )
    st.file_uploader("Or add its .py file", key=added, on_change=take)
    st.text_input(
        BUILD.title,
        key=built,
        placeholder=f"For example {BUILD.example}",
        help=BUILD.help,
        persist_state="session",
    )
    views.line("It runs in the sandbox alone, with no network and no files but the model's.")
    if st.button("Open with this source", key=f"{scope}-open", type="primary"):
        given = state.get(pasted) or ""
        if not given.strip():
            wrong = "There is no source yet: paste it, or add its .py file."
        else:
            try:
                opened(source=given, build=(state.get(built) or "").strip())
            except ParamError as error:
                wrong = str(error)
            else:
                dialogs.again()
    if wrong:
        views.error(wrong)


def _architecture(desk: Desk, model: Model) -> None:
    given = st.file_uploader(ARCHITECTURE.title, key=f"json-{model.id}")
    if given is None:
        return
    try:
        kind, value = sent_text.option_in(desk.session, given.getvalue(), given.name)
        if kind != "architecture":
            raise LoadError("This is not the JSON of a Keras network: model.to_json().")
        desk.supply(architecture=value)
    except VitrineError as error:
        views.error(str(error))
    else:
        dialogs.again()
