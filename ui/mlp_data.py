"""What a network is trained on: the digits that ship, or a file of the reader's own."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ui import text, views
from ui.desk import Desk
from workers.tasks.read_samples import ReadSamples
from xai_core.training.digits import HELD_OUT, LEARNED
from xai_core.training.samples import Samples, split

FILE = "mlp-samples"
_TURN = "mlp-samples-turn"


def own(desk: Desk) -> Samples | None:
    """Return the reader's own samples, where there are some."""
    found = desk.results.get(FILE)
    samples: Samples | None = None if found is None else found.samples
    return samples


def said(desk: Desk, share: float = 1.0) -> str:
    """Say what it is trained on, a `share` of what there is to learn from, and tried on."""
    samples = own(desk)
    learned, held = LEARNED, HELD_OUT
    if samples is not None:
        parts = split(samples)
        learned, held = len(parts.y), len(parts.held_y)
    taken = f"{max(1, round(share * learned)):,}"
    what = "MNIST digits"
    if samples is not None:
        what = f"samples of {samples.word} in {len(samples.classes)} classes"
    return f"Trains on {taken} {what}, on one thread, and is tried on {held:,} others."


def choose(desk: Desk, busy: bool) -> None:
    """Draw the place for a file, which is read behind the wall."""
    with st.expander("Data of your own", key="mlp-own"):
        views.line(
            "An NPZ with x and y, or a ZIP with a folder of small pictures for each class. They "
            "are read in grey; a fifth is held out."
        )
        given = st.file_uploader(
            "NPZ or ZIP", type=["npz", "zip"], max_upload_size=64, key="mlp-upload", disabled=busy
        )
        if given is not None and st.session_state.get(_TURN) != given.file_id:
            st.session_state[_TURN] = given.file_id
            data = np.frombuffer(given.getvalue(), np.uint8)
            task = ReadSamples(data=data, called=given.name[:60])
            desk.begin(FILE, desk.session, task, what=given.name)
        if desk.job(FILE) is not None:
            views.line("Reading the file")
        if note := desk.notes.get(FILE):
            views.error(note)
        samples = own(desk)
        if samples is not None:
            names = text.listed(list(samples.classes))
            views.line(f"\u201c{samples.word}\u201d: {len(samples.y):,} samples of {names}.")
            if st.button("Back to the digits", key="mlp-digits", disabled=busy):
                desk.change(lambda: desk.results.pop(FILE, None))
                st.rerun()
