"""Files with dense layers, one or the checkpoints of one training: what they answer to samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from loaders import dense
from xai_core.card import Card
from xai_core.errors import LoadError, ParamError, UnsupportedModel
from xai_core.task import Bench, Progress, Shape, Task, Wants, task
from xai_core.training import opened, recording
from xai_core.training.digits import CLASSES, PROBES, SIDE, Data, digits
from xai_core.training.opened import LAYERS, MISTAKES, MOST, SCALINGS, UNITS, WEIGHTS, Scaling
from xai_core.training.recording import EACH, Recording
from xai_core.training.samples import Samples, split

NAME = 60
"""Letters of a file's name that are kept."""
ASSUMED = (
    "A file of weights alone does not say what stands between its layers: ReLU is taken. If that "
    "is not so, save the network as TorchScript or with Keras."
)


@task
class OpenDense(Task):
    """Reads the dense layers of files that `framework` opens, and shows `samples` to them.

    `names` are what the files are called; without samples the digits are shown.
    """

    returns = Recording
    text: ClassVar[int] = 64 << 10

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    framework: Wants = "torch"
    scaling: Scaling = "0 to 1"
    samples: Samples | None = None

    def __post_init__(self) -> None:
        """Refuse too many files, and an unknown scaling. Raises ParamError."""
        super().__post_init__()
        if not 1 <= len(self.paths) <= MOST or len(self.names) != len(self.paths):
            raise ParamError(
                f"From 1 to {MOST} checkpoints of one training are shown, got {len(self.paths)}"
            )
        if self.scaling not in SCALINGS:
            raise ParamError(f"A scaling must be one of {', '.join(SCALINGS)}")
        own = None if self.samples is None else split(self.samples)
        object.__setattr__(self, "_own", own)

    @property
    def _data(self) -> Data | None:
        own: Data | None = getattr(self, "_own", None)
        return own

    def wants(self) -> Wants:
        """Return what reads the files."""
        return self.framework

    def limit(self, card: Card | None) -> float:
        """Return 300 s."""
        return 300.0

    def gives(self, card: Card | None) -> Mapping[str, Shape]:
        """Return the recording, whose layers are not known before."""
        data, many = self._data, len(self.paths)
        probes, inputs, classes = PROBES * len(CLASSES), SIDE * SIDE, len(CLASSES)
        if data is not None:
            probes, inputs, classes = len(data.probes), data.x.shape[1], len(data.classes)
        return {
            "curves.*": Shape("<f4", ("",), most=2 * many),
            **_layers(many),
            f"arrays.{EACH}norms": Shape("<f4", (many, ""), most=many * (LAYERS + 1)),
            f"arrays.{EACH}confusion": Shape("<i4", (many, classes, classes)),
            "arrays.probes": Shape("|u1", (probes, inputs)),
            "arrays.probe classes": Shape("<i8", (probes,)),
            "arrays.mistakes": Shape("|u1", ("", inputs), most=MISTAKES * inputs),
            "arrays.mistake classes": Shape("<i8", ("", 2), most=MISTAKES * 2),
            "arrays.weight *": Shape("<f4", ("", ""), most=WEIGHTS),
            "arrays.bias *": Shape("<f4", ("",), most=(LAYERS + 1) * UNITS),
        }

    def check(self, result: Any, card: Card | None) -> None:
        """Raise ValueError for what is not of these files."""
        found = opened.opened(result)
        if found is None or found.files != self.names or len(result) != len(self.paths):
            raise ValueError("a recording of other files")
        probes = PROBES * len(CLASSES) if self._data is None else len(self._data.probes)
        for at, name in enumerate(opened.layers(result), 1):
            units = len(result.arrays[f"weight {at}"])
            active = result.arrays[f"{EACH}active {name}"]
            if result.frames[name].sides != (probes, units) or active.shape[1] != units:
                raise ValueError("a recording of other layers")
        opened.chained(result)

    def run(self, bench: Bench, progress: Progress) -> Recording:
        """Return it. Raises LoadError, UnsupportedModel and ParamError, which name the file."""
        networks, compared = [], True
        for at, (path, name) in enumerate(zip(self.paths, self.names, strict=True)):
            progress(at, len(self.paths))
            try:
                network, alike = dense.read(path)
            except UnsupportedModel as error:
                raise UnsupportedModel(f"{name}: {error}") from None
            except LoadError as error:
                raise LoadError(f"{name}: {error}") from None
            networks.append(network)
            compared = compared and alike
        made = opened.seen(networks, self._data or digits(), self.scaling, self.names)
        return dataclasses.replace(made, notes=() if compared else (ASSUMED,))


def _layers(many: int) -> dict[str, Shape]:
    made: dict[str, Shape] = {}
    for at in range(1, LAYERS + 1):
        shapes = recording.gives({f"layer {at}": recording.RAW // recording.EPOCHS})
        shapes.pop("curves.*")
        shapes[f"arrays.{EACH}active layer {at}"] = Shape("|u1", (many, ""), most=many * UNITS)
        made |= {name: dataclasses.replace(shape, optional=True) for name, shape in shapes.items()}
    return made
