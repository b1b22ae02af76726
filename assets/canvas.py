"""A float picture on which outlines are laid like cut paper: texture, rim of light, shadow.

All lengths are parts of the side, so that a scene looks the same at every size.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from assets.outlines import Outline

Image = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float64]  # [3], RGB, 0..1
Box = tuple[float, float, float, float]  # top, left, bottom, right, 0..1

SUBPIXEL_BITS: Final = 4
TEXTURES: Final = ("plain", "plain", "stripes", "dots", "checks", "speckle")


@dataclass(frozen=True, kw_only=True)
class Texture:
    """A pattern of two colours as a function of place, so that it has no resolution of its own."""

    kind: str
    colour: Colour
    other: Colour
    angle: float  # radians
    frequency: float  # periods a side
    grain: Image  # [n, n], 0..1, for "speckle"

    @classmethod
    def draw(cls, rng: np.random.Generator, colour: Colour) -> "Texture":
        """Return a texture of this colour and of a lighter or darker neighbour of it."""
        shade = rng.uniform(0.1, 0.24) * rng.choice([-1.0, 1.0])
        return cls(
            kind=str(rng.choice(TEXTURES)),
            colour=colour,
            other=np.clip(colour + shade + rng.uniform(-0.04, 0.04, 3), 0.02, 0.98),
            angle=float(rng.uniform(0, np.pi)),
            frequency=float(rng.uniform(14, 34)),
            grain=rng.random((24, 24), dtype=np.float32),
        )

    @classmethod
    def flat(cls, colour: Colour) -> "Texture":
        """Return a texture of one colour."""
        grain = np.zeros((2, 2), np.float32)
        return cls(kind="plain", colour=colour, other=colour, angle=0.0, frequency=1.0, grain=grain)

    def mix(self, x: Image, y: Image) -> Image:
        """Part of the second colour at the places x, y: float32 of their shape, 0..1."""
        along = np.cos(self.angle) * x + np.sin(self.angle) * y
        across = np.cos(self.angle) * y - np.sin(self.angle) * x
        turn = 2 * np.pi * self.frequency
        if self.kind == "plain":
            part = 0.5 + 0.25 * np.sin(turn / 24 * along)
        elif self.kind == "stripes":
            part = 0.5 + 2.5 * np.sin(turn * along)
        elif self.kind == "dots":
            part = 2.5 * (np.sin(turn * along) * np.sin(turn * across) - 0.35)
        elif self.kind == "checks":
            part = 0.5 + 3 * np.sin(turn / 2 * along) * np.sin(turn / 2 * across)
        else:  # "speckle": the grain, folded over and over
            half = (len(self.grain) - 1) / 2
            column = (half + half * np.sin(turn / 12 * along)).astype(np.float32)
            row = (half + half * np.sin(turn / 12 * across)).astype(np.float32)
            part = cv2.remap(self.grain, column, row, cv2.INTER_LINEAR)
        clipped: Image = np.clip(part, 0, 1).astype(np.float32, copy=False)
        return clipped

    def at(self, x: Image, y: Image) -> Image:
        """Colours at the places x, y: float32 [h, w, 3], 0..1."""
        mix = self.mix(x, y)[..., None]
        colours: Image = mix * (self.other - self.colour).astype(np.float32)
        colours += self.colour.astype(np.float32)
        return colours


@dataclass(frozen=True, kw_only=True)
class Light:
    """Where a scene's light comes from, and how hard it is."""

    direction: tuple[float, float]  # (x, y) unit vector, from the light on
    height: float  # shadow's length, parts of the side
    shadow: float  # 0 none .. 1 black


