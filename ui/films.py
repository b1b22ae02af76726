"""The film of an answer: drawn in a worker once the reader opens it, and kept for that answer."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import streamlit as st

from ui import dialogs, jobs, player, state, text, views
from ui.held import Answer
from workers.tasks.film import DrawFilm, FilmFile
from xai_core.encode import Kind
from xai_core.errors import UnsupportedModel, VitrineError
from xai_core.reel import Reel

if TYPE_CHECKING:
    from workers.client import Job, Session, Snapshot

_HELD = "film-held"


@dataclasses.dataclass(frozen=True)
class _Held:
    """A film under way, or drawn, and which answer it is of."""

    answer: int
    job: Job


@st.fragment
def show(answer: Answer, session: Session, stem: str) -> None:
    """Show how the map came about, once the reader opens it; `stem` names the files of it."""
    opened = st.expander("How it came about", key="how", on_change="rerun")
    if not opened.open:
        return
    with opened:
        job = _job(answer, session)
        if not job.over:
            _wait(job)
            return
        try:
            reel: Reel = job.result(0)
        except UnsupportedModel as error:
            views.line(str(error))
        except VitrineError as error:
            views.error(f"The film could not be drawn. {error}")
            st.button("Draw it again", key="film-again", on_click=_forget)
        else:
            player.show(
                "film",
                f"film-{answer.id}",
                reel,
                take=lambda kind: _file(answer, session, kind),
                stem=stem,
            )
            player.steps(reel.steps)


def _job(answer: Answer, session: Session) -> Job:
    """Return the job that draws the answer's film, begun once."""
    held: _Held | None = st.session_state.get(_HELD)
    if held is None or held.answer != answer.id:
        if held is not None:
            held.job.cancel()
        view = answer.scene.prediction.view
        job = session.run(DrawFilm(explanation=answer.explanation, view=view))
        held = st.session_state[_HELD] = _Held(answer.id, job)
    return held.job


def _forget() -> None:
    st.session_state.pop(_HELD, None)


@st.fragment(run_every=jobs.POLL)
def _wait(job: Job) -> None:
    """Show how far the drawing is, and draw the page anew at its end."""
    now = job.snapshot()
    st.progress(jobs.share(now), text=text.markdown(_said(now)))
    until = time.monotonic() + jobs.PATIENCE
    while not job.over:
        if time.monotonic() > until:
            return
        jobs.breathe()
    if not dialogs.holds(state.desk()):
        st.rerun()


def _said(now: Snapshot) -> str:
    if now.state == "queued":
        return jobs.said(now)
    if not now.total:
        return "Drawing the film"
    return f"Drawing the film: {now.done} of {now.total} pictures"


def _file(answer: Answer, session: Session, kind: Kind) -> bytes:
    view = answer.scene.prediction.view
    job = session.run(FilmFile(explanation=answer.explanation, view=view, kind=kind))
    data: bytes = job.result().arrays["file"].tobytes()
    return data
