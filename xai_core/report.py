"""An explanation in words. Every number in a sentence comes out of `facts`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.explanation import Explanation
from xai_core.model import Finding, Geometry, Layer

Array = NDArray[np.float32]

HALF = 0.5
NAMED = 0.6
"""A region is named as the place of the evidence when it holds this share of the strong half."""
UNLIKELY = 0.1
"""A class below this probability was hardly chosen by the model."""

_PLACES = (
    ("at the top left", (0, 1 / 3), (0, 1 / 3)),
    ("at the top, in the middle", (0, 1 / 3), (1 / 3, 2 / 3)),
    ("at the top right", (0, 1 / 3), (2 / 3, 1)),
    ("on the left, halfway up", (1 / 3, 2 / 3), (0, 1 / 3)),
    ("in the middle", (1 / 3, 2 / 3), (1 / 3, 2 / 3)),
    ("on the right, halfway up", (1 / 3, 2 / 3), (2 / 3, 1)),
    ("at the bottom left", (2 / 3, 1), (0, 1 / 3)),
    ("low in the middle", (2 / 3, 1), (1 / 3, 2 / 3)),
    ("at the bottom right", (2 / 3, 1), (2 / 3, 1)),
    ("in the upper half", (0, 1 / 2), (0, 1)),
    ("in the lower half", (1 / 2, 1), (0, 1)),
    ("in the left half", (0, 1), (0, 1 / 2)),
    ("in the right half", (0, 1), (1 / 2, 1)),
)
SPREAD = "in several places"


def facts(explanation: Explanation) -> dict[str, Any]:
    """Measure a map.

    Returns
    -------
    dict
        `half_area`: the smallest share of the view's pixels that holds half of the evidence for
        the target (the sum of the positive values), 0 where there is none; `place`: the smallest
        named region with at least `NAMED` of those pixels' evidence; `place_share`: that share;
        `against`: the share of the map's absolute sum that is negative; `peak`: the largest
        value; `seen`: the share of the upload's area that the view shows. A map that was made of
        parts (arrays `segments` and `weights`) is measured part by part, however large each is,
        and has the facts of `_parts` too; a local fit's `r2` is one more.
    """
    values = np.asarray(explanation.attribution, np.float64)
    positive = np.maximum(values, 0)
    half_area, least = _half(positive)
    # Pixels as strong as the last one that was needed count too: a tie has no first.
    place, share = _place(np.where(positive >= least, positive, 0))
    weight = float(np.abs(values).sum())
    geometry = explanation.geometry or Geometry.whole(explanation.attribution.shape)
    found = {
        "half_area": half_area,
        "place": place,
        "place_share": share,
        "against": float(np.maximum(-values, 0).sum()) / weight if weight > 0 else 0.0,
        "peak": float(values.max()),
        "seen": _seen(geometry),
    }
    if "r2" in explanation.scalars:
        found["r2"] = float(explanation.scalars["r2"])
    return found | _parts(explanation)


def parts(explanation: Explanation) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
    """Return the part of each pixel, `[h, w]`, and each part's weight; None for other maps.

    What a worker sends is checked: parts are whole numbers of existing weights.
    """
    labels, weights = (explanation.arrays.get(name) for name in ("segments", "weights"))
    if labels is None or weights is None or labels.shape != explanation.attribution.shape:
        return None
    if labels.dtype.kind not in "iu" or weights.ndim != 1 or not np.isfinite(weights).all():
        return None
    if labels.size == 0 or labels.min() < 0 or labels.max() >= len(weights):
        return None
    return labels, np.asarray(weights, np.float64)


def place_of(inside: NDArray[np.bool_]) -> str:
    """Return in which ninth of the view the middle of some of its pixels lies."""
    middle = [float((where + 0.5).mean()) for where in np.nonzero(inside)]
    row, column = (at / side for at, side in zip(middle, inside.shape, strict=True))
    return _PLACES[min(int(row * 3), 2) * 3 + min(int(column * 3), 2)][0]


def _parts(explanation: Explanation) -> dict[str, Any]:
    """Measure a map that is made of parts.

    Returns
    -------
    dict
        Nothing where the map is not. `parts`: how many there are; `half_parts`: the fewest that
        hold half of the positive weight; `half_area`: their share of the view; `against`: the
        share of all weights' absolute sum that is negative; `strongest` and `weakest`: the largest
        and the smallest weight; `strongest_place`, `weakest_place`: where those parts lie.
    """
    split = parts(explanation)
    if split is None:
        return {}
    labels, weights = split
    positive, total = np.maximum(weights, 0), float(np.abs(weights).sum())
    order = np.argsort(-positive, kind="stable")
    summed = np.cumsum(positive[order])
    half = int(np.searchsorted(summed, HALF * summed[-1])) + 1 if summed[-1] > 0 else 0
    sizes = np.bincount(labels.ravel(), minlength=len(weights))
    first, last = int(np.argmax(weights)), int(np.argmin(weights))
    return {
        "parts": len(weights),
        "half_parts": half,
        "half_area": float(sizes[order[:half]].sum() / labels.size),
        "against": float(np.maximum(-weights, 0).sum()) / total if total > 0 else 0.0,
        "strongest": float(weights[first]),
        "strongest_place": place_of(labels == first) if sizes[first] else SPREAD,
        "weakest": float(weights[last]),
        "weakest_place": place_of(labels == last) if sizes[last] else SPREAD,
    }


def _half(positive: NDArray[np.float64]) -> tuple[float, float]:
    """Return the smallest share of pixels with half of the sum, and the weakest one's value."""
    ordered = np.sort(positive, axis=None)[::-1]
    summed = np.cumsum(ordered)
    if summed[-1] <= 0:
        return 0.0, np.inf
    last = int(np.searchsorted(summed, HALF * summed[-1]))
    return (last + 1) / ordered.size, float(ordered[last])


