"""Every method, as it declares itself: by family, searched, and tried with a click."""

import streamlit as st

from ui import kept, method_card, method_list, page, views
from xai_core.explainer import explaining

SEARCH = "methods-search"


def clear() -> None:
    """Show every method again."""
    st.session_state[SEARCH] = ""


with page.opened(
    "Methods",
    "What each method shows, what it asks of a model, and what it costs.",
    needs=(page.MODEL,),
) as here:
    model = here.desk.model
    typed = st.text_input(
        "Search",
        key=kept.control(SEARCH, ""),
        type="search",
        max_chars=80,
        placeholder="A name, a family, what it shows",
        live=True,
    )
    known = method_list.by_family()
    found = {
        family: [cls for cls in methods if method_card.matches(cls, str(typed))]
        for family, methods in known.items()
    }
    count, total = (sum(map(len, each.values())) for each in (found, known))
    on_desk = f"this model is \u201c{model.name}\u201d, which is open" if model else (
        "the model is being opened, then costs are said"
    )  # fmt: skip
    if count:
        views.line(f"{count} of {total} methods; {on_desk}.")
    else:
        views.line(f"Nothing matches \u201c{typed}\u201d.", "v-empty v-quiet")
        st.button("Show all methods", on_click=clear)
    for family, methods in found.items():
        if methods:
            views.line(family.capitalize(), "v-label v-ruled")
            views.line(method_list.ABOUT[family])
        for cls in methods:
            method_card.show(cls, model)
    boxed = [cls.title for cls in explaining("detection").values() if len(cls.tasks) == 1]
    views.line(
        f"{', '.join(sorted(boxed))} explain a box that a detector found: they are on the page "
        "Object detection."
    )
    st.page_link("pages/object_detection.py", label="Open Object detection")
