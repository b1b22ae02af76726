"""A siege: visitors at work on one server's wall, one of them hostile, by every kind in turn.

`python -m benchmarks.siege` measures it, keeps it in docs/siege.json and draws the table of
docs/reliability.md; `--minutes` says how long the siege is in all. It comes in blocks with peace
between them, so that whatever else the machine does falls on both. A visitor is a desk, as a page
has it, without Streamlit's own part: what a page does at each run of its script is `step`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import gc
import itertools
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.siege_deeds import DEEDS, NETWORK, TEXTS
from loaders import catalogue
from loaders.preprocessing import Options
from ui import sent_text
from ui.another_model import open_built_in
from ui.desk import Desk
from ui.photo_card import open_sample
from ui.runs import size
from workers.client import Session, Wall
from workers.watch import resident
from xai_core.errors import VitrineError
from xai_core.question import Question
from xai_core.target import ClassTarget

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA, PAGE = DOCS / "siege.json", DOCS / "reliability.md"
COST = "## What the bounds cost\n"
"""Where the page's last part begins, which `benchmarks.price` writes."""

VISITORS, MINUTES, SEED, POLL = 8, 10.0, 7, 0.1
METHODS = ("grad-cam", "occlusion", "saliency")
PATIENCE = 240.0
WARM, BLOCK, SETTLE = 45.0, 20.0, 4.0
"""Seconds before the first look, of a block of peace and, at least, of one of siege, and between a
siege and the peace that follows it."""


@dataclasses.dataclass
class Times:
    """Seconds that visitors waited, by what for; and what went wrong for them."""

    steps: list[float] = dataclasses.field(default_factory=list)
    photos: list[float] = dataclasses.field(default_factory=list)
    runs: list[float] = dataclasses.field(default_factory=list)
    faults: list[str] = dataclasses.field(default_factory=list)


class Clock:
    """Which phase it is, and what the hostile visitor is at.

    A wait counts for the siege where it began or ended in one, and for nothing where it began
    while a siege's last jobs may still have stood before it.
    """

    def __init__(self) -> None:
        self.phase, self.deed, self.over = "before", "", threading.Event()
        self.rest, self.still = threading.Event(), set[int]()
        self.times = {"peace": Times(), "siege": Times()}
        self.deeds: dict[str, Times] = {}

    def note(self, what: str, value: Any, since: str) -> None:
        """Keep a time or a fault; `since` is the phase in which its wait began."""
        both = {since, self.phase}
        if "siege" in both:
            getattr(self.times["siege"], what).append(value)
            getattr(self.deeds.setdefault(self.deed, Times()), what).append(value)
        elif both == {"peace"}:
            getattr(self.times["peace"], what).append(value)


