"""A declaration made into widgets. Ranges, steps, units and help come from its fields alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ui import kept
from xai_core.explainer import Explainer
from xai_core.model import Layer
from xai_core.params import Param

IN_SIGHT = 2
"""Controls that are shown at once; the rest wait under 'All settings'."""

Pair = tuple[Param, Param]


def honoured(cls: type[Explainer], engine: str) -> list[Param]:
    """Return the parameters that an engine honours."""
    return [
        param for param in cls.declared().values() if not param.engines or engine in param.engines
    ]


def split(declared: Sequence[Param]) -> tuple[list[Param], list[Param]]:
    """Return what is shown at once and what goes under 'All settings'."""
    front = [param for param in declared if not param.more][:IN_SIGHT]
    return front, [param for param in declared if param not in front]


def bounds(param: Param, size: tuple[int, int]) -> tuple[float, float]:
    """Return a number's range for a view of `size`; pixels never exceed the view's side."""
    high = param.hi
    if param.unit == "px":
        side = (
            size[1] if "width" in param.name else size[0] if "height" in param.name else min(size)
        )
        high = min(high, side)
    return param.lo, max(param.lo, high)


def initial(
    param: Param,
    suggested: dict[str, Any],
    size: tuple[int, int],
    layers: Sequence[Layer],
    default_layer: str,
) -> Any:
    """Return the value that a form begins with."""
    if param.kind == "layer":
        names = [layer.name for layer in layers]
        return default_layer if default_layer in names else names[-1] if names else ""
    value = suggested.get(param.name, param.default)
    if param.kind in ("integer", "real"):
        low, high = bounds(param, size)
        value = min(max(value, low), high)
        value = int(value) if param.kind == "integer" else float(value)
    return value


def together(first: Param, second: Param) -> str:
    """Return what one control of two is called: 'Patch height and width'."""
    last = second.title.split()
    while last[1:] and first.title.startswith(f"{last[0]} "):
        last = last[1:]
    return f"{first.title} and {' '.join(last).lower()}"


def key(method: str, name: str, scope: str) -> str:
    """Return the key of a parameter's control."""
    return f"{method}:{name}:{scope}"


class Form:
    """The controls of one method for one model. `scope` keeps models of other sizes apart."""

    def __init__(
        self,
        cls: type[Explainer],
        engine: str,
        *,
        size: tuple[int, int],
        layers: Sequence[Layer],
        default_layer: str,
        scope: str,
        disabled: bool = False,
    ) -> None:
        self.cls, self.size, self.layers, self.scope = cls, size, layers, scope
        self.disabled = disabled
        self.front, self.rest = split(honoured(cls, engine))
        suggested = cls.suggest(size)
        self.start = {
            param.name: initial(param, suggested, size, layers, default_layer)
            for param in (*self.front, *self.rest)
        }

    def values(self) -> dict[str, Any]:
        """Return every honoured parameter's present value."""
        return {
            name: st.session_state.get(self._key(name), start) for name, start in self.start.items()
        }

    def widget(self, param: Param) -> None:
        """Draw the control of one parameter."""
        # Set once and kept; a value set before the widget's first run stands.
        name = kept.control(self._key(param.name), self.start[param.name])
        shared: dict[str, Any] = {
            "key": name,
            "help": param.help or None,
            "persist_state": "session",
            "disabled": self.disabled,
        }
        match param.kind:
            case "integer" | "real":
                self._number(param, shared)
            case "switch":
                st.toggle(param.title, **shared)
            case "choice":
                st.selectbox(param.title, param.options, **shared)
            case "layer":
                maps = {layer.name: layer.map_size for layer in self.layers}
                st.selectbox(
                    param.title,
                    list(maps),
                    format_func=lambda name: f"{name} ({maps[name][0]} x {maps[name][1]})",
                    **shared,
                )

    def _number(self, param: Param, shared: dict[str, Any]) -> None:
        pair = self._pair(param)
        linked = pair is not None and self._linked(*pair)
        low, high = self._bounds(*pair) if linked and pair else bounds(param, self.size)
        if low >= high:
            return  # one value is no choice
        if pair is None:
            self._control(param.title, param, low, high, shared)
        elif param is not pair[0]:
            if not linked:  # else the first one's control is that of both, and so is its help
                self._control(param.title, param, low, high, shared | {"help": None})
        else:
            title = together(*pair) if linked else param.title
            shared |= {"on_change": self._moved, "args": pair}
            with st.container(
                horizontal=True, vertical_alignment="bottom", gap="small", wrap=False
            ):
                self._control(title, param, low, high, shared)
                # without help: an icon is one more stop on the keyboard's way to Run
                st.toggle(
                    "Linked",
                    key=self._link(pair[1]),
                    width="content",
                    on_change=self._moved,
                    args=pair,
                    persist_state="session",
                    disabled=self.disabled,
                )

    def _control(
        self, title: str, param: Param, low: float, high: float, shared: dict[str, Any]
    ) -> None:
        said = param.unit and param.unit.lower() != title.lower()  # not "Steps (steps)"
        name = f"{title} ({param.unit})" if said else title
        if param.name == "seed" or high - low > 100_000:
            kind = int if param.kind == "integer" else float
            st.number_input(name, kind(low), kind(high), step=kind(param.step or 1), **shared)
        elif param.kind == "integer":
            st.slider(name, int(low), int(high), step=int(param.step or 1), **shared)
        else:
            step = float(param.step or (high - low) / 100)
            st.slider(name, float(low), float(high), step=step, **shared)

    # -- two that change together ------------------------------------------------------------

    def _pair(self, param: Param) -> Pair | None:
        """Return the two of which this is one: the one that leads, and the one linked to it."""
        every = (*self.front, *self.rest)
        for other in every:
            if other.name == param.linked:
                return other, param
            if other.linked == param.name:
                return param, other
        return None

    def _bounds(self, first: Param, second: Param) -> tuple[float, float]:
        """Return the range that both have."""
        lows, highs = zip(bounds(first, self.size), bounds(second, self.size), strict=True)
        return max(lows), min(highs)

    def _linked(self, first: Param, second: Param) -> bool:
        """Whether the two change together: until they are unlinked, or set apart from elsewhere."""
        state, values = st.session_state, self.values()
        alike = values[first.name] == values[second.name]
        key = kept.control(self._link(second), alike)
        if state[key] and not alike:
            state[key] = False
        if state[key]:  # drawn or not
            state[kept.control(self._key(second.name))] = values[first.name]
        return bool(state[key])

    def _moved(self, first: Param, second: Param) -> None:
        """Give the second the first one's value, where they are linked."""
        state = st.session_state
        if state.get(self._link(second)):
            low, high = self._bounds(first, second)
            own = state[self._key(first.name)]
            value = min(max(own, low), high)
            state[self._key(second.name)] = type(second.default)(value)
            if value != own:  # else left alone: it would take back what a quick hand did since
                state[self._key(first.name)] = type(first.default)(value)

    def _link(self, param: Param) -> str:
        return f"linked:{self._key(param.name)}"

    def _key(self, name: str) -> str:
        return key(self.cls.name, name, self.scope)
