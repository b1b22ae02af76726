"""A grid of runs in one go: several models, photos and methods, one after the other.

Models that are not on the desk are opened for as long as their runs take. Each run is kept like any
other; what cannot be run says why in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ui.desk import Desk
from ui.held import Answer, Model, Photo, Prediction, Scene
from ui.slots import Work
from ui.under_way import sentence
from xai_core.card import Card
from xai_core.errors import ParamError, VitrineError
from xai_core.explainer import explainers
from xai_core.question import Question
from xai_core.report import quote
from xai_core.target import ClassTarget, Of

if TYPE_CHECKING:
    from workers.client import Job, Session, Snapshot

SLOT = "grid"
MOST = 12
"""Runs of one grid."""

Done = Callable[[Desk, "Cell", Any], None]
"""Notes what a job gave for a cell."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A model that is to be asked: one that is open, or one that `opened` begins to open.

    Where its file comes from elsewhere, `fetch` brings it, and `opened` is given its path.
    """

    name: str
    model: Model | None = None
    opened: Callable[[Session, Path | None], Model] | None = None
    fetch: Callable[[Session], Job] | None = None


@dataclasses.dataclass(frozen=True)
class Picture:
    """A photo to ask about: one that was decoded, or a file to decode."""

    name: str
    word: str
    photo: Photo | None = None
    data: Callable[[], bytes] | None = None


@dataclasses.dataclass(frozen=True)
class Ask:
    """A method and the values that it is run with; `called` tells it from others of the method.

    `of` says which number of the class is explained.
    """

    method: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    called: str = ""
    of: Of = "logit"

    @property
    def title(self) -> str:
        """What it is called."""
        return self.called or explainers()[self.method].title


@dataclasses.dataclass(eq=False)
class Cell:
    """One run of the grid: what is asked, and what came of it."""

    network: int
    photo: int
    ask: Ask
    answer: Answer | None = None
    problem: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is still to come."""
        return self.answer is None and not self.problem


