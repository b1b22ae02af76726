"""States of networks in training, kept within a bound: what a branch takes up again.

A state is whatever a learner needs to go on exactly: its weights, its optimiser's state and its
generator's. Where the bound is reached every second state of the training that has most goes, so
that what stays is spread over its epochs.
"""

from __future__ import annotations

import dataclasses
from typing import Any

LIMIT = 150 << 20
"""Bytes of all states together."""
KEPT = "checkpoints"
"""Where a worker's bench keeps them."""


@dataclasses.dataclass(frozen=True)
class _Kept:
    state: Any
    size: int


class Checkpoints:
    """States by training and epoch; a training's `key` says all that led to the epoch."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.size = limit, 0
        self._kept: dict[str, dict[int, _Kept]] = {}

    def __len__(self) -> int:
        """How many states there are."""
        return sum(map(len, self._kept.values()))

    def put(self, key: str, epoch: int, state: Any, size: int) -> None:
        """Keep a state of so many bytes, which nobody changes from now on."""
        own = self._kept.setdefault(key, {})
        if epoch in own or size > self.limit:
            return
        own[epoch] = _Kept(state, size)
        self.size += size
        while self.size > self.limit:
            self._thin()

    def get(self, key: str, epoch: int) -> Any | None:
        """Return a state, or None."""
        found = self._kept.get(key, {}).get(epoch)
        return None if found is None else found.state

    def _thin(self) -> None:
        key = max(self._kept, key=lambda each: len(self._kept[each]))
        epochs = sorted(self._kept[key])
        for epoch in epochs[1::2] or epochs:
            self.size -= self._kept[key].pop(epoch).size
        if not self._kept[key]:
            del self._kept[key]
