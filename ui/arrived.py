"""Files that have arrived: which is the model, what belongs to it, and what goes with a refusal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from loaders import companions
from loaders.options import Options
from ui.desk import Desk
from ui.held import Model
from workers.incoming import Upload
from xai_core.errors import VitrineError


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
        said = companions.alone(found[0].name, found[0].path)
    except VitrineError:
        return False
    if said is None or said[0] != refused.wants:
        return False
    desk.session.remove_file(found[0].path)
    desk.supply(**{said[0]: said[1]})
    return True


def _joined(desk: Desk, model: Model, found: Sequence[Upload]) -> bool:
    """Put files of weights beside the refused model, where what was sent is nothing else."""
    sent = [(each.name, each.path) for each in found]
    try:
        bundle = companions.sort([(model.name, model.path), *sent])
        if bundle.model != model.path or not bundle.beside:
            return False
        for name, path in bundle.beside:
            desk.session.add_beside(model.path, name, path)
    except VitrineError:
        return False
    _remove(desk, found)
    desk.supply(**bundle.options)
    return True


def _sorted(desk: Desk, found: Sequence[Upload]) -> tuple[Upload, Options]:
    """Return the model among what was sent, and the options that the rest stands for."""
    if len(found) == 1:
        return found[0], Options()
    bundle = companions.sort([(each.name, each.path) for each in found])
    sent = next(each for each in found if each.path == bundle.model)
    for name, path in bundle.beside:
        desk.session.add_beside(sent.path, name, path)
    return sent, dataclasses.replace(Options(), **bundle.options)
