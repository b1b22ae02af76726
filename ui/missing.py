"""What a refused file lacks, asked for where it was refused: a source, JSON, answers, weights."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from loaders import companions
from loaders.options import Options
from loaders.source import snippet
from loaders.texts import NotText, decode_text
from ui import kept, reading, text, views
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


def show(desk: Desk) -> None:
    """Draw the box for what the refused file lacks; nothing where no file lacks anything."""
    refused = desk.refused
    if refused is None:
        return
    with st.container(border=True, key="missing"):
        name = text.markdown(refused.model.name)
        if refused.wants == "source":
            st.markdown(f"**Open {name} with the source of its class**")
            source(desk, refused.model, "refused", desk.supply)
            if refused.model.handle.framework == "torch":
                with st.expander("Or export it where its class is defined"):
                    st.code(snippet(refused.example), language="python")
        elif refused.wants == "answers":
            st.markdown(f"**Open {name} with what it does not say of itself**")
            reading.lacking(desk, refused.model.options)
        elif refused.wants == "files":
            st.markdown(f"**Open {name} with its weights**")
            views.line(
                "Choose 'Change model' and drop the missing file there; it joins the model, which "
                "need not be sent again."
            )
        else:
            st.markdown(f"**Open {name} with the JSON of its network**")
            _architecture(desk)
            with st.expander("How to write it"):
                st.code(JSON_SNIPPET, language="python")


def source(desk: Desk, model: Model, scope: str, opened: Callable[..., None]) -> None:
    """Draw where a class's source is pasted; `opened(source=, build=)` is called with it."""
    state = st.session_state
    pasted, built, added = f"{scope}-source", f"{scope}-build", f"{scope}-file"
    # A source that came along with the file stands in the box, to be mended.
    if state.get(f"{scope}-of") != model.id:
        state[f"{scope}-of"] = model.id
        if model.options.source:
            state[pasted], state[built] = model.options.source, model.options.build

    def take() -> None:
        if state[added] is not None:
            try:
                state[pasted] = decode_text(state[added].getvalue())
            except NotText as error:
                desk.model_error = f"The source cannot be read: {error}."

    st.text_area(
        SOURCE.title,
        key=kept.control(pasted),
        height=160,
        placeholder="import torch\nfrom torch import nn\n\nclass Net(nn.Module): ...",
        persist_state="session",
    )
    st.file_uploader("Or add its .py file", key=added, on_change=take)
    st.text_input(
        BUILD.title,
        key=kept.control(built),
        placeholder=BUILD.example,
        help=BUILD.help,
        persist_state="session",
    )
    views.line("It runs in the sandbox alone, with no network and no files but the model's.")

    def press() -> None:
        given = state.get(pasted) or ""
        if not given.strip():
            desk.model_error = "There is no source yet: paste it, or add its .py file."
            return
        try:
            opened(source=given, build=(state.get(built) or "").strip())
        except ParamError as error:
            desk.model_error = str(error)

    st.button("Open with this source", key=f"{scope}-open", type="primary", on_click=press)


def _architecture(desk: Desk) -> None:
    key = "refused-json"

    def take() -> None:
        given = st.session_state[key]
        if given is None:
            return
        try:
            kind, value = companions.read(decode_text(given.getvalue()), given.name)
            if kind != "architecture":
                raise LoadError("This is not the JSON of a Keras network: model.to_json().")
            desk.supply(architecture=value)
        except NotText as error:
            desk.model_error = f"The JSON cannot be read: {error}."
        except VitrineError as error:
            desk.model_error = str(error)

    st.file_uploader(ARCHITECTURE.title, key=key, on_change=take)
