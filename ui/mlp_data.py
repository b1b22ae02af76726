"""What a network is trained on: the digits that ship, a published set, or a reader's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import streamlit as st

from loaders.digit_sets import HELD, LEARNED, SETS, DigitSet
from loaders.samples import PICTURES, packed
from ui import jobs, text, views
from ui.desk import Desk
from ui.own_files import Reader
from ui.slots import Work
from ui.under_way import sentence
from workers import incoming
from workers.tasks.read_samples import ReadDigitSet, ReadOut, ReadSamples
from xai_core.errors import LoadError, VitrineError
from xai_core.training import digits
from xai_core.training.samples import Samples, split

if TYPE_CHECKING:
    from pathlib import Path

    from workers.client import Snapshot

FILE, FETCH = "mlp-samples", "mlp-set"
_read: dict[str, ReadOut] = {}
_TURN = "mlp-samples-turn"
FORMATS = [each[1:] for each in PICTURES]
FOLDER = 1000
"""Most pictures of a folder: the browser sends each by itself."""


def own(desk: Desk) -> Samples | None:
    """Return the samples in the place of the digits, where there are some."""
    found: ReadOut | None = desk.results.get(FILE)
    if found is None:
        return None
    for each in SETS:
        if found.samples.held and found.samples.classes == each.classes:
            # read once for all visitors: it is large, and the same for everybody
            found = desk.results[FILE] = _read.setdefault(each.name, found)
    return found.samples


def said(desk: Desk, share: float = 1.0) -> str:
    """Say what it is trained on, a `share` of what there is to learn from, and tried on."""
    samples = own(desk)
    learned, held = digits.LEARNED, digits.HELD_OUT
    if samples is not None:
        parts = split(samples)
        learned, held = len(parts.y), len(parts.held_y)
    taken = f"{max(1, round(share * learned)):,}"
    what = "MNIST digits"
    if samples is not None:
        what = f"samples of {samples.word} in {len(samples.classes)} classes"
    if samples is not None and samples.held:
        what = f"pictures of {samples.word}"
    return f"Trains on {taken} {what}, on one thread, and is tried on {held:,} others."


def choose(desk: Desk, busy: bool) -> None:
    """Draw the places for other data, which are read behind the wall."""
    with st.expander("Other data", key="mlp-own"):
        _sets(desk, busy)
        views.line("Your own", "v-label")
        views.line(
            "An NPZ with x and y, or a folder of small pictures with a folder in it for each "
            "class, as it is or as a ZIP. They are read in grey; a fifth is held out."
        )
        given = st.file_uploader(
            "NPZ or ZIP", type=["npz", "zip"], max_upload_size=64, key="mlp-upload", disabled=busy
        )
        if given is not None:
            _take(desk, "file", given.file_id, given.name, given.getvalue)
        found = st.file_uploader(
            "Folder of pictures", type=FORMATS, max_upload_size=4, key="mlp-folder", disabled=busy,
            accept_multiple_files="directory", help=f"Up to {FOLDER:,} pictures; more as a ZIP.",
        )  # fmt: skip
        if found:
            _folder(desk, found)
        if (what := desk.slots.what(FILE)) is not None:
            views.line(f"Reading {what}")
        for slot in (FILE, FETCH):
            if note := desk.notes.get(slot):
                views.error(note)
        samples = own(desk)
        if samples is not None:
            names = text.listed(list(samples.classes))
            views.line(f"\u201c{samples.word}\u201d: {len(samples.y):,} samples of {names}.")
            if st.button("Back to the digits", key="mlp-digits", disabled=busy):
                desk.change(lambda: desk.results.pop(FILE, None))
                st.rerun()


def _take(desk: Desk, place: str, mark: str, called: str, data: Callable[[], bytes]) -> None:
    """Read what was given in a place, once; `mark` tells it from what was given there before."""
    if st.session_state.get(f"{_TURN}-{place}") == mark:
        return
    st.session_state[f"{_TURN}-{place}"] = mark
    desk.notes.pop(FILE, None)
    try:
        task = ReadSamples(data=np.frombuffer(data(), np.uint8), called=called[:60])
    except VitrineError as error:
        desk.notes[FILE] = str(error)
        return
    desk.begin(FILE, desk.session, task, what=called)


def _folder(desk: Desk, files: Sequence[Any]) -> None:
    """Take a folder's pictures, each under its path in the folder, as the ZIP of them."""
    called = PurePosixPath(files[0].name).parts[0]

    def data() -> bytes:
        if len(files) > FOLDER:
            raise LoadError(
                f"{called} has {len(files):,} pictures, and the page takes up to {FOLDER:,} from a "
                "folder. Send it as a ZIP."
            )
        parts = [(str(PurePosixPath(*PurePosixPath(f.name).parts[1:])), f) for f in files]
        return packed(((name, file.getvalue()) for name, file in parts), called)

    _take(desk, "folder", " ".join(sorted(each.file_id for each in files)), called, data)


