"""The contract of a method: a frozen declaration that turns a model and a view into a map.

Adding a method is one file in `xai_core/explainers/` that holds one `@explainer` class; forms,
flags, checks, estimates and contract tests follow from its fields.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from xai_core import discovery, params
from xai_core.card import Cost, Kind
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explanation import Explanation, Scale
from xai_core.grain import PIXELS, Grain
from xai_core.layers import default_layer
from xai_core.model import Predicts, lacks
from xai_core.question import Question
from xai_core.target import Asked, BoxTarget, Of, Target
from xai_core.task import Arrays, Progress, Shape, silent

__all__ = [
    "Engine",
    "Explainer",
    "Progress",
    "Raw",
    "Sized",
    "explainer",
    "explainers",
    "explaining",
    "is_class_agnostic",
    "make",
]

Array = NDArray[np.float32]
AGNOSTIC = (
    "This method does not depend on the class: another class gives the same map, which shows what "
    "stands out in the photo and not what speaks for the class."
)
_DOES: Mapping[Kind, str] = {"classification": "class scores", "detection": "boxes"}
_IS: Mapping[Kind, str] = {
    "classification": "finds no objects: it gives class scores",
    "detection": "gives none: it finds objects",
}
Family = Literal["activation maps", "gradients", "perturbation", "other"]


class Sized(Protocol):
    """As much of a model as an estimate needs."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the view."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Raw:
    """What an engine computes: the attribution `[h, w]`, its grain, and what the method adds.

    `signed` is given where the parameters decide whether values below zero mean anything, `passes`
    where it took fewer than the method's cost says. `way` says in a sentence how the passes were
    made, where that was not in the usual way.
    """

    attribution: Array
    signed: bool | None = None
    grain: Grain = PIXELS
    scalars: Mapping[str, float] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    passes: int | None = None
    way: str = ""


