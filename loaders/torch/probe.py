"""What a network that came whole takes and gives, told by trying.

The file's own size is tried first, then the one that its dense layers ask for, then common ones.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from loaders import heads
from loaders.torch import outputs, sizes
from loaders.torch.watch import Watch
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.model import Finding

if TYPE_CHECKING:
    from loaders.torch.wrapped import Reading

Size = tuple[int, int]
_PRECISION = re.compile(r"dtype|scalar type|Half|Double|BFloat16|same type|c10::|float !=|!= float")
_WHOLE = re.compile(r"indices.{0,200}(Long|Int)|Long, Int|embedding", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the person and the file say: the output, the number of classes, the batch."""

    output: str = ""
    classes: int = 0
    batch: int = 0


@dataclasses.dataclass(frozen=True)
class Found:
    """How a network runs: its input, how it is read, and the pass that showed it.

    `inputs` are two photos' (or a fixed batch's), float32 `[N, c, h, w]`, `answers` the scores
    `[N, classes]` they got, `made` the tensor that holds them in the network's answer, `sides`
    what else would run where a dense layer fixes the size, `dense` how many numbers a network of
    dense layers alone takes.
    """

    channels: int
    size: Size
    reading: Reading
    inputs: Any
    answers: Any
    made: Any
    watch: Watch
    findings: tuple[Finding, ...]
    sides: sizes.Sides | None = None
    dense: int = 0

    @property
    def classes(self) -> int:
        """How many scores the network gives a photo."""
        return int(self.answers.shape[1])


@dataclasses.dataclass
class _Failure:
    """A pass that gave no scores: why, where it stopped, and whether no size would help."""

    said: str
    watch: Watch
    final: bool = False


def channels_of(module: Any) -> int:
    """Return how many channels the first convolution takes; 0 where there is none."""
    for tensor in module.state_dict().values():
        if tensor.ndim == 4:
            return int(tensor.shape[1])
    return 0


def find(
    module: Any,
    channels: int,
    wanted: Sequence[Size],
    asked: Asked,
    *,
    own: Any,
    last: bool = False,
) -> Found:
    """Return how the network runs on photos of `channels`, first of all of the sizes `wanted`.

    `own` is the type of the file's weights, and `last` says that it takes channels last. Raises
    UnsupportedModel, with the reason, where it runs on none.
    """
    import torch

    from loaders.torch.wrapped import Reading

    start = Reading("last" if last else "maps")
    tried: list[tuple[Size, _Failure]] = []
    said: list[tuple[Size, _Failure]] = []
    for weights, taken in _precisions(own):
        reading = dataclasses.replace(start, dtype=taken)
        if weights != torch.float32:
            module.to(weights)
        for size, sides in _order(module, channels, wanted, reading, tried):
            for batch in (asked.batch,) if asked.batch else (2, 1):
                got = _attempt(module, channels, size, reading, asked, batch)
                if isinstance(got, Found):
                    return dataclasses.replace(got, sides=sides)
                if got.final:
                    raise UnsupportedModel(got.said)
                if batch == (asked.batch or 2):
                    tried.append((size, got))
        said = said or tried
        if not any(_PRECISION.search(failure.said) for _, failure in tried):
            break
        tried = []
    module.to(torch.float32)
    raise UnsupportedModel(_refusal(channels, said))


