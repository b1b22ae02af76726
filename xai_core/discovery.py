"""Where methods, tasks and pictures of methods are found: our own packages, and extensions.

An extension is a package that is installed or lies on PYTHONPATH, and is named in the environment
variable VITRINE_EXTENSIONS (several with commas). Each of its folders that has one of our names is
searched as ours is, so that a method of its own is one file in `<package>/explainers/`. Its code
is trusted as ours: it runs on both sides of the wall.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pkgutil

EXTENSIONS = "VITRINE_EXTENSIONS"
OURS = ("xai_core", "workers")
"""The packages that are searched, in this order; one that is not installed is passed over."""


def packages() -> tuple[str, ...]:
    """Return our own packages, and the extensions that the environment names."""
    named = os.environ.get(EXTENSIONS, "").split(",")
    return (*OURS, *(name.strip() for name in named if name.strip()))


@functools.cache
def find(folder: str) -> tuple[str, ...]:
    """Import every module of the folders of that name, and return their names.

    A module that begins with an underscore is a part of others and is left to them.
    """
    found = []
    for package in packages():
        place = f"{package}.{folder}"
        if importlib.util.find_spec(package) is None:
            continue
        spec = importlib.util.find_spec(place)
        if spec is None or spec.submodule_search_locations is None:
            continue  # none, or a module of that name
        for module in pkgutil.iter_modules(spec.submodule_search_locations):
            if not module.name.startswith("_"):
                found.append(f"{place}.{module.name}")
                importlib.import_module(found[-1])
    return tuple(found)


def explainers() -> None:
    """Find every method."""
    find("explainers")


def tasks() -> None:
    """Find every task, and the targets that tasks may be given."""
    for folder in ("targets", "tasks", "training", "probes", "detection"):
        find(folder)


def steps() -> None:
    """Find every picture of a method."""
    find("steps")


def lessons() -> None:
    """Find every lesson on a method."""
    find("lessons")
