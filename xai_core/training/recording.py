"""What is seen of a network after each epoch, small: 8 bits a value, coded by differences.

An epoch is like the one before it, so the difference of their values, byte by byte, is mostly
zeros. Nothing here is lossy but the rounding to 8 bits: half a step at most.
"""

from __future__ import annotations

import dataclasses
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ParamError
from xai_core.result import Result
from xai_core.task import Shape

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]

EPOCHS = 200
"""Most epochs of a training."""
CURVES = 64
"""Most curves of a training."""
RAW = 48 << 20
"""Most values that a recording may have, all its epochs and layers together."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """One layer over the epochs: `data` is each epoch's own zlib stream, one after the other.

    A stream is column after column: what one unit does to all samples lies together.

    `ends` int64 `[epochs]` is where each stream ends. An epoch's bytes are the difference to the
    epoch before, modulo 256, but where `whole` says that they stand for themselves. A value is
    `(byte - zero) * steps[epoch]`; `steps` float32 `[epochs]`. `sides` are one epoch's.
    """

    data: Bytes
    ends: NDArray[np.int64]
    whole: NDArray[np.bool_]
    steps: Array
    sides: tuple[int, int]
    zero: int = 0

    def __post_init__(self) -> None:
        """Check what can be said without reading a stream. Raises ValueError."""
        epochs, (rows, columns) = len(self.ends), self.sides
        if min(rows, columns) < 1 or epochs * rows * columns > RAW or not 0 <= self.zero < 256:
            raise ValueError(f"frames of {epochs} x {rows} x {columns} values")
        if not len(self.whole) == len(self.steps) == epochs or (epochs and not self.whole[0]):
            raise ValueError("frames whose parts do not fit")
        starts = np.concatenate([[0], self.ends])
        if (np.diff(starts) < 0).any() or starts[-1] != self.data.size:
            raise ValueError("frames that end elsewhere")
        if not np.isfinite(self.steps).all() or (self.steps <= 0).any():
            raise ValueError("frames without a scale")

    def __len__(self) -> int:
        """How many epochs there are."""
        return len(self.ends)

    def coded(self) -> Bytes:
        """Return every epoch's bytes, uint8 `[epochs, rows, columns]`. Raises ValueError."""
        size = self.sides[0] * self.sides[1]
        made = np.empty((len(self), *self.sides), np.uint8)
        start = 0
        for epoch, end in enumerate(self.ends.tolist()):
            undo = zlib.decompressobj()
            plain = undo.decompress(self.data[start:end].tobytes(), size + 1)
            if len(plain) != size:
                raise ValueError(f"frames whose epoch {epoch} is damaged")
            values = np.frombuffer(plain, np.uint8).reshape(self.sides[::-1])
            made[epoch] = values.T
            if not self.whole[epoch]:
                made[epoch] += made[epoch - 1]
            start = end
        return made

    def decoded(self) -> Array:
        """Return the values, float32 `[epochs, rows, columns]`, half a step from the true ones."""
        values = self.coded().astype(np.float32) - self.zero
        made: Array = values * self.steps[:, None, None]
        return made

    def column(self, at: int) -> Array:
        """Return one unit's values, float32 `[epochs, rows]`."""
        made: Array = self.coded()[:, :, at].astype(np.float32) - self.zero
        made *= self.steps[:, None]
        return made

    def epoch(self, at: int) -> Array:
        """Return one epoch's values, float32 `[rows, columns]`; -1 is the last."""
        made: Array = self.coded()[at].astype(np.float32) - self.zero
        made *= self.steps[at]
        return made

    def before(self, epochs: int) -> Frames:
        """Return the first so many epochs."""
        size = int(self.ends[epochs - 1]) if epochs else 0
        return Frames(
            self.data[:size], self.ends[:epochs], self.whole[:epochs], self.steps[:epochs],
            self.sides, self.zero,
        )  # fmt: skip

    def then(self, later: Frames) -> Frames:
        """Return these and then those of a later part, whose first epoch stands for itself."""
        if (self.sides, self.zero) != (later.sides, later.zero):
            raise ValueError("frames of two kinds")
        return Frames(
            np.concatenate([self.data, later.data]),
            np.concatenate([self.ends, later.ends + (self.ends[-1] if len(self) else 0)]),
            np.concatenate([self.whole, later.whole]),
            np.concatenate([self.steps, later.steps]),
            self.sides,
            self.zero,
        )


