"""A detector that came as an export: photos in, boxes out, and nothing of its inside."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from loaders.decoders import Answers, Decoder, find
from loaders.options import Options
from loaders.preprocessing import Preprocessing
from loaders.resolve import resolve
from loaders.torch import detectors
from xai_core import perturb
from xai_core.card import Kind, Wanted
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Detections, Detects, Finding, Head, MasksFast, given
from xai_core.perturb import MaskSource
from xai_core.target import BoxTarget, Target

Array = NDArray[np.float32]
Runs = Callable[[Array], Iterable[Answers]]
"""What a network says of each view `[N, h, w, 3]`."""

M = TypeVar("M")
FAINT, MOST = 0.02, 300
"""Candidates are those from this score on, and so many at the most."""

BATCH = 2
"""Masked views that are made at once."""


class BoxedDetector:
    """A detector's export: Detects, and masked scores of what it found.

    `labels` go without the background. The boxes that it gives are those that its own suppression
    leaves, so its candidates are no more than these.
    """

    task: Kind = "detection"
    head = Head("sigmoid", exclusive=False)
    channels = 3

    def __init__(
        self,
        run: Runs,
        decoder: Decoder,
        *,
        framework: str,
        name: str,
        kind: str,
        architecture: str,
        parameters: int,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        findings: Sequence[Finding] = (),
    ) -> None:
        self._run, self._decoder = run, decoder
        self.framework, self.name, self.kind = framework, name, kind
        self.architecture, self.parameters = architecture, parameters
        self.preprocessing, self.labels = preprocessing, labels
        self.input_size = preprocessing.size
        self.findings = tuple(findings)

    def lacks(self, need: type) -> str | None:
        """Say why it does not give what a capability is, or None where it does."""
        if need in (Detects, MasksFast):
            return None
        return (
            f"This needs {given(need)}, and an export gives its boxes alone. Bring the detector's "
            "weights (torch.save(model.state_dict(), 'detector.pth')), which are read inside."
        )

    def detect(self, images: Array) -> tuple[Detections, ...]:
        """Return what is found on each view `[N, h, w, 3]`.

        Raises UnsupportedModel where it does not answer as it did, or finds a class without a name.
        """
        return tuple(self._read(each) for each in self._run(np.asarray(images, np.float32)))

    def candidates(self, images: Array) -> tuple[Detections, ...]:
        """Return the boxes from a score of 0.02 on, 300 at the most."""
        found = []
        for each in self.detect(images):
            kept = each.scores >= FAINT
            kept[MOST:] = False
            found.append(Detections(each.boxes[kept], each.labels[kept], each.scores[kept]))
        return tuple(found)

    def masked_scores(
        self,
        image: Array,
        masks: MaskSource,
        baseline: Array,
        targets: Sequence[Target],
        batch: int = 0,
    ) -> Iterator[tuple[slice, Array]]:
        """Yield `(slice of masks, scores [b, targets])` for targets that read objects."""
        for target in targets:
            target.check(self)
            if not isinstance(target, BoxTarget):
                raise ParamError(f"This model finds objects; the target reads {target.reads}")

        def scores(views: Array) -> Array:
            found = self.candidates(views)
            return np.stack([target.score(found, self.head) for target in targets], 1)

        yield from perturb.stream(scores, image, masks, baseline, batch or BATCH)

    def _read(self, answers: Answers) -> Detections:
        read = self._decoder.read
        if read is None or self._decoder.tells(answers) is None:
            raise UnsupportedModel("The detector answers on this photo in another way than before.")
        found = read(answers)
        if len(found.labels) and found.labels.max() >= len(self.labels):
            raise UnsupportedModel(
                f"The detector finds class {int(found.labels.max()) + 1}, and {len(self.labels)} "
                "classes have names. Give the names of all that it was trained on (--classes)."
            )
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """What a format's loader knows of an export: how it runs, its weights' shapes, its size.

    `fits` says how photos come to the size, `kind` and `architecture` are what people read.
    """

    run: Runs
    framework: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    parameters: int
    size: tuple[int, int]
    fit: str = "pad"
    architecture: str = ""
    inside: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def opened(export: Export, options: Options, name: str) -> BoxedDetector | None:
    """Return the detector that an export is, or None where its answers are no known detector's.

    Raises UnsupportedModel where they are known and not read.
    """
    decoder = None
    for probe in _probes(export.size):
        (answers,) = export.run(probe[None])
        decoder = find(answers)
        if decoder is None:
            return None
    if decoder is None:
        return None
    recognised = detectors.prepared(export.size, export.fit, "the network scales photos itself")
    preprocessing, resolved = resolve(options, recognised, size=export.size, channels=3)
    detectors.must_serve(preprocessing)
    found = detectors.find(export.shapes)
    classes = detectors.counted(export.shapes)
    labels, named = detectors.labels(classes, options, export.inside)
    whole = Finding(
        "info",
        "This is an export: it gives boxes that its own suppression has left, and nothing of its "
        "inside. D-RISE and occlusion explain it; the sliders can only drop more boxes.",
    )
    return BoxedDetector(
        export.run,
        decoder,
        framework=export.framework,
        name=name,
        kind=export.kind,
        architecture=found.row.name if found else export.architecture,
        parameters=export.parameters,
        preprocessing=preprocessing,
        labels=labels,
        findings=(*export.findings, whole, *resolved, *named),
    )


def either(
    classifier: Callable[[], M], detector: Callable[[], BoxedDetector | None], wanted: Wanted
) -> M | BoxedDetector:
    """Return an export as what is wanted, or else as the other; what reads neither is raised."""
    if wanted == "detection":
        return detector() or classifier()
    try:
        return classifier()
    except UnsupportedModel:
        with contextlib.suppress(UnsupportedModel, ParamError):  # what is wrong has been said
            if found := detector():
                return found
        raise


def _probes(size: tuple[int, int]) -> Iterator[Array]:
    """Yield a grey view and one of noise, to see how answers are made whatever is found."""
    yield np.full((*size, 3), 0.5, np.float32)
    coarse = np.random.default_rng(0).random((8, 8, 3), np.float32)
    down, across = (np.arange(side) * 8 // side for side in size)
    yield coarse[down][:, across]
