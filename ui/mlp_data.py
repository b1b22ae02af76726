"""What a network is trained on: the digits that ship, or a file of the reader's own."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ui import text, views
from ui.desk import Desk
from workers.tasks.read_samples import ReadSamples
from xai_core.training.samples import Samples, split

FILE = "mlp-samples"
_TURN = "mlp-samples-turn"


def own(desk: Desk) -> Samples | None:
    """Return the reader's own samples, where there are some."""
    found = desk.results.get(FILE)
    samples: Samples | None = None if found is None else found.samples
    return samples


def said(desk: Desk) -> str:
    """Say what it is trained on, and tried on."""
    samples = own(desk)
    if samples is None:
        return "Trains on 4,000 MNIST digits, on one thread, and is tried on 1,000 others."
    parts = split(samples)
    return (
        f"Trains on {len(parts.y):,} samples of {samples.word} in {len(samples.classes)} classes, "
        f"on one thread, and is tried on {len(parts.held_y):,} others."
    )


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
