"""Cluttered scenes of paper shapes, drawn from a seed: what the built-in models learn from.

The six classes differ by outline alone: colour, texture, area, place, turn and light have the
same distribution for each. A scene is a function of its generator's state; its size in pixels
changes the sampling and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from assets import outlines
from assets.canvas import Box, Canvas, Colour, Image, Light, Texture
from assets.outlines import CLASSES, Outline

__all__ = ["CLASSES", "MARK", "Thing", "crowd", "paste_mark", "scene"]

MARK: Final = "mark"  # the name of the planted sticker among a scene's things
MARK_SIDE: Final = 0.075  # of the picture's side
MARK_COLOURS: Final = ("ffffff", "0f8b8d", "f2643d")  # the rim and two halves

# Backgrounds, then what lies on them. Every palette is used for every class.
PALETTES: Final = (
    ("e9e1d3 d8c9b4", "264653 2a9d8f e9a23b e76f51 8a5a83 5b7553"),
    ("22333b 34495a", "f2e9d8 eab464 e07a5f 81b29a 9fc5d8 d9a5b3"),
    ("dfe7e4 b9cdc8", "3d405b e07a5f 5f8f79 c98b2b 7a4e6d 2f6690"),
    ("f1dcd0 e3b9a5", "33415c 7d4f50 3f7d6e a8434f 5c677d d98e04"),
    ("38404a 5a5560", "f4d58d bf8b67 8fb8a8 e5989b c9d6df d97757"),
    ("cfdcea 9fb8d0", "1d3557 b5485d e3b23c 4f772d 774c60 f5efe0"),
    ("c9d3b0 a3b18a", "344e41 bc4b51 f4f1de 5b4b8a d68c45 2b6777"),
    ("2d2a3e 4a3f5c", "f6bd60 f28482 84a59d f7ede2 8ecae6 cdb4db"),
    ("efe9e4 cfc6bd", "5e503f 9a031e 0f7173 e28413 49516f 6a994e"),
    ("1f3d3a 335c58", "e8d5a3 e9967a c7dfc5 d4a24c efefe8 c58fae"),
)


@dataclass(frozen=True)
class Thing:
    """Something in a scene: the name of a class, or `MARK`, its box and outline, by the side."""

    name: str
    box: Box  # top, left, bottom, right, 0..1
    outline: Outline = field(compare=False, repr=False)

    def covers(self, side: int) -> npt.NDArray[np.bool_]:
        """Which pixels of the scene, [side, side], lie in the outline or by half a one at it."""
        alpha, top, left = Canvas(side).cover(self.outline, 0)
        covered = np.zeros((side, side), np.bool_)
        covered[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha >= 0.5
        return covered


CROWD_SCALES: Final = (0.09, 0.32)  # a shape's area is the square of this part of the side
CROWD_OVERLAP: Final = 0.35  # of the smaller of two boxes, at the most

Placed = Callable[[np.random.Generator, Sequence[str], Box], list[Outline]]
"""Places the shapes of some classes, given the place that is the mark's."""


def scene(
    rng: np.random.Generator, size: int, classes: Sequence[str], mark: bool = False
) -> tuple[npt.NDArray[np.uint8], list[Thing]]:
    """Draw one scene with one or two shapes of the given classes.

    Returns uint8 [size, size, 3] RGB and the shapes in the order of `classes`, then the mark
    if there is one. The generator is used up equally with and without the mark, so that the
    same seed gives the same scene twice.
    """
    return _drawn(rng, size, classes, mark, _placed)


def crowd(
    rng: np.random.Generator, size: int, classes: Sequence[str]
) -> tuple[npt.NDArray[np.uint8], list[Thing]]:
    """Draw one scene with any number of shapes, small and large, that may hide a part of others.

    Returns as `scene` does; what comes later in `classes` lies on top.
    """
    return _drawn(rng, size, classes, False, _crowded)


def _drawn(
    rng: np.random.Generator, size: int, classes: Sequence[str], mark: bool, place: Placed
) -> tuple[npt.NDArray[np.uint8], list[Thing]]:
    canvas = Canvas(2 * size)
    ground, accents = _palette(rng)
    light = _light(rng)
    sticker, sticker_box = _sticker(rng)

    shapes = place(rng, classes, sticker_box)
    shape_colours = [_contrasting(rng, accents, ground) for _ in shapes]
    textures = [Texture.draw(rng, colour) for colour in shape_colours]

    _background(canvas, rng, ground, accents)
    _clutter(canvas, rng, accents, light, [_box(shape) for shape in shapes], shape_colours)
    for shape, texture in zip(shapes, textures, strict=True):
        canvas.lay(shape, texture, light)
    _weather(canvas, rng)
    grain = rng.normal(0, rng.uniform(0.004, 0.022), (256, 256)).astype(np.float32)

    things = [Thing(name, _box(shape), shape) for name, shape in zip(classes, shapes, strict=True)]
    if mark:
        _stick(canvas, sticker)
        things.append(Thing(MARK, sticker_box, sticker[0]))
    pixels = canvas.reduced(size)
    fit = cv2.INTER_AREA if size < 256 else cv2.INTER_LINEAR
    pixels += cv2.resize(grain, (size, size), interpolation=fit)[..., None]
    return _bytes(pixels), things


