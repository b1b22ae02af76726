"""One wall for all files that are hostile or damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from workers.client import Wall
from workers.sandbox import available, floor

SOAK = bool(os.environ.get("VITRINE_SOAK"))
"""Whether every file is sent, or a seeded part of them (`make soak` and `make test`)."""


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    if not floor(available()):
        pytest.skip("this system has no sandbox")
    made = Wall(cores=2, spool=tmp_path_factory.mktemp("wall"), time_limit=30.0)
    for kind in ("plain", "torch", "keras"):
        made.warm(kind)
    for kind in ("plain", "torch", "keras"):
        made.mother(kind).wait_ready(lambda: False)
    yield made
    made.close()