def _precisions(own: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the types of the weights and of the photos to try, where the file's own is `own`."""
    import torch

    yield torch.float32, torch.float32
    for weights in (own,) if own != torch.float32 else (torch.float16, torch.float64):
        yield weights, weights
        if own != torch.float32:
            yield weights, torch.float32


def _order(
    module: Any, channels: int, wanted: Sequence[Size], reading: Any, tried: list[tuple[Size, Any]]
) -> Iterator[tuple[Size, sizes.Sides | None]]:
    """Yield the sizes to try, with what else would run; it looks at what was tried meanwhile."""
    import torch

    from loaders.torch import wrapped

    def run(side: int) -> Watch:
        watch = Watch()
        with torch.inference_mode():
            photos = torch.full((1, channels, side, side), 0.1)
            try:
                with watch:
                    module(wrapped.formed(watch.begin(photos), reading))
            except Exception:  # a stranger's forward may raise anything
                return watch
        return watch

    given: list[Size] = []
    for size in (*wanted, (sizes.COMMON[0],) * 2):
        if size not in given:
            given.append(size)
            yield size, None
    if tried:
        size, failure = tried[-1]
        off = sizes.misfit(failure.watch)
        if off and off[1].side and size[0] == size[1]:
            found = sizes.search(run, off[0], (size[0], off[2]), off[1].side)
            if found:
                yield (found.likely, found.likely), found
        elif grid := sizes.tokens(failure.watch):
            side = size[0] // grid[0] * grid[1]
            given.append((side, side))
            yield (side, side), sizes.Sides(side, side)
    for side in sizes.COMMON[1:]:
        if (side, side) not in given:
            yield (side, side), None


def dense(module: Any, asked: Asked, channels: int, size: Size | None) -> Found | None:
    """Return how a network of dense layers runs on pictures; None where it does not.

    `channels` (or 0) and `size` are what the person said.
    """
    from loaders.torch.wrapped import Reading

    weight = next((each for each in module.state_dict().values() if each.ndim == 2), None)
    if weight is None:
        return None
    for count, height, width in sizes.pictures(int(weight.shape[1]), channels, size):
        for form in ("maps", "rows"):
            for batch in (asked.batch,) if asked.batch else (2, 1):
                reading = Reading("rows" if form == "rows" else "maps")
                got = _attempt(module, count, (height, width), reading, asked, batch)
                if isinstance(got, Found):
                    return dataclasses.replace(got, dense=int(weight.shape[1]))
    return None


def _attempt(
    module: Any, channels: int, size: Size, reading: Reading, asked: Asked, batch: int
) -> Found | _Failure:
    import torch

    from loaders.torch import wrapped

    views = heads.probes(size, channels)[: min(batch, 2)]
    photos = wrapped.plain(torch.from_numpy(views).permute(0, 3, 1, 2))
    if batch > 2:
        (photos,) = wrapped.batches(photos, batch)
    watch = Watch()
    try:
        with torch.inference_mode():
            formed = wrapped.formed(watch.begin(photos), reading)
            with watch:
                answer = module(watch.begin(formed) if reading.form == "maps" else formed)
            chosen = outputs.choose(answer, batch, asked=asked.output, classes=asked.classes)
    except ParamError:
        raise
    except Exception as error:  # a stranger's forward may raise anything
        return _Failure(_reason(watch.error or error), watch)
    if chosen is None:
        return _no_scores(answer, size, watch, batch)
    fixed = batch if batch != 2 or asked.batch else 0
    done = dataclasses.replace(reading, output=chosen.path, batch=fixed)
    return Found(
        channels,
        size,
        done,
        photos,
        chosen.scores.float(),
        outputs.at(answer, chosen.path),
        watch,
        (*chosen.findings, *_alone(fixed)),
    )


def _alone(batch: int) -> tuple[Finding, ...]:
    if not batch:
        return ()
    many = "one photo" if batch == 1 else f"{batch} photos"
    how = "photos run one by one" if batch == 1 else f"photos run in batches of {batch}, filled up"
    return (
        Finding(
            "info",
            f"The network takes only {many} at once: {how}, which is slower. Export it with a "
            "free batch dimension to be faster.",
        ),
    )


def _no_scores(answer: Any, size: Size, watch: Watch, batch: int) -> _Failure:
    shapes = [list(tensor.shape) for _, tensor in outputs.tensors(answer)]
    shown = ", ".join(map(str, shapes[:3])) if shapes else type(answer).__name__[:60]
    said = (
        f"The network answers with {shown}, not with one row of class scores a photo: it is no "
        "image classifier."
    )
    # Rows of another number, or a small map, come of a photo of the wrong size.
    maybe = any(
        len(shape) == 2 or len(shape) == 1 or (len(shape) == 4 and max(shape[2:]) * 8 <= max(size))
        for shape in shapes
    )
    return _Failure(said, watch, final=not maybe)


def _refusal(channels: int, tried: list[tuple[Size, _Failure]]) -> str:
    """Say why a network runs on no size, and what would help."""
    first = tried[0][1]
    said = [failure.said for _, failure in tried]
    colours = f"{channels} channel{'s' * (channels != 1)}"
    off = sizes.misfit(first.watch)
    if any(_WHOLE.search(each) for each in said):
        return (
            f"The network takes whole numbers, as texts are given, and no photos ({first.said}): "
            "it is no classifier of photos."
        )
    if "no image classifier" in first.said and len(set(said)) == 1:
        return first.said
    if off is not None and not off[1].side:
        wish = off[1]
        cells, rest = divmod(wish.numbers, wish.channels)
        if rest:
            return (
                f"Its dense layer takes {wish.numbers:,} numbers and the map before it has "
                f"{wish.channels:,} channels, which no size of photo brings together: the code "
                "is not that of these weights (such as another pooling). Bring the code that it "
                "was trained with."
            )
        return (
            f"Its dense layer takes a map of {cells:,} cells, which is no square: set the size "
            "that it was trained at (--size HEIGHTxWIDTH)."
        )
    if off is not None:
        side = off[1].side
        return (
            f"Its dense layer takes a map of {side} x {side} cells, and no square photo that was "
            "tried gives one: the code is not that of these weights (such as another pooling), "
            "or the photo is not square. Bring the code that it was trained with, or set the size."
        )
    if len({_bare(each) for each in said}) == 1:
        return (
            f"The network does not run on photos with {colours}, whatever their size "
            f"({first.said}). Where its class is defined, run it on torch.rand(2, {channels}, 224, "
            "224), mend what is said there, and export it again."
        )
    tries = ", ".join(str(size[0]) for size, _ in tried[:4])
    return (
        f"The network does not run on photos with {colours} of {tries} or more pixels a side "
        f"({first.said}). Set the size that it was trained at (--size)."
    )


def _bare(text: str) -> str:
    return re.sub(r"\d+", "", text)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    # TorchScript tells where it happened first, and what happened last.
    line = lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
    text = "".join(letter for letter in line if letter.isprintable())[:120]
    return text.rstrip(".") or type(error).__name__[:60]