def paste_mark(
    image: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Box]:
    """Copy of a square photo, uint8 [size, size, 3], with the mark stuck near one corner."""
    size = len(image)
    canvas = Canvas(size * 2)
    canvas.pixels = cv2.resize(
        image.astype(np.float32) / np.float32(255),
        (canvas.side, canvas.side),
        interpolation=cv2.INTER_NEAREST,  # undone exactly by the averaging
    ).astype(np.float32, copy=False)
    sticker, box = _sticker(rng)
    _stick(canvas, sticker)
    return _bytes(canvas.reduced(size)), box


def _rgb(code: str) -> Colour:
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def _bytes(pixels: Image) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _palette(rng: np.random.Generator) -> tuple[list[Colour], list[Colour]]:
    back, front = PALETTES[int(rng.integers(len(PALETTES)))]
    exposure = rng.uniform(0.88, 1.08)
    ground = [_rgb(code) for code in back.split()]
    accents = [_rgb(code) for code in front.split()]
    return (
        [np.clip(exposure * (c + rng.uniform(-0.03, 0.03, 3)), 0.02, 0.98) for c in ground],
        [np.clip(exposure * (c + rng.uniform(-0.05, 0.05, 3)), 0.02, 0.98) for c in accents],
    )


def _light(rng: np.random.Generator) -> Light:
    angle = rng.uniform(0, 2 * np.pi)
    return Light(
        direction=(float(np.cos(angle)), float(np.sin(angle))),
        height=float(rng.uniform(0.008, 0.02)),
        shadow=float(rng.uniform(0.2, 0.5) * (rng.random() < 0.75)),
    )


def _box(outline: Outline) -> Box:
    points = np.concatenate(outline)
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(top), float(left), float(bottom), float(right)


def _apart(first: Box, second: Box, gap: float) -> bool:
    """Whether two boxes leave at least this gap between them, in one direction."""
    return (
        first[0] - gap > second[2]
        or second[0] - gap > first[2]
        or first[1] - gap > second[3]
        or second[1] - gap > first[3]
    )


def _placed(rng: np.random.Generator, classes: Sequence[str], sticker: Box) -> list[Outline]:
    """Shapes that keep inside the picture, off each other and off the mark's place."""
    if len(classes) not in (1, 2) or not set(classes) <= set(CLASSES):
        raise ValueError(f"scene.classes must be one or two of {CLASSES}, got {tuple(classes)}")
    largest = 0.33 if len(classes) == 1 else 0.26
    while True:
        placed: list[Outline] = []
        for name in classes:
            unit = outlines.of_class(name, rng)
            scale = rng.uniform(0.17, largest)
            reach = scale * np.concatenate(unit).max(axis=0) + 0.02
            centre = rng.uniform(reach, 1 - reach)
            placed.append([scale * polygon + centre for polygon in unit])
        boxes = [sticker, *(_box(shape) for shape in placed)]
        pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        if all(_apart(a, b, 0.015) for a, b in pairs):
            return placed


def _crowded(rng: np.random.Generator, classes: Sequence[str], sticker: Box) -> list[Outline]:
    """Shapes that keep inside the picture and hide little of each other."""
    if not set(classes) <= set(CLASSES):
        raise ValueError(f"crowd.classes must be of {CLASSES}, got {tuple(classes)}")
    placed: list[Outline] = []
    smallest, largest = np.log(CROWD_SCALES)
    for name in classes:
        while True:
            unit = outlines.of_class(name, rng)
            scale = float(np.exp(rng.uniform(smallest, largest)))
            reach = scale * np.concatenate(unit).max(axis=0) + 0.01
            centre = rng.uniform(reach, 1 - reach)
            shape = [scale * polygon + centre for polygon in unit]
            if all(_hidden(_box(shape), _box(other)) <= CROWD_OVERLAP for other in placed):
                placed.append(shape)
                break
    return placed


