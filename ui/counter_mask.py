"""Masking on the page: hide what a run's map marks, or keep only that, and see what stays."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from ui import counter_curve, jobs, kept, presses, text, views
from ui.desk import Desk
from ui.held import Answer
from ui.slots import Work
from xai_core import params
from xai_core.errors import VitrineError
from xai_core.explainer import explainers
from xai_core.params import FILLS
from xai_core.probes.masking import ORDERS, POINTS, WAYS, Masked, Masking
from xai_core.report.masked import CONTROLS, masked_sentences
from xai_core.report.numbers import percent
from xai_core.report.plates import Plate, Shown, masked_plate, masked_shown

if TYPE_CHECKING:
    from workers.client import Snapshot

SLOT = "counter-mask"
NOTE = "counter-mask-note"
USUAL = 0.05
"""The share at which the slider begins."""

DECLARED = params.declared(Masking)


def kept_as(way: str) -> str:
    """Return the name under which a run keeps what was measured one way."""
    return f"masked-{way}"


def show(desk: Desk) -> None:
    """Draw the controls, and what was measured of the run that is shown."""
    run = desk.answer
    if run is None:
        views.line(
            "Press Run for a map first. Then hide what it marks, bit by bit, and see whether the "
            "answer hangs on it.",
            "v-empty v-quiet",
        )
        return
    labels, made = run.scene.card.labels, run.explanation
    title = f"{explainers()[made.method].title} for {made.target.words(labels)}"
    views.line(f"Tested: {title}, on {run.scene.photo.name} ({run.scene.model.name}).")
    way = _controls(desk, run)
    if note := run.measured.get(NOTE):
        views.error(str(note))
    found: Masked | None = run.measured.get(kept_as(way))
    if found is not None:
        _result(run, found)
    elif desk.slots.work(SLOT) is None:
        views.line(
            "Each point of the curve hides whole parts of the map, and asks again; beside it as "
            "many pixels elsewhere, so that one sees what hiding alone does.",
            "v-empty v-quiet",
        )


def _controls(desk: Desk, run: Answer) -> str:
    gone = run.scene.model.handle.state in ("failed", "closed")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="mask-tools"):
        way = st.selectbox(
            "What to do",
            list(WAYS),
            format_func=WAYS.__getitem__,
            key=kept.control("mask-way", "hide"),
            persist_state="session",
            width=220,
        )
        fill = st.selectbox(
            "Hide with",
            DECLARED["fill"].options,
            format_func=FILLS.__getitem__,
            key=kept.control("mask-fill", DECLARED["fill"].default),
            persist_state="session",
            width=190,
        )
        draws = st.number_input(
            "Random places",
            int(DECLARED["draws"].lo),
            int(DECLARED["draws"].hi),
            key=kept.control("mask-draws", DECLARED["draws"].default),
            persist_state="session",
            width=120,
        )
        found: Masked | None = run.measured.get(kept_as(str(way)))
        values = {"way": str(way), "fill": str(fill), "draws": int(draws)}
        again = found is not None and (found.fill, found.draws) == (fill, draws)
        values["seed"] = found.seed + 1 if again and found is not None else 0
        passes = 2 + len(POINTS) * (len(ORDERS) + int(draws))
        expected = text.estimate(passes * run.scene.card.pace.forward / 1000)
        label = "Again, other places" if again else f"Hide and ask ({expected})"
        busy = desk.slots.work(SLOT) is not None or desk.run is not None
        if presses.button(label, key="mask", type="primary", disabled=gone or busy):
            begin(desk, run, **values)
            st.rerun()
    if gone:
        views.line("Its model is no longer open, so nothing more can be asked of it.")
    return str(way)


def begin(desk: Desk, run: Answer, **values: Any) -> None:
    """Begin a curve of a run; it is kept with the run."""
    scene = run.scene

    def act() -> None:
        run.measured.pop(NOTE, None)
        try:
            task = Masking.of(run.explanation, scene.photo.pixels, card=scene.card, **values)
            job = scene.model.handle.run(task)
        except VitrineError as error:
            run.measured[NOTE] = str(error)
            return

        def done(made: Any) -> None:
            run.measured[kept_as(made.way)] = made

        def failed(found: Snapshot) -> None:
            if found.state != "cancelled":
                run.measured[NOTE] = str(found.error or "The test ended without a result.")

        desk.slots.put(SLOT, Work(run.id, job, done, failed))

    desk.change(act)


def under_way(desk: Desk, work: Work) -> None:
    """Draw how far a curve is, with Cancel."""
    now = work.job.snapshot()
    with st.container(horizontal=True, vertical_alignment="center", key="mask-progress"):
        st.progress(jobs.share(now), text=text.markdown(f"Hiding. {jobs.said(now)}"))
        st.button("Cancel", key="cancel-mask", on_click=_cancel, args=(desk,))


def _cancel(desk: Desk) -> None:
    desk.change(lambda: desk.slots.cancel(SLOT))


def _result(run: Answer, made: Masked) -> None:
    labels = run.scene.card.labels
    point = _slider(made)
    said = masked_sentences(made, labels, point)
    st.html(pictures(run, made, point))
    controls = said.pop(CONTROLS)
    views.line(" ".join(said[:-1]), "v-prose")
    st.html(counter_curve.image(made, point, said[0]))
    views.line(f"{controls} {said[-1]}")


def _slider(made: Masked) -> int:
    """Draw the slider of the share, and return the point that it stands at."""
    areas = [float(area) for area in made.areas]
    options = list(range(1, len(areas)))
    # other parts have other shares: a slider of its own for each
    key = f"mask-share-{made.way}-{len(areas)}-{areas[1]:.4f}"
    start = min(options, key=lambda at: abs(areas[at] - USUAL))
    chosen = st.select_slider(
        "Share of the photo that is kept" if made.way == "keep" else "Share that is hidden",
        options,
        value=start,
        format_func=lambda at: percent(areas[at]),
        key=key,
    )
    return int(chosen)


def pictures(run: Answer, made: Masked, point: int) -> str:
    """Return the four photos that the model was asked about at a point, with its answers."""
    labels = run.scene.card.labels
    shown = masked_shown(made, labels, np.asarray(run.scene.prediction.view, np.float32), point)
    return f'<div class="v-fourfold">{"".join(_picture(each) for _, each in shown)}</div>'


def _picture(shown: Shown) -> str:
    number, *says = shown.said
    alternative = f"{shown.title}: {', '.join(shown.said)}"
    return (
        f'<figure><img src="{_url(shown.pictures[0])}" alt="{text.escape(alternative)}">'
        f"<figcaption><b>{text.escape(shown.title)}</b><br>{text.escape(number)}"
        f'<br><span class="{"v-flips" if shown.flips else ""}">'
        f"{text.emphasised(says[0] if says else '')}</span></figcaption></figure>"
    )


def _url(pixels: np.ndarray) -> str:  # type: ignore[type-arg]
    return _coded(pixels.tobytes(), pixels.shape)


@functools.lru_cache(32)
def _coded(data: bytes, shape: tuple[int, ...]) -> str:
    return views.data_url(np.frombuffer(data, np.uint8).reshape(shape))


def sentences(run: Answer) -> list[str]:
    """Say what was measured of a run's map by masking, for its report."""
    said: list[str] = []
    for way in WAYS:
        made: Masked | None = run.measured.get(kept_as(way))
        if made is not None:
            at = int(np.abs(made.areas - USUAL).argmin()) or 1
            said += masked_sentences(made, run.scene.card.labels, at)
    return said


def measured(run: Answer) -> bool:
    """Whether anything was measured of a run's map by masking."""
    return any(kept_as(way) in run.measured for way in WAYS)


def plates(run: Answer) -> list[Plate]:
    """Return the curves that were measured of a run's map, with their photos, for its report."""
    view = np.asarray(run.scene.prediction.view, np.float32)
    drawn = []
    for way in WAYS:
        made: Masked | None = run.measured.get(kept_as(way))
        if made is not None:
            at = int(np.abs(made.areas - USUAL).argmin()) or 1
            drawn.append(masked_plate(made, run.scene.card.labels, view, at))
    return drawn
