"""What a person may say of a model, as a form: boxes, choices, titles and help as declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from loaders.options import Options
from ui import views
from xai_core.errors import ParamError
from xai_core.params import Param

ASSUMED = "As the file says"
"""What an empty choice shows."""


def at(place: str) -> tuple[Param, ...]:
    """Return the options whose control lies there."""
    return tuple(param for param in Options.declared().values() if param.place == place)


def draw(
    key: str,
    params: Sequence[Param],
    asked: Options,
    opened: Callable[..., None],
    *,
    button: str = "Open with these answers",
) -> bool:
    """Draw controls as they were answered; open with the new answers, and say whether it did."""
    with st.form(key, border=False):
        columns, narrow = None, 0
        given: dict[str, str | None] = {}
        for param in sorted(params, key=lambda each: not each.titles):  # long words want the width
            if param.titles:
                place = st.container()
            else:
                columns = columns or st.columns(2)
                place, narrow = columns[narrow % 2], narrow + 1
            with place:
                value = getattr(asked, param.name)
                given[param.name] = control(param, value, f"{key}-{param.name}")
        if not st.form_submit_button(button, type="primary"):
            return False
    try:
        said = Options.from_text(given)
        opened(**{name: getattr(said, name) for name in given})
    except ParamError as error:
        views.error(str(error))
        return False
    return True


def control(param: Param, value: object, key: str) -> str | None:
    """Draw one control, as it was answered; return what it says, None for nothing."""
    if param.options:
        return st.selectbox(
            param.title,
            param.options,
            index=param.options.index(value) if isinstance(value, str) else None,
            format_func=lambda name: param.titles.get(name, name),
            placeholder=ASSUMED,
            key=key,
            help=param.help,
        )
    shown = param.word(value) if value not in (None, "") else ""
    given = st.text_input(param.title, shown, placeholder=param.example, key=key, help=param.help)
    return (given or "").strip() or None