# -- published sets -------------------------------------------------------------------------------


def _sets(desk: Desk, busy: bool) -> None:
    """Offer the published sets; what was fetched once is there for all."""
    views.line("Published sets", "v-label")
    for found in SETS:
        held = all(map(desk.session.has, found.files))
        size = incoming.text(found.bytes)
        views.line(
            f"{found.title}: {LEARNED:,} pictures of 28 x 28 to learn from and {HELD:,} to try it "
            f"on, {size} from {urlsplit(found.files[0].url).hostname}. {_checked(found)}"
        )
        st.button(
            f"Use {found.title[4:]}" if held else f"Fetch {found.title[4:]}, {size}",
            key=f"mlp-set-{found.name}",
            on_click=_use,
            args=(desk, found),
            disabled=busy or desk.job(FETCH) is not None,
        )


def _checked(found: DigitSet) -> str:
    """Say by which hashes its files are told to be whole."""
    kinds = {each.checksum.partition(":")[0] for each in found.files}
    digits = [each.checksum.partition(":")[2] for each in found.files]
    most = 16 if len(digits) == 1 else 8  # a whole one is wider than a phone
    shown = ", ".join(each[:most] + "\u2026" * (len(each) > most) for each in digits)
    return f"Checked by its {' and '.join(sorted(kinds))}: {shown}."


def _use(desk: Desk, found: DigitSet) -> None:
    for slot in (FILE, FETCH):
        desk.notes.pop(slot, None)
    if (ready := _read.get(found.name)) is not None:
        desk.change(lambda: desk.results.update({FILE: ready}))
        return
    desk.change(lambda: _bring(desk, found, ()))


def _bring(desk: Desk, found: DigitSet, paths: tuple[Path, ...]) -> None:
    """Bring the next of its files; read them where all are there."""
    if len(paths) == len(found.files):
        task = ReadDigitSet(called=found.name, paths=paths)
        desk.begin(FILE, Reader(desk, paths), task, what=found.title)
        return

    def done(path: Path) -> None:
        _bring(desk, found, (*paths, path))

    def failed(now: Snapshot) -> None:
        desk.notes[FETCH] = sentence(now, "The download ended without a file.")

    job = desk.session.bring(found.files[len(paths)])
    desk.slots.put(FETCH, Work(found.files[len(paths)], job, done, failed))


def fetching(desk: Desk, work: Work) -> None:
    """Say how far a download is, with Cancel."""
    now = work.job.snapshot()
    said = f"Fetching {work.what.title}"
    if now.total:
        said += f": {incoming.text(now.done)} of {incoming.text(now.total)}"
    with st.container(horizontal=True, vertical_alignment="center", key="mlp-fetching"):
        st.progress(jobs.share(now), text=text.markdown(said))
        st.button("Cancel", key="mlp-fetch-cancel", on_click=desk.stop, args=(FETCH,))
