"""What a person may say of a model, as a form: boxes, choices, titles and help as declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from loaders.class_names import write_classes
from loaders.options import Options
from loaders.preprocessing import Preprocessing
from ui import text, views
from ui.sent_text import Reader
from xai_core.errors import ParamError
from xai_core.param import Param

ASSUMED = "Automatic"
"""What an empty choice or box shows: the loader finds it out, or what it did find out."""

LISTED = 2000
"""Names up to which they stand in a box."""

Given = str | bytes | None
"""What a control says; bytes for a file of names, None for nothing."""

_FLAG = re.compile(r"--([a-z][a-z-]*)")


def at(*places: str) -> tuple[Param, ...]:
    """Return the options whose control lies in one of these places."""
    return tuple(param for param in Options.declared().values() if param.place in places)


def draw(
    key: str,
    params: Sequence[Param],
    asked: Options,
    opened: Callable[..., None],
    *,
    read: Reader,
    button: str = "Open with these answers",
    applied: Preprocessing | None = None,
    said: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    more: Sequence[Param] = (),
) -> bool:
    """Draw controls as they were answered; open with the new answers, and say whether it did.

    `read` reads names of classes.
    `applied` is what is done to a photo now, `said` a sentence to stand above a control, `labels`
    what the classes are called now, and `more` what waits under 'More answers'. What is wrong with
    an answer is said beside it.
    """
    given: dict[str, Given] = {}
    beside: dict[str, Any] = {}

    def controls(params: Sequence[Param]) -> None:
        pair: list[Any] = []
        for param in sorted(params, key=_wide):
            alone = bool(param.titles) or param.kind == "names" or param.name in (said or {})
            if alone:
                place = st.container()
            else:
                # a row for each two, so that they stay beside each other on a phone's column
                pair = pair or list(st.columns(2))
                place = pair.pop(0)
            with place:
                if sentence := (said or {}).get(param.name):
                    views.line(text.on_page(sentence))
                value = getattr(asked, param.name)
                if param.kind == "names":
                    given[param.name] = _names(value, labels, f"{key}-{param.name}")
                else:
                    now = shown(param, applied)
                    given[param.name] = control(param, value, f"{key}-{param.name}", now)
                beside[param.name] = st.empty()

    with st.form(key, border=False):
        controls(params)
        pressed = st.form_submit_button(button, type="primary")
        if more:
            with st.expander("More answers"):
                controls(more)
    if not pressed:
        return False
    wrong, values = _read(given, len(labels), read)
    if not wrong:
        try:
            opened(**values)
        except ParamError as error:
            wrong = {_about(error, list(given)): str(error)}
    for name, why in wrong.items():
        with beside[name]:
            views.error(why)
    return not wrong


def _wide(param: Param) -> bool:
    return not param.titles  # long words want the width


def _read(
    given: Mapping[str, Given], classes: int, read: Reader
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what is wrong, by name, and the values of the rest."""
    wrong: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, said in given.items():
        param = Options.declared()[name]
        if not said:
            values[name] = param.default
            continue
        try:
            if param.kind == "names":
                values[name] = read(
                    said if isinstance(said, bytes) else said.encode(errors="replace")
                )
            else:
                values[name] = param.parse("", str(said))
        except ParamError as error:
            wrong[name] = str(error) if param.kind == "names" else mistaken(param, str(said))
        else:
            if param.kind == "names" and classes and len(values[name]) != classes:
                wrong[name] = (
                    f"The model has {classes:,} classes, and these are {len(values[name]):,} "
                    "names. Give one for each, in the order of the training."
                )
    return wrong, values


def mistaken(param: Param, given: str) -> str:
    """Say in the page's words what a box must hold that holds something else."""
    rule = param.rule
    if param.kind == "pair":
        rule = f"height x width, each from {param.lo:g} to {param.hi:g} {param.unit}"
    if param.kind == "text":
        return f"{param.called} must be {rule}; this is {len(given):,}."
    held = given if len(given) <= 40 else f"{given[:40]} ..."
    return f"{param.called} must be {rule}. '{held}' is not."


def _about(error: ParamError, names: Sequence[str]) -> str:
    """Return which of the options a refusal is about: the first that it names."""
    named = [flag.replace("-", "_") for flag in _FLAG.findall(str(error))]
    return next((name for name in named if name in names), names[0])


def shown(param: Param, applied: Preprocessing | None) -> str:
    """Return what an empty control shows: what is done now where that is known."""
    value = getattr(applied, {"preprocessing": "name"}.get(param.name, param.name), None)
    if value is None or value == "custom":
        return ASSUMED if param.options or not param.example else f"For example {param.example}"
    if param.kind == "numbers":
        return f"{ASSUMED}: {', '.join(f'{number:.4g}' for number in value)}"
    return f"{ASSUMED}: {param.word(value)}"


def control(param: Param, value: object, key: str, empty: str) -> str | None:
    """Draw one control, as it was answered; return what it says, None for nothing."""
    if param.options:
        titles = {**param.titles}
        if ASSUMED in titles.values():
            titles = {name: empty if title == ASSUMED else title for name, title in titles.items()}
        return st.selectbox(
            param.title,
            param.options,
            index=param.options.index(value) if isinstance(value, str) else None,
            format_func=lambda name: titles.get(name, name),
            placeholder=empty,
            key=key,
            help=param.help,
        )
    held = param.word(value) if value not in (None, "") else ""
    given = st.text_input(param.title, held, placeholder=empty, key=key, help=param.help)
    return (given or "").strip() or None


def _names(value: Sequence[str] | None, labels: Sequence[str], key: str) -> Given:
    """Draw where class names are typed or brought; a file goes before what was typed."""
    param = Options.declared()["classes"]
    held = value or ()
    typed = st.text_area(
        f"{param.title}, one a line",
        write_classes(held) if 0 < len(held) <= LISTED else "",
        height=140,
        placeholder=f"{len(labels):,} names, in the order of the training" if labels else None,
        key=key,
    )
    file = st.file_uploader("Or a file with them", key=f"{key}-file", help=param.help)
    if file is None:
        return (typed or "").strip() or None
    return bytes(file.getvalue()) or b" "
