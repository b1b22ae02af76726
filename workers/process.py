"""The client's handle of a worker: gives it tasks, and believes nothing that it says unchecked.

Nothing here waits for a worker that does not listen: what is small is sent without waiting, what is
large is given up when its run should stop, and a kill needs nothing of the worker.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workers import results, spool, words
from workers.grip import Grip
from workers.mother import LOG
from workers.protocol import PROGRESS_CAP, Body, Channel, Declared, Kind, ProtocolError, Tick
from xai_core import plain
from xai_core.card import Card
from xai_core.errors import JobError, ParamError
from xai_core.result import Result
from xai_core.task import Command, Task

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
Stop = Callable[[], bool]

GRACE = 1.0
"""Seconds that a worker has to stop when asked, before it is killed."""

CAPS: dict[Kind, int] = {
    "hello": 64 << 10, "error": 64 << 10, "progress": PROGRESS_CAP, "cancelled": 64,
}  # fmt: skip
"""Bytes of JSON that a message of a worker's may have, by its kind; a result's, its task says."""

OFTEN, BURST = 20.0, 100.0
"""Messages of progress a second that a worker may send, and how many at once after a silence: a
client that slept finds those of some seconds together."""

BIRTH_LIMIT = 30.0
"""Seconds that a worker may take from the order to its first word."""

HUSH = 1.0
"""Seconds after which a worker whose wire has ended is looked at: dead, or silent?"""

LAST_WORD = 8.0
"""Seconds that a mother may take to say how a worker ended: she may be at an import."""


class Stopped(Exception):
    """The run was asked to stop, and has; `killed` says whether the worker went with it."""

    def __init__(self, killed: bool) -> None:
        super().__init__()
        self.killed = killed


class Died(Exception):
    """The worker ended in the middle of a run; the text is a sentence that says why.

    `detail` is the end of what its libraries printed.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail

    def error(self, before: str = "") -> JobError:
        """Return it as the error of a job."""
        error = JobError(before + str(self))
        error.detail = self.detail
        return error


class Run(Protocol):
    """As much of a job as a worker's run needs."""

    def should_stop(self) -> bool:
        """Say whether it is to end now."""

    def orders(self) -> tuple[Command, ...]:
        """Return the commands to pass on."""

    def progress(
        self, done: int, total: int, partial: Array | None = None, arrays: Arrays | None = None
    ) -> None:
        """Note how far it is."""


class Breeder(Protocol):
    """As much of a mother as her worker needs."""

    def kill(self, number: int) -> None:
        """Have a worker killed."""

    def tell(self, number: int, works: bool, *, now: bool = False) -> None:
        """Let her know that a worker has an order, or none any more; `now`, or at her next look."""

    def forget(self, number: int) -> None:
        """Drop a worker that ended."""