class Writer:
    """Codes one layer epoch by epoch.

    `top` is the largest size of a value where that is known (1 for a gate); else the scale starts
    at what the first epoch needs and doubles whenever an epoch outgrows it, so that all epochs
    before stay as they were coded. `signed` puts zero in the middle.
    """

    def __init__(self, *, top: float | None = None, signed: bool = False) -> None:
        self._zero, self._most = (128, 127) if signed else (0, 255)
        self._fixed = top is not None
        self.step = 0.0 if top is None else top / self._most
        self._last: Bytes | None = None
        self._sides = (1, 1)
        self._streams: list[bytes] = []
        self._whole: list[bool] = []
        self._steps: list[float] = []

    @property
    def size(self) -> int:
        """The bytes so far."""
        return sum(map(len, self._streams))

    def add(self, values: Array) -> Bytes:
        """Code one epoch, float `[rows, columns]`; return its bytes as they will be read."""
        grown = self.fit(values)
        coded = np.rint(values / np.float32(self.step)) + self._zero
        low, high = self._zero - self._most, self._zero + self._most
        made: Bytes = np.clip(coded, low, high).astype(np.uint8)
        whole = self._last is None or grown
        change = made if self._last is None or whole else made - self._last  # modulo 256
        self._streams.append(_pressed(change))
        self._whole.append(whole)
        self._steps.append(self.step)
        self._last, self._sides = made, (made.shape[0], made.shape[1])
        return made

    def fit(self, values: Array) -> bool:
        """Let the scale hold an epoch's values; return whether one that was there has grown."""
        need = float(np.abs(values).max()) / self._most
        if self._fixed:
            return False
        if not self.step:
            # some room, or the second epoch outgrows it
            self.step = max(need, 1e-12) * 1.25
            return False
        grown = need > self.step
        while need > self.step:
            self.step *= 2
        return grown

    def made(self) -> Frames:
        """Return what was coded."""
        return Frames(
            np.frombuffer(b"".join(self._streams), np.uint8),
            np.cumsum([len(stream) for stream in self._streams], dtype=np.int64),
            np.array(self._whole, np.bool_),
            np.array(self._steps, np.float32),
            self._sides,
            self._zero,
        )