def _place(evidence: NDArray[np.float64]) -> tuple[str, float]:
    total = evidence.sum()
    if total <= 0:
        return SPREAD, 0.0
    height, width = evidence.shape
    row = (np.arange(height) + 0.5) / height
    column = (np.arange(width) + 0.5) / width
    shares: dict[str, float] = {}
    for name, (top, bottom), (left, right) in _PLACES:
        rows = (row >= top) & (row < bottom)
        columns = (column >= left) & (column < right)
        shares[name] = float(evidence[np.ix_(rows, columns)].sum() / total)
    ninths = [name for name, *_ in _PLACES[:9]]
    halves = [name for name, *_ in _PLACES[9:]]
    for names in (ninths, halves):
        best = max(names, key=shares.__getitem__)
        if shares[best] >= NAMED:
            return best, shares[best]
    return SPREAD, 0.0


def _seen(geometry: Geometry) -> float:
    height, width = geometry.photo
    top, left, bottom, right = geometry.shown
    return max(bottom - top, 0) * max(right - left, 0) / (height * width)


def percent(share: float) -> str:
    """Return a share in whole percent, never a false 0 or 100."""
    if 0 < share < 0.005:
        return "under 1\u00a0%"
    if 0.995 <= share < 1:
        return "over 99\u00a0%"
    return f"{share * 100:.0f}\u00a0%"


def quote(label: str) -> str:
    """Return a class's name in the quotes that set it off in a sentence."""
    return f"\u201c{label}\u201d"


def question(labels: Sequence[str], index: int, against: int | None) -> str:
    """Return what was asked, 'star' or 'star rather than ring', with quoted names."""
    asked = quote(labels[index])
    return asked if against is None else f"{asked} rather than {quote(labels[against])}"


def sentences(explanation: Explanation, probabilities: Array, labels: Sequence[str]) -> list[str]:
    """Say what the map shows, in two or three plain sentences. Class names are quoted."""
    target = explanation.target
    found = facts(explanation)
    asked = question(labels, target.index, target.against)
    said = []
    if found["half_area"] == 0:
        said.append(f"The map holds no evidence for {asked}.")
    elif "parts" in found:
        said += _parts_said(found, asked, explanation)
    else:
        where = "the photo" if found["seen"] > 0.95 else "what the model sees of the photo"
        said.append(
            f"Half of the evidence for {asked} lies in {percent(found['half_area'])} of {where}, "
            f"{found['place']}."
        )
    if found["against"] >= 0.05 and "parts" not in found:
        said.append(f"{percent(found['against'])} of the map's weight speaks against it.")
    chance = float(probabilities[target.index])
    first = int(np.argmax(probabilities))
    if target.index == first:
        said.append(f"The model is {percent(chance)} sure of {quote(labels[first])}.")
    else:
        said.append(
            f"The model's own answer is {quote(labels[first])}, with "
            f"{percent(float(probabilities[first]))}; {quote(labels[target.index])} has "
            f"{percent(chance)}."
        )
    return said


def _parts_said(found: Mapping[str, Any], asked: str, explanation: Explanation) -> list[str]:
    """Say which superpixels carry the weight, and what speaks against."""
    count, target = found["half_parts"], explanation.target
    what = "probability" if target.of == "probability" else "score"
    what = f"lead in {what}" if target.against is not None else what
    number = _COUNTS[count] if count < len(_COUNTS) else str(count)
    if count == 1:
        said = [
            f"One superpixel of {found['parts']} carries half of the weight for {asked}: it lies "
            f"{found['strongest_place']} and adds {amount(found['strongest'])} to the {what}."
        ]
    else:
        said = [
            f"{number} superpixels of {found['parts']} carry half of the weight for {asked}, on "
            f"{percent(found['half_area'])} of the view; the strongest, "
            f"{found['strongest_place']}, adds {amount(found['strongest'])} to the {what}."
        ]
    if found["against"] >= 0.05:
        said.append(
            f"{percent(found['against'])} of all weight speaks against it, most of all "
            f"{found['weakest_place']} ({amount(found['weakest'])})."
        )
    return said


