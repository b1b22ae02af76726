"""How strong a change must be until the answer is another one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xai_core.card import Card
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Predicts
from xai_core.params import number
from xai_core.probes._augmented import Strengths, small
from xai_core.probes.augmentations import AUGMENTATIONS, changed, named
from xai_core.region import Region
from xai_core.task import Bench, Progress, Shape, Task, task

STEPS, HALVINGS = 12, 4
LOOKS = 2
"""Passes for a change's lowest lead, between its step and the ones before and after it."""
NEAR = 0.5
"""Part of the whole photo's lead below which a step's is near to turning the answer."""


@task
class TryStrengths(Task):
    """Asks a model about a photo, uint8 `[H, W, 3]`, under changes that grow stronger.

    Each change is made in `steps` rising steps up to its most, and is given up at the first step
    that changes the answer; between that one and the last one before it the strength is then halved
    `halvings` times. Where the answer's lead over the next class falls near naught and rises again,
    both sides of that step are asked, too. `index` is the class whose probability is kept.
    """

    needs = (Predicts,)
    returns = Strengths
    commands = ("stop",)
    text: ClassVar[int] = 64 << 10

    pixels: NDArray[np.uint8]
    index: int
    names: tuple[str, ...] = tuple(AUGMENTATIONS)
    box: Region | None = None
    seed: int = 0
    steps: int = number(STEPS, 1, 32, unit="steps", help="Steps of each change's strength.")
    halvings: int = number(
        HALVINGS,
        0,
        10,
        unit="halvings",
        help="How often the step that changes the answer is halved.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.names) <= len(AUGMENTATIONS) or len(set(self.names)) < len(self.names):
            raise ParamError("The changes must be several names, each once")
        for name in self.names:
            named(name)

    @property
    def passes(self) -> int:
        """How many passes it takes at the most."""
        return 1 + sum(
            len(each.strengths(self.steps)) + (0 if each.switch else self.halvings + LOOKS)
            for each in map(named, self.names)
        )

    def limit(self, card: Card | None) -> float:
        """Return four times the estimate and a minute, at least 10 minutes."""
        forward = 0.0 if card is None else card.pace.forward / 1000
        return max(600.0, 4 * forward * self.passes + 60)

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the shapes of the strengths and the answers."""
        sides = (len(self.names), self.steps)
        return {
            "strengths": Shape("<f8", sides),
            "firsts": Shape("<i4", sides),
            "chances": Shape("<f4", sides),
            "done": Shape("<i4", (len(self.names),)),
            "between": Shape("<f8", (len(self.names), 2)),
            "turned": Shape("<i4", (len(self.names),)),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for other changes, and for answers that are none."""
        if (result.names, result.index) != (self.names, self.index):
            raise ValueError("an answer to other changes")
        if not ((result.done >= 0) & (result.done <= self.steps)).all():
            raise ValueError("steps that were not asked")
        if not np.array_equal(result.strengths, self._strengths()):
            raise ValueError("other strengths")
        for chances in (result.chances, np.array(result.chance)):
            if not np.isfinite(chances).all() or not ((chances >= 0) & (chances <= 1)).all():
                raise ValueError("probabilities that are none")
        self._check_flips(result)
        for firsts in (result.firsts, np.maximum(result.turned, 0), np.array(result.whole)):
            if (firsts < 0).any() or (card is not None and (firsts >= card.classes).any()):
                raise ValueError("classes that are none")

    def _check_flips(self, result: Any) -> None:
        """Raise ValueError for flips elsewhere than the steps have them."""
        for row in range(len(self.names)):
            turned, coarse = int(result.turned[row]), result.step(row)
            good = turned >= 0 or coarse is None
            if turned >= 0:
                low, high = result.between[row]
                asked = (0.0, *result.strengths[row, : result.done[row]])
                within = (one <= low < high <= two for one, two in itertools.pairwise(asked))
                good = turned != result.whole and any(within)
            if not good:
                raise ValueError("a flip that the steps do not have")

    def _strengths(self) -> NDArray[np.float64]:
        rows = []
        for name in self.names:
            own = named(name).strengths(self.steps)
            rows.append([*own, *[own[-1]] * (self.steps - len(own))])
        return np.array(rows, np.float64)

    def run(self, bench: Bench, progress: Progress) -> Strengths:
        """Return what the model said until it was stopped."""
        model, strengths = bench.model, self._strengths()
        if not 0 <= self.index < len(model.labels):
            raise ParamError(f"The class must be from 0 to {len(model.labels) - 1}")
        photo, box = small(self.pixels, self.box)
        whole, chance, first_lead = self._asked(model, photo)
        firsts = np.full(strengths.shape, whole, np.int32)
        chances = np.full(strengths.shape, chance, np.float32)
        count = len(self.names)
        done, turned = np.zeros(count, np.int32), np.full(count, -1, np.int32)
        between = np.zeros((count, 2))

        def ask(name: str, strength: float) -> tuple[int, float, float]:
            made = changed(name, photo, strength, box=box, seed=self.seed)
            return self._asked(model, made.pixels)

        for row, name in enumerate(self.names):
            before, leads = 0.0, [first_lead]
            for step, strength in enumerate(named(name).strengths(self.steps)):
                if progress.stopping:
                    break
                firsts[row, step], chances[row, step], lead = ask(name, strength)
                leads.append(lead)
                done[row] = step + 1
                if firsts[row, step] != whole:
                    turned[row], between[row] = firsts[row, step], (before, strength)
                    break
                before = strength
                progress(self._before(row) + step + 1, self.passes)
            unturned = int(done[row]) - int(turned[row] >= 0)
            for low, high in dips((0.0, *strengths[row, :unturned]), leads):
                if progress.stopping:
                    break
                first, *_ = ask(name, (low + high) / 2)
                if first != whole:
                    turned[row], between[row] = first, (low, (low + high) / 2)
                    break
            halves = turned[row] >= 0 and not named(name).switch
            for half in range(self.halvings if halves else 0):
                progress(self._before(row) + int(done[row]) + half, self.passes)
                if progress.stopping:
                    break
                middle = float(between[row].mean())
                first, *_ = ask(name, middle)
                between[row, int(first != whole)] = middle
                turned[row] = first if first != whole else turned[row]
            progress(self._before(row + 1), self.passes)
        return Strengths(
            names=self.names,
            index=self.index,
            whole=whole,
            chance=chance,
            strengths=strengths,
            firsts=firsts,
            chances=chances,
            done=done,
            between=between,
            turned=turned,
        )

    def _before(self, row: int) -> int:
        """Return how many passes at the most come before a change."""
        return dataclasses.replace(self, names=self.names[:row]).passes if row else 1

    def _asked(self, model: Any, pixels: NDArray[np.uint8]) -> tuple[int, float, float]:
        """Return the first class, the chance of `index`, and the lead over the next class."""
        view, _ = model.preprocessing.view(pixels)
        logits = np.asarray(model.logits(view[None]), np.float32)
        if not np.isfinite(logits).all():
            raise UnsupportedModel(
                "The model's answer to a changed photo is not a finite number: it overflows. Check "
                "its pre-processing."
            )
        chance = float(model.head.probabilities(logits)[0, self.index])
        order = np.sort(logits[0])
        lead = float(order[-1] - order[-2]) if len(order) > 1 else 0.0
        return int(logits[0].argmax()), chance, lead


def dips(strengths: Sequence[float], leads: Sequence[float]) -> list[tuple[float, float]]:
    """Return both sides of the step with the lowest lead that is near naught and rises again.

    `leads` are those of the answer at rising `strengths`, the first one of the photo as it is;
    more leads than strengths may follow. There are none where no lead dips below `NEAR` of that.
    """
    low = [
        at
        for at in range(1, len(strengths) - 1)
        if leads[at - 1] > leads[at] <= leads[at + 1] and leads[at] < NEAR * leads[0]
    ]
    if not low:
        return []
    at = min(low, key=leads.__getitem__)
    return [(strengths[at - 1], strengths[at]), (strengths[at], strengths[at + 1])]
