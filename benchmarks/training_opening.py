"""What opening a training page takes until its recording is drawn, in the server and the browser.

`python -m benchmarks.training_opening`: each page is opened by new visitors of a warm server, by
its address and by the menu from the Offering, in turn; printed are the medians of the CPU seconds
of the server, of the browser with all its processes, and of the clock. `bare` is a page of one line
with nothing of ours in it, from a second server that Streamlit runs as it does any script: what an
opening by address takes at least.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
PORT, BARE_PORT = 8732, 8733
BARE = "bare"
LINE = "One line of text."
DRAWN = {
    "mlp": ".pane[data-drawn]",
    "lstm": ".gates[data-epoch]",
    "methods": "h1",
    BARE: f'p:has-text("{LINE}")',
}
"""What is there once a page has its picture; the last but one is one without a recording."""
TITLES = {"mlp": "MLP", "lstm": "LSTM", "methods": "Methods"}
TICK = os.sysconf("SC_CLK_TCK")
Taken = tuple[float, float, float]


def main(rounds: int, browser: str) -> None:
    """Print a line for each page and way."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        _served("app.py", PORT) as server,
        _served(_bare(folder), BARE_PORT) as other,
        sync_playwright() as play,
    ):
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        own = next(iter(_children(os.getpid(), "chrom")))
        for name in ("mlp", BARE):
            _connect(chromium, name)
        taken: dict[tuple[str, str], list[Taken]] = {}
        for _ in range(rounds + 1):  # the first one prepares
            for name in DRAWN:
                for way in ("address", "menu") if name != BARE else ("address",):
                    pid = other.pid if name == BARE else server.pid
                    found = _visit(chromium, pid, own, name, way)
                    taken.setdefault((name, way), []).append(found)
        for (name, way), every in taken.items():
            parts = [statistics.median(each) for each in zip(*every[1:], strict=True)]
            print(
                f"{name:8} by the {way:8} server {parts[0]:.2f}  page {parts[1]:.2f}  "
                f"both {parts[0] + parts[1]:.2f} s of CPU, {parts[2]:.2f} s by the clock",
                flush=True,
            )
        chromium.close()


@contextlib.contextmanager
def _served(script: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-m", "streamlit", "run", script, "--server.headless", "true",
         "--server.port", str(port)],
        cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


def _bare(folder: str) -> str:
    """Write the page of one line, and return where."""
    script = Path(folder) / "bare.py"
    script.write_text(f"import streamlit as st\n\nst.write({LINE!r})\n", encoding="utf-8")
    return str(script)


def _address(name: str) -> str:
    return f"http://localhost:{BARE_PORT}/" if name == BARE else f"http://localhost:{PORT}/{name}"


def _connect(chromium: Any, name: str) -> None:
    page = chromium.new_page()
    for _ in range(120):
        try:
            page.goto(_address(name))
            page.locator(DRAWN[name]).first.wait_for(timeout=60_000)
            break
        except Exception:  # it is not there yet
            time.sleep(1)
    page.close()


def _visit(chromium: Any, server: int, browser: int, name: str, way: str) -> Taken:
    """Return the seconds of the server, of the browser and of the clock of one visit."""
    context = chromium.new_context(reduced_motion="reduce", viewport={"width": 1366, "height": 768})
    page = context.new_page()
    still = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
    if way == "menu":
        page.goto(f"http://localhost:{PORT}/")
        page.locator('button:has-text("Run"):not([disabled])').first.wait_for()
        still.wait_for()
    page.wait_for_timeout(1500)
    before = _seconds(server, tree=False), _seconds(browser), time.perf_counter()
    if way == "menu":
        page.get_by_role("link", name=TITLES[name], exact=True).click()
        page.get_by_role("heading", name=TITLES[name], level=1).wait_for()
    else:
        page.goto(_address(name), wait_until="commit")
    page.locator(DRAWN[name]).first.wait_for()
    after = _seconds(server, tree=False), _seconds(browser), time.perf_counter()
    still.wait_for()
    context.close()
    one, two, three = (end - start for start, end in zip(before, after, strict=True))
    return one, two, three


def _seconds(pid: int, *, tree: bool = True) -> float:
    """Return the CPU seconds of a process, and of all that it began where `tree` is set."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:  # it has ended
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / TICK
    return own + (sum(map(_seconds, _children(pid))) if tree else 0.0)


def _children(pid: int, named: str = "") -> list[int]:
    """List what a process began, or those below it whose name has a word in it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        found = [int(each) for task in tasks for each in (task / "children").read_text().split()]
    except OSError:
        return []
    if not named:
        return found
    own = [each for each in found if named in Path(f"/proc/{each}/comm").read_text()]
    return own or [each for child in found for each in _children(child, named)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    main(given.rounds, given.browser)
