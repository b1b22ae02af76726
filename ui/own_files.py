"""Files of a reader's own on their way to a worker that may read them and nothing else."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ui.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


class Reader:
    """Runs a task that wants no model, which may read these files."""

    def __init__(self, desk: Desk, paths: Sequence[Path]) -> None:
        self.run = functools.partial(desk.session.run, read=list(paths))
