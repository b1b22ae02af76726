"""What the wall's bounds cost: this checkout beside an older one, as ratios.

    git worktree add --detach ../before 177e19a
    python -m benchmarks.price ../before

Opening a model, a warm Grad-CAM and an upload of 1.9 GB, the two checkouts by turns (one, other,
other, one). Processor time is what counts, of the server and all its workers: what else the
machine does is not in it. Time by the clock stands beside it, and says little on a busy machine.
The table is the last part of docs/reliability.md. Without another checkout the figures of this one
are printed alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.siege import COST, PAGE

SAID = (
    "`python -m benchmarks.price` measures it: the commit before the bounds were made, 177e19a, "
    "and this one by turns in one run; medians, and of the ratios turn by turn the middle one. "
    "Processor time of the server, the mothers and all workers counts; time by the clock is "
    "whatever else the machine did, too."
)
HERE = Path(__file__).resolve().parents[1]
SIZE, PART = 1_900_000_000, 16 << 20
"""Bytes of the upload, and of each of the page's requests."""

ROUNDS, UPLOADS = 6, 9
"""How often by turns the wall is measured, and an upload: of one, four differ by a quarter."""

WORK = {"opening": 4, "warm Grad-CAM": 20}
"""How often each is done in one measurement: the system counts time in hundredths of a second."""

_WALL = """
import json, os, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import numpy as np
from loaders.preprocessing import Options
from workers.client import Wall
from xai_core.question import Question
from xai_core.target import ClassTarget

weights, spool, work = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])

def born():
    mothers, count = [each["pid"] for each in wall.state()["mothers"].values()], 0
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                fields = (each / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            count += int(fields[1]) in mothers
    return count

def spent():
    while born() > 1:  # only when its mother has buried a worker its time is among hers
        time.sleep(0.01)
    total = time.process_time()
    mothers = [each["pid"] for each in wall.state()["mothers"].values()]
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                fields = (each / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(each.name) in mothers:
                total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            elif int(fields[1]) in mothers:
                total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return total

def opened():
    handle = session.open(session.add_file("w.pth", weights), Options(), name="w.pth")
    handle.loading.result(300)
    return handle

def opening():
    opened().close()

def gradcam():
    held.explain(photo, question).result(300)

with_pid = {"opening": opening, "warm Grad-CAM": gradcam}
wall = Wall(cores=2, spool=spool)
session = wall.session("price")
photo = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
photo.setflags(write=False)  # as a page's is, which comes from a worker
question = Question(method="grad-cam", target=ClassTarget(3))
held = opened()
gradcam()
while True:  # the mothers import what they have put off
    before = spent()
    time.sleep(6)
    if spent() - before < 0.1:
        break
print("ready", flush=True)
for line in sys.stdin:
    what = line.strip()
    for _ in range(2):
        with_pid[what]()
    before, start = spent(), time.monotonic()
    for _ in range(work[what]):
        with_pid[what]()
    took = time.monotonic() - start
    print(json.dumps([(spent() - before) / work[what], took / work[what]]), flush=True)
wall.close()
"""

_SERVER = """
import ast, importlib, socket, sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from ui import identity, route
from ui.visitors import Visitors
from workers.client import Wall

wall = Wall(cores=2, spool=sys.argv[1])
made = Visitors(wall, here=lambda tab: True)
value = identity.issue()
key = identity.key_of(value)
made.enter(key, "tab")
layers = []
for module, name in (("ui.guard", "Guard"), ("ui.bounds", "Bounds"), ("ui.route", "Cookies")):
    try:
        layers.append(Middleware(getattr(importlib.import_module(module), name)))
    except ImportError:  # before there was one
        pass
app = Starlette(routes=route.routes(lambda: made), middleware=layers)
sock = socket.create_server(("127.0.0.1", 0))
print(sock.getsockname()[1], value, identity.token(key), flush=True)
server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
try:
    server.run(sockets=[sock])
finally:
    wall.close()
"""


