"""An edit by hand in one word, as the command line takes it and the page prints it.

`hide:box:10,12/50,60`, `keep:brush:9,9/9,40:width=8:fill=blur`, `move:polygon:1,1/1,9/9,5:by=2,1`,
`paste:box:10,12/50,60:by=5,7:from=other.png`: what is done, how the part was drawn, its points as
rows and columns of the photo, and what else there is to say.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from xai_core.errors import ParamError
from xai_core.probes import edits
from xai_core.probes.edits import ACTS, Act, Drawn, Kind, dragged
from xai_core.probes.fills import FILLS

FORM = "ACT:KIND:ROW,COLUMN/...[:width=PX][:by=ROWS,COLUMNS][:fill=NAME][:from=PHOTO]"
"""How the word of an edit is made up."""
KINDS: tuple[Kind, ...] = ("brush", "box", "polygon")


@dataclasses.dataclass(frozen=True)
class Edit:
    """What is done with a drawn part; a pasted one may come out of another photo, the `source`."""

    act: Act
    drawn: Drawn
    fill: str = FILLS[0]
    source: str = ""

    @property
    def word(self) -> str:
        """Write it in one word."""
        drawn = self.drawn
        points = "/".join(",".join(map(_number, point)) for point in drawn.points)
        parts = [self.act, drawn.kind, points]
        if drawn.kind == "brush":
            parts.append(f"width={_number(drawn.width)}")
        if self.act in ("move", "paste") and drawn.by != (0, 0):
            parts.append(f"by={drawn.by[0]},{drawn.by[1]}")
        if self.act in ("hide", "keep") and self.fill != FILLS[0]:
            parts.append(f"fill={self.fill}")
        if self.source:
            parts.append(f"from={self.source}")
        return ":".join(parts)

    @classmethod
    def read(cls, word: str) -> Edit:
        """Read such a word; where its points lie is asked by `on`. Raises ParamError."""
        plain, _, source = word.partition(":from=")
        act, kind, points, *more = [*plain.split(":"), "", ""][: max(3, plain.count(":") + 1)]
        given = {name: value for name, _, value in (each.partition("=") for each in more)}
        good = act in ACTS and kind in KINDS and set(given) <= {"width", "by", "fill"}
        good = good and len(given) == len(more) and given.get("fill", FILLS[0]) in FILLS
        if not good or (source and act != "paste"):
            raise ParamError(
                f"An edit must be {FORM}, the act one of {', '.join(ACTS)}, the kind one of "
                f"{', '.join(KINDS)}, the fill one of {', '.join(FILLS)}, got {word[:80]!r}"
            )
        try:
            read = tuple(_pair(point) for point in points.split("/"))
            width = float(given.get("width", "0"))
            down, across = (int(each) for each in given.get("by", "0,0").split(","))
        except ValueError:
            raise ParamError(f"An edit must be {FORM} in numbers, got {word[:80]!r}") from None
        drawn = Drawn(kind, read, width, (down, across))  # type: ignore[arg-type]
        return cls(act, drawn, given.get("fill", FILLS[0]), source)  # type: ignore[arg-type]

    def on(self, photo: tuple[int, int], into: tuple[int, int] | None = None) -> Edit:
        """Return it once it is known to be one of a photo (height, width), or of one and another.

        Raises ParamError for points or ways outside.
        """
        drawn = self.drawn
        by = dragged([*drawn.by], into or photo)
        said = {
            "kind": drawn.kind,
            "points": [[*point] for point in drawn.points],
            "width": drawn.width,
        }
        return dataclasses.replace(self, drawn=dataclasses.replace(Drawn.read(said, photo), by=by))

    def words(self, photo: tuple[int, int]) -> str:
        """Say what was done, '5 % of the photo hidden'; `photo` is the one with the part."""
        said = edits.words(self.drawn, self.act, photo)
        if self.source:
            said = f"{said.split(' of the photo')[0]} of {Path(self.source).name} pasted in"
        return said


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _pair(point: str) -> tuple[float, float]:
    row, column = (float(each) for each in point.split(","))
    return row, column