def visit(desk: Desk, clock: Clock, seed: int) -> None:
    """Look at photos and run methods until the clock is over."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    entries = catalogue.models()
    open_built_in(desk, entries[seed % len(entries)])
    while not clock.over.is_set():
        while clock.rest.is_set() and not clock.over.is_set():
            clock.still.add(seed)
            time.sleep(POLL)
        _look_and_ask(desk, clock, chance)
        time.sleep(chance.uniform(0.2, 1.0))  # the visitor reads


def _look_and_ask(desk: Desk, clock: Clock, chance: random.Random) -> None:
    start, photo, since = time.monotonic(), desk.photo, clock.phase
    open_sample(desk, chance.choice(catalogue.photos()))
    if not _until(desk, clock, lambda: desk.photo is not photo and _said(desk)):
        return
    clock.note("photos", time.monotonic() - start, since)
    if desk.prediction is None:
        clock.note("faults", desk.prediction_error or desk.model_error, since)
        return
    start, answer, since = time.monotonic(), desk.answer, clock.phase
    target = ClassTarget(desk.prediction.top[0])
    desk.start(Question(method=chance.choice(METHODS), target=target))
    if not _until(desk, clock, lambda: desk.run is None):
        return
    clock.note("runs", time.monotonic() - start, since)
    if desk.answer is answer:
        clock.note("faults", desk.run_note, since)


def _said(desk: Desk) -> bool:
    return desk.prediction is not None or bool(desk.prediction_error or desk.model_error)


def _until(desk: Desk, clock: Clock, done: Callable[[], bool]) -> bool:
    limit = time.monotonic() + PATIENCE
    while not clock.over.is_set():
        start, since = time.perf_counter(), clock.phase
        desk.step()
        clock.note("steps", time.perf_counter() - start, since)
        if done():
            return True
        if time.monotonic() > limit:
            clock.note("faults", "nothing came", since)
            return False
        time.sleep(POLL)
    return False


def besiege(session: Session, weights: Path, clock: Clock, limit: float) -> Iterator[str]:
    """Send each hostile file in turn, and tell how each ended."""
    for name, deed in itertools.cycle(DEEDS.items()):
        clock.deed = name
        text = NETWORK + "".join(f"    {line}\n" for line in deed.split("\n")) + "deed()\n"
        options = Options(source=text, size=(32, 32))
        yield f"{name}: {_sent(session, weights, options, clock, limit)}"
        for called, words in TEXTS.items() if name == "no end" else ():
            try:
                sent_text.names_by(session)(words().encode())
                yield f"{called}: it was read"
            except VitrineError as error:
                yield f"{called}: {error}"


def _sent(session: Session, weights: Path, options: Options, clock: Clock, limit: float) -> str:
    path = session.add_file("weights.pth", weights)
    try:
        handle = session.open(path, options, name="weights.pth")
    except VitrineError as error:
        return str(error)
    try:
        job, end = handle.loading, time.monotonic() + limit
        while not job.over and not clock.over.is_set() and time.monotonic() < end:
            time.sleep(POLL)
        if not job.over:
            return "closed by its visitor"
        job.result(1)
        clock.over.wait(min(limit, 8.0))  # it has answered, and the visitor does nothing
        photo = np.zeros((32, 32, 3), np.uint8)
        handle.predict(photo).result(limit)
        return "it answered"
    except VitrineError as error:
        return str(error)
    finally:
        handle.close()
        session.remove_file(path)


def measure(minutes: float, visitors: int, limit: float = 20.0) -> dict[str, Any]:
    """Return what the others met, in peace and under siege, and what was left."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pth"
        torch.save({"head.weight": torch.zeros(3, 3), "head.bias": torch.zeros(3)}, weights)
        wall = Wall(cores=2, spool=Path(folder) / "spool")
        clock = Clock()
        try:
            desks = [Desk(wall.session(f"visitor {n}")) for n in range(visitors - 1)]
            threads = [
                threading.Thread(target=visit, args=(desk, clock, n), daemon=True)
                for n, desk in enumerate(desks)
            ]
            for thread in threads:
                thread.start()
            clock.over.wait(WARM)  # the mothers are there, the models are open
            left = _at_rest(wall, clock, desks)
            session = wall.session("hostile")
            ends = _blocks(besiege(session, weights, clock, limit), clock, 60 * minutes)
            session.close()
            held = _at_rest(wall, clock, desks)
            clock.over.set()
            for thread in threads:
                thread.join(60)
            return {
                "visitors": visitors, "minutes": minutes, "ends": ends, "before": left,
                "after": held,
                **{name: _told(times) for name, times in clock.times.items()},
                "deeds": {name: _told(times) for name, times in clock.deeds.items()},
            }  # fmt: skip
        finally:
            clock.over.set()
            wall.close()


def _blocks(deeds: Iterator[str], clock: Clock, seconds: float) -> dict[str, str]:
    """Let peace and siege follow each other until the siege has had its seconds."""
    ends: dict[str, str] = {}
    besieged = 0.0
    while besieged < seconds:
        clock.phase = "peace"
        clock.over.wait(BLOCK)
        clock.phase, start = "siege", time.monotonic()
        while time.monotonic() - start < BLOCK:
            name, _, said = next(deeds).partition(": ")
            ends[name] = said
        besieged += time.monotonic() - start
        clock.phase = "after"
        clock.over.wait(SETTLE)
    return ends


def _at_rest(wall: Wall, clock: Clock, desks: list[Desk]) -> dict[str, float]:
    """Return what is held once nobody waits for anything: a photo in work has a worker, too."""
    clock.still.clear()
    clock.rest.set()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (
        len(clock.still) < len(desks)
        or wall.queue.counts()["running"] + wall.queue.counts()["waiting"]
    ):
        time.sleep(POLL)
    gc.collect()  # what only waits for that is no leak
    held = _held(wall) | {"MB of runs kept": round(sum(size([*each.runs]) for each in desks) / 1e6)}
    clock.rest.clear()
    return held