class Canvas:
    """A square picture, float32 [side, side, 3], RGB, 0..1, painted in place."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.pixels: Image = np.zeros((side, side, 3), np.float32)

    def coordinates(self, top: int, left: int, height: int, width: int) -> tuple[Image, Image]:
        """Return places x and y of a window's pixels, in parts of the side: float32 [h, w] each."""
        x = (np.arange(left, left + width, dtype=np.float32) + 0.5) / self.side
        y = (np.arange(top, top + height, dtype=np.float32) + 0.5) / self.side
        columns, rows = np.meshgrid(x, y)
        return columns.astype(np.float32, copy=False), rows.astype(np.float32, copy=False)

    def cover(self, outline: Outline, margin: float) -> tuple[Image, int, int]:
        """Coverage of an outline, float32 [h, w], 0..1, and its window's top and left."""
        points = np.concatenate(outline)
        low = np.floor((points.min(axis=0) - margin) * self.side).astype(int)
        high = np.ceil((points.max(axis=0) + margin) * self.side).astype(int) + 1
        left, top = np.clip(low, 0, self.side - 1)
        right, bottom = np.clip(high, [left + 1, top + 1], self.side)
        scale = 2**SUBPIXEL_BITS
        # OpenCV counts from a pixel's centre, hence the half.
        corners = [
            np.rint((polygon * self.side - 0.5 - [left, top]) * scale).astype(np.int32)
            for polygon in outline
        ]
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, corners, (255,), cv2.LINE_AA, SUBPIXEL_BITS)
        return mask.astype(np.float32) / np.float32(255), int(top), int(left)

    def blend(self, alpha: Image, colours: Image, top: int, left: int) -> None:
        """Lay colours ([h, w, 3] or [3]) with alpha [h, w] over a window."""
        height, width = alpha.shape
        window = self.pixels[top : top + height, left : left + width]
        change = colours - window
        change *= alpha[..., None]
        window += change

    def lay(
        self, outline: Outline, texture: Texture, light: Light | None, opacity: float = 1
    ) -> None:
        """Lay an outline of paper down; with a light it gets a rim and casts a shadow."""
        margin = 0.0 if light is None else 3 * light.height
        alpha, top, left = self.cover(outline, margin)
        x, y = self.coordinates(top, left, *alpha.shape)
        colours = texture.at(x, y)
        if light is not None:
            away = np.array(light.direction, np.float32)
            if light.shadow > 0:
                dark = self._moved(alpha, away * light.height)
                blur = max(light.height * self.side / 2.2, 0.4)
                dark = cv2.GaussianBlur(dark, (0, 0), blur)
                self.blend(light.shadow * dark, np.zeros(3, np.float32), top, left)
            # Light falls on the edge that faces it; the far edge is in shade.
            rim = self._moved(alpha, -away * 0.005) - self._moved(alpha, away * 0.005)
            slope = 0.35 * (away[0] * (x - x.mean()) + away[1] * (y - y.mean()))
            colours -= (np.float32(0.13) * rim + slope)[..., None]
            np.clip(colours, 0, 1, out=colours)
        self.blend(np.float32(opacity) * alpha, colours, top, left)

    def stroke(self, points: npt.NDArray[np.float64], width: float, colour: Colour) -> None:
        """Draw an open curve through points [n, 2], (x, y), with a pen of this width."""
        tangent = np.gradient(points, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal *= width / 2 / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        alpha, top, left = self.cover(
            [np.concatenate([points + normal, (points - normal)[::-1]])], 0
        )
        self.blend(alpha, colour.astype(np.float32), top, left)

    def wash(self, field: npt.NDArray[np.floating], colour: Colour) -> None:
        """Tint the whole picture by a coarse field [n, n] of alphas, 0..1, smoothly enlarged."""
        alpha = cv2.resize(
            field.astype(np.float32), (self.side, self.side), interpolation=cv2.INTER_CUBIC
        )
        self.blend(np.clip(alpha, 0, 1), colour.astype(np.float32), 0, 0)

    def reduced(self, size: int) -> Image:
        """Return the picture averaged down to float32 [size, size, 3]."""
        small: Image = cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)
        return small

    def _moved(self, alpha: Image, by: Image) -> Image:
        shift = np.array([[1, 0, by[0] * self.side], [0, 1, by[1] * self.side]])
        moved: Image = cv2.warpAffine(alpha, shift, (alpha.shape[1], alpha.shape[0]))
        return moved
