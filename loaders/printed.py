"""What was asked of a model and its photos, as the flags of a command line that asks it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loaders import catalogue
from loaders.class_names import write_classes
from loaders.options import Options


def flags(options: Options, *, word: str, preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """Return the words of a command line by the options that they are of.

    `word` names the catalogue's model, whose own options the command line adds by itself; it is
    empty for a file of one's own. `preprocessing` is what is done to photos: it says what became of
    an option that an entry has and the person took back.
    """
    entry = catalogue.find(word) if word else None
    own = entry.options if entry else Options()
    done: dict[str, Any] = {}
    for name, param in Options.flags().items():
        value, usual = getattr(options, name), getattr(own, name)
        if value == param.default and usual != param.default:
            value = preprocessing.get(name)
            value = tuple(value) if isinstance(value, list) else value
        if value not in (param.default, usual, None):
            done[name] = value
    if entry and done.keys() & {"size", "fit", "resize"}:  # then the entry's own are dropped
        kept = {name: getattr(options, name) for name in ("size", "resize")}
        done |= {name: value for name, value in kept.items() if value is not None}
    declared = Options.flags()
    return {name: declared[name].word(done[name]) for name in declared if name in done}


def files(options: Options, named: Mapping[str, str]) -> dict[str, str]:
    """Return the files that a command line of these flags reads: their texts by their names."""
    found = {}
    for name, param in Options.flags().items():
        value = getattr(options, name)
        if name in named and param.file and value:
            found[param.file] = value if isinstance(value, str) else write_classes(value)
    return found
