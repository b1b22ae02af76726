"""A stranger's text, read by a worker: this process would hold everybody up meanwhile."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from loaders.class_names import MAX_TEXT
from loaders.options import MAX_ARCHITECTURE
from workers.client import Session
from workers.tasks.sort_files import ReadText, Sorted, names_in
from xai_core.errors import LoadError, ParamError, VitrineError

SHORT = 10_000
"""Bytes of names that are read here: less than a millisecond, where a worker takes fifty."""

PATIENCE = 60.0
"""Seconds that a page waits for a worker; its own limit is shorter."""

Reader = Callable[[bytes], tuple[str, ...]]


def names_by(session: Session) -> Reader:
    """Return what reads names of classes for a visitor. It raises ParamError."""
    return functools.partial(_names, session)


def _names(session: Session, data: bytes) -> tuple[str, ...]:
    if len(data) <= SHORT:
        return names_in(data)
    if len(data) > 4 * MAX_TEXT:
        raise ParamError(f"--classes must be a file of at most {MAX_TEXT // 1_000_000} MB of text")
    try:
        found: tuple[str, ...] = _read(session, data, "")["classes"]
    except ParamError:
        raise
    except VitrineError as error:
        raise ParamError(f"The class names cannot be read: {error}") from None
    return found


def option_in(session: Session, data: bytes, called: str) -> tuple[str, Any]:
    """Return the option that a file's text is for, and its value. Raises VitrineError."""
    if len(data) > 4 * MAX_ARCHITECTURE:
        raise LoadError(f"It is longer than {MAX_ARCHITECTURE:,} characters.")
    ((option, value),) = _read(session, data, called or "file").items()
    return option, value


def _read(session: Session, data: bytes, called: str) -> dict[str, Any]:
    asked = ReadText(data=np.frombuffer(data, np.uint8), called=called)
    told: Sorted = session.run(asked).result(PATIENCE)
    return told.options
