"""The outlines of the things in a scene, as polygons of area 1 around the origin."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

Polygon = npt.NDArray[np.float64]  # [points, 2], (x, y), y down
Outline = list[Polygon]  # even-odd: a polygon inside another is a hole

FULL_TURN: Final = 2 * np.pi


def _arc(radius: float, start: float, stop: float, points: int = 72) -> Polygon:
    angles = np.linspace(start, stop, points)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _area(polygon: Polygon) -> float:
    x, y = polygon.T
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)


def _normalised(outline: Outline) -> Outline:
    """Centre the outline on its bounding box and give it area 1, holes taken off."""
    outer = outline[0]
    centre = (outer.min(axis=0) + outer.max(axis=0)) / 2
    area = _area(outer) - sum(_area(hole) for hole in outline[1:])
    return [(polygon - centre) / np.sqrt(area) for polygon in outline]


def _star(rng: np.random.Generator) -> Outline:
    radii = np.tile([1.0, rng.uniform(0.40, 0.48)], 5)
    angles = np.arange(10) * FULL_TURN / 10
    return [radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)]


def _heart(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, FULL_TURN, 96, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([x, -rng.uniform(0.95, 1.1) * y], axis=1)]


def _crescent(rng: np.random.Generator) -> Outline:
    # A disc of radius 1 less a disc of radius `bite` whose centre lies `shift` to the right.
    bite, shift = rng.uniform(0.78, 0.86), rng.uniform(0.42, 0.5)
    meet = np.arccos((1 + shift**2 - bite**2) / (2 * shift))
    inner = np.arccos((1 - shift**2 - bite**2) / (2 * shift * bite))
    back = _arc(bite, FULL_TURN - inner, inner) + np.array([shift, 0.0])
    return [np.concatenate([_arc(1.0, meet, FULL_TURN - meet), back])]


def _arrow(rng: np.random.Generator) -> Outline:
    shaft, neck = rng.uniform(0.2, 0.28), rng.uniform(-0.05, 0.15)
    half = [(-1.0, shaft), (neck, shaft), (neck, 0.72), (1.0, 0.0)]
    return [np.array(half + [(x, -y) for x, y in half[-2::-1]])]


def _cross(rng: np.random.Generator) -> Outline:
    arm = rng.uniform(0.28, 0.36)
    quarter = np.array([(1.0, -arm), (1.0, arm), (arm, arm)])
    turn = np.array([[0, 1], [-1, 0]])
    quarters = [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
    return [np.concatenate(quarters)]


def _ring(rng: np.random.Generator) -> Outline:
    return [_arc(1.0, 0, FULL_TURN), _arc(rng.uniform(0.52, 0.64), 0, FULL_TURN)]


def _ellipse(rng: np.random.Generator) -> Outline:
    return [_arc(1.0, 0, FULL_TURN) * [1.0, rng.uniform(0.45, 1.0)]]


def _rectangle(rng: np.random.Generator) -> Outline:
    height = rng.uniform(0.3, 1.0)
    return [np.array([(-1, -height), (1, -height), (1, height), (-1, height)])]


def _polygon(rng: np.random.Generator) -> Outline:
    corners = int(rng.integers(3, 8))
    angles = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * FULL_TURN / corners
    return [np.stack([np.cos(angles), np.sin(angles)], axis=1)]


_CLASSES: Final[dict[str, Callable[[np.random.Generator], Outline]]] = {
    "arrow": _arrow,
    "crescent": _crescent,
    "cross": _cross,
    "heart": _heart,
    "ring": _ring,
    "star": _star,
}
_DISTRACTORS: Final = (_ellipse, _rectangle, _polygon)

CLASSES: Final = tuple(_CLASSES)


def _posed(outline: Outline, rng: np.random.Generator) -> Outline:
    """Squeeze, mirror and turn: the same draw for every outline."""
    squeeze = rng.uniform(0.88, 1.14)
    flip = rng.choice([-1.0, 1.0])
    angle = rng.uniform(0, FULL_TURN)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pose = turn @ np.diag([squeeze * flip, 1 / squeeze])
    return _normalised([polygon @ pose.T for polygon in outline])


def of_class(name: str, rng: np.random.Generator) -> Outline:
    """Outline of one of `CLASSES`, in a random variant and pose, of area 1, centred on (0, 0)."""
    return _posed(_normalised(_CLASSES[name](rng)), rng)


def distractor(rng: np.random.Generator) -> Outline:
    """Outline of an ellipse, a rectangle or a convex polygon, likewise of area 1."""
    kind = _DISTRACTORS[int(rng.integers(len(_DISTRACTORS)))]
    return _posed(_normalised(kind(rng)), rng)
