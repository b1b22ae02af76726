"""What a network's forward passes run on: its own framework, or OpenVINO once that repays itself.

A conversion takes a second or two. So it waits for a run that repays it, of which only the length
counts and not what came before, so that the same run has the same answer. It takes over only where
it gives the same scores, and gives them sooner.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from loaders.streams import Streams
from xai_core.card import Backend

Array = NDArray[np.float32]
Run = Callable[[Array], Array]
"""Views float32 `[n, h, w, 3]` in, logits `[n, classes]` out."""

AGREES = 1e-5
"""By how much the scores may differ, as a part of the largest of them."""
SLOPES = 1e-4
"""By how much slopes may differ, as a part of the largest: a ReLU at nought may go either way."""
REPAYS, FEWEST = 3.0, 80
"""Seconds of passes, and images, of a run for which a network is converted: that takes a second or
two, and as long as some twenty passes."""
QUICKER = 1.05
"""Times that a converted network must be as quick as its framework, to be taken."""
LARGEST = 1 << 30
"""Bytes of weights above which a second and a third copy of them would be too much memory."""
PIECES = (1, 2, 4, 8)
"""Views at once that are tried."""
TRYING, SOONER = 1.0, 0.95
"""Seconds that trying them may take (what takes longer has little to gain by it), and the share of
the time below which one is taken."""


class Refused(Exception):
    """A network is not converted; it says why, as a clause.

    Where a person asked for that way it is `told` even though another one is taken.
    """

    def __init__(self, why: str, *, told: bool = False) -> None:
        super().__init__(why)
        self.told = told


class Way(Protocol):
    """Another way to run a network: views in, logits out."""

    name: str
    piece: int
    """Views that go through it at once."""

    def __call__(self, views: Array) -> Array:
        """Return the logits, float32 `[n, classes]`."""


class Passes:
    """The forward passes of one network.

    `plain` runs it in its framework, which is called `name`. Each of `ways` makes another that does
    the same sooner, or raises: whatever they raise, the network stays where it is. The first that
    serves is taken. `weights` are its bytes, and `why_not` says why it stays in any case. `repays`
    are the seconds of a run's passes from which a change repays itself, where not `REPAYS`. `alone`
    is what runs a piece within a thread of its own (`plain` where it is not given), and `streams`
    makes such threads where the network may run twice at once.
    """

    def __init__(
        self,
        plain: Run,
        *ways: Callable[[], Way],
        name: str,
        size: tuple[int, int],
        weights: int,
        why_not: str = "",
        repays: float | None = None,
        alone: Run | None = None,
        streams: Callable[[], Streams | None] = lambda: None,
    ) -> None:
        self._repays = repays
        self._settled = bool(why_not)
        if not why_not and weights > LARGEST:
            why_not, ways = "its weights are too large to be held twice", ()
        self._plain, self._ways, self._size = plain, ways, size
        self._alone, self._streams = alone or plain, streams
        self._run: Run | None = None
        self._pace = 0.0  # seconds of an image, 0 for not known
        self._timed = 0
        self.backend = Backend(name=name, why=why_not)
        self._missed = ""

    def __call__(self, views: Array) -> Array:
        """Return the logits, float32 `[n, classes]`."""
        if self._run is not None:
            return self._run(views)
        if self._settled:
            return self._plain(views)
        took, logits = timed(self._plain, views)
        pace = took / max(1, len(views))
        self._pace = min(self._pace or pace, pace)
        self._timed += 1
        return logits

    @property
    def pace(self) -> float:
        """The seconds that an image took in its framework, 0 where that is not known."""
        return self._pace

    @property
    def room(self) -> int:
        """How many views go at once where that is not the caller's to say, 0 where it is."""
        return int(getattr(self._run, "room", 0))

    def expect(self, images: int) -> None:
        """Hear that so many are to come, and convert the network where that repays itself."""
        if self._settled or images < FEWEST:
            return
        # the first pass of all prepares much, so one alone says too little
        least = REPAYS if self._repays is None else self._repays
        while self._timed < 2 and (not self._timed or self._pace * images >= least):
            self(probes(self._size)[:1])
        if self._pace * images >= least:
            self.settle()

    def settle(self) -> Backend:
        """Decide at once, and return what it runs on from now on."""
        if not self._settled:
            self._settled = True
            whys = []
            for way in self._ways:
                if not (why := self._tried(way)):
                    break
                whys.append(why)
            else:
                why = whys[0] if whys else self.backend.why
                self.backend = Backend(name=self.backend.name, why=why)
                self._cut()
            self._ways = ()  # they may hold the network's tensors
            self._streams = lambda: None
            self.backend = dataclasses.replace(self.backend, missed=self._missed)
        return self.backend

    def _tried(self, way: Callable[[], Way]) -> str:
        """Take another way, or say why not, as a clause."""
        try:
            self._take(way, time.process_time())
        except Refused as error:
            if error.told:
                self._missed = str(error)
            return str(error)
        except MemoryError:
            return "there was not enough memory to convert it"
        except Exception as error:  # what a converter raises of a stranger's network
            return f"OpenVINO cannot convert it ({_short(error)})"
        return ""

    def _take(self, way: Callable[[], Way], start: float) -> None:
        views = probes(self._size)
        own = self._plain(views)
        if not np.isfinite(own).all():
            raise Refused("its scores are not all numbers")
        network = way()
        found = network(views)
        # the second run is timed: what is made at the first is made for each count of views
        clock = getattr(network, "clock", time.process_time)
        rounds = 1 if clock is time.process_time else 2  # the other counts all that is there
        took = min(timed(self._plain, views, clock)[0] for _ in range(rounds))
        now = min(timed(network, views, clock)[0] for _ in range(rounds))
        # another count, and no view where it was before
        other = views[:0:-1].copy()
        apart = max(difference(found, own), difference(network(other), self._plain(other)))
        if not apart <= AGREES:
            raise Refused(f"its scores through {network.name} differ by {apart:.0e} of the largest")
        if took < QUICKER * now:
            raise Refused(f"{network.name} is no quicker here")
        if not getattr(network, "tuned", False):
            tune(network, views, now / len(views))
        self._run = network
        spent = time.process_time() - start
        self.backend = Backend(name=network.name, agreement=apart, gain=took / now, start=spent)

    def _cut(self) -> None:
        """Let the framework have as many views at once as it runs the soonest, and in streams."""
        views = probes(self._size)
        views = np.concatenate([views, 1 - views])[: PIECES[-1]]
        try:
            own = Cut(self._plain, self.backend.name, self._streams(), self._alone)
            took, _ = timed(self._plain, views[:1])
            own(views[: 2 * own.piece])  # the first time in a thread prepares much
            tune(own, views, took)
            if own.piece == PIECES[-1]:
                return
            for _ in range(1 if own.streams is None else 2):  # the clock counts all that is there
                before, scores = timed(self._plain, views, own.clock)
                now, found = timed(own, views, own.clock)
                if not difference(found, scores) <= AGREES:
                    return
                if own.streams is None or SOONER * now <= before:
                    self._run = own
                    return
        except Exception:  # what a stranger's network raises on the probes
            return


