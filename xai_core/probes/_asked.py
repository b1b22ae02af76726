"""A model's answers to many hidden versions of one view, each under a key of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import UnsupportedModel
from xai_core.model import Predicts, lacks
from xai_core.perturb import MaskSource
from xai_core.probes._hidden import Answers
from xai_core.target import ClassTarget, Target

Array = NDArray[np.float32]


class Asked:
    """What a model says of the masks of a source; `keys` name them in their order."""

    def __init__(
        self, model: Any, target: Target, masks: MaskSource, keys: Sequence[Hashable]
    ) -> None:
        self.model, self.target, self.masks = model, target, masks
        self.at = {key: index for index, key in enumerate(keys)}
        self.scores = np.full(len(masks), np.nan, np.float32)
        classifies = not lacks(model, Predicts)
        self.logits = np.zeros((len(masks), len(model.labels)), np.float32) if classifies else None

    def ask(self, image: Array, hidden: Array, told: Callable[[int], None]) -> None:
        """Ask about every mask; `told` hears how many are answered.

        Raises UnsupportedModel where an answer is not finite.
        """
        classes = () if self.logits is None else range(self.logits.shape[1])
        targets = [self.target, *(ClassTarget(index) for index in classes)]
        for part, batch in self.model.masked_scores(image, self.masks, hidden, targets):
            if not np.isfinite(batch).all():
                raise UnsupportedModel(
                    "The model's answer is not a finite number where a part of this photo is "
                    "hidden: it overflows. Hide with another fill, or check its pre-processing."
                )
            self.scores[part] = batch[:, 0]
            if self.logits is not None:
                self.logits[part] = batch[:, 1:]
            told(part.stop)

    def of(self, keys: Iterable[Hashable]) -> Answers:
        """Return the answers to some of them, in their order."""
        rows = [self.at[key] for key in keys]
        scores, logits, index = self.scores[rows], self.logits, self.target.classes()
        if logits is None:
            return Answers(scores)
        chances = self.model.head.probabilities(logits[rows])[:, index[0]] if index else None
        return Answers(scores, chances, logits[rows].argmax(1).astype(np.int32))
