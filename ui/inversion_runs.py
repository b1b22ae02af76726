"""Inversions and maximisations on the desk: begun, under way, and the last one of each kind."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import jobs, text, views
from ui.desk import Desk
from ui.held import Model, Photo
from ui.slots import Work
from ui.under_way import sentence
from workers.tasks.inversion_film import DrawGrowth, GrowthFile
from xai_core import encode, params, render
from xai_core.errors import VitrineError
from xai_core.probes import inversion_film, inversion_words, maximisation_words
from xai_core.probes.inversion import Invert, Inverted
from xai_core.probes.maximisation import Maximise
from xai_core.reel import Reel
from xai_core.report import plates as plate
from xai_core.report.inversion import Shown, page
from xai_core.report.plates import Plate

if TYPE_CHECKING:
    from workers.client import Snapshot

Kind = Literal["layers", "target"]
SLOTS: dict[Kind, str] = {"layers": "picture:layers", "target": "picture:target"}
FILM = "picture:film"
HEADS: dict[Kind, str] = {
    "layers": "What layers still know",
    "target": "What a class or a unit answers to",
}
LONGEST = 360
"""Longest side of a picture on the page, in pixels."""
WIDE = 100
"""Pixels of the button that pauses and goes on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """What runs, and on what."""

    kind: Kind
    task: Invert | Maximise
    model: Model
    photo: Photo

    @property
    def names(self) -> tuple[str, ...]:
        """What the pictures are of, in a word each."""
        if isinstance(self.task, Invert):
            return self.task.layers
        return (self.task.target.words(self.model.card.labels),)