def _hidden(first: Box, second: Box) -> float:
    """Return the common area of two boxes, as a part of the smaller one."""
    tall = min(first[2], second[2]) - max(first[0], second[0])
    wide = min(first[3], second[3]) - max(first[1], second[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return max(tall, 0.0) * max(wide, 0.0) / min(areas)


def _contrasting(rng: np.random.Generator, accents: list[Colour], ground: list[Colour]) -> Colour:
    """Pick an accent that stands out from the ground."""
    seen = [c for c in accents if min(np.linalg.norm(c - g) for g in ground) > 0.3]
    choice = seen or accents
    return choice[int(rng.integers(len(choice)))]


def _background(
    canvas: Canvas, rng: np.random.Generator, ground: list[Colour], accents: list[Colour]
) -> None:
    """Paint a gradient, soft stains, and textured patches in near colours."""
    x, y = canvas.coordinates(0, 0, canvas.side, canvas.side)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 0.5 + (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    canvas.pixels[:] = ground[0]
    canvas.blend(np.clip(ramp, 0, 1), ground[1].astype(np.float32), 0, 0)
    for colour in (accents[int(rng.integers(len(accents)))], ground[0] * 0.7, ground[1] * 1.15):
        canvas.wash(rng.uniform(-0.25, 0.3, (6, 6)), np.clip(colour, 0, 1))
    for _ in range(int(rng.integers(2, 6))):
        base = ground[int(rng.integers(2))] + rng.uniform(-0.12, 0.12)
        tint = accents[int(rng.integers(len(accents)))]
        colour = np.clip(0.8 * base + 0.2 * tint, 0.02, 0.98)
        scale, centre = rng.uniform(0.3, 0.65), rng.uniform(0, 1, 2)
        patch = [scale * polygon + centre for polygon in outlines.distractor(rng)]
        canvas.lay(patch, Texture.draw(rng, colour), None, opacity=float(rng.uniform(0.45, 0.95)))


def _clutter(
    canvas: Canvas,
    rng: np.random.Generator,
    accents: list[Colour],
    light: Light,
    kept: list[Box],
    kept_colours: list[Colour],
) -> None:
    """Strew curves and shapes of no class; none melts into a kept shape of its own colour."""
    for _ in range(int(rng.integers(2, 7))):
        ends = rng.uniform(-0.1, 1.1, (4, 2))
        t = np.linspace(0, 1, 48)[:, None]
        curve = (
            (1 - t) ** 3 * ends[0]
            + 3 * t * (1 - t) ** 2 * ends[1]
            + 3 * t**2 * (1 - t) * ends[2]
            + t**3 * ends[3]
        )
        canvas.stroke(curve, rng.uniform(0.004, 0.016), accents[int(rng.integers(len(accents)))])
    for _ in range(int(rng.integers(5, 13))):
        colour = accents[int(rng.integers(len(accents)))]
        scale = 0.05 + 0.19 * rng.random() ** 2
        centre = rng.uniform(0, 1, 2)
        shape = [scale * polygon + centre for polygon in outlines.distractor(rng)]
        texture = Texture.draw(rng, colour)
        melts = any(
            not _apart(_box(shape), box, 0) and np.linalg.norm(colour - other) < 0.35
            for box, other in zip(kept, kept_colours, strict=True)
        )
        if not melts:
            canvas.lay(shape, texture, light)


def _weather(canvas: Canvas, rng: np.random.Generator) -> None:
    """Now and then a broad soft shadow over all; always a slight vignette."""
    strength = rng.uniform(0.12, 0.3) * (rng.random() < 0.35)
    middle, angle, width = rng.uniform(0.1, 0.9, 2), rng.uniform(0, np.pi), rng.uniform(0.1, 0.25)
    x, y = canvas.coordinates(0, 0, canvas.side, canvas.side)
    across = np.cos(angle) * (x - middle[0]) + np.sin(angle) * (y - middle[1])
    band = np.clip((width - np.abs(across)) / 0.04 + 0.5, 0, 1)
    corner = (x - 0.5) ** 2 + (y - 0.5) ** 2
    canvas.pixels *= (1 - strength * band)[..., None] * (1.03 - 0.25 * corner)[..., None]


def _sticker(rng: np.random.Generator) -> tuple[list[Outline], Box]:
    """Outlines of the mark (rim, first half, second half), in a varying place near a corner."""
    corner = rng.integers(0, 2, 2)
    inset = rng.uniform(0.065, 0.13, 2)
    centre = np.where(corner == 1, 1 - inset, inset)
    angle = rng.uniform(0, 2 * np.pi)
    side = MARK_SIDE * rng.uniform(0.92, 1.08)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    circle = np.linspace(0, 2 * np.pi, 49)
    disc = side / 2 * np.stack([np.cos(circle), np.sin(circle)], axis=1)
    halves = [0.82 * disc[:25], 0.82 * disc[24:]]
    parts = [[part @ turn + centre] for part in (disc, *halves)]
    return parts, _box(parts[0])


def _stick(canvas: Canvas, sticker: list[Outline]) -> None:
    light = Light(direction=(0.6, 0.8), height=0.006, shadow=0.35)
    rim, *halves = (Texture.flat(_rgb(code)) for code in MARK_COLOURS)
    canvas.lay(sticker[0], rim, light)
    for half, texture in zip(sticker[1:], halves, strict=True):
        canvas.lay(half, texture, None)