def always(model: Predicts) -> str | None:
    """Serve every model that the method itself serves."""
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
    """One way to compute a method: ours, or a published library's.

    `worker` is the kind of process it must run in: the model's own, or `both` where the library
    imports torch and TensorFlow together. `scale` is what the numbers of its maps are. `of` is what
    it can explain of a class, `units` whether it explains a unit of a layer, too.
    """

    name: str
    run: Callable[[Any, Any, Array, Target, Progress], Raw]
    why_not: Callable[[Any], str | None] = always
    worker: Literal["model", "both"] = "model"
    scale: Scale = "raw"
    of: tuple[Of, ...] = ("logit", "probability")
    units: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explainer:
    """Base of every method. Subclasses are frozen, keyword-only dataclasses (see `explainer`).

    `shows` says in one line what its map shows, `place` where it stands among its family: a form
    begins with the first one that serves the model. `class_agnostic` says that its map is the same
    whatever is asked about. `arrays` are what its results hold beside the
    attribution, with the shapes that the other side of the wall admits. The first engine is the
    one that is used where none is chosen. `tasks` are the kinds of model that it explains, `asks`
    what it can be asked of a box that a detector found, and `box_needs` what it needs of a
    detector, where that is not what it needs of a classifier. `together` says that its first engine
    asks the model about the same changed photos whatever the target: it gives `weighed` then.
    `quick` says that it is made for few passes, and is named where another's run is long.
    `slopes_are` says whether it weighs a layer's channels by their gradients averaged over the
    whole map, or each cell by its own.
    """

    title: ClassVar[str]
    family: ClassVar[Family] = "other"
    shows: ClassVar[str] = ""
    place: ClassVar[int] = 50
    reference: ClassVar[str]
    tasks: ClassVar[tuple[Kind, ...]] = ("classification",)
    asks: ClassVar[tuple[Asked, ...]] = ()
    needs: ClassVar[tuple[type, ...]]
    box_needs: ClassVar[tuple[type, ...]] = ()
    signed: ClassVar[bool]
    class_agnostic: ClassVar[bool] = False
    together: ClassVar[bool] = False
    quick: ClassVar[bool] = False
    slopes_are: ClassVar[Literal["", "averaged", "by cell"]] = ""
    engines: ClassVar[tuple[Engine, ...]]
    arrays: ClassVar[Mapping[str, Shape]] = MappingProxyType({})
    name: ClassVar[str]

    engine: str = ""

    def __post_init__(self) -> None:
        """Check every declared value. Raises ParamError."""
        if not self.engine:
            object.__setattr__(self, "engine", self.engines[0].name)
        params.validate(self)
        self.chosen()

    @classmethod
    def suggest(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return the values that suit a view of `size`, and `given` ones, better than defaults."""
        return {}

    @classmethod
    def suggested(
        cls, size: tuple[int, int] | None, given: Mapping[str, Any], engine: str
    ) -> dict[str, Any]:
        """Return what the method suggests, as far as an engine honours it."""
        found, honoured = cls.suggest(size, given), cls.honoured(engine)
        return {name: value for name, value in found.items() if name in honoured}

    @classmethod
    def declared(cls) -> dict[str, params.Param]:
        """Return the method's parameters by name."""
        return params.declared(cls)

    @classmethod
    def honoured(cls, engine: str) -> dict[str, params.Param]:
        """Return the parameters that an engine honours."""
        return {
            name: param
            for name, param in cls.declared().items()
            if not param.engines or engine in param.engines
        }

    @classmethod
    def why_not(cls, model: Predicts) -> str | None:
        """Say in a sentence why the method cannot serve the model, or None where it can."""
        kind: Kind = getattr(model, "task", "classification")
        if kind not in cls.tasks:
            return f"{cls.title} explains {_DOES[cls.tasks[0]]}, and this model {_IS[kind]}."
        needs = cls.box_needs if kind == "detection" and cls.box_needs else cls.needs
        for need in needs:
            if reason := lacks(model, need):
                return re.sub(r"^This needs\b", f"{cls.title} needs", reason)
        return None

    def takes(self, target: Target) -> None:
        """Raise ParamError for what the engine cannot explain."""
        if target.reads == "layer" and not self.chosen().units:
            others = [engine.name for engine in self.engines if engine.units]
            way = f"the engine {others[0]}" if others else "another method"
            raise ParamError(
                f"{self.title} by the engine {self.engine} explains classes, and no unit of a "
                f"layer. Choose {way}, or a class's score or probability."
            )
        if target.reads == "scores" and target.of not in self.chosen().of:
            raise ParamError(
                f"{self.title} by the engine {self.engine} explains the score before it becomes a "
                "probability (logit) only. Choose that, or the engine ours."
            )
        if isinstance(target, BoxTarget) and target.asks not in self.asks:
            known = ", ".join(self.asks) or "nothing"
            raise ParamError(f"{self.title} can be asked {known} of a box, got {target.asks!r}")

    def cost(self, model: Sized) -> Cost:
        """Count the images that go through the network for one explanation, and back."""
        raise NotImplementedError

    def explain(
        self, model: Any, image: Array, target: Target, *, progress: Progress = silent
    ) -> Explanation:
        """Explain one view, float32 `[h, w, 3]` in 0..1.

        Raises UnsupportedModel where the method or its engine cannot serve the model, and
        ParamError for values that do not fit it.
        """
        engine = self.chosen()
        if reason := self.why_not(model) or engine.why_not(model):
            raise UnsupportedModel(reason)
        self.checked(model, image)
        self.takes(target)
        target.check(model)
        view = np.asarray(image, np.float32)
        method = self._with_layers(model)
        start = time.perf_counter()
        raw = engine.run(method, model, view, target, progress)
        return method.explained(model, target, raw, time.perf_counter() - start)

    def checked(self, model: Sized, image: Array) -> None:
        """Raise ParamError for what is no view of a model."""
        if image.shape != (*model.input_size, 3):
            raise ParamError(
                f"{self.title} explains a view of {model.input_size[0]} x {model.input_size[1]} "
                f"pixels and 3 channels, got an array {list(image.shape)}"
            )

    def explain_all(
        self, model: Any, image: Array, targets: Sequence[Target], *, progress: Progress = silent
    ) -> tuple[Explanation, ...]:
        """Explain one view for several targets, one after the other.

        Methods that ask the model about the same masked photos whatever the target do it at once.
        """
        if self.together and self.engine == self.engines[0].name:
            return self._at_once(model, image, targets, progress)
        made = []
        for number, target in enumerate(targets):
            step = _Part(progress, number, len(targets))
            made.append(self.explain(model, image, target, progress=step))
        return tuple(made)

    def weighed(
        self, model: Any, image: Array, targets: Sequence[Target], progress: Progress
    ) -> list[Raw]:
        """Return the result for each target; all are asked about the same changed photos."""
        raise NotImplementedError

    def _at_once(
        self, model: Any, image: Array, targets: Sequence[Target], progress: Progress
    ) -> tuple[Explanation, ...]:
        if reason := self.why_not(model):
            raise UnsupportedModel(reason)
        self.checked(model, image)
        for target in targets:
            self.takes(target)
            target.check(model)
        start = time.perf_counter()
        made = self.weighed(model, np.asarray(image, np.float32), targets, progress)
        seconds = time.perf_counter() - start
        return tuple(
            self.explained(model, *each, seconds) for each in zip(targets, made, strict=True)
        )

    def explained(self, model: Any, target: Target, raw: Raw, seconds: float) -> Explanation:
        """Return what an engine computed with all that made it, and what is wrong with it."""
        engine, notes = self.chosen(), list(raw.notes)
        if not np.any(raw.attribution):
            notes.insert(0, f"The map is blank: {self.title} gave zero for every pixel.")
        elif np.ptp(raw.attribution) == 0:
            notes.insert(0, "The map is flat: every pixel has the same value.")
        if self.class_agnostic:
            notes.append(AGNOSTIC)
        values = {name: getattr(self, name) for name in self.declared()}
        return Explanation(
            attribution=raw.attribution,
            signed=self.signed if raw.signed is None else raw.signed,
            question=Question(method=self.name, engine=engine.name, values=values, target=target),
            grain=raw.grain,
            scale=engine.scale,
            seed=values.get("seed"),
            passes=self.cost(model).passes if raw.passes is None else raw.passes,
            seconds=seconds,
            scalars=raw.scalars,
            arrays=raw.arrays,
            way=raw.way,
            notes=tuple(notes),
        )

    def _with_layers(self, model: Any) -> Explainer:
        """Return the method with the layer that it takes by itself, where none was chosen."""
        empty = [
            name
            for name, param in self.declared().items()
            if param.kind == "layer" and not getattr(self, name)
        ]
        if not empty:
            return self
        return dataclasses.replace(self, **dict.fromkeys(empty, default_layer(model)))

    def chosen(self) -> Engine:
        """Return the engine. Raises ParamError for an unknown one."""
        for engine in self.engines:
            if engine.name == self.engine:
                return engine
        known = ", ".join(engine.name for engine in self.engines)
        raise ParamError(
            f"{type(self).__name__}.engine must be one of {known}, got {self.engine!r}"
        )


class _Part:
    """Tells the progress of one of several runs as a part of the whole."""

    def __init__(self, whole: Progress, number: int, count: int) -> None:
        self._whole, self._number, self._count = whole, number, count
        self.stopping = whole.stopping

    def __call__(
        self, done: int, total: int, partial: Array | None = None, arrays: Arrays | None = None
    ) -> None:
        """Note that `done` of `total` steps of this one are made."""
        self._whole(self._number * total + done, self._count * total)
        self.stopping = self._whole.stopping


_REGISTRY: dict[str, type[Explainer]] = {}
_E = TypeVar("_E", bound=Explainer)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def explainer(cls: type[_E]) -> type[_E]:
    """Make a class a frozen, keyword-only dataclass and register it under its title."""
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    made.name = re.sub(r"[^a-z0-9+]+", "-", made.title.lower()).strip("-")
    _REGISTRY[made.name] = made
    return made


def explainers() -> dict[str, type[Explainer]]:
    """Return every method by name, in the order of their names."""
    discovery.explainers()
    return dict(sorted(_REGISTRY.items()))


def explaining(kind: Kind) -> dict[str, type[Explainer]]:
    """Return the methods by name that explain models of a kind."""
    return {name: cls for name, cls in explainers().items() if kind in cls.tasks}


def is_class_agnostic(method: str) -> bool:
    """Say whether a method's map is the same whatever is asked about."""
    known = explainers().get(method)
    return known is not None and known.class_agnostic


def make(
    name: str, values: Mapping[str, Any], *, engine: str = "", size: tuple[int, int] | None = None
) -> Explainer:
    """Build a method from its name and some of its values.

    What `values` leaves out takes what the method suggests for a view of `size`, or else the
    declared default. Raises ParamError for an unknown method, an unknown value, or one that the
    engine does not honour.
    """
    discovery.explainers()
    if name not in _REGISTRY:
        raise ParamError(f"A method must be one of {', '.join(explainers())}, got {name!r}")
    cls = _REGISTRY[name]
    engine = engine or cls.engines[0].name
    declared = cls.declared()
    for key, value in values.items():
        if key not in declared:
            raise ParamError(
                f"{cls.__name__} has no parameter {key!r}; it has {', '.join(declared) or 'none'}"
            )
        engines = declared[key].engines
        if engines and engine not in engines and value != declared[key].default:
            raise ParamError(
                f"{cls.__name__}.{key} is honoured by {' and '.join(engines)} only, "
                f"and the engine is {engine}"
            )
    suggested = cls.suggested(size, values, engine)
    return cls(**{**suggested, **values}, engine=engine)
