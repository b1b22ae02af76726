"""What a Keras network takes: how many channels, and photos of which size.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loaders.keras import recognise
from loaders.preprocessing import MAX_SIZE, Options, Preprocessing
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding

USUAL_SIDE = 224


def described(model: Any) -> str:
    """Say in a few words what a network of no known name is."""
    kind = type(model).__name__
    layers = len(getattr(model, "layers", ()))
    return f"{kind} network of {layers} layers" if layers else kind


def taken(
    model: Any,
    options: Options,
    known: recognise.Application | None,
    preprocessing: Preprocessing | None,
) -> tuple[int, tuple[int, int], list[Finding]]:
    """Return channels and size of the network's input, with what is assumed about them."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    for tensors, what in ((inputs, "inputs"), (outputs, "outputs")):
        if tensors and len(tensors) > 1:
            raise UnsupportedModel(
                f"This network has {len(tensors)} {what}; an image classifier has one."
            )
    usual = known.side if known else USUAL_SIDE
    usual_size = preprocessing.size if preprocessing else options.size or (usual, usual)
    if not inputs and (built := _built_on(model)):
        return built[2], options.size or built[:2], []
    if not inputs:  # subclassed: nothing says what it takes
        channels = 1 if "grey" in (options.channels, getattr(preprocessing, "channels", "")) else 3
        if options.size or preprocessing is not None:
            return channels, options.size or usual_size, []
        return channels, usual_size, [_assumed(usual_size)]
    shape = tuple(inputs[0].shape)
    if len(shape) != 4:
        raise UnsupportedModel(
            f"This network takes inputs of shape {sides(shape)}; an image classifier takes "
            "height x width x channels."
        )
    height, width, channels = shape[1:]
    if channels not in (1, 3):
        if height in (1, 3):
            raise UnsupportedModel(
                f"This network expects its channels first ({sides(shape)}), which TensorFlow "
                "runs on a GPU only. Rebuild it with channels_last."
            )
        raise UnsupportedModel(
            f"This network takes {channels or 'any number of'} channels; photos have 3 "
            "(colour) or 1 (grey)."
        )
    size = (height or usual_size[0], width or usual_size[1])
    if max(size) > MAX_SIZE:
        raise UnsupportedModel(
            f"This network takes photos of {size[0]} x {size[1]} pixels; up to {MAX_SIZE} a side "
            "are served."
        )
    if options.size and options.size != size:
        raise ParamError(
            f"--size must be {size[0]}x{size[1]}, the network's own, got "
            f"{options.size[0]}x{options.size[1]}"
        )
    free = None in (height, width) and not options.size and preprocessing is None
    return channels, size, [_assumed(size)] if free else []


def _built_on(model: Any) -> tuple[int, int, int] | None:
    """Return height, width and channels of the photos that a subclassed network was built on."""
    build: Callable[[], dict[str, Any] | None] = getattr(model, "get_build_config", dict)
    match (build() or {}).get("input_shape"):
        case (_, int(height), int(width), (1 | 3) as channels) if height and width:
            return height, width, channels
    return None


def _assumed(size: tuple[int, int]) -> Finding:
    return Finding(
        "warning",
        f"The network takes photos of any size; {size[0]} x {size[1]} pixels is assumed. Set the "
        "size that it was trained with.",
    )


def sides(shape: tuple[Any, ...]) -> str:
    """Return a shape as text, `[N, 224, 224, 3]`."""
    return "[" + ", ".join("N" if side is None else str(side) for side in shape) + "]"
