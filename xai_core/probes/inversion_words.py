"""What inversions say: sentences with their numbers, a record for JSON, which layers to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xai_core.model import Layer
from xai_core.probes.inversion import Inverted
from xai_core.report.numbers import amount, counted, percent, quote

BACK, PARTS, OFF = 0.9, 0.5, 0.05
"""From which correlation a picture is the photo, and in parts; a distance that is still far."""
FIRST_CHOICE = 4
_PASSED_ON = ("Input", "Dropout", "Identity", "StochasticDepth", "Pad", "Permute")

FIRST = " (the squared distance, in parts of the square of the photo\u2019s own code)"
"""What the first number of its kind is."""
ONE_OF_MANY = (
    "Each picture is one of the many that the layer can hardly tell from the photo, as smooth and "
    "as grey as the settings ask. Where it differs from the photo, the layer does not mind; what "
    "it shows there comes from the noise and the settings, not from the photo."
)


def suggested(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return a few layers from early to late: the last one of each size that the maps have."""
    rows = [row for row in layers if not any(kind in row.kind for kind in _PASSED_ON)]
    rows = [row for row in rows if min(row.map_size) > 1] or rows or list(layers)
    last: dict[tuple[int, int], Layer] = {}
    for row in rows:
        last.pop(row.map_size, None)
        last[row.map_size] = row
    chosen = list(last.values()) if len(last) > 1 else rows
    if len(chosen) > FIRST_CHOICE:
        ends = len(chosen) - 1
        places = [round(at * ends / (FIRST_CHOICE - 1)) for at in range(FIRST_CHOICE)]
        chosen = [chosen[place] for place in places]
    order = [row.name for row in layers]
    return tuple(sorted((row.name for row in chosen), key=order.index))


def falls(made: Inverted) -> list[float]:
    """Return by which factor each code's distance has fallen."""
    pairs = zip(made.distances[0].tolist(), made.distances[-1].tolist(), strict=True)
    return [before / max(after, 1e-9) for before, after in pairs]


def times(factor: float) -> str:
    """Return a factor in words, '1,203', '4.1'."""
    return f"{factor:,.0f}" if factor >= 10 else amount(factor)


def off(distance: float) -> str:
    """Return a distance in parts of the photo's own code, '0.15 %', as a figure has it."""
    share = 100 * distance
    return f"{share:.2g}\u00a0%" if share < 10 else f"{share:.0f}\u00a0%"


def sentences(made: Inverted, labels: Sequence[str]) -> list[str]:
    """Say how near the codes came, which layers give the photo back, and what the model says."""
    factors = falls(made)
    said = [
        f"After {counted(made.done, 'step')} from noise the code at {quote(layer)} is "
        + (
            f"{times(factor)} times nearer to the photo\u2019s"
            if factor > 1
            else "no nearer to the photo\u2019s"
        )
        + f", {off(float(distance))} off{FIRST if at == 0 else ''}."
        for at, (layer, factor, distance) in enumerate(
            zip(made.layers, factors, made.distances[-1].tolist(), strict=True)
        )
    ]
    for layer, alike in zip(made.layers, made.correlations.tolist(), strict=True):
        said.append(f"{_known(layer, alike)} (correlation {_signed(alike)}).")
    said += _answers(made, labels)
    far = [
        layer
        for layer, distance in zip(made.layers, made.distances[-1].tolist(), strict=True)
        if distance > OFF
    ]
    if far:
        it, whose = ("it", "its") if len(far) == 1 else ("them", "their")
        said.append(
            f"The code at {_listed(far)} is still more than {percent(OFF)} off: more steps or less "
            f"smoothness may bring {it} nearer, so what {whose} picture lacks may be the search's "
            "doing and not the layer's."
        )
    return said


def _known(layer: str, alike: float) -> str:
    if alike >= BACK:
        return f"{quote(layer)} gives the photo back"
    if alike >= PARTS:
        return f"{quote(layer)} gives parts of the photo back"
    return f"{quote(layer)} does not give the photo back"


def _answers(made: Inverted, labels: Sequence[str]) -> list[str]:
    """Say what the model answers to each picture that is unlike the photo, or answered anew."""
    said, name = [], labels[made.first]
    for at, layer in enumerate(made.layers):
        first, chance = int(made.firsts[at]), float(made.chances[at])
        unlike = made.correlations[at] < PARTS
        if first == made.first and unlike:
            said.append(
                f"Of the picture from {quote(layer)} the model says {quote(name)} all the same "
                f"({percent(chance)}; of the photo {percent(made.chance)}): what this layer has "
                "thrown away, the answer does not need."
            )
        elif first != made.first:
            said.append(
                f"Of the picture from {quote(layer)} the model says {quote(labels[first])}, and of "
                f"the photo {quote(name)}: what is left of the distance, or what the settings "
                "smooth away, counts for the answer."
            )
    return said


def _listed(layers: Sequence[str]) -> str:
    words = [quote(layer) for layer in layers]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def record(made: Inverted, labels: Sequence[str]) -> dict[str, Any]:
    """Return what came of it as plain data; the pictures are files of their own."""
    factors = falls(made)
    return {
        "steps": made.done,
        "prediction": {"index": made.first, "label": labels[made.first],
                       "probability": made.chance},
        "layers": [
            {
                "layer": layer,
                "distance_of_noise": float(made.distances[0, at]),
                "distance": float(made.distances[-1, at]),
                "nearer": factors[at],
                "correlation": float(made.correlations[at]),
                "prediction": labels[int(made.firsts[at])],
                "probability": float(made.chances[at]),
            }
            for at, layer in enumerate(made.layers)
        ],
        "sentences": [*sentences(made, labels), ONE_OF_MANY],
    }  # fmt: skip
