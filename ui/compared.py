"""Several runs side by side on one scale: one cross-hair, how far they agree, and where not."""

from __future__ import annotations

import base64
import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from ui import figure, mounts, text, views
from ui.desk import Desk
from ui.held import Answer, Photo
from xai_core import colormaps, render, report
from xai_core.agreement import STRONGEST, Agreement, agreement, apart
from xai_core.explainer import explainers
from xai_core.report.agreement import verdict
from xai_core.report.numbers import counted
from xai_core.report.scales import Scale, shared

FEW = 6
"""Pairs that are listed at once."""

LONGEST = 480
"""Longest side of a photo in a panel, in pixels."""

_SCRIPTS = ("figure/frame", "figure/words", "figure/paint", "compared/compared")


@dataclasses.dataclass(frozen=True)
class Panel:
    """One place in the comparison: a run, why there is none, or that it still comes (`waits`).

    Where there is no run it may be a `photo` alone.
    """

    title: str
    about: str
    answer: Answer | None = None
    problem: str = ""
    waits: bool = False
    photo: Photo | None = None


@functools.cache
def _component() -> mounts.Mount:
    return mounts.component(
        "compared",
        html=mounts.part("compared/compared.html"),
        css="compared/compared.css",
        js=[f"{script}.js" for script in _SCRIPTS],
    )


@dataclasses.dataclass(frozen=True)
class Heads:
    """What stands over each column of a comparison, and before each row."""

    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


NO_HEADS = Heads()


def show(
    panels: Sequence[Panel],
    *,
    columns: int,
    heads: Heads = NO_HEADS,
    key: str = "compared",
    agreeing: bool = True,
) -> None:
    """Draw the panels, so many in a row, what they share, and how far they agree.

    `key` tells it from another comparison on the page, `agreeing` says whether they should agree.
    """
    answers = [panel.answer for panel in panels if panel.answer is not None]
    if not answers:
        _mount(panels, None, columns, heads, key)
        return
    waiting = sum(panel.waits for panel in panels)
    scale = shared([answer.explanation for answer in answers])
    if len(answers) > 1:
        # while some are still to come, what is said of all would change
        whole = [] if waiting else differing(answers)
        views.line(" ".join([*whole, scale.sentence]), "v-prose")
    _mount(panels, scale, columns, heads, key)
    if not agreeing:
        return
    if waiting:
        views.line(
            f"How far they agree is said when all runs have ended: {waiting:,} "
            f"{'is' if waiting == 1 else 'are'} still to come."
        )
        return
    _agreement([panel for panel in panels if panel.answer is not None])


def panel(desk: Desk, answer: Answer, name: str = "") -> Panel:
    """Return a run as a panel, called as in the strip, or by a name of its own."""
    made, scene = answer.explanation, answer.scene
    first = scene.prediction.top[0]
    chance = report.percent(float(scene.prediction.probabilities[first]))
    asked = made.target.words(scene.card.labels)
    return Panel(
        title=f"{name or called(desk, answer)} for {_bare(asked)}",
        about=f"{scene.photo.name}: {_bare(scene.card.labels[first])}, {chance}, says "
        f"{scene.model.name}",
        answer=answer,
    )


def called(desk: Desk, answer: Answer) -> str:
    """Return what a run is called: its number in the strip, and its method."""
    title = explainers()[answer.explanation.method].title
    kept = desk.runs.find(answer.id)
    return title if kept is None else f"{desk.runs.number(kept)} {title}"


def differing(answers: Sequence[Answer]) -> list[str]:
    """Say in what the runs differ and what all share."""
    kinds: dict[str, Callable[[Answer], str]] = {
        "method": lambda each: explainers()[each.explanation.method].title,
        "settings": _set,
        "class": _asked,
        "the number that is explained": lambda each: each.explanation.target.of,
        "photo": lambda each: each.scene.photo.name,
        "model": lambda each: each.scene.model.name,
    }
    found = {kind: {of(each) for each in answers} for kind, of in kinds.items()}
    many = [kind for kind, values in found.items() if len(values) > 1]
    if "method" in many:
        many = [kind for kind in many if kind != "settings"]  # of two methods, of course
    same = [
        f"{kind} {report.quote(_bare(next(iter(found[kind]))))}"
        for kind in ("method", "photo", "model")
        if kind not in many
    ]
    if not many:
        return ["These runs do not differ in anything that was set."]
    said = [f"These runs differ in {_listed(many)}."]
    return [*said, f"All share the {_listed(same)}."] if same else said