class Grid:
    """What is compared, cell by cell: the networks outermost, the methods innermost.

    `wanted` is the class to explain in all, or empty for each model's first answer.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        photos: Sequence[Picture],
        asks: Sequence[Ask],
        wanted: str = "",
        slot: str = SLOT,
    ) -> None:
        self.networks, self.photos = tuple(networks), tuple(photos)
        self.asks, self.wanted, self.slot = tuple(asks), wanted, slot
        count = len(self.networks) * len(self.photos) * len(self.asks)
        if not 1 <= count <= MOST:
            raise ParamError(f"A grid has 1 to {MOST} runs, and this one would have {count}")
        self.cells = [
            Cell(network, photo, ask)
            for network in range(len(self.networks))
            for photo in range(len(self.photos))
            for ask in self.asks
        ]
        self._models: dict[int, Model] = {}
        self._paths: dict[int, Path] = {}
        self._photos: dict[int, Photo] = {
            at: each.photo for at, each in enumerate(photos) if each.photo is not None
        }
        self._predictions: dict[tuple[int, int], Prediction] = {}

    @property
    def done(self) -> int:
        """How many cells are settled."""
        return sum(not cell.waits for cell in self.cells)

    @property
    def next(self) -> Cell | None:
        """The cell whose turn it is."""
        return next((cell for cell in self.cells if cell.waits), None)

    def left(self) -> float | None:
        """Return about how many seconds the rest takes; None while no model is known."""
        cards = {at: model.card for at, model in self._models.items() if model.handle.card}
        if not cards:
            return None
        known, unknown = 0.0, []
        for cell in (each for each in self.cells if each.waits):
            seconds = _seconds(cards.get(cell.network), cell.ask)
            if seconds is None:
                unknown.append(cell)
            else:
                known += seconds
        for cell in unknown:
            guesses = [_seconds(card, cell.ask) for card in cards.values()]
            known += next((guess for guess in guesses if guess is not None), 0.0)
        return known

    # -- one step after the other ------------------------------------------------------------

    def go_on(self, desk: Desk) -> None:
        """Begin the next step: open a model, ask it about a photo, or explain. Never waits."""
        cell = self.next
        self._close(desk, but=None if cell is None else cell.network)
        if cell is None:
            return
        try:
            self._step(desk, cell)
        except VitrineError as error:
            cell.problem = str(error)
            self.go_on(desk)

    def _step(self, desk: Desk, cell: Cell) -> None:
        model = self._models.get(cell.network)
        if model is None:
            self._open(desk, cell)
            return
        photo = self._photos.get(cell.photo)
        if photo is None:
            self._decode(desk, cell)
            return
        prediction = self._predictions.get((cell.network, cell.photo))
        if prediction is None:
            self._put(desk, model.handle.predict(photo.pixels), cell, self._predicted)
            return
        question = self._question(model.card, prediction, cell)
        self._put(desk, model.handle.explain(photo.pixels, question), cell, self._explained)

    def _open(self, desk: Desk, cell: Cell) -> None:
        network = self.networks[cell.network]
        if network.model is not None or network.opened is None:
            if network.model is None:
                raise ParamError(f"{quote(network.name)} is no longer open. Open it again.")
            self._models[cell.network] = network.model
            self._step(desk, cell)
            return
        alike = [each for each in self.cells if each.network == cell.network]
        path = self._paths.get(cell.network)
        if path is None and network.fetch is not None:

            def fetched(desk: Desk, cell: Cell, result: Any) -> None:
                self._paths[cell.network] = result

            self._put(desk, network.fetch(desk.session), cell, fetched, alike)
            return
        model = network.opened(desk.session, path)

        def done(desk: Desk, cell: Cell, result: Any) -> None:
            self._models[cell.network] = model

        self._put(desk, model.handle.loading, cell, done, alike)

    def _decode(self, desk: Desk, cell: Cell) -> None:
        picture = self.photos[cell.photo]
        if picture.data is None:
            raise ParamError(f"{quote(picture.name)} is no longer there. Add it again.")

        def done(desk: Desk, cell: Cell, result: Any) -> None:
            made = Photo(picture.name, picture.word, result.pixels, result.notes)
            self._photos[cell.photo] = made

        alike = [each for each in self.cells if each.photo == cell.photo]
        self._put(desk, desk.session.decode(picture.data()), cell, done, alike)

    def _predicted(self, desk: Desk, cell: Cell, result: Any) -> None:
        model, photo = self._models[cell.network], self._photos[cell.photo]
        view, geometry = model.preprocessing.view(photo.pixels)
        made = Prediction(result.probabilities, view, geometry, result.findings)
        self._predictions[cell.network, cell.photo] = made

    def _explained(self, desk: Desk, cell: Cell, explanation: Any) -> None:
        model, photo = self._models[cell.network], self._photos[cell.photo]
        prediction = self._predictions[cell.network, cell.photo]
        scene = Scene(
            model=model,
            card=model.card,
            findings=[*model.card.findings, *photo.findings, *prediction.findings],
            photo=photo,
            prediction=prediction,
        )
        cell.answer = Answer(explanation.question, scene, explanation)
        desk.runs.add(cell.answer, show=False)

    def _question(self, card: Card, prediction: Prediction, cell: Cell) -> Question:
        """Return what a cell asks. Raises ParamError where this model cannot be asked so."""
        served = card.methods.get(cell.ask.method)
        if served is None or served.why_not:
            title = explainers()[cell.ask.method].title
            newer = f"{title} is newer than this opened model. Open it again."
            raise ParamError(served.why_not if served else newer)
        index = prediction.top[0]
        if self.wanted:
            if self.wanted not in card.labels:
                raise ParamError(f"This model has no class {quote(self.wanted)}.")
            index = card.labels.index(self.wanted)
        question = Question(
            method=cell.ask.method,
            target=ClassTarget(index, of=cell.ask.of),
            values=cell.ask.values,
        )
        question.made(card.input_size)  # checks it
        return question

    def _put(
        self, desk: Desk, job: Job, cell: Cell, done: Done, alike: Sequence[Cell] = ()
    ) -> None:
        """Wait for a job of a cell's; where it fails, so do the cells that are `alike` in it."""

        def ended(result: Any) -> None:
            done(desk, cell, result)
            self.go_on(desk)

        def failed(found: Snapshot) -> None:
            said = sentence(found, "It ended without a result.")
            for each in alike or [cell]:
                each.problem = each.problem or said
            self.go_on(desk)

        desk.slots.put(self.slot, Work(self, job, ended, failed))

    def stop(self, desk: Desk) -> None:
        """End it; what is done stays."""
        desk.slots.cancel(self.slot)
        for cell in self.cells:
            if cell.waits:
                cell.problem = "Cancelled before its turn."
        self._close(desk, but=None)

    def _close(self, desk: Desk, *, but: int | None) -> None:
        """Close the models that were opened for this grid and have had their turn."""
        for at, model in list(self._models.items()):
            if at != but and self.networks[at].model is None:
                model.handle.close()


def _seconds(card: Card | None, ask: Ask) -> float | None:
    """Return how long a run takes on a model."""
    if card is None:
        return None
    try:
        question = Question(method=ask.method, target=ClassTarget(0), values=ask.values)
        made = question.made(card.input_size)
        return card.pace.seconds(made.cost(card))
    except VitrineError:
        return 0.0  # it will be refused


def begin(
    desk: Desk,
    networks: Sequence[Network],
    photos: Sequence[Picture],
    asks: Sequence[Ask],
    wanted: str = "",
    slot: str = SLOT,
) -> None:
    """Run a grid, in the place of the slot's last one. Raises ParamError for too many runs."""
    grid = Grid(networks, photos, asks, wanted, slot)

    def act() -> None:
        stop(desk, slot)
        desk.results[slot] = grid
        grid.go_on(desk)

    desk.change(act)


def of(desk: Desk, slot: str = SLOT) -> Grid | None:
    """Return the grid that is under way in a slot, or was made last."""
    grid: Grid | None = desk.results.get(slot)
    return grid


def stop(desk: Desk, slot: str = SLOT) -> None:
    """End the grid under way; what is done stays."""
    grid = of(desk, slot)
    if grid is not None and desk.slots.work(slot) is not None:
        desk.change(lambda: grid.stop(desk))