@dataclasses.dataclass(eq=False)
class Made:
    """What came of it, and its film once it is drawn (or why there is none)."""

    asked: Asked
    result: Any
    film: Reel | None = None
    film_note: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's classes."""
        return self.asked.model.card.labels

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """The pictures, uint8 `[n, h, w, 3]`."""
        made = self.result
        found: NDArray[np.uint8] = (
            made.pictures if isinstance(made, Inverted) else made.picture[None]
        )
        return found

    @property
    def growth(self) -> inversion_film.Growth:
        """How the pictures came about."""
        if isinstance(self.result, Inverted):
            return inversion_film.of_layers(self.result)
        return inversion_film.of_target(self.result, self.labels)

    @property
    def sentences(self) -> list[str]:
        """What it says."""
        if isinstance(self.result, Inverted):
            return inversion_words.sentences(self.result, self.labels)
        return maximisation_words.sentences(self.result, self.labels)

    @property
    def doubt(self) -> str:
        """What holds of any such picture."""
        layers = isinstance(self.result, Inverted)
        return inversion_words.ONE_OF_MANY if layers else maximisation_words.NOT_A_PHOTO

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data."""
        asked = self.asked
        own = (
            inversion_words.record(self.result, self.labels)
            if isinstance(self.result, Inverted)
            else maximisation_words.record(self.result, self.labels)
        )
        given = {name: getattr(asked.task, name) for name in params.declared(type(asked.task))}
        named = {"model": asked.model.word, "image": asked.photo.word or asked.photo.name}
        return {**named, **own, "parameters": given}

    def under(self, at: int) -> str:
        """Return what stands under a picture."""
        made, name = self.result, self.asked.names[at]
        if isinstance(made, Inverted):
            left = inversion_words.off(float(made.distances[-1, at]))
            alike = f"{made.correlations[at]:.2f}".replace("-", "\u2212")
            return f"{name}: {left} off, correlation {alike}"
        return _bare(name)


def of(desk: Desk, kind: Kind) -> Made | None:
    """Return the last one of a kind."""
    made: Made | None = desk.results.get(SLOTS[kind])
    return made


def begin(desk: Desk, asked: Asked) -> None:
    """Run it, in the place of what runs; the last one stays until it is there."""
    slot = SLOTS[asked.kind]

    def act() -> None:
        for each in (*SLOTS.values(), FILM):
            desk.slots.cancel(each)
        desk.notes.pop(slot, None)
        try:
            job = asked.model.handle.run(asked.task)
        except VitrineError as error:
            desk.notes[slot] = str(error)
            return

        def done(result: Any) -> None:
            made = desk.results[slot] = Made(asked, result)
            _draw(desk, made)

        def failed(found: Snapshot) -> None:
            desk.notes[slot] = sentence(found, "It ended without a picture.")

        desk.slots.put(slot, Work(asked, job, done, failed))

    desk.change(act)


def _draw(desk: Desk, made: Made) -> None:
    """Draw the film of what was made."""
    try:
        job = desk.session.run(DrawGrowth(growth=made.growth))
    except VitrineError as error:
        made.film_note = str(error)
        return

    def done(reel: Reel) -> None:
        made.film = reel

    def failed(found: Snapshot) -> None:
        made.film_note = sentence(found, "The film could not be drawn.")

    desk.slots.put(FILM, Work(made, job, done, failed))


def file(desk: Desk, made: Made, kind: encode.Kind) -> bytes:
    """Return the film as a file to take away."""
    job = desk.session.run(GrowthFile(growth=made.growth, kind=kind))
    data: bytes = job.result().arrays["file"].tobytes()
    return data


def report(made: Made) -> str:
    """Return all of it as one page of HTML."""
    shown = [Shown(*each) for each in zip(made.asked.names, made.pictures, strict=True)]
    if isinstance(made.result, Inverted):
        shown.insert(0, Shown("The photo, as the model gets it", made.result.photo))
    return page(made.asked.task.title, made.record, shown)


def _fitting(desk: Desk, model: Model, photo: Photo) -> list[Made]:
    """Return the last pictures of each kind that are of this model and photo."""
    found = [made for kind in SLOTS if (made := of(desk, kind)) is not None]
    return [made for made in found
            if (made.asked.model.id, made.asked.photo.id) == (model.id, photo.id)]  # fmt: skip


def tried(desk: Desk, model: Model, photo: Photo) -> bool:
    """Whether there are pictures of this model and photo."""
    return bool(_fitting(desk, model, photo))


def plates(desk: Desk, model: Model, photo: Photo) -> list[Plate]:
    """Return the last pictures of this model and photo, for a report."""
    drawn = []
    for made in _fitting(desk, model, photo):
        pictures = [plate.Shown([each], made.under(at)) for at, each in enumerate(made.pictures)]
        if isinstance(made.result, Inverted):
            pictures.insert(0, plate.Shown([made.result.photo], "The photo, as the model gets it"))
        said = [*made.sentences, made.doubt]
        drawn.append(Plate(HEADS[made.asked.kind], said, pictures))
    return drawn


def under_way(desk: Desk, work: Work) -> None:
    """Draw what is made: the bar, the buttons, and the pictures so far."""
    now, asked = work.job.snapshot(), work.what
    st.progress(jobs.share(now), text=text.markdown(_said(now)))
    running = now.state == "running"
    with st.container(horizontal=True, gap="small", key="picture-buttons"):
        # One button of one width: two in turn would move the others from under a click.
        st.button(
            "Go on" if now.paused else "Pause",
            on_click=work.job.command,
            args=("go on" if now.paused else "pause",),
            key="picture-pause",
            width=WIDE,
            disabled=not running,
        )
        st.button(
            "Stop and keep",
            on_click=work.job.command,
            args=("stop",),
            key="picture-stop",
            disabled=not running,
            help="Ends here. The pictures are those of the steps that were made.",
        )
        st.button("Cancel", on_click=desk.stop, args=(SLOTS[asked.kind],), key="picture-cancel")
    shown = now.arrays.get("pictures")
    if shown is None and "picture" in now.arrays:
        shown = now.arrays["picture"][None]
    if shown is None:
        return
    apart = now.arrays.get("distances")
    captions = list(asked.names)
    if apart is not None:
        captions = [
            f"{name}: {inversion_words.off(float(each))} off"
            for name, each in zip(asked.names, apart, strict=True)
        ]
    pictures(shown, [_bare(caption) for caption in captions], "so far")


def drawing(desk: Desk, work: Work) -> None:
    """Say that the film is drawn."""
    now = work.job.snapshot()
    st.progress(jobs.share(now), text="Drawing the film")


def _said(now: Snapshot) -> str:
    if now.state == "queued" or not now.total:
        return jobs.said(now)
    place = f"Step {now.done:,} of {now.total:,}"
    if now.paused:
        return f"Paused. {place}. It goes on by itself after 30 minutes"
    known = now.left is not None and now.seconds > 1
    return f"{place}, {text.estimate(now.left or 0)} left" if known else place


SLOTS_SHOWN: dict[str, Callable[[Desk, Work], None]] = {
    **dict.fromkeys(SLOTS.values(), under_way),
    FILM: drawing,
}


def pictures(shown: NDArray[np.uint8], captions: Sequence[str], which: str = "") -> None:
    """Show pictures, uint8 `[n, h, w, 3]`, side by side, each with its caption."""
    items = []
    for picture, caption in zip(shown, captions, strict=True):
        said = text.escape(f"{caption}, {which}" if which else caption)
        items.append(
            f'<figure><img src="{_url(picture)}" alt="{said}"><figcaption>{said}</figcaption>'
            "</figure>"
        )
    wide = " wide" if len(items) == 1 else ""
    st.html(f'<div class="v-steps{wide}">{"".join(items)}</div>')


def _bare(words: str) -> str:
    return words.replace("\u201c", "").replace("\u201d", "")


def _url(picture: NDArray[np.uint8]) -> str:
    if max(picture.shape[:2]) > LONGEST:
        return views.data_url(picture, longest=LONGEST)
    return f"data:image/png;base64,{base64.b64encode(render.png(picture)).decode()}"
