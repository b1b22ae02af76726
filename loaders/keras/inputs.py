"""What a Keras network takes: how many channels, photos of which size, and how they are laid out.

Takes the model object and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from loaders.keras import recognise
from loaders.preprocessing import MAX_SIZE, Options, Preprocessing
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding

USUAL_SIDE = 224
LEAST_SIDE = 8
"""A row of fewer numbers than a photo of this side has is no photo."""

Layout = Literal["maps", "plane", "row"]
"""A photo is `[N, h, w, c]`, `[N, h, w]` or `[N, h * w * c]` to the network."""


class Taken(NamedTuple):
    """What a network takes, and what was assumed about it."""

    channels: int
    size: tuple[int, int]
    layout: Layout = "maps"
    findings: tuple[Finding, ...] = ()


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
) -> Taken:
    """Return channels, size and layout of the network's input, with what is assumed about them."""
    inputs = getattr(model, "inputs", None)
    if inputs and len(inputs) > 1:
        raise UnsupportedModel(
            f"This network has {len(inputs)} inputs ({_listed(inputs)}); an image classifier has "
            "one."
        )
    usual = known.side if known else USUAL_SIDE
    usual_size = preprocessing.size if preprocessing else options.size or (usual, usual)
    shape = tuple(inputs[0].shape) if inputs else _built_on(model)
    if shape is None:  # subclassed: nothing says what it takes
        channels = 1 if "grey" in (options.channels, getattr(preprocessing, "channels", "")) else 3
        if options.size or preprocessing is not None:
            return Taken(channels, options.size or usual_size)
        return Taken(channels, usual_size, findings=(_assumed(usual_size),))
    if not inputs and len(shape) == 4:  # it was built on one size, and may take others
        return Taken(shape[3], options.size or (shape[1], shape[2]))
    if len(shape) == 2:
        if any(type(layer).__name__ == "Embedding" for layer in getattr(model, "layers", ())):
            raise UnsupportedModel(
                f"This network takes inputs of shape {sides(shape)} and has a layer of its own for "
                "words (Embedding): it reads texts or other sequences, and an image classifier "
                "takes photos."
            )
        return _row(shape, options, preprocessing)
    if len(shape) == 3 and _is_plane(shape):
        made = _maps((*shape, 1), options, preprocessing, usual_size)
        return made._replace(layout="plane", findings=(_read_as_plane(shape),))
    if len(shape) != 4:
        raise UnsupportedModel(
            f"This network takes inputs of shape {sides(shape)}; an image classifier takes "
            "height x width x channels."
        )
    return _maps(shape, options, preprocessing, usual_size)


def _maps(
    shape: tuple[Any, ...],
    options: Options,
    preprocessing: Preprocessing | None,
    usual_size: tuple[int, int],
) -> Taken:
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
    _fits(options, size)
    free = None in (height, width) and not options.size and preprocessing is None
    return Taken(channels, size, findings=(_assumed(size),) if free else ())


def _fits(options: Options, size: tuple[int, int]) -> None:
    if options.size and options.size != size:
        raise ParamError(
            f"--size must be {size[0]}x{size[1]}, the network's own, got "
            f"{options.size[0]}x{options.size[1]}"
        )


def _is_plane(shape: tuple[Any, ...]) -> bool:
    """Say whether `[N, a, b]` is a grey photo without its channel axis, and no sequence."""
    _, height, width = shape
    if height is None or width is None:
        return False
    return bool(min(height, width) >= LEAST_SIDE and max(height, width) <= 4 * min(height, width))


def _row(shape: tuple[Any, ...], options: Options, preprocessing: Preprocessing | None) -> Taken:
    """Return how a photo fills a row of numbers: rows of pixels, each with its channels."""
    count = shape[1]
    table = (
        f"This network takes inputs of shape {sides(shape)}, rows of {count or 'any number of'} "
        "numbers, as of a table"
    )
    if not count:
        raise UnsupportedModel(f"{table}; an image classifier takes photos.")
    asked = preprocessing.size if preprocessing else options.size
    grey = {"grey": 1, "rgb": 3, "bgr": 3}.get(
        preprocessing.channels if preprocessing else options.channels or ""
    )
    if asked is not None:
        for channels in (grey,) if grey else (1, 3):
            if math.prod(asked) * channels == count:
                return Taken(channels, asked, "row", () if grey else (_filled(asked, channels),))
        raise ParamError(
            f"--size and --channels must make the {count:,} numbers of the network's input, got "
            f"{asked[0]}x{asked[1]} with {grey or '1 or 3'} channel{'s' * (grey != 1)}"
        )
    for channels in (grey,) if grey else (1, 3):
        side = math.isqrt(count // channels)
        if side * side * channels == count and side >= LEAST_SIDE:
            size = (side, side)
            return Taken(channels, size, "row", (_filled(size, channels),))
    if count < LEAST_SIDE**2:
        raise UnsupportedModel(f"{table}: too few for a photo, which an image classifier takes.")
    raise UnsupportedModel(
        f"{table}, or of photos that are not square: {count:,} is neither the pixels of a square "
        "photo nor three times as many. If it was trained on photos, say their height, width and "
        "channels (--size, --channels)."
    )


def _filled(size: tuple[int, int], channels: int) -> Finding:
    colours = "grey, one number a pixel" if channels == 1 else "red, green, blue at each pixel"
    return Finding(
        "warning",
        f"The network takes a row of {math.prod(size) * channels:,} numbers: it is filled with a "
        f"photo of {size[0]} x {size[1]} pixels, row by row, {colours}. If it was trained on "
        "other photos, say their size and channels (--size, --channels); on no photos at all, "
        "its answers mean nothing.",
        "size",
    )


def _read_as_plane(shape: tuple[Any, ...]) -> Finding:
    return Finding(
        "warning",
        f"The network takes inputs of shape {sides((None, *shape[1:]))}: they are filled with a "
        f"grey photo of {shape[1]} x {shape[2]} pixels. If it was trained on sequences of numbers, "
        "its answers mean nothing.",
        "channels",
    )


def _built_on(model: Any) -> tuple[Any, ...] | None:
    """Return the shape of the photos that a subclassed network was built on."""
    build: Callable[[], dict[str, Any] | None] = getattr(model, "get_build_config", dict)
    match (build() or {}).get("input_shape"):
        case (_, int(height), int(width), (1 | 3) as channels) if height and width:
            return None, height, width, channels
        case (_, int(height), int(width)) if height and width:
            return None, height, width
        case (_, int(count)) if count:
            return None, count
    return None


def _listed(tensors: Any) -> str:
    return ", ".join(sides(tuple(tensor.shape)) for tensor in tensors[:4])


def _assumed(size: tuple[int, int]) -> Finding:
    return Finding(
        "warning",
        f"The network takes photos of any size; {size[0]} x {size[1]} pixels is assumed. Set the "
        "size that it was trained with (--size).",
        "size",
    )


def sides(shape: tuple[Any, ...]) -> str:
    """Return a shape as text, `[N, 224, 224, 3]`."""
    return "[" + ", ".join("N" if side is None else str(side) for side in shape) + "]"