def _asked(answer: Answer) -> str:
    target = answer.explanation.target
    words = [answer.scene.card.labels[index] for index in target.classes()]
    return " against ".join(words) or target.words(answer.scene.card.labels)


def _set(answer: Answer) -> str:
    made = answer.explanation
    return "; ".join(f"{name}={value}" for name, value in sorted(made.parameters.items()))


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _bare(words: str) -> str:
    return words.replace("\u201c", "").replace("\u201d", "")


def _mount(
    panels: Sequence[Panel], scale: Scale | None, columns: int, heads: Heads, key: str
) -> None:
    signed = scale.signed if scale else False
    photos = [each.answer.scene.photo if each.answer else each.photo for each in panels]
    data = {
        "id": _named(panels, columns, heads),
        "columns": columns,
        "heads": {"columns": heads.columns, "rows": heads.rows},
        "panels": [_panel(each, scale) for each in panels],
        "photos": {
            str(at): views.data_url(each.pixels, longest=LONGEST)
            for at, each in {photo.id: photo for photo in photos if photo is not None}.items()
        },
        "signed": signed,
        "ticks": scale.ticks if scale else ("", "", ""),
        "unit": scale.unit if scale else "",
        "tables": {
            name: _base64(colormaps.table(name).tobytes()) for name in render.choices(signed)
        },
        "opacity": render.OPACITY,
    }
    _component()(key=key, data=data)


def _named(panels: Sequence[Panel], columns: int, heads: Heads) -> str:
    """Return a name for what is drawn: another one for whatever looks otherwise."""
    parts = (
        f"{each.title}:{each.about}:{each.answer.id if each.answer else each.problem}"
        f":{each.photo.id if each.photo else ''}"
        for each in panels
    )
    return f"{columns}|{'|'.join([*heads.columns, *heads.rows, *parts])}"


