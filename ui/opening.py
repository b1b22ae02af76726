"""How a model comes onto the desk: opened, asked about, refused, opened again.

A model takes the present one's place only when it has loaded, so that a mistake loses nothing.
One that leaves something open may wait beside the desk, loaded, until the visitor has answered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from loaders import catalogue
from loaders.preprocessing import Options
from ui.held import Model, Refused, wants
from ui.left_open import left_open
from ui.slots import Work
from ui.under_way import UnderWay, alone, sentence
from xai_core.card import Wanted
from xai_core.errors import VitrineError

if TYPE_CHECKING:
    from loaders.catalogue import Entry, Pretrained
    from workers.client import Session, Snapshot

FETCHING, OPENING = "fetching", "opening"
"""The slots in which a model comes."""


class Opening(UnderWay):
    """A visitor's model, and those that are on their way to its place.

    `model_error` says why one did not come, and `error_of` which file that is; it is empty where
    the sentence is about the model on the desk. `found` is loaded and waits for answers; `refused`
    was not opened for want of something that can still be sent.
    """

    wanted: ClassVar[Wanted] = "classification"
    """What a model that comes is to do."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.model: Model | None = None
        self.model_error = ""
        self.error_of = ""
        self.refused: Refused | None = None
        self.found: Model | None = None
        self._recognised: int | None = None

    def built_in(self) -> tuple[Entry, ...]:
        """List the built-in models that do what is wanted; the first is the one to begin with."""
        return catalogue.models()

    @property
    def fetching(self) -> Pretrained | None:
        """The published model whose file is on its way to the server."""
        entry: Pretrained | None = self.slots.what(FETCHING)
        return entry

    @property
    def opening(self) -> Model | None:
        """The model that is being loaded."""
        model: Model | None = self.slots.what(OPENING)
        return model

    # -- what the visitor does ---------------------------------------------------------------

    @alone
    def open_model(
        self,
        path: Path,
        options: Options,
        *,
        name: str,
        word: str,
        about: str = "",
        built_in: bool = False,
        ask: bool = False,
    ) -> None:
        """Start to load a model; it takes the present one's place when it is ready.

        With `ask` one that leaves something open waits for the answers instead, as `found`.
        """
        self.stop_fetching()
        self.say("")
        refused, self.refused = self.refused, None
        superseded = self.slots.take(OPENING)
        if superseded is not None:
            self._put_away(superseded.what)
        if self.found is not None and self.found.path != path and not built_in:
            self._forget_found()  # a model of ours that opens by itself leaves it waiting
        try:
            handle = self.session.open(
                path, options, name=name, trusted_path=built_in, wanted=self.wanted
            )
        except VitrineError as error:
            self.say(str(error), name)
            if not built_in and (self.model is None or self.model.path != path):
                self.session.remove_file(path)
        else:
            model = Model(name, word, path, options, handle, about, built_in, ask)
            done, failed = self._opened, self._not_opened
            self.slots.put(
                OPENING,
                Work(
                    model,
                    handle.loading,
                    lambda result: done(model),
                    lambda found: failed(model, found),
                ),
            )
        if refused is not None and refused.model.path != path:
            self._put_away(refused.model)

    @alone
    def open_pretrained(self, entry: Pretrained) -> None:
        """Fetch a published model's file, unless it is here already, and start to load it."""
        self.stop_fetching()
        self.say("")
        try:
            job = self.session.fetch(entry)
        except VitrineError as error:
            self.say(str(error))
            return
        self.slots.put(
            FETCHING, Work(entry, job, lambda path: self._fetched(entry, path), self._not_fetched)
        )

    @alone
    def stop_fetching(self) -> None:
        """End a download; what has arrived stays on the server."""
        self.slots.cancel(FETCHING)

    @alone
    def upload_model(self, name: str, data: bytes, options: Options, *, ask: bool = False) -> None:
        """Put an uploaded file into this visitor's spool and start to load it."""
        self.say("")
        try:
            path = self.session.add_file(name, data)
        except VitrineError as error:
            self.say(str(error), name)
            return
        self.open_model(path, options, name=name, word=name, ask=ask)

    @alone
    def reopen(self, /, **changes: Any) -> None:
        """Load the present model again with other options. Raises ParamError."""
        if self.model is not None:
            self._open_again(self.model, changes)

    @alone
    def supply(self, /, **changes: Any) -> None:
        """Load the refused model again with what it lacked. Raises ParamError."""
        if self.refused is not None:
            self._open_again(self.refused.model, changes, ask=self.refused.model.ask)

    @alone
    def answer_found(self, /, **changes: Any) -> None:
        """Open the model that waits: at once, or again where an answer differs. Raises ParamError.

        It is put on the desk with whatever it still leaves open.
        """
        model = self.found
        if model is None:
            return
        if dataclasses.replace(model.options, **changes) != model.options:
            self._open_again(model, changes)
            return
        self.say("")
        coming = self.slots.take(OPENING)
        self._place(model)
        if coming is not None:  # it would take its place
            self._put_away(coming.what)

    @alone
    def discard(self) -> None:
        """Let the model go that waits or was refused, with its file, and what was said of it."""
        refused, self.refused = self.refused, None
        if refused is not None:
            self._put_away(refused.model)
        self._forget_found()
        self.say("")

    @alone
    def say(self, sentence: str, name: str = "") -> None:
        """Say why a model did not come, and which file that is."""
        self.model_error, self.error_of = sentence, name

    def _open_again(self, model: Model, changes: Mapping[str, Any], *, ask: bool = False) -> None:
        self.open_model(
            model.path,
            dataclasses.replace(model.options, **changes),
            name=model.name,
            word=model.word,
            about=model.about,
            built_in=model.built_in,
            ask=ask,
        )

    # -- what happens by itself --------------------------------------------------------------

    def _fetched(self, entry: Pretrained, path: Path) -> None:
        self.open_model(
            path,
            entry.options,
            name=f"{entry.title} ({entry.library})",
            word=entry.name,
            about=entry.about,
            built_in=True,
        )

    def _not_fetched(self, found: Snapshot) -> None:
        self.say(sentence(found, "The download ended without a file."))

    def _opened(self, model: Model) -> None:
        if model.ask and left_open(model.card, model.options):
            self._forget_found()
            self.found = model
        else:
            self._place(model)

    def _place(self, model: Model) -> None:
        """Put a loaded model on the desk, in the place of the present one."""
        old, self.model = self.model, model
        if self.found is not None and self.found.path == model.path:
            found, self.found = self.found, None
            if found is not model:
                self._put_away(found)
        if old is not None:
            self._leave(old)
            self._put_away(old)

    def _leave(self, model: Model) -> None:
        """End what still asks a model that goes."""

    def _not_opened(self, model: Model, found: Snapshot) -> None:
        self.say(sentence(found, "The model could not be opened."), model.name)
        needed = wants(found.error, model)
        example = getattr(found.error, "example", ())
        self.refused = Refused(model, needed, example) if needed else None
        self._put_away(model)

    def _forget_found(self) -> None:
        found, self.found = self.found, None
        if found is not None:
            self._put_away(found)

    def _put_away(self, model: Model) -> None:
        """Let a model go, and its file with it: another upload needs the room."""
        model.handle.close()
        refused = self.refused.model if self.refused else None
        kept = (self.model, self.opening, self.found, refused)
        used = {each.path for each in kept if each is not None}
        if not model.built_in and model.path not in used:
            self.session.remove_file(model.path)

    def _recognise(self) -> bool:
        """Notice that the first bytes of the file that is being opened told what it is."""
        model = self.opening
        if model is None or not model.handle.framework or model.id == self._recognised:
            return False
        self._recognised = model.id
        return True

    def _lost_model(self) -> bool:
        """Notice that the present model is gone: closed with its worker, and not coming back."""
        if self.model is None or self.model.handle.state not in ("failed", "closed"):
            return False
        if not self.model_error:
            self.say(
                "The model's process has ended. Open the model again; the last answer is kept."
            )
            return True
        return False
