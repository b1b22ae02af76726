"""What runs on the far side of the wall: plain functions, callable without any wall.

`load`, `predict`, `explain` and `decode` are the tasks; `OPERATIONS` is their form on the wire,
where a `Bench` stands for the worker that keeps a model between two orders.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xai_core import plain
from xai_core.card import Card, Pace, Service
from xai_core.errors import UnsupportedModel
from xai_core.explainer import Explainer, Progress, explainers
from xai_core.explanation import Explanation
from xai_core.layers import default_layer
from xai_core.model import Finding, Geometry, HasLayers, ShowsLayers, lacks
from xai_core.question import Question
from xai_core.task import silent

if TYPE_CHECKING:
    from loaders.preprocessing import Options

Pixels = NDArray[np.uint8]


def framework(path: Path) -> str:
    """Return 'torch', 'keras' or 'onnx' for a model file. Raises LoadError where it is none."""
    from loaders.load import framework_of

    return str(framework_of(path))


def companions(path: Path) -> tuple[str, ...]:
    """Return the names of the files that an ONNX file keeps its weights in. Raises LoadError."""
    from loaders.onnx.external import names_in

    return names_in(path)


def load(path: Path, options: Options, *, name: str) -> tuple[Any, Card]:
    """Return a model and its card: all that a page shows of it, as plain data."""
    from loaders.load import load as load_file

    model = load_file(path, options, name=name)
    return model, card(model, digest(path))


def card(model: Any, model_hash: str) -> Card:
    """Describe a model as plain data, and measure how long one image takes through it."""
    layers = model.layers() if lacks(model, ShowsLayers) is None else ()
    has_default = bool(layers) and lacks(model, HasLayers) is None
    return Card(
        kind=model.kind,
        framework=model.framework,
        architecture=model.architecture,
        parameters=int(model.parameters),
        input_size=(int(model.input_size[0]), int(model.input_size[1])),
        channels=int(model.channels),
        labels=tuple(model.labels),
        layers=tuple(layers),
        default_layer=default_layer(model) if has_default else None,
        findings=tuple(model.findings),
        preprocessing=model.preprocessing.to_json(),
        head=model.head,
        hash=model_hash,
        pace=Pace(forward=measure(model)),
        methods={name: service(method, model) for name, method in explainers().items()},
    )


def service(method: type[Explainer], model: Any) -> Service:
    """Say whether a method and its engines serve a model; one that fails at it does not."""
    try:
        return Service(
            why_not=method.why_not(model),
            engines={engine.name: engine.why_not(model) for engine in method.engines},
        )
    except Exception as error:  # a method of somebody's, which must not keep a model from opening
        said = f"{method.title} could not tell whether it serves this model ({error!r:.200})."
        return Service(why_not=said, engines={})


def measure(model: Any) -> float:
    """Return the milliseconds of one forward pass, in a batch where the model is quick enough.

    The model has run before: whoever loaded it asked it about the built-in photos.
    """
    grey = np.full((1, *model.input_size, 3), 0.5, np.float32)
    alone = _milliseconds(model, grey)
    if alone > MEASURED_ALONE:
        return alone
    # Methods that ask thousands of masked photos ask them in batches, which is faster.
    return min(alone, _milliseconds(model, np.repeat(grey, 4, 0)))


MEASURED_ALONE = 200.0
"""Milliseconds of a pass from which a batch of 4 would make opening a model slow."""


def _milliseconds(model: Any, views: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    model.logits(views)
    return (time.perf_counter() - start) * 1000 / len(views)


def predict(model: Any, pixels: Pixels) -> dict[str, Any]:
    """Return what the model says about a photo, uint8 `[H, W, 3]`."""
    start = time.perf_counter()
    view, geometry = model.preprocessing.view(pixels)
    logits = np.asarray(model.logits(view[None]), np.float32)
    if not np.isfinite(logits).all():
        raise UnsupportedModel(
            "The model's answer to this photo is not a finite number: it overflows. Check its "
            "pre-processing."
        )
    return {
        "probabilities": model.head.probabilities(logits)[0],  # float32 [classes]
        "logits": logits[0],  # float32 [classes]
        "view": view,  # float32 [h, w, 3]
        "geometry": geometry,
        "seconds": time.perf_counter() - start,
        "findings": _photo_findings(geometry),
    }


def _photo_findings(geometry: Geometry) -> tuple[Finding, ...]:
    if max(geometry.photo) * 2 > max(geometry.view):
        return ()
    photo, view = (f"{side[1]} x {side[0]}" for side in (geometry.photo, geometry.view))
    text = f"The photo is small ({photo} pixels) and was enlarged to {view}, so it looks blurred."
    return (Finding("warning", text, "photo"),)


def explain(
    model: Any,
    pixels: Pixels,
    question: Question,
    *,
    progress: Progress = silent,
    model_hash: str = "",
    image_hash: str = "",
) -> Explanation:
    """Explain a photo, uint8 `[H, W, 3]`, in the frame of the model's view."""
    view, geometry = model.preprocessing.view(pixels)
    explainer = question.made(model.input_size)
    made = explainer.explain(model, view, question.target, progress=progress)
    return dataclasses.replace(
        made,
        geometry=geometry,
        model_hash=model_hash,
        image_hash=image_hash or hash_of(pixels),
    )