def _panel(each: Panel, scale: Scale | None) -> dict[str, Any]:
    told: dict[str, Any] = {"title": each.title, "about": each.about, "problem": each.problem}
    if each.answer is None or scale is None:
        alone = {} if each.photo is None else {"photo": str(each.photo.id)}
        return told | {"map": None, "alternative": each.about} | alone
    made = each.answer.explanation
    _, own = render.limits(made.attribution, signed=scale.signed)
    rows, columns = made.view
    values = _base64(np.ascontiguousarray(made.attribution, "<f4").tobytes())
    return told | {
        "size": made.placed.photo,
        "box": made.placed.box,
        "map": {"rows": rows, "columns": columns, "values": values},
        "top": own if scale.relative else scale.top,
        "photo": str(each.answer.scene.photo.id),
        "alternative": f"{each.title}, over the photo {each.answer.scene.photo.name}",
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# how far they agree


def _agreement(panels: Sequence[Panel]) -> None:
    """Draw the table of all pairs, and the map of where one pair disagrees."""
    pairs = list(itertools.combinations(panels, 2))
    if not pairs:
        return
    found = {at: made for at, pair in enumerate(pairs) if (made := _measured(*pair)) is not None}
    left_out = [pair for at, pair in enumerate(pairs) if at not in found]
    views.line("How far they agree", "v-label v-ruled")
    if found:
        alike = [made for at, made in found.items() if of_one_class(*pairs[at])]
        if alike:
            views.line(summed_up(alike), "v-prose")
        if others := len(found) - len(alike):
            views.line(f"{counted(others, 'pair')} of maps for different classes "
                       f"{'is' if others == 1 else 'are'} listed and not counted: they need not "
                       "agree.")  # fmt: skip
        place = st.expander(f"All {len(found)} pairs") if len(found) > FEW else st.container()
        with place:
            _table([(pairs[at], made) for at, made in found.items()])
    if left_out:
        views.line(_why_not(left_out))
    if found:
        _where(pairs, found)


def of_one_class(one: Panel, other: Panel) -> bool:
    """Whether two runs ask about the same, by the classes' names: models may number them apart."""
    return len({_asked(run) for run in (one.answer, other.answer) if run is not None}) == 1


def summed_up(found: Sequence[Agreement]) -> str:
    """Say how many pairs agree."""
    verdicts = [verdict(each) for each in found]
    counts = {name: verdicts.count(name) for name in ("agrees", "agrees in part", "disagrees", "")}
    words = {"agrees": "agree", "agrees in part": "agree in part", "disagrees": "disagree",
             "": "cannot be compared, as a map is flat"}  # fmt: skip
    if len(found) == 1:
        said = f"They {words[verdicts[0]]}."
    else:
        one = {"agrees": "agrees", "agrees in part": "agrees in part", "disagrees": "disagrees"}
        parts = [
            f"{count} {one.get(name, words[name]) if count == 1 else words[name]}"
            for name, count in counts.items()
            if count
        ]
        said = f"Of {len(found)} pairs of runs on one photo and for one class, {_listed(parts)}."
    return f"{said} Two maps that agree may still be wrong in the same way."


def _table(rows: Sequence[tuple[tuple[Panel, Panel], Agreement]]) -> None:
    body = "".join(_row(pair, made) for pair, made in rows)
    views.table(
        "How far they agree",
        '<table class="v-table v-cards"><tr><th>Runs</th><th>They</th>'
        f"<th>Rank correlation</th><th>Overlap of the strongest {report.percent(STRONGEST)}"
        f"</th><th>Overlap by chance</th></tr>{body}</table>",
    )


def _measured(one: Panel, other: Panel) -> Agreement | None:
    """Return how far two runs agree, measured once a tab; None where places cannot be compared."""
    if one.answer is None or other.answer is None:
        return None
    kept: dict[tuple[int, int], Agreement | None] = st.session_state.setdefault("agreements", {})
    pair = one.answer.id, other.answer.id
    if pair not in kept:
        made = one.answer.explanation, other.answer.explanation
        kept[pair] = None if apart(*made) else agreement(*made)
    return kept[pair]


def _row(pair: tuple[Panel, Panel], found: Agreement) -> str:
    rank = "\u2013" if found.rank is None else f"{found.rank:.2f}".replace("-", "\u2212")
    overlap = "\u2013" if found.overlap is None else report.percent(found.overlap)
    said = verdict(found).replace("agrees", "agree") or "cannot be compared: a map is flat"
    cells = (("They: ", said), ("Rank correlation: ", rank), ("Overlap: ", overlap),
             ("By chance: ", report.percent(found.chance)))  # fmt: skip
    body = "".join(f'<td data-label="{label}">{text.escape(cell)}</td>' for label, cell in cells)
    return f"<tr><td>{text.escape(f'{pair[0].title} and {pair[1].title}')}</td>{body}</tr>"


def _why_not(pairs: Sequence[tuple[Panel, Panel]]) -> str:
    """Say why some pairs have no row."""
    reasons = {
        apart(one.answer.explanation, other.answer.explanation)
        for one, other in pairs
        if one.answer is not None and other.answer is not None
    }
    return f"Left out: {counted(len(pairs), 'pair')}. {' '.join(sorted(reasons))}"


def _where(pairs: Sequence[tuple[Panel, Panel]], found: dict[int, Agreement]) -> None:
    """Draw where the pair that is chosen disagrees: the difference of the two maps' ranks."""

    def least_alike(at: int) -> tuple[bool, float]:
        rank = found[at].rank  # maps for different classes come last: they need not agree
        return not of_one_class(*pairs[at]), 2.0 if rank is None else rank

    ordered = sorted(found, key=least_alike)
    at = st.selectbox(
        "Where two of them disagree",
        ordered,
        format_func=lambda at: f"{pairs[at][0].title} and {pairs[at][1].title}",
        key=f"disagreeing-{len(found)}",  # more runs: the least alike pair comes first again
    )
    (one, other), made = pairs[at], found[at]
    if one.answer is None or other.answer is None or made.placed is None:
        return
    photo = one.answer.scene.photo
    views.line(report.pair_sentence(one.title, other.title, made), "v-prose")
    if made.common < 1:
        views.line(f"Compared where both models look: {report.percent(made.common)} of what the "
                   "first one sees.")  # fmt: skip
    said = f"Ranks of {one.title} less ranks of {other.title}"
    figure.show(
        key="apart",
        name=f"apart-{one.answer.id}-{other.answer.id}",
        photo=photo.pixels,
        attribution=made.apart,
        geometry=made.placed,
        signed=True,
        pair=True,
        captions={
            "photo": [("Photo", False)],
            "map": [(f"{said}, on their common grid of {made.rows} x {made.columns}", False)],
            "over": [("The same over the photo", False)],
        },
        alternatives={
            "photo": f"The photo {photo.name}",
            "map": said,
            "over": f"{said}, over the photo",
        },
        unit="stronger in the first run (+) or in the second (\u2212)",
    )
