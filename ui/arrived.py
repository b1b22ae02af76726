"""Files that have arrived: which is the model, what belongs to it, and what goes with a refusal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from loaders.options import Options
from ui.desk import Desk
from ui.held import Model
from workers.incoming import Upload
from workers.tasks.sort_files import Sorted, SortFiles
from xai_core.errors import VitrineError

PATIENCE = 60.0
"""Seconds that a page waits until its files are told apart: a worker's own limit is shorter."""


def arrived(desk: Desk, found: Sequence[Upload]) -> None:
    """Open what was sent, or give a refused model what it lacked."""
    if _supplied(desk, found):
        return
    try:
        sent, options = _sorted(desk, found)
    except VitrineError as error:
        _remove(desk, found)
        desk.discard()
        desk.say(str(error))
        return
    _remove(desk, [each for each in found if each is not sent])
    desk.open_model(sent.path, options, name=sent.name, word=sent.name, ask=True)


def _remove(desk: Desk, found: Sequence[Upload]) -> None:
    for each in found:
        if each.path.exists():
            desk.session.remove_file(each.path)


def _supplied(desk: Desk, found: Sequence[Upload]) -> bool:
    """Give a refused model what it lacked, where just that was sent after it."""
    refused = desk.refused
    if refused is None:
        return False
    if refused.wants == "files":
        return _joined(desk, refused.model, found)
    if len(found) != 1:
        return False
    try:
        said = _told(desk, [(found[0].name, found[0].path)]).options
    except VitrineError:
        return False
    if set(said) != {refused.wants}:
        return False
    desk.session.remove_file(found[0].path)
    desk.supply(**said)
    return True


def _told(desk: Desk, files: Sequence[tuple[str, Path]]) -> Sorted:
    """Return what a worker says of files, each with its name. Raises VitrineError."""
    names, paths = (tuple(each) for each in zip(*files, strict=True))
    result: Sorted = desk.session.run(SortFiles(names=names, paths=paths), read=paths).result(
        PATIENCE
    )
    return result


def _joined(desk: Desk, model: Model, found: Sequence[Upload]) -> bool:
    """Put files of weights beside the refused model, where what was sent is nothing else."""
    sent = [(each.name, each.path) for each in found]
    try:
        told = _told(desk, [(model.name, model.path), *sent])
        if told.model != 0 or not told.beside:
            return False
        for at in told.beside:
            name, path = sent[at - 1]
            desk.session.add_beside(model.path, name, path)
    except VitrineError:
        return False
    _remove(desk, found)
    desk.supply(**told.options)
    return True


def _sorted(desk: Desk, found: Sequence[Upload]) -> tuple[Upload, Options]:
    """Return the model among what was sent, and the options that the rest stands for."""
    if len(found) == 1:
        return found[0], Options()
    told = _told(desk, [(each.name, each.path) for each in found])
    sent = found[told.model]
    for at in told.beside:
        desk.session.add_beside(sent.path, found[at].name, found[at].path)
    return sent, dataclasses.replace(Options(), **told.options)