def _started(code: str, checkout: Path, *given: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    return subprocess.Popen(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-W", "ignore", "-c", code, *given],
        cwd=checkout,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("a side ended before its time")
    return line.strip()


def _asked(process: subprocess.Popen[str], what: str) -> tuple[float, float]:
    if process.stdin:
        process.stdin.write(what + "\n")
        process.stdin.flush()
    seconds, clock = json.loads(_line(process))
    return seconds, clock


def _turns(count: int, sides: int) -> list[int]:
    """Return whose turn it is: 0, 1, 1, 0 and so on, `count` for each."""
    if sides == 1:
        return [0] * count
    return [side for at in range(count) for side in ((0, 1) if at % 2 == 0 else (1, 0))]


def wall(checkouts: list[Path], folder: Path) -> dict[str, list[list[tuple[float, float]]]]:
    """Return the seconds of each measurement, by what was done and by side."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    weights = folder / "resnet50.pth"
    torch.save(models.resnet50(weights=None).state_dict(), weights)
    sides = [
        _started(_WALL, each, str(weights), str(folder / f"wall {at}"), json.dumps(WORK))
        for at, each in enumerate(checkouts)
    ]
    try:
        for side in sides:
            _line(side)
        found: dict[str, list[list[tuple[float, float]]]] = {}
        for what in WORK:
            found[what] = [[] for _ in sides]
            for turn in _turns(ROUNDS, len(sides)):
                found[what][turn].append(_asked(sides[turn], what))
        return found
    finally:
        for side in sides:
            side.communicate()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _sent(process: subprocess.Popen[str], told: str) -> tuple[float, float]:
    port, cookie, token = told.split()
    headers = {
        "cookie": f"vitrine={cookie}",
        "x-vitrine-token": token,
        "origin": f"http://127.0.0.1:{port}",
    }
    line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=300)

    def ask(method: str, path: str, body: Any = None, **more: str) -> dict[str, Any]:
        line.request(method, f"/vitrine/upload{path}", body, headers | more)
        answer = line.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{answer.status}: {text[:200]!r}")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    part = os.urandom(PART)
    before, start = _cpu(process.pid), time.monotonic()
    made = ask("POST", "", json.dumps({"name": "m.pt", "size": SIZE}))
    for first in range(0, SIZE, PART):
        last = min(first + PART, SIZE) - 1
        given = {"content-range": f"bytes {first}-{last}/{SIZE}"}
        ask("PUT", f"/{made['id']}", part[: last + 1 - first], **given)
    spent = _cpu(process.pid) - before, time.monotonic() - start
    ask("DELETE", f"/{made['id']}")
    return spent


def upload(checkouts: list[Path], folder: Path) -> list[list[tuple[float, float]]]:
    """Return the seconds of each upload, by side: the server's own, and by the clock."""
    sides = [
        _started(_SERVER, each, str(folder / f"server {at}")) for at, each in enumerate(checkouts)
    ]
    try:
        told = [_line(side) for side in sides]
        found: list[list[tuple[float, float]]] = [[] for _ in sides]
        for turn in _turns(UPLOADS, len(sides)):
            found[turn].append(_sent(sides[turn], told[turn]))
        return found
    finally:
        for side in sides:
            side.terminate()
            side.wait(30)


def row(what: str, sides: list[list[tuple[float, float]]]) -> str:
    """Return a row of the table: medians, and the middle one of the ratios turn by turn."""
    cells = [what]
    for index in (0, 1):
        cells += [f"{statistics.median(each[index] for each in side):.3f}" for side in sides[::-1]]
        if len(sides) == 2:
            ratios = [a[index] / b[index] for a, b in zip(*sides, strict=True)]
            cells.append(f"{statistics.median(ratios):.3f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--dry", action="store_true", help="print, and keep nothing")
    told = parser.parse_args()
    checkouts = [HERE] + ([told.other.resolve()] if told.other else [])
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, sides) for name, sides in wall(checkouts, Path(folder)).items()]
        rows.append(row("upload of 1.9 GB", upload(checkouts, Path(folder))))
    if told.other:
        head = (
            "| seconds | processor: before | now | ratio | clock: before | now | ratio |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n"
        )
    else:
        head = "| seconds | processor | clock |\n| --- | --- | --- |\n"
    table = head + "\n".join(rows) + "\n"
    print(table)
    if told.other and not told.dry:
        keep(table)


def keep(table: str) -> None:
    """Write the table as the last part of the page."""
    page = PAGE.read_text().partition(COST)[0].rstrip()
    PAGE.write_text(f"{page}\n\n{COST}\n{SAID}\n\n{table}")


if __name__ == "__main__":
    main()
