"""What a network eats, told by what reaches its first weights: its own scaling is found by running.

A photo goes through augmentation, nested models, Rescaling, Normalization and arithmetic before
the first convolution. Constant photos are sent along that way, and what arrives says which range
of numbers the way was made for, whatever it consists of.

Takes the model's parts and imports no framework: Keras 3 and tf_keras name their parts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loaders.keras.layers import is_closed, replaced

Range = Literal["raw", "unit", "symmetric"]
RANGES: dict[Range, tuple[float, float]] = {
    "raw": (0.0, 255.0),
    "unit": (0.0, 1.0),
    "symmetric": (-1.0, 1.0),
}
_LEVELS = (-1.0, 0.0, 1.0, 255.0)
_SCALING = ("Rescaling", "Normalization")
_LEARNT = "BatchNormalization"
_NO_WEIGHTS = ("Random", "Resizing", "CenterCrop", "Dropout")
_WIDTHS = 0.5, 100.0
"""The span of a network's inputs once they are scaled: 1 for 0..1, 4.7 for ImageNet's."""
_CAFFE = (-124.0, -103.0)
"""What black becomes where the Caffe means are taken off 0..255."""


class Front(NamedTuple):
    """The numbers that a network wants its photos in, and why."""

    name: Range
    why: str


class _Reached(BaseException):
    """Ends a pass at the first weights. No Exception: Keras gives those another text."""


def front(
    layers: Mapping[str, Any], run: Callable[[NDArray[np.float32]], Any], shape: tuple[int, ...]
) -> Front | None:
    """Return what the network's own scaling is made for, or None where it has none.

    `layers` are its layers by path, `run` sends inputs float32 `[N, h, w, c]` through it, and
    `shape` is (height, width, channels).
    """
    passed: list[str] = []
    found: list[tuple[str, NDArray[np.float64]]] = []

    def enter(path: str, layer: Any, given: Any) -> None:
        kind = type(layer).__name__
        if kind.startswith((*_SCALING, _LEARNT)):
            passed.append(kind)
            return
        if _is_beside(given):
            return
        if (middle := _levels(given)) is not None:
            found.append((path, middle))
        raise _Reached

    weighted = {path: layer for path, layer in layers.items() if _counts(layer)}
    try:
        with replaced(weighted, lambda path, layer, call: _watched(path, layer, call, enter)):
            run(np.stack([np.full(shape, level, np.float32) for level in _LEVELS]))
    except _Reached:
        pass
    except Exception:  # whatever a network's own layers raise: recording it says what
        return None
    return _judged(*found[0], passed) if found else None


def _watched(
    path: str, layer: Any, call: Callable[..., Any], enter: Callable[[str, Any, Any], None]
) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        enter(path, layer, args[0] if args else kwargs.get("inputs"))
        return call(*args, **kwargs)

    return watched


def _counts(layer: Any) -> bool:
    """Say whether a layer is a single one with weights, or one that scales."""
    kind = type(layer).__name__
    if kind.startswith(_SCALING):
        return True
    if kind.startswith(_NO_WEIGHTS) or getattr(layer, "layers", None):
        return False
    if is_closed(layer):
        return True
    inner = list(layer._flatten_layers(include_self=False, recursive=False))
    return bool(layer.weights) and not any(each.weights for each in inner)


def _is_beside(given: Any) -> bool:
    """Say whether a layer is given something that is no photo, as the numbers of positions."""
    if not hasattr(given, "numpy") or not given.shape:
        return False
    if "int" in str(given.dtype):
        return True
    values = np.asarray(given.numpy(), np.float64)
    return len(values) != len(_LEVELS) or bool((values == values[:1]).all())


def _levels(given: Any) -> NDArray[np.float64] | None:
    """Return what became of each level, float64 `[4]`, or None where it cannot be read."""
    if not hasattr(given, "numpy") or len(given.shape) < 2 or given.shape[0] != len(_LEVELS):
        return None
    values = np.asarray(given.numpy(), np.float64).reshape(len(_LEVELS), -1)
    middle: NDArray[np.float64] = np.median(values, axis=1)  # borders may be padded with zeros
    return middle if np.isfinite(middle).all() and np.ptp(middle) > 0 else None


def _judged(path: str, middle: NDArray[np.float64], passed: list[str]) -> Front | None:
    """Choose the range whose ends become what networks are fed with."""
    became = dict(zip(_LEVELS, middle.tolist(), strict=True))
    if np.allclose(middle, _LEVELS, rtol=1e-3, atol=1e-3):
        return None
    fits: list[tuple[float, Range]] = []
    for name, (low, high) in RANGES.items():
        if name == "symmetric" and abs(became[0.0]) < 1e-6:
            continue  # scaled and not moved: nothing says that its numbers have a sign
        start, end = sorted((became[low], became[high]))
        width = end - start
        if 200 < width < 300:  # 0..255, or that less the Caffe means
            if -1 < start < 1 or _CAFFE[0] < start < _CAFFE[1]:
                fits.append((0.5, name))
        elif _WIDTHS[0] <= width <= _WIDTHS[1] and start <= 0.05 * width and end >= 0:
            fits.append((abs(start + end) / 2 / width, name))
    if _LEARNT in passed and not set(passed) & set(_SCALING) and not fits:
        return None
    chosen = min(fits)[1] if fits else _by_slope(became)
    if chosen is None:
        return None
    low, high = RANGES[chosen]
    said = next((kind for kind in passed if kind in _SCALING), "")
    if not said and _LEARNT in passed:
        said = _LEARNT
    begins = f"the network begins with a {said} layer" if said else "the network scales its input"
    if not said:
        begins += " itself"
    return Front(
        chosen,
        f"{begins}: of values from {low:g} to {high:g}, {became[low]:.3g} to {became[high]:.3g} "
        f"reach its first weights, {path.rsplit('/', 1)[-1]!r}",
    )


def _by_slope(became: dict[float, float]) -> Range | None:
    """Choose where nothing fits: a scaling that stands twice is made for the larger numbers."""
    slope = abs(became[1.0] - became[0.0])
    if slope == 0:
        return None
    return "raw" if slope < 0.1 else "unit"
