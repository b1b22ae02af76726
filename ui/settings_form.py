"""Declared values as a form of boxes: what a reader sets first in sight, the rest folded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ui import kept, views
from xai_core import params
from xai_core.param import Param


def key(form: str, name: str) -> str:
    """Return the key of a value's control."""
    return f"{form}:{name}"


def put(form: str, cls: type, values: Mapping[str, Any]) -> None:
    """Set every control: the named ones to their values, the others to their defaults."""
    for name, param in params.declared(cls).items():
        st.session_state[key(form, name)] = values.get(name, param.default)


def values(form: str, cls: type) -> dict[str, Any]:
    """Return how the controls stand."""
    return {
        name: st.session_state.get(key(form, name), param.default)
        for name, param in params.declared(cls).items()
    }


def show(form: str, cls: type, *, disabled: bool = False, between: Callable[[], None]) -> None:
    """Draw the controls; `between` draws what stands between those in sight and the folded ones.

    Those in sight have their help among the folded ones: its icon would be one more stop each on
    the keyboard's way to the button.
    """
    declared = params.declared(cls).values()
    front = [param for param in declared if not param.more]
    rest = [param for param in declared if param.more]
    _boxes(form, front, disabled, bare=True)
    between()
    with st.expander("All settings", key=f"{form}-rest"):
        _boxes(form, rest, disabled)
        for param in front:
            views.line(f"\u201c{param.title}.\u201d {param.help}")


def _boxes(form: str, shown: list[Param], disabled: bool, *, bare: bool = False) -> None:
    """Draw two controls a row, so that a form is short."""
    for at in range(0, len(shown), 2):
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            for param in shown[at : at + 2]:
                widget(form, param, disabled=disabled, bare=bare)


def widget(
    form: str, param: Param, *, disabled: bool = False, start: Any = None, bare: bool = False
) -> Any:
    """Draw one control and return its value; a `bare` one has no help beside it."""
    shared: dict[str, Any] = {
        "key": kept.control(key(form, param.name), param.default if start is None else start),
        "help": None if bare else param.help or None,
        "persist_state": "session",
        "disabled": disabled,
    }
    said = param.unit and param.unit.lower() not in param.title.lower()
    label = f"{param.title} ({param.unit})" if said else param.title
    match param.kind:
        case "integer":
            return st.number_input(label, int(param.lo), int(param.hi), step=1, **shared)
        case "real":
            step = float(param.step or param.default)
            return st.number_input(
                label, float(param.lo), float(param.hi), step=step, format="%g", **shared
            )
        case "switch":
            return st.toggle(label, **shared)
    return st.selectbox(
        label,
        param.options,
        format_func=lambda name: param.titles.get(name, name),
        **shared,
    )
