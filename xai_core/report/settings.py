"""Every setting of a run in words: what was asked, of which method, set how, of which model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xai_core.card import Card
from xai_core.explainer import explainers
from xai_core.explanation import Explanation
from xai_core.param import Param
from xai_core.report.numbers import counted

Row = tuple[str, str]

_OF = {
    "logit": "the score before it becomes a probability (logit)",
    "probability": "the probability",
}
_MEAN = "the mean of what it holds over the layer's map"
_ORDER = {"rgb": "red, green, blue", "bgr": "blue, green, red", "grey": "one grey channel"}
_FIT = {
    "stretch": "the photo is stretched to the view",
    "pad": "the photo is fitted into the view, with grey beside it",
    "crop": "the middle of the photo is kept",
}


def settings(explanation: Explanation, labels: Sequence[str]) -> list[Row]:
    """Return what was asked and every value that was used, as title and words."""
    cls, target = explainers()[explanation.method], explanation.target
    number = _MEAN if target.reads == "layer" else _OF.get(target.of, target.of)
    rows = [("Why" if target.classes() else "What", target.words(labels)), ("Measured on", number)]
    rows += [("Method", cls.title), ("Engine", explanation.engine)]
    honoured = cls.honoured(explanation.engine)
    for name, value in explanation.parameters.items():
        if name in honoured and value is not None:
            rows.append((honoured[name].title, words(honoured[name], value)))
    return rows


def words(param: Param, value: Any) -> str:
    """Return a value as a sentence has it, '24 px', 'on', 'layer4'."""
    if param.kind == "choice":
        return param.titles.get(value, str(value))
    if param.kind == "integer":
        return f"{value:,}" + (f" {param.unit}" if param.unit else "")
    said = param.word(value)
    return f"{said} {param.unit}" if param.unit else said


def prepared(preprocessing: Mapping[str, Any]) -> list[Row]:
    """Return what is done to a photo before the network gets it."""
    found = dict(preprocessing)
    rows: list[Row] = []
    if size := found.get("size"):
        rows.append(("View", f"{size[0]} x {size[1]} px (height x width)"))
    fit = _FIT.get(str(found.get("fit")), str(found.get("fit", "")))
    if found.get("resize"):
        fit += f", after its shorter side was made {found['resize']} px"
    rows.append(("Fit", f"{fit} ({found.get('interpolation', 'bilinear')})"))
    rows.append(("Channels", _ORDER.get(str(found.get("channels")), str(found.get("channels")))))
    for title, name in (("Mean taken off", "mean"), ("Divided by", "std")):
        if name in found:
            rows.append((title, ", ".join(f"{value:.4g}" for value in found[name])))
    why = f" ({found['why']})" if found.get("why") else ""
    rows.append(("Known as", f"{found.get('name', 'custom')}{why}"))
    return rows


def model(card: Card) -> list[Row]:
    """Return what is known of a model."""
    height, width = card.input_size
    grey = ", grey" if card.channels == 1 else ""
    head = "classes that exclude each other" if card.head.exclusive else "each class by itself"
    return [
        ("File", card.kind),
        ("Architecture", card.architecture or "not recognised"),
        ("Framework", card.framework),
        ("Parameters", f"{card.parameters:,}"),
        ("Input", f"{height} x {width} px (height x width){grey}"),
        ("Classes", f"{card.classes:,}, {head}"),
        ("Layers with a map", counted(len(card.layers), "layer") if card.layers else "none"),
    ]