class Worker:
    """One worker process: takes one task at a time."""

    def __init__(
        self, mother: Breeder, number: int, channel: Channel, scratch: Path, memory: int
    ) -> None:
        self._mother, self.number, self._channel = mother, number, channel
        self._scratch, self._memory = scratch, memory
        self.pid: int | None = None
        self._grip: Grip | None = None
        self.sandbox: dict[str, Any] = {}
        self._gone = threading.Event()
        self._why, self._code = "", 0
        self._orders = itertools.count(1)

    @property
    def alive(self) -> bool:
        """Whether it still can take an order, as far as is known."""
        return not self._gone.is_set()

    @property
    def misdeed(self) -> str:
        """Why it was ended, in a sentence, where no honest model would have been; else nothing."""
        hostile = self._gone.is_set() and self._why in words.HOSTILE
        return words.obituary(self._code, self._why, self._memory) if hostile else ""

    @property
    def idled(self) -> bool:
        """Whether it was ended for computing without an order, be there one by now."""
        return self._gone.is_set() and self._why == "idle"

    def greet(self, stop: Stop) -> None:
        """Wait for its first word, which says what holds it."""
        limit = time.monotonic() + BIRTH_LIMIT

        def tick() -> None:
            if stop():
                raise Stopped(killed=True)
            if time.monotonic() > limit:
                raise EOFError

        try:
            caps: dict[Kind, int] = {"hello": CAPS["hello"]}
            self.sandbox = self._channel.receive(caps, tick=tick, admit=_no_arrays)[1]["sandbox"]
        except Stopped:
            self.kill()
            raise
        except (EOFError, KeyError, ProtocolError):
            raise self._death() from None

    def call(self, task: Task, run: Run, card: Card | None, folder: Path) -> Result:
        """Have one task done; files of its result are copied to `folder`.

        Raises the VitrineError that the worker says, Stopped after the run should stop, Died when
        the worker did, and JobError for an answer that makes no sense.
        """
        job = next(self._orders)
        asked: float | None = None
        sending = True

        def tick() -> None:
            nonlocal asked
            if asked is None and run.should_stop():
                asked = time.monotonic()
                if not sending:  # or it would stand in the middle of the order
                    self._channel.post("command", {"say": "cancel", "job": job})
            if asked is not None and time.monotonic() - asked > GRACE:
                raise Stopped(killed=True)
            if not sending:
                for command in run.orders():
                    self._channel.post("command", {"say": command, "job": job})
                self._channel.flush()

        given, arrays = plain.pack(task)
        ear = _Ear(task, card)
        caps: dict[Kind, int] = CAPS | {"result": task.text}
        try:
            if self._channel.spoken():
                raise ProtocolError("words that nobody asked for")
            self._mother.tell(self.number, works=True)
            self._order({"task": task.name, "job": job, "given": given}, arrays, tick)
            sending = False
            if asked is not None:
                self._channel.post("command", {"say": "cancel", "job": job})
            while True:
                kind, body, made = self._channel.receive(caps, tick=tick, admit=ear.admit)
                if kind == "progress":
                    run.progress(*ear.progress(body, made))
                    continue
                if asked is not None:
                    raise Stopped(killed=False)
                if kind == "result":
                    for array in made.values():  # nobody else has it: so a result need not copy it
                        array.setflags(write=False)
                    return results.answer(task, card, body, made, self._scratch, folder)
                if kind == "error":
                    raise words.error_of(body)
                raise ProtocolError("an answer that nobody asked for")
        except Stopped as stopped:
            if stopped.killed:
                self.kill()
            raise
        except EOFError:
            if asked is not None or run.should_stop():
                self.kill()
                raise Stopped(killed=True) from None
            raise self._death() from None
        except ProtocolError as error:
            self.kill()
            raise Died(
                f"The worker's answer made no sense ({error}), so it was stopped. The model file "
                "may be hostile or damaged."
            ) from None
        finally:
            if self.alive:
                # what it opened is open: from now on it stands beside others
                self._mother.tell(self.number, works=False, now=job == 1)

    def _order(self, order: Body, arrays: Arrays, tick: Tick) -> None:
        try:
            self._channel.send("order", order, arrays, tick=tick)
        except ProtocolError as error:  # before any of it was sent, and no fault of the worker's
            raise ParamError(f"This cannot be given to a worker. {error}.") from None

    def kill(self) -> None:
        """End the process now, and wait until it is gone."""
        if not self._gone.is_set():
            if self._grip is None or not self._grip.kill(5):
                self._mother.kill(self.number)
                self._gone.wait(5)
            self._gone.set()
        self._bury()

    def born(self, pid: int, grips: Sequence[Grip]) -> None:
        """Hear from the mother which process it is."""
        self.pid, self._grip = pid, next(iter(grips), None)

    def ended(self, code: int, why: str) -> None:
        """Hear from the mother that it is gone, or that she is, who takes it along."""
        if why == "mother" and self._grip is not None:
            self._grip.kill(5)  # the kernel's own kill may come later than the news
        self._code, self._why = code, why
        self._mother.forget(self.number)
        self._gone.set()

    def _bury(self) -> None:
        self._channel.close()
        spool.remove(self._scratch)

    def _death(self) -> Died:
        mute = not self._told_gone()
        if mute:
            self.kill()
        said = words.tail(self._scratch / LOG)
        self._bury()
        if mute:
            return Died(words.MUTE, said)
        return Died(words.obituary(self._code, self._why, self._memory), said)

    def _told_gone(self) -> bool:
        """Wait for the news of its end, as long as there can be any."""
        if self._gone.wait(HUSH):
            return True
        if self._grip is not None and not self._grip.ended(0):
            return False  # it lives, and says no more
        return self._gone.wait(LAST_WORD)


class _Ear:
    """What one run's worker may say: arrays that its task declares, progress not too often."""

    def __init__(self, task: Task, card: Card | None) -> None:
        known = task.known(card)
        self._known = known
        self._shapes = {"progress": task.shows(card), "result": task.gives(card)}
        self._credit, self._heard = BURST, time.monotonic()

    def admit(self, kind: Kind, body: Body, listed: Sequence[Declared]) -> None:
        """Raise ProtocolError unless the arrays that are announced may come."""
        if kind == "progress":
            self._count()
        shapes = self._shapes.get(kind, {})
        loose: dict[str, int] = {}
        for said in listed:
            name = said.name if said.name in shapes else _pattern(said.name, shapes)
            if name is None:
                raise ProtocolError(f"an array that its task does not declare, {said.name!r}")
            if why := shapes[name].refuses(said.dtype, said.sides, self._known):
                raise ProtocolError(f"the array {said.name!r} is {why}")
            if name != said.name:
                loose[name] = loose.get(name, 0) + said.elements
                if loose[name] > shapes[name].elements(self._known):
                    raise ProtocolError("more arrays than its task may bring")

    def _count(self) -> None:
        now = time.monotonic()
        self._credit = min(BURST, self._credit + (now - self._heard) * OFTEN)
        self._heard = now
        if self._credit < 1:
            raise ProtocolError(f"more than {OFTEN:g} messages a second")
        self._credit -= 1

    def progress(
        self, body: Body, arrays: dict[str, NDArray[Any]]
    ) -> tuple[int, int, Array | None, Arrays]:
        """Return what a message of progress says."""
        done, total = body.get("done"), body.get("total")
        if type(done) is not int or type(total) is not int or not 0 <= done <= total < 1 << 53:
            raise ProtocolError("progress that is not a number out of a total")
        partial = arrays.pop("partial", None)
        if partial is not None and (np.isinf(partial).any() or np.isnan(partial).all()):
            partial = None  # a model that overflows, which its result will say
        return done, total, partial, arrays


def _pattern(name: str, shapes: Mapping[str, Any]) -> str | None:
    """Return the declared name with a star at its end that `name` begins as."""
    return next((each for each in shapes if each[-1:] == "*" and name.startswith(each[:-1])), None)


def _no_arrays(kind: Kind, body: Body, listed: Sequence[Declared]) -> None:
    if listed:
        raise ProtocolError("arrays where none belong")
