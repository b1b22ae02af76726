"""Dense networks of a reader's own: one, or the checkpoints of one training, in their order."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import kept, mlp_data, views
from ui.desk import Desk
from ui.own_files import Reader
from ui.trainings import Run, Trainings
from workers.tasks.open_dense import NAME, OpenDense
from workers.tasks.recognise import Recognise
from xai_core.errors import VitrineError
from xai_core.training.opened import MOST, SCALINGS
from xai_core.training.recording import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from xai_core.training.samples import Samples

FOUND, OPENED = "mlp-network-kind", "mlp-network"
_GIVEN, _HELD = "mlp-network-given", "mlp-network-worker"
_ASKED = "mlp-network-asked"
TITLE = "Yours"
MEGABYTES = 64
ENDINGS = ["pt", "pth", "bin", "safetensors", "keras", "h5", "hdf5"]


@dataclasses.dataclass(frozen=True)
class Given:
    """Files that were given, in the order of their names, and what tells them from others."""

    mark: tuple[str, ...]
    names: tuple[str, ...]
    paths: tuple[Path, ...]


def choose(desk: Desk, held: Trainings) -> None:
    """Draw the place for files, which are read behind the wall; what they answer is shown."""
    with st.expander("A network of your own", key="mlp-network-place"):
        views.line(
            "A classifier of dense layers with ReLU by PyTorch or Keras, or several checkpoints of "
            "one training: they are shown in the order of their names. It answers to the data that "
            "are chosen above: the digits, or a file of yours."
        )
        files = st.file_uploader(
            "Model files", type=ENDINGS, max_upload_size=MEGABYTES, key="mlp-network-upload",
            accept_multiple_files=True,
        )  # fmt: skip
        scaling = st.selectbox(
            "Its inputs were scaled to", list(SCALINGS),
            key=kept.control("mlp-network-scaling", next(iter(SCALINGS))),
            help="How the training had a pixel of 0 to 255: from 0 to 1, say.",
        )  # fmt: skip
        _take(desk, files or [])
        _open(desk, scaling, mlp_data.own(desk))
        if desk.job(FOUND) is not None or desk.job(OPENED) is not None:
            views.line("Opening")
        for slot in (FOUND, OPENED):
            if note := desk.notes.get(slot):
                views.error(note)
    _show(desk, held)


def _take(desk: Desk, files: list[Any]) -> None:
    """Take what was given, and look what opens it."""
    mark = tuple(sorted(each.file_id for each in files))
    before: Given | None = st.session_state.get(_GIVEN)
    if not files or (before is not None and before.mark == mark):
        return
    _forget(desk)
    if len(files) > MOST:
        desk.notes[FOUND] = f"At most {MOST} checkpoints of one training are shown. Take fewer."
        st.session_state[_GIVEN] = Given(mark, (), ())
        return
    files = sorted(files, key=lambda each: _natural(each.name))
    try:
        paths = tuple(desk.session.add_file(each.name, each.getvalue()) for each in files)
    except VitrineError as error:
        desk.notes[FOUND] = str(error)
        return
    given = Given(mark, tuple(each.name[:NAME] for each in files), paths)
    st.session_state[_GIVEN] = given
    desk.begin(FOUND, Reader(desk, paths[:1]), Recognise(path=paths[0]))


def _forget(desk: Desk) -> None:
    for slot in (FOUND, OPENED):
        desk.results.pop(slot, None)
        desk.notes.pop(slot, None)
    st.session_state.pop(_ASKED, None)
    given: Given | None = st.session_state.pop(_GIVEN, None)
    for path in () if given is None else given.paths:
        desk.session.remove_file(path)
    if (old := desk.results.pop(_HELD, None)) is not None:
        old.close()


def _natural(name: str) -> list[tuple[int, str]]:
    """Order names as people count: epoch-9 before epoch-10."""
    parts = re.findall(r"\d+|\D+", name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _open(desk: Desk, scaling: Any, samples: Samples | None) -> None:
    """Open what was given, again where the data or the scaling are others."""
    given: Given | None = st.session_state.get(_GIVEN)
    found = desk.results.get(FOUND)
    asked = (scaling, id(samples))
    if given is None or found is None or st.session_state.get(_ASKED) == asked:
        return
    st.session_state[_ASKED] = asked
    if found.kind not in ("torch", "keras"):
        desk.notes[OPENED] = (
            "These files are neither PyTorch's nor Keras's. Save the network where it was made."
        )
        return
    held = desk.results.get(_HELD)
    if held is None or held.state in ("closed", "failed"):
        held = desk.results[_HELD] = desk.session.hold(found.kind, read=list(given.paths))
    try:
        task = OpenDense(
            paths=given.paths, names=given.names, framework=found.kind, scaling=scaling,
            samples=samples,
        )  # fmt: skip
    except VitrineError as error:
        desk.notes[OPENED] = str(error)
        return
    desk.begin(OPENED, held, task)


def _show(desk: Desk, held: Trainings) -> None:
    """Let what was opened stand on the stage, in the place of what was opened before."""
    made: Recording | None = desk.results.pop(OPENED, None)
    if made is None:
        return
    old = [run for run in held.runs if run.settings is None]
    held.show(Run(settings=None, recording=made, title=TITLE, data=mlp_data.own(desk)))
    held.runs = [run for run in held.runs if run not in old]
    held.picked = held.branch = None
    held.note = ""
    st.rerun()  # the stage is drawn before the form
