"""pytorch-grad-cam behind our contract. It scales each map to 0..1, which `SCALE` says."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.cam import scores_only
from xai_core.errors import UnsupportedModel
from xai_core.explainer import Engine, Progress, Raw
from xai_core.explanation import Scale
from xai_core.target import Target

Array = NDArray[np.float32]
Notes = Callable[[Any, Any, Array, Target], tuple[str, ...]]
NAME = "grad-cam"
ABLATED = -1000.0
"""What the library sets a channel of a detector's levels to, to leave it out."""
COPIES = 4
"""Copies of a detector's levels that it runs at once; its own 32 take gigabytes."""
SCALE: Scale = "its own 0..1"
OF_OBJECTS = ("EigenCAM", "AblationCAM")
"""What it does for detectors, too: the methods that take no gradients."""
MOST_CELLS = 64 * 64
"""Cells of a map that its singular values are taken of: it makes a square matrix of them."""


def why_not(model: Any) -> str | None:
    """Say why the library cannot serve the model."""
    if model.framework != "torch":
        kind = "an ONNX" if model.framework == "onnx" else "a TensorFlow"
        return f"The grad-cam library reads PyTorch models only; this is {kind} model."
    if getattr(model, "scripted", False):
        return "The grad-cam library reads layers by hooks, and TorchScript runs none."
    return None


def engine(kind: str, notes: Notes | None = None, **values: str) -> Engine:
    """Return the engine that runs the library's class `kind` with some of a method's values.

    `values` are the library's names for them.
    `notes` says of a method, a model, a view and a target what is to be known of its map.
    """

    def run(method: Any, model: Any, image: Array, target: Target, progress: Progress) -> Raw:
        given = {theirs: getattr(method, name) for name, theirs in values.items()}
        attribution = cam(kind, model, image, target, method.layer, progress, **given)
        return Raw(
            attribution=attribution,
            grain=method.cells_of(model, "linear"),
            notes=notes(method, model, image, target) if notes else (),
        )

    def refuses(model: Any) -> str | None:
        if getattr(model, "task", "classification") == "detection" and kind not in OF_OBJECTS:
            return "The grad-cam library follows no gradient to a detector's levels; choose ours."
        return why_not(model)

    return Engine(name=NAME, run=run, why_not=refuses, scale=SCALE, units=False)


def cam(
    kind: str,
    model: Any,
    image: Array,
    target: Target,
    layer: str,
    progress: Progress,
    **values: Any,
) -> Array:
    """Return the map of the library's class `kind` of one view, float32 `[h, w]` in 0..1.

    Raises UnsupportedModel where the library would read something else than the layer's output.
    """
    import pytorch_grad_cam
    import torch
    from pytorch_grad_cam.ablation_layer import AblationLayer

    if target.reads != "objects":
        scores_only(f"The grad-cam library's {kind}", target)
    (row,) = (row for row in model.layers() if row.name == layer)
    if "Eigen" in kind and row.map_size[0] * row.map_size[1] > MOST_CELLS:
        raise UnsupportedModel(
            f"The grad-cam library makes a square matrix of the layer's {row.map_size[0]} x "
            f"{row.map_size[1]} cells, which does not fit into memory. Choose ours, or a later "
            "layer."
        )
    if "Ablation" in kind:
        own = _levels(AblationLayer) if target.reads == "objects" else AblationLayer
        values["ablation_layer"] = own()  # its own default is one for all runs
        if target.reads == "objects":
            values["batch_size"] = COPIES
    module, inner = model.native(), model.native_layer(layer)
    view = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    view.requires_grad_()  # the parameters are frozen, so a gradient has to start at the view
    score = _score(model, target)
    if "Ablation" in kind and target.reads == "objects":
        _found(module, view, score)
    made = getattr(pytorch_grad_cam, kind)(
        model=module,
        target_layers=[inner],
        reshape_transform=model.reshape_transform(layer),
        **values,
    )
    try:
        # it orders channels by 0/0 where one has a single value
        with np.errstate(invalid="ignore"), _followed(made, layer, progress):
            maps = made(input_tensor=view, targets=[score])
        _once(made, layer)
    finally:
        made.activations_and_grads.release()
        if "ablation_layer" in values:  # it leaves its own layer in the model after an error
            _put_back(module, values["ablation_layer"], inner)
    progress(1, 1)
    return np.asarray(maps[0], np.float32)