def _pressed(values: Bytes) -> bytes:
    """Return a zlib stream of `[rows, columns]`, column after column.

    Runs alone are looked for: a fiftieth of the time of zlib's own way, and shorter here.
    """
    press = zlib.compressobj(strategy=zlib.Z_RLE)
    return bytes(press.compress(np.ascontiguousarray(values.T).tobytes()) + press.flush())


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Recording(Result):
    """A training as it was seen after each epoch; the first row is epoch `first`.

    `frames` by layer; `curves` float32 `[epochs]` by name, NaN where there is none; `arrays` whose
    name begins with `each ` have a row an epoch, the others stand for the end. `chosen` is the
    epoch whose weights are the model. `words` is what the pages say of it: its values and its data.
    """

    frames: Mapping[str, Frames] = dataclasses.field(default_factory=dict)
    curves: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    first: int = 0
    chosen: int = 0
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that every part has a row an epoch. Raises ValueError."""
        super().__post_init__()
        rows = {len(frames) for frames in self.frames.values()}
        rows |= {len(curve) for curve in self.curves.values()}
        rows |= {len(array) for name, array in self.arrays.items() if name.startswith(EACH)}
        if len(rows) > 1 or any(curve.ndim != 1 for curve in self.curves.values()):
            raise ValueError("a recording whose parts differ in their epochs")
        if not 0 <= self.first <= self.first + len(self) <= EPOCHS:
            raise ValueError(f"a recording of the epochs {self.first} to {self.last}")

    def __len__(self) -> int:
        """How many epochs it has."""
        return len(next(iter(self.curves.values()), ()))

    @property
    def last(self) -> int:
        """The number of its last epoch."""
        return self.first + len(self) - 1

    @property
    def size(self) -> int:
        """The bytes of its frames."""
        return sum(frames.data.size for frames in self.frames.values())

    def after(self, earlier: Recording) -> Recording:
        """Return a branch with the epochs of the training that it left, up to its own first.

        Raises ValueError where the two do not meet.
        """
        kept = self.first - earlier.first
        if not 0 <= kept <= len(earlier) or set(earlier.frames) != set(self.frames):
            raise ValueError("a branch of another training")
        arrays = {
            name: np.concatenate([earlier.arrays[name][:kept], array])
            if name.startswith(EACH)
            else array
            for name, array in self.arrays.items()
        }
        return dataclasses.replace(
            self,
            frames={
                name: earlier.frames[name].before(kept).then(frames)
                for name, frames in self.frames.items()
            },
            curves={
                name: np.concatenate([earlier.curves[name][:kept], curve])
                for name, curve in self.curves.items()
            },
            arrays=arrays,
            first=earlier.first,
        )

    def npz(self) -> bytes:
        """Return it as one file that numpy opens without a pickle; layers as their bytes."""
        parts: dict[str, Any] = {"epoch": np.arange(self.first, self.first + len(self))}
        for name, frames in self.frames.items():
            parts |= {name: frames.coded(), f"{name} step": frames.steps}
            parts[f"{name} zero"] = np.int64(frames.zero)
        parts |= {f"curve {name}": curve for name, curve in self.curves.items()}
        parts |= dict(self.arrays) | {"chosen": np.int64(self.chosen)}
        parts["words"] = np.array([f"{name}: {said}" for name, said in self.words.items()])
        out = io.BytesIO()
        np.savez_compressed(out, **parts)
        return out.getvalue()

    def csv(self) -> str:
        """Return the curves as a table, a row an epoch; empty where there is no value."""
        lines = [",".join(["epoch", *self.curves])]
        for row in range(len(self)):
            cells = [f"{curve[row]:.6g}" for curve in self.curves.values()]
            lines.append(",".join([str(self.first + row), *cells]).replace("nan", ""))
        return "\n".join(lines) + "\n"


EACH = "each "


def room(layers: Sequence[tuple[int, int]], epochs: int) -> int:
    """Return the values that a recording of these layers has at most.

    Raises ParamError where that is more than one may have.
    """
    values = epochs * sum(rows * columns for rows, columns in layers)
    if values > RAW:
        raise ParamError(
            f"A recording may have {RAW / 1e6:.0f} million values, and this one would have "
            f"{values / 1e6:,.0f} million. Choose fewer epochs, fewer layers or smaller ones."
        )
    return values


def gives(layers: Mapping[str, int]) -> dict[str, Shape]:
    """Return the arrays of a Recording for a task's `gives`, by layer and its values an epoch.

    Those under `arrays.` are the task's own affair.
    """
    made = {"curves.*": Shape("<f4", ("",), most=EPOCHS * CURVES)}  # together
    for name, values in layers.items():
        # zlib adds little to what it cannot press
        made |= {
            f"frames.{name}.data": Shape("|u1", ("",), most=min(RAW, EPOCHS * (values + 64))),
            f"frames.{name}.ends": Shape("<i8", ("",), most=EPOCHS),
            f"frames.{name}.whole": Shape("|b1", ("",), most=EPOCHS),
            f"frames.{name}.steps": Shape("<f4", ("",), most=EPOCHS),
        }
    return made
