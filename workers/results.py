"""What workers answer, checked and rebuilt: a worker may have been taken over by its model.

A wrong answer is a JobError, never a surprise in a page.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from loaders.onnx.external import MAX_FILES, plain
from workers.process import plain_text
from xai_core import plain as plain_data
from xai_core.card import Card
from xai_core.errors import JobError, UnsupportedModel, VitrineError
from xai_core.explanation import Explanation
from xai_core.model import About, Finding, Geometry

Body = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]
P = ParamSpec("P")
T = TypeVar("T")

TEXT_CAP = 4000


def _checked(function: Callable[P, T]) -> Callable[P, T]:
    """Turn whatever a senseless answer raises into one sentence."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except VitrineError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JobError(
                f"The worker's answer made no sense ({type(error).__name__}: "
                f"{plain_text(error, 200)}). The model file may be hostile or damaged."
            ) from None

    return wrapper


@_checked
def framework(answer: Body) -> str:
    """Return the kind of worker that a file needs."""
    name = answer["framework"]
    if name not in ("torch", "keras", "onnx"):
        raise ValueError("no known framework")
    return str(name)


@_checked
def companions(answer: Body) -> tuple[str, ...]:
    """Return the names of files that belong to a model: names of its own folder, no paths."""
    names = answer["names"]
    if not isinstance(names, list) or len(names) > MAX_FILES:
        raise ValueError("no list of files")
    for name in names:
        if not isinstance(name, str) or plain(name) != name:
            raise ValueError("a file's name that is none")
    return tuple(names)


@_checked
def card(answer: Body) -> Card:
    """Return a model's card, every text in it plain."""
    return plain_data.unpack(Card, clean(answer))


@_checked
def photo(answer: Body, arrays: Arrays) -> Body:
    """Return a decoded photo."""
    pixels = _array(arrays, "pixels", np.uint8, 3)
    if pixels.shape[2] != 3 or not pixels.size:
        raise ValueError("a photo that is not [H, W, 3]")
    notes = tuple(plain_text(note, TEXT_CAP) for note in answer["notes"])
    return {"pixels": pixels, "format": plain_text(answer["format"], 40), "notes": notes}


@_checked
def prediction(answer: Body, arrays: Arrays) -> Body:
    """Return what a model says about a photo."""
    made: Body = {name: _array(arrays, name, np.float32, 1) for name in ("probabilities", "logits")}
    made["view"] = _array(arrays, "view", np.float32, 3)
    if made["probabilities"].shape != made["logits"].shape or made["view"].shape[2] != 3:
        raise ValueError("scores of two lengths")
    geometry = answer["geometry"]
    made["geometry"] = Geometry(
        photo=_pair(geometry["photo"]),
        box=tuple(float(edge) for edge in geometry["box"]),  # type: ignore[arg-type]
        view=_pair(geometry["view"]),
    )
    if len(made["geometry"].box) != 4 or made["geometry"].view != made["view"].shape[:2]:
        raise ValueError("a geometry that does not fit")
    made["seconds"] = float(answer["seconds"])
    made["findings"] = tuple(_finding(finding) for finding in answer["findings"])
    return made


@_checked
def explanation(answer: Body, arrays: Arrays, *, model_hash: str, image_hash: str) -> Explanation:
    """Return an Explanation; the hashes are the client's own, whatever the worker says."""
    told = clean(answer) | {"model_hash": model_hash, "image_hash": image_hash}
    try:
        made = Explanation.from_wire(told, arrays)
        if made.geometry is None or made.attribution.shape != made.geometry.view:
            raise ValueError("a map that does not fit its geometry")
        return made
    except UnsupportedModel as error:
        raise JobError(str(error)) from None


def clean(value: Any, depth: int = 0) -> Any:
    """Return plain data with every text in it printable and of a bounded length."""
    if depth > 8:
        raise ValueError("plain data nested too deep")
    if isinstance(value, str):
        return plain_text(value, TEXT_CAP)
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {plain_text(key, 200): clean(item, depth + 1) for key, item in value.items()}
    return value


def _finding(finding: Body) -> Finding:
    level = finding["level"]
    if level not in ("info", "warning"):
        raise ValueError("a finding of no known level")
    about = finding.get("about", "")
    if about not in get_args(About):
        raise ValueError("a finding about no known thing")
    return Finding(level, plain_text(finding["message"], TEXT_CAP), about)


def _array(arrays: Arrays, name: str, kind: type, ndim: int) -> NDArray[Any]:
    array = arrays[name]
    if array.dtype != kind or array.ndim != ndim:
        raise TypeError(f"{name} of type {array.dtype} and shape {array.shape}")
    if kind is np.float32 and not np.isfinite(array).all():
        raise ValueError(f"{name} that is not finite")
    array.setflags(write=False)
    return array


def _pair(value: Any) -> tuple[int, int]:
    height, width = value
    if not all(type(side) is int and math.isfinite(side) for side in (height, width)):
        raise ValueError("a size that is not whole")
    return height, width