def decode(data: bytes) -> dict[str, Any]:
    """Return a photo's pixels, uint8 `[H, W, 3]`, its format and what was done to it."""
    from loaders.images import decode as decode_photo

    photo = decode_photo(data)
    return {"pixels": photo.pixels, "format": photo.format, "notes": list(photo.notes)}


def hash_of(pixels: Pixels) -> str:
    """Return the sha256 of a photo's size and pixels."""
    made = hashlib.sha256(repr(pixels.shape).encode())
    made.update(np.ascontiguousarray(pixels).data)
    return made.hexdigest()


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The same on the wire ----------------------------------------------------------------------------


@dataclasses.dataclass
class Bench:
    """What a worker keeps between two orders."""

    model: Any = None
    hash: str = ""
    sandbox: dict[str, Any] = dataclasses.field(default_factory=dict)


Given = Mapping[str, Any]
Arrays = Mapping[str, NDArray[Any]]
Answer = tuple[dict[str, Any], dict[str, NDArray[Any]]]
Operation = Callable[[Bench, Given, Arrays, Progress], Answer]


def _framework(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    return {"framework": framework(Path(given["path"]))}, {}


def _companions(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    return {"names": list(companions(Path(given["path"])))}, {}


def _load(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    from loaders.preprocessing import Options

    options = Options.from_json(given["options"])
    bench.model, made = load(Path(given["path"]), options, name=given["name"])
    bench.hash = made.hash
    return plain.pack(dataclasses.replace(made, sandbox=bench.sandbox))


def _predict(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    made = predict(bench.model, arrays["pixels"])
    return {
        "geometry": dataclasses.asdict(made["geometry"]),
        "seconds": made["seconds"],
        "findings": [dataclasses.asdict(finding) for finding in made["findings"]],
    }, {name: made[name] for name in ("probabilities", "logits", "view")}


def _explain(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    made = explain(
        bench.model,
        arrays["pixels"],
        plain.unpack(Question, given["question"]),
        progress=progress,
        model_hash=bench.hash,
        image_hash=given["image_hash"],
    )
    return made.to_wire()


def _decode(bench: Bench, given: Given, arrays: Arrays, progress: Progress) -> Answer:
    made = decode(arrays["data"].tobytes())
    return {"format": made["format"], "notes": made["notes"]}, {"pixels": made["pixels"]}


OPERATIONS: dict[str, Operation] = {
    "framework": _framework,
    "companions": _companions,
    "load": _load,
    "predict": _predict,
    "explain": _explain,
    "decode": _decode,
}
