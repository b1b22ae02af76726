"""One HTML file with all that is known of one explanation, or of several side by side.

It needs no network and runs no script, whatever a model's file or a photo's name may hold: text is
text by construction (`markup`), pictures are in the file, and its policy forbids everything else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core import render
from xai_core.report import plates, settings
from xai_core.report.judgement import QUESTION
from xai_core.report.markup import Html, code, data_url, joined, named, sentence, tag
from xai_core.report.numbers import counted, percent, shortened
from xai_core.report.pictures import Look, Pictures, bar, pictures
from xai_core.report.run import OWN_NUMBER, Run
from xai_core.report.scales import Scale, shared
from xai_core.report.sentences import terms

SIDE = 640
"""The longer side of a picture in the file, in pixels."""
TOP = 5
"""Classes whose probabilities are listed."""
TITLE = 80
"""Characters of a name in a heading; in the tables it stands in full."""


def page(runs: Sequence[Run], *, look: Look | None = None, made: str = "") -> str:
    """Return the report as HTML.

    Several runs are drawn on one scale and in the order in which they are given; `made` is the
    day, in words, or empty. Raises ValueError where there is nothing to report.
    """
    if not runs:
        raise ValueError("a report needs a run")
    look, scale = look or Look(), shared([run.explanation for run in runs])
    drawn = [pictures(run.photo, run.explanation, scale, look, side=SIDE) for run in runs]
    several = len(runs) > 1
    title = f"{len(runs)} explanations compared" if several else _short_title(runs[0])
    body = [_head(runs, title, made)]
    if several:
        body.append(_compared(runs, drawn, scale, look))
    body += [
        _run(run, pics, scale, look, at if several else 0)
        for at, (run, pics) in enumerate(zip(runs, drawn, strict=True), 1)
    ]
    body.append(_models(runs))
    return document(title, joined(body))


def document(title: str, body: Html) -> str:
    """Return a whole file of HTML, which asks no network and runs nothing."""
    style = _css()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{title} - Vitrine"),
        tag("style", Html(style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', body)), lang='en')}\n"


@functools.cache
def _css() -> str:
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def _short_title(run: Run) -> str:
    return shortened(run.title, TITLE + 30)


def _head(runs: Sequence[Run], title: str, made: str) -> Html:
    models = list(dict.fromkeys(run.model_name for run in runs))
    photos = list(dict.fromkeys(run.photo_name for run in runs))
    about = [
        joined("Model: ", _names(models), tag("br")),
        joined("Photo: ", _names(photos)),
        *((tag("br"), made) if made else ()),
    ]
    return tag(
        "header",
        tag("p", "Vitrine, a report", class_="label"),
        tag("h1", sentence(title)),
        tag("p", about, class_="quiet"),
    )


def _names(names: Sequence[str]) -> Html:
    return joined([joined(", " if at else "", named(name)) for at, name in enumerate(names)])


# the pictures


def _compared(runs: Sequence[Run], drawn: Sequence[Pictures], scale: Scale, look: Look) -> Html:
    cells = []
    for at, (run, pics) in enumerate(zip(runs, drawn, strict=True), 1):
        said = joined(tag("b", f"{at}. "), sentence(_short_title(run)))
        where = tag(
            "span",
            joined(named(shortened(run.model_name, TITLE)), ", "),
            named(shortened(run.photo_name, TITLE)),
            class_="quiet",
        )
        cells.append(
            tag(
                "figure",
                tag(
                    "div",
                    _photo(pics.over, f"The map over the photo, run {at}"),
                    _map(pics.map, run),
                    class_="pair",
                ),
                tag("figcaption", said, tag("br"), where),
            )
        )
    return tag(
        "section",
        tag("h2", "Side by side"),
        tag("div", cells, class_="grid two"),
        tag("div", _bar(scale, look), class_="narrow"),
        tag("p", scale.sentence, class_="quiet"),
    )


def _figures(run: Run, pics: Pictures, scale: Scale, look: Look) -> Html:
    how = run.explanation.grain.drawn(cells=look.cells)
    seen = run.record["facts"]["seen"]
    photo = "The photo" if seen > 0.98 else "The photo; the model does not see the veiled part"
    return joined(
        tag(
            "div",
            tag("figure", _photo(pics.photo, "The photo"), tag("figcaption", photo)),
            tag(
                "figure",
                _photo(pics.over, "The map over the photo"),
                tag(
                    "figcaption",
                    "The map over the photo, which shows where there is little evidence",
                ),
            ),
            tag(
                "figure",
                _map(pics.map, run),
                _bar(scale, look),
                tag("figcaption", f"The map, {how}"),
            ),
            class_="grid three",
        ),
        tag("p", scale.sentence, class_="quiet"),
    )


def _photo(pixels: NDArray[np.uint8], shows: str) -> Html:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    height, width = pixels.shape[:2]
    url = data_url(out.getvalue(), "image/jpeg")
    return tag("img", src=url, alt=shows, width=width, height=height)


def _map(pixels: NDArray[np.uint8], run: Run) -> Html:
    height, width = pixels.shape[:2]
    shows = f"The map. {run.record['sentences'][0]}"
    url = data_url(render.png(pixels), "image/png")
    return tag("img", src=url, alt=shows, width=width, height=height, class_="map")


def _bar(scale: Scale, look: Look) -> Html:
    url = data_url(render.png(bar(scale, look)), "image/png")
    low, middle, high = scale.ticks
    return tag(
        "div",
        tag("img", src=url, alt=f"Colours from {low} to {high}", width=256, height=10),
        tag("div", *(tag("span", each) for each in (low, middle, high)), class_="ticks"),
        tag("p", scale.unit, class_="quiet unit"),
        class_="bar",
    )


# the words


def _run(run: Run, pics: Pictures, scale: Scale, look: Look, number: int) -> Html:
    made = run.record
    head: tuple[Html, ...] = ()
    if number:
        about = joined(named(run.model_name), ", ", named(run.photo_name))
        head = (
            tag("h2", f"{number}. ", sentence(_short_title(run))),
            tag("p", about, class_="quiet"),
        )
    doubts = [*made["doubts"], *run.measured, *([made["check"]] if made["check"] else [])]
    region = made["region"]["sentences"] if made.get("region") else ()
    return tag(
        "section",
        *head,
        _figures(run, pics, scale, look),
        tag("h3", "What it shows"),
        tag("p", sentence(" ".join((*made["sentences"], *region))), class_="prose"),
        tag("p", terms(run.explanation), class_="quiet"),
        tag("h3", "Before you believe it"),
        tag(
            "ul", [tag("li", sentence(each)) for each in doubts] or tag("li", "No doubt is known.")
        ),
        *plates.drawn(run.plates),
        _judgement(made.get("judgement")),
        *_answer(run, number),
        tag("h3", "All settings"),
        _table(settings.settings(run.explanation, run.card.labels)),
        _about_photo(run),
        tag("h3", "To make it again"),
        _again(run),
        class_="run" + (" next" if number else ""),
    )


def _answer(run: Run, number: int) -> tuple[Html, ...]:
    """Say what the model answers, where it gives the classes a probability."""
    if run.explanation.target.reads == "objects":
        return ()
    head = tag("h3", "What the model says")
    return (head, _says(run), *(_once() if number <= 1 else ()))


def _once() -> tuple[Html, ...]:
    return (tag("p", OWN_NUMBER, class_="quiet"),)


def _says(run: Run) -> Html:
    order = np.argsort(-run.probabilities, kind="stable")[:TOP]
    rows = []
    for index in order:
        chance = float(run.probabilities[index])
        meter = tag("meter", min=0, max=1, value=f"{chance:.4f}")
        name = named(run.card.labels[index])
        rows.append(tag("tr", tag("td", name), tag("td", percent(chance)), tag("td", meter)))
    return tag("table", tag("tbody", rows), class_="says")


def _about_photo(run: Run) -> Html:
    own = {finding.message for finding in run.card.findings}
    said = [each["message"] for each in run.record["findings"] if each["message"] not in own]
    if not said:
        return Html()
    return joined(tag("h3", "About the photo"), tag("ul", [tag("li", sentence(s)) for s in said]))


def _judgement(given: Mapping[str, Any] | None) -> Html:
    right = given["right"] if given else ""
    boxes = [
        tag("span", tag("span", "\u2612" if right == answer else "\u2610", class_="box"), answer)
        for answer in ("yes", "no", "unsure")
    ]
    lines = [tag("p", f"{QUESTION} ", *boxes, class_="boxes")]
    if given is None:
        lines.append(tag("p", "Not given yet.", class_="quiet"))
    else:
        lines += [tag("p", line) for line in given["note"].splitlines() if line.strip()]
        if given["name"]:
            lines.append(tag("p", "\u2013 ", named(given["name"]), class_="quiet"))
    return tag("div", tag("h3", "The reader's judgement"), lines, class_="judgement")


def _again(run: Run) -> Html:
    made, explanation = run.record, run.explanation
    seed = f", seed {explanation.seed}" if explanation.seed is not None else ""
    spent = (
        f"{counted(explanation.passes, 'pass', 'passes')} through the network in "
        f"{explanation.seconds:.2f} s by the engine {explanation.engine}{seed}. "
        f"{explanation.way}"
    )
    text = json.dumps(made, indent=2, ensure_ascii=False).encode()
    link = tag(
        "a",
        "explanation.json",
        href=data_url(text, "application/json"),
        download="explanation.json",
    )
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    return joined(
        tag("pre", code(made["command"])),
        tag(
            "p",
            "In Vitrine's folder, with the Python of its environment; the files that it names lie "
            "there too.",
            class_="quiet",
        ),
        tag(
            "table",
            tag(
                "tbody",
                _row("Model, sha256", code(made["model_hash"] or "unknown")),
                _row("Photo, sha256", code(made["image_hash"] or "unknown")),
                _row("Versions", joined(versions)),
                _row("Spent", joined(spent)),
                _row("All of it as data", link, class_="screen"),
            ),
        ),
    )


def _models(runs: Sequence[Run]) -> Html:
    """Describe each model once, with how photos are prepared for it and what was found of it."""
    once: dict[str, Run] = {}
    for run in runs:
        once.setdefault(json.dumps([run.model_name, run.card.hash, *_prepared(run)]), run)
    return tag(
        "section",
        [_model(run, len(once) > 1) for run in once.values()],
        class_="next" if len(runs) > 1 else None,
    )


def _prepared(run: Run) -> list[settings.Row]:
    return settings.prepared(run.card.preprocessing)


def _model(run: Run, several: bool) -> Html:
    ordered = sorted(run.card.findings, key=lambda finding: finding.level != "warning")
    found = [
        tag("li", sentence(finding.message), class_=finding.level)
        for finding in dict.fromkeys(ordered)
    ]
    return joined(
        tag(
            "h2", "The model" + (": " if several else ""), named(run.model_name) if several else ""
        ),
        _table([("Name", run.model_name), *settings.model(run.card)]),
        tag("h3", "How a photo is prepared for it"),
        _table(_prepared(run)),
        (tag("h3", "What was found of it"), tag("ul", found)) if found else "",
    )


def _table(rows: Sequence[settings.Row]) -> Html:
    return tag("table", tag("tbody", [_row(title, sentence(value)) for title, value in rows]))


def _row(title: str, value: Html, class_: str | None = None) -> Html:
    return tag("tr", tag("th", title, scope="row"), tag("td", value), class_=class_)