def _found(module: Any, view: Any, score: Callable[[Any], Any]) -> None:
    """Raise UnsupportedModel where the box is in none of the detector's answers.

    The library divides by its score, and would hand back a map that is no number anywhere.
    """
    import torch

    with torch.no_grad():
        whole = float(score(module(view)[0]))
    if not whole > 0:
        raise UnsupportedModel(
            "The grad-cam library tells what share of the box's score each channel takes, and in "
            "the detector's final answer this box has none. Choose ours, or a box that was found."
        )


def _levels(base: Any) -> Any:
    """Return the library's layer for ablation, for any number of levels of any channels.

    Its own for Faster R-CNN takes five levels of 256 channels for granted.
    """
    from collections import OrderedDict

    class Levels(base):  # type: ignore[misc]
        """Hands out all levels, with one channel of each copy set far below any value."""

        def set_next_batch(
            self, input_batch_index: int, activations: Any, num_channels_to_ablate: int
        ) -> None:
            self.activations = OrderedDict(
                (name, each[input_batch_index][None].repeat(num_channels_to_ablate, 1, 1, 1))
                for name, each in activations.items()
            )

        def __call__(self, x: Any) -> Any:
            ends = np.cumsum([each.shape[1] for each in self.activations.values()])
            names = list(self.activations)
            for row in range(len(self.activations[names[0]])):
                channel = int(self.indices[row])
                at = int(np.searchsorted(ends, channel, side="right"))
                within = channel - (int(ends[at - 1]) if at else 0)
                self.activations[names[at]][row, within] = ABLATED
            return self.activations

    return Levels


def _score(model: Any, target: Target) -> Callable[[Any], Any]:
    import torch

    if target.reads == "objects":
        return lambda said: torch.from_numpy(target.score([model.read(said)], model.head))
    weights = torch.from_numpy(target.weights(len(model.labels)))

    def score(output: torch.Tensor) -> torch.Tensor:
        if target.of == "probability":
            output = output.softmax(-1) if model.head.exclusive else output.sigmoid()
        return output @ weights

    return score


class _Bar:
    """Stands in for the library's progress bar."""

    def __init__(self, made: Any, layer: str, progress: Progress) -> None:
        self._made, self._layer, self._progress = made, layer, progress

    def tqdm(self, steps: Iterable[int]) -> Iterator[int]:
        listed = list(steps)
        ablates = hasattr(self._made, "ablation_layer")
        _once(self._made, self._layer, passes=2 if ablates else 1)
        _check_ablated(self._made, self._layer)
        for done, step in enumerate(listed):
            self._progress(done, len(listed) + 1)
            yield step
            # it keeps the layer's map of every run, of which it reads the first one
            del self._made.activations_and_grads.activations[1:]


@contextlib.contextmanager
def _followed(made: Any, layer: str, progress: Progress) -> Iterator[None]:
    """Hear of each step of the library, which tells its terminal."""
    owner = importlib.import_module(type(made).__module__)
    if not hasattr(owner, "tqdm"):
        yield
        return
    kept, owner.tqdm = owner.tqdm, _Bar(made, layer, progress)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        owner.tqdm = kept  # type: ignore[attr-defined]


def _once(made: Any, layer: str, *, passes: int = 1) -> None:
    """Raise UnsupportedModel where the layer runs twice in a pass: the first run is not its map."""
    if len(made.activations_and_grads.activations) > passes:
        raise UnsupportedModel(
            f"The layer {layer} runs several times in one pass, and the grad-cam library reads the "
            "first one. Choose ours, or another layer."
        )


def _check_ablated(made: Any, layer: str) -> None:
    """Raise UnsupportedModel where the library would ablate rows of the map for channels."""
    ablated = getattr(made, "ablation_layer", None)
    if ablated is None:
        return
    output, maps = made.activations, made.activations_and_grads.activations[0]
    if isinstance(output, dict):
        return  # a detector's levels, which our own layer ablates
    if output.shape != maps.shape or not bool((output == maps).all()):
        raise UnsupportedModel(
            f"The grad-cam library ablates layers whose channels come first, and those of {layer} "
            "do not. Choose ours."
        )


def _put_back(module: Any, stand_in: Any, layer: Any) -> None:
    for part in module.modules():
        for name, child in list(part.named_children()):
            if child is stand_in:
                setattr(part, name, layer)