def _held(wall: Wall) -> dict[str, float]:
    own = os.getpid()
    files = sum(1 for _ in wall.folder.rglob("*"))
    processes = sum(
        1
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and str(wall.folder).encode() in _line(each)
    )
    return {
        "server MB": round(resident(own) / 1e6),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "processes": processes,
        "files": files,
    }


def _line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _told(times: Times) -> dict[str, Any]:
    told: dict[str, Any] = {"faults": times.faults[:20], "fault count": len(times.faults)}
    for name in ("steps", "photos", "runs"):
        values = getattr(times, name)
        told[name] = {
            "count": len(values),
            "median": float(np.median(values)) if values else None,
            "p95": float(np.percentile(values, 95)) if values else None,
        }
    return told


def page(found: dict[str, Any]) -> str:
    """Return docs/reliability.md."""
    rows = []
    for name, title in (("steps", "a page's step"), ("photos", "photo to answer"), ("runs", "run")):
        peace, siege = found["peace"][name], found["siege"][name]
        ratio = siege["p95"] / peace["p95"] if peace["p95"] and siege["p95"] else float("nan")
        rows.append(
            f"| {title} | {peace['count']} | {_ms(peace)} | {siege['count']} | {_ms(siege)} "
            f"| {ratio:.2f} |"
        )
    ends = [f"| {name} | {said} |" for name, said in sorted(found["ends"].items())]
    held = [
        f"| {name} | {found['before'][name]:g} | {found['after'][name]:g} |"
        for name in found["before"]
    ]
    others = found["visitors"] - 1
    deeds = [
        f"| {name} | {row['photos']['count']} | {_ms(row['photos'])} | {row['runs']['count']} "
        f"| {_ms(row['runs'])} |"
        for name, row in sorted(
            found["deeds"].items(), key=lambda each: -(each[1]["photos"]["median"] or 0)
        )
    ]
    return "\n".join(
        (
            "# What a hostile visitor costs the others",
            "",
            f"{others} visitors look at photos and run methods on the built-in models, on two "
            f"cores and one machine, while an eighth sends hostile files, one after another: "
            f"{found['minutes']:g} minutes of that in all, in blocks with as much peace between "
            "them. Measured by `python -m benchmarks.siege` at the desks, which is what a page "
            "asks at each run of its script; Streamlit's own part and the network are not in it. "
            "A wait counts for the siege where it began or ended in one.",
            "",
            "| the others' wait | in peace | median / p95 | under siege | median / p95 "
            "| p95 to p95 |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Faults of the others: {found['peace']['fault count']} in peace, "
            f"{found['siege']['fault count']} under siege.",
            "",
            "## Which of them costs most",
            "",
            "| what it did meanwhile | photo to answer | median / p95 | run | median / p95 |",
            "| --- | --- | --- | --- | --- |",
            *deeds,
            "",
            "## What is left",
            "",
            "| | before | after |",
            "| --- | --- | --- |",
            *held,
            "",
            "Both are counted while nobody waits for anything. Processes are the mothers and the "
            "workers that hold the others' open models. A worker that is held takes two "
            "descriptors of the server's, a mother one; a kind's mother begins with the first file "
            "of that kind and stays.",
            "",
            "## How each ended",
            "",
            "| what it did | what its sender was told |",
            "| --- | --- |",
            *ends,
            "",
        )
    )


def _ms(row: dict[str, Any]) -> str:
    if row["median"] is None:
        return "none"
    return f"{1000 * row['median']:.1f} ms / {1000 * row['p95']:.1f} ms"


def main() -> None:
    """Measure, keep and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--visitors", type=int, default=VISITORS)
    parser.add_argument("--dry", action="store_true", help="print, and keep nothing")
    told = parser.parse_args()
    found = measure(told.minutes, told.visitors)
    text = page(found)
    if not told.dry:
        DATA.write_text(json.dumps(found, indent=1) + "\n")
        cost = PAGE.read_text().partition(COST)[2] if PAGE.exists() else ""
        PAGE.write_text(f"{text}\n{COST}{cost}" if cost else text)
    print(text)
    for fault in found["siege"]["faults"]:
        print("fault:", fault)


if __name__ == "__main__":
    main()