class Backed:
    """A model whose forward passes are `self._forward.logits`."""

    _forward: Any

    @property
    def backend(self) -> Backend:
        """What the forward passes run on."""
        return cast(Backend, self._forward.logits.backend)

    def settled(self) -> Backend:
        """Decide now what the forward passes run on, and return it."""
        return cast(Backend, self._forward.logits.settle())


class Cut:
    """A network that takes no more than `piece` views at once, and the pieces in streams if any.

    `alone` runs a piece in a stream, and `run` what is one piece.
    """

    def __init__(
        self, run: Run, name: str, streams: Streams | None = None, alone: Run | None = None
    ) -> None:
        self._run, self.name, self.streams, self._alone = run, name, streams, alone or run
        # two pieces for each stream, so that one that is held up leaves its second to another
        self.piece = PIECES[-1] if streams is None else max(1, PIECES[-1] // (2 * streams.count))
        self.clock = time.process_time if streams is None else time.perf_counter

    def __call__(self, views: Array) -> Array:
        """Return the logits, float32 `[n, classes]`."""
        if len(views) <= self.piece:
            return self._run(views)
        starts = range(0, len(views), self.piece)
        parts = [views[at : at + self.piece] for at in starts]
        if self.streams is None:
            return np.concatenate([self._run(part) for part in parts])
        return np.concatenate(self.streams(self._alone, parts))


class Compiled:
    """A network that OpenVINO runs, in as many streams of one thread as the worker has threads.

    A batch goes through in pieces, each in the next stream that is free: so a processor that is
    busy with something else holds up its own piece and no other.
    """

    def __init__(self, model: Any) -> None:
        import openvino

        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        streams = threads()
        settings = {
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": streams,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        self._openvino, self._streams = openvino, streams
        self._network = openvino.Core().compile_model(model, "CPU", settings)
        self._requests: list[Any] = []
        self.piece = PIECES[-1] if streams == 1 else 1

    def __call__(self, views: Array) -> Array:
        """Return the logits, float32 `[n, classes]`."""
        views = np.ascontiguousarray(views, np.float32)
        starts = range(0, len(views), self.piece)
        while len(self._requests) < len(starts):
            self._requests.append(self._network.create_infer_request())
        asked = []
        for request, at in zip(self._requests, starts, strict=False):
            part = views[at : at + self.piece]
            # shared, not copied: nobody writes into the views before all have been waited for
            request.set_input_tensor(self._openvino.Tensor(part, shared_memory=True))
            request.start_async()
            asked.append((request, part))
        for request, _ in asked:
            request.wait()
        made = [np.array(request.get_output_tensor(0).data, np.float32) for request, _ in asked]
        return np.concatenate(made) if made else np.empty((0, 0), np.float32)


def tune(way: Way, views: Array, pace: float) -> None:
    """Give a way the piece of PIECES that it runs the soonest, where `TRYING` seconds will tell.

    `pace` are the seconds that a view takes it. By the clock where it has several threads.
    """
    views, before = np.resize(views, (PIECES[-1], *views.shape[1:])), way.piece
    if pace * (sum(PIECES) + len(PIECES) * len(views)) > TRYING:
        return
    clock, rounds = (time.process_time, 1) if threads() == 1 else (time.perf_counter, 2)
    taken = {}
    for way.piece in PIECES:
        way(views[: way.piece])  # what is made at a first run is made for each count of views
        taken[way.piece] = min(timed(way, views, clock)[0] for _ in range(rounds))
    best = min(taken, key=lambda piece: taken[piece])
    way.piece = best if taken[best] < SOONER * taken[before] else before


def threads() -> int:
    """Return how many threads the worker has."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS", "1")))


def difference(found: Array, own: Array) -> float:
    """Return the largest difference of two arrays of scores, as a part of the largest score."""
    if found.shape != own.shape:
        return float("inf")
    largest = max(float(np.abs(own).max(initial=0)), 1e-30)
    return float(np.abs(np.asarray(found, np.float64) - own).max(initial=0)) / largest


def timed(
    run: Run, views: Array, clock: Callable[[], float] = time.process_time
) -> tuple[float, Array]:
    """Return the seconds of a run, and what it gives: processor time, which a neighbour leaves."""
    start = clock()
    logits = run(views)
    return max(clock() - start, 1e-9), logits


def probes(size: tuple[int, int]) -> Array:
    """Return views unlike each other: noise, half of it hidden, black and soft colours."""
    noise = np.random.default_rng(0).random((2, *size, 3), np.float32)
    noise[1, : size[0] // 2] = 0.5
    rows, columns = np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1])
    soft = np.stack(np.broadcast_arrays(rows[:, None], columns[None], 0.5), -1)
    return np.stack([*noise, np.zeros_like(noise[0]), soft.astype(np.float32)])


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__
