"""Threads that run pieces of a batch side by side, each by itself.

A framework that cuts each operation among its threads is held up at each by a processor that is
busy with something else. Of pieces, each taken by the next thread that is free, it holds up one.
"""

from __future__ import annotations

import functools
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Run = Callable[[Array], Array]
Begin = Callable[[], object]
"""What each thread does first: it tells the framework to use no further thread."""


class Streams:
    """Runs pieces in so many threads. These hold nothing back: a process ends without them."""

    def __init__(self, count: int, begin: Begin) -> None:
        self.count = count
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        begun: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        for number in range(count):
            work = functools.partial(self._work, begin, begun)
            threading.Thread(target=work, name=f"stream {number}", daemon=True).start()
        failed = [error for error in [begun.get() for _ in range(count)] if error]
        if failed:
            raise failed[0]

    def __call__(self, run: Run, parts: Sequence[Array]) -> list[Array]:
        """Return what `run` makes of each part, in order.

        Raises what it raised of the first of the parts that failed, once none is running.
        """
        done: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()

        def work(at: int) -> None:
            try:
                done.put((at, run(parts[at]), None))
            except BaseException as error:
                done.put((at, None, error))

        for at in range(len(parts)):
            self._asked.put(functools.partial(work, at))
        found = sorted((done.get() for _ in parts), key=lambda each: each[0])
        for _, _, error in found:
            if error is not None:
                raise error
        return [made for _, made, _ in found]

    def _work(self, begin: Begin, begun: queue.SimpleQueue[BaseException | None]) -> None:
        try:
            begin()
        except BaseException as error:
            begun.put(error)
            return
        begun.put(None)
        while True:
            self._asked.get()()


def streams(count: int, begin: Begin) -> Streams:
    """Return this process's threads that begin so: made once, and anew after a fork."""
    return _made(count, begin, os.getpid())


@functools.lru_cache(4)
def _made(count: int, begin: Begin, process: int) -> Streams:
    return Streams(count, begin)
