"""The built-in twins, opened once for all that is held to the libraries."""

from typing import Any

import pytest

from tests.fakes import twins as made


@pytest.fixture(scope="session")
def small_twins() -> tuple[Any, Any]:
    """Return the twins for views of 64 pixels: a quarter of the work, the same weights."""
    return made.loaded(64)


@pytest.fixture(scope="session")
def whole_twins() -> tuple[Any, Any]:
    """Return the twins as they come."""
    return made.loaded()
