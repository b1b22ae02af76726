"""Every method, as it declares itself."""

import inspect

import streamlit as st

from ui import method_list, page, recorded, text, views
from xai_core.explainer import Explainer
from xai_core.model import given
from xai_core.params import Param


def link(reference: str) -> str:
    """Return where a reference leads, or nothing."""
    if reference.startswith("arXiv:"):
        return f"https://arxiv.org/abs/{reference.removeprefix('arXiv:')}"
    return reference if reference.startswith("https://") else ""


def default(param: Param) -> str:
    """Return a default in words."""
    if isinstance(param.default, bool):
        return "on" if param.default else "off"
    return str(param.default) or "the method's own"


def rows(cls: type[Explainer]) -> str:
    """Return a method's parameters as the rows of a table."""
    return "".join(
        f"<tr><td>{text.escape(param.title)}</td>"
        f'<td data-label="Default: ">{text.escape(default(param))}</td>'
        f'<td data-label="Range: ">{text.escape(param.rule)}</td><td>{text.escape(param.help)}'
        f"{text.escape(' Engines: ' + ', '.join(param.engines) + '.') if param.engines else ''}"
        "</td></tr>"
        for param in cls.declared().values()
    )


def card(cls: type[Explainer]) -> None:
    """Draw a method."""
    with st.container(border=True):
        st.header(cls.title, anchor=cls.name)
        views.line(cls.shows, "v-prose")
        # the docstring's first line says the same
        for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n")[1:]:
            views.line(" ".join(paragraph.split()))
        needs = " and ".join(given(need) for need in cls.needs)
        engines = ", ".join(engine.name for engine in cls.engines)
        kind = "signed" if cls.signed else "unsigned"
        if cls.class_agnostic:
            views.chips([(method_list.AGNOSTIC, True)])
        views.line(f"Needs of the model: {needs}. Engines: {engines}. Its map is {kind}.")
        if where := link(cls.reference):
            st.markdown(f"[{cls.reference}]({where})")
        else:
            views.line(cls.reference)
        recorded.show(cls.name, "See it at work: a recording")
        if cls.declared():
            st.html(
                '<div class="v-scroll"><table class="v-table v-cards"><tr><th>Setting</th>'
                "<th>Default</th><th>Range</th><th>What it does</th></tr>"
                f"{rows(cls)}</table></div>"
            )


with page.opened(
    "Methods", "What each method asks of a model, who computes it, and what its settings do."
):
    for family, methods in method_list.by_family().items():
        views.line(family.capitalize(), "v-label v-ruled")
        for cls in methods:
            card(cls)
