"""The list of methods for one model: by family, those that cannot serve it last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from xai_core.card import Kind, Service
from xai_core.explainer import Explainer, Family, explainers, explaining

AGNOSTIC = "Does not depend on the class"
"""What is said of a method whose map is the same for every class."""
FAMILIES: tuple[str, ...] = get_args(Family)
ABOUT: Mapping[str, str] = {
    "activation maps": "They weigh the maps of a layer: quick, and no finer than its cells.",
    "gradients": "They ask which pixels would change the score if they changed a little.",
    "perturbation": "They hide parts of the photo and watch the score: slow, and for any network.",
    "other": "They go a way of their own.",
}
"""What the methods of a family have in common, in a line."""


def ordered(served: Mapping[str, Service], kind: Kind = "classification") -> list[str]:
    """Return the methods' names: those that serve the model first, then by family and place."""
    known = explaining(kind)

    def place(name: str) -> tuple[bool, int, int, str]:
        cls, service = known[name], served.get(name)
        lost = service is None or service.why_not is not None
        return lost, FAMILIES.index(cls.family), cls.place, cls.title

    return sorted(known, key=place)


def apart(served: Mapping[str, Service]) -> list[str]:
    """Return two methods that serve the model and look at it in ways as different as there are."""
    known, firsts = explainers(), dict[str, str]()
    for name in ordered(served):
        if name in served and served[name].why_not is None:
            firsts.setdefault(known[name].family, name)
    names = list(firsts.values())
    return names[:1] + names[1:][-1:]


def by_family() -> dict[str, list[type[Explainer]]]:
    """Return the methods for classifiers of each family that has some, in their order."""
    found: dict[str, list[type[Explainer]]] = {}
    listed = explaining("classification").values()
    for cls in sorted(listed, key=lambda cls: (cls.place, cls.title)):
        found.setdefault(cls.family, []).append(cls)
    return {family: found[family] for family in FAMILIES if family in found}


def label(name: str, served: Mapping[str, Service]) -> str:
    """Return a method's line in the list; what is typed into the list is looked for in it."""
    cls, service = explainers()[name], served.get(name)
    if service is None or service.why_not is not None:
        return f"{cls.title} (not for this model)"
    return f"{cls.title} ({cls.family})"
