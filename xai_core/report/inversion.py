"""Inversions and maximisations as one HTML file: the pictures, what is said, the settings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import render
from xai_core.report.markup import Html, code, data_url, joined, named, sentence, tag
from xai_core.report.page import document


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A picture, uint8 `[h, w, 3]`, and what it is of."""

    name: str
    picture: NDArray[np.uint8]


def page(title: str, record: Mapping[str, Any], shown: Sequence[Shown]) -> str:
    """Return the report as HTML; `record` is what the JSON holds."""
    head = tag(
        "header",
        tag("p", "Vitrine, a report", class_="label"),
        tag("h1", title),
        tag(
            "p",
            joined("Model: ", named(str(record["model"])), tag("br")),
            joined("Photo: ", named(str(record["image"]))),
            class_="quiet",
        ),
    )
    pictures = tag("section", tag("div", [_figure(each) for each in shown], class_="grid two"))
    said = tag("section", [tag("p", sentence(each)) for each in record["sentences"]])
    rows = [
        tag("tr", tag("th", name), tag("td", code(json.dumps(value))))
        for name, value in record["parameters"].items()
    ]
    settings = tag("section", tag("h2", "Settings"), tag("table", tag("tbody", rows)))
    return document(title, joined(head, pictures, said, settings))


def _figure(each: Shown) -> Html:
    picture = data_url(render.png(each.picture), "image/png")
    said = sentence(each.name)
    return tag("figure", tag("img", src=picture, alt=each.name), tag("figcaption", said))