_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def amount(value: float) -> str:
    """Return a score's part with two digits that count, '0.41', '-1.2', '12'."""
    size = f"{abs(value):.2g}" if abs(value) < 10 else f"{abs(value):.0f}"
    return f"\u2212{size}" if value < 0 else size


def doubts(
    explanation: Explanation,
    probabilities: Array,
    labels: Sequence[str],
    *,
    layers: Iterable[Layer] = (),
    findings: Iterable[Finding] = (),
) -> list[str]:
    """Say what could be wrong with this picture, and how to check it. Only what is true of it."""
    target, found = explanation.target, facts(explanation)
    said = list(explanation.notes)
    said += [finding.message for finding in findings if finding.level == "warning"]
    said += _coarse(explanation, layers)
    chance = float(probabilities[target.index])
    if chance < UNLIKELY and target.index != int(np.argmax(probabilities)):
        said.append(
            f"{quote(labels[target.index])} has a probability of only {percent(chance)}: this "
            "shows what speaks for it, not that the model chose it."
        )
    elif chance < HALF and target.index == int(np.argmax(probabilities)):
        said.append(
            f"The model is not sure: its first answer has only {percent(chance)}, so other "
            "classes have evidence too."
        )
    if found["seen"] < 0.95:
        said.append(
            f"The model never saw {percent(1 - found['seen'])} of this photo: its pre-processing "
            "cut that away."
        )
    if found["half_area"] > 0.25:
        said.append("The evidence is spread wide; the brightest spot alone is not the reason.")
    return said


def _coarse(explanation: Explanation, layers: Iterable[Layer]) -> list[str]:
    """Doubts about detail that the method cannot have."""
    height, width = explanation.attribution.shape
    said = []
    chosen = explanation.parameters.get("layer")
    for layer in layers:
        if chosen and layer.name == chosen:
            cell = max(height / layer.map_size[0], width / layer.map_size[1])
            if cell > 2:
                rows, columns = layer.map_size
                said.append(
                    f"The layer's map is {rows} x {columns}: a cell is {cell:.0f} pixels wide, so "
                    "the fine edges are the smoothing's."
                )
    patch = [
        int(explanation.parameters[name])
        for name in ("patch", "patch_height", "patch_width")
        if name in explanation.parameters
    ]
    if patch:
        said.append(
            f"The patch is {max(patch)} pixels: nothing smaller can show, and hiding a part makes "
            "a photo that the model never met in training."
        )
    return said


def check(explanation: Explanation, others: Mapping[str, str]) -> str:
    """Say how to check the picture: another method, by name and title, of another kind."""
    for name in ("occlusion", "grad-cam"):
        if name in others and name != explanation.method:
            return f"To check it, run {others[name]} on the same class and see if both agree."
    return ""


def command(
    *,
    model: str,
    photo: str,
    explanation: Explanation,
    labels: Sequence[str],
    defaults: Mapping[str, Any],
    engine: str,
    options: Mapping[str, Any] | None = None,
) -> str:
    """Return the command line that makes the explanation again.

    `defaults` are the values that the method takes by itself and `engine` its first engine: what
    equals them is left out. `options` are the pre-processing flags that were asked for.
    """
    target = explanation.target
    words = ["explain", model, photo, "--method", explanation.method]
    words += ["--target", _class_word(labels, target.index)]
    if target.against is not None:
        words += ["--against", _class_word(labels, target.against)]
    if target.of != "logit":
        words += ["--of", target.of]
    if explanation.engine != engine:
        words += ["--engine", explanation.engine]
    for name, value in explanation.parameters.items():
        if value != defaults.get(name):
            words += _flag(name, value)
    for name, value in (options or {}).items():
        words += _flag(name, value)
    words += ["--out", "out/"]
    return "python cli.py " + " ".join(shlex.quote(word) for word in words)


def _class_word(labels: Sequence[str], index: int) -> str:
    """Return the label where it names one class only and cannot be taken for a number or flag."""
    label = labels[index]
    plain = label.isprintable() and not label.startswith("-") and not label.strip().isdigit()
    return label if plain and list(labels).count(label) == 1 else str(index)


def _flag(name: str, value: Any) -> list[str]:
    flag, word = "--" + name.replace("_", "-"), _word(value)
    # A word that begins with a dash would be read as a flag of its own.
    return [f"{flag}={word}"] if word.startswith("-") else [flag, word]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ",".join(_word(part) for part in value)
    return str(value)
