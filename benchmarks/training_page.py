"""What a training costs the page and the server, and how soon its animation is there.

`python -m benchmarks.training_page 10 100 200`: the default MLP is trained in a browser for so many
epochs, each by a new visitor, and then: the seconds from the end of the job to the animation on the
screen, and what the server, its workers and the page hold more than before, in MB. The worker is
begun anew, and keeps states to branch from within bounds of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
PORT = 8731
_SERVER = """
import sys, time
from workers import jobs
end, path = jobs.Job._end, sys.argv.pop(1)
def noted(self, *words, **named):
    with open(path, "a") as file:
        file.write(f"{time.time()}\\n")
    return end(self, *words, **named)
jobs.Job._end = noted
from streamlit.web import cli
sys.argv = ["streamlit", "run", "app.py", "--server.headless", "true", *sys.argv[1:]]
cli.main()
"""


def main(epochs: list[int], browser: str) -> None:
    """Print a line for each number of epochs."""
    from playwright.sync_api import sync_playwright

    with tempfile.NamedTemporaryFile("r") as ends, sync_playwright() as play:
        server = subprocess.Popen(  # noqa: S603 - our own code, in our own interpreter
            [sys.executable, "-c", _SERVER, ends.name, "--server.port", str(PORT)],
            cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            _connect(chromium)
            _visit(chromium, server.pid, Path(ends.name), 2)  # what is read once is read now
            print("epochs  recording  on screen after     server    workers       page")
            for count in epochs:
                print(_visit(chromium, server.pid, Path(ends.name), count), flush=True)
        finally:
            chromium.close()
            server.terminate()
            server.wait()


def _connect(chromium: Any) -> None:
    page = chromium.new_page()
    for _ in range(60):
        try:
            page.goto(f"http://localhost:{PORT}/mlp")
            page.locator(".pane[data-drawn]").first.wait_for(timeout=60_000)
            break
        except Exception:  # it is not there yet
            time.sleep(1)
    page.close()


def _visit(chromium: Any, server: int, ends: Path, epochs: int) -> str:
    """Train for so many epochs; return a line of what it took."""
    context = chromium.new_context(reduced_motion="reduce", viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(f"http://localhost:{PORT}/mlp")
    page.locator(".pane[data-drawn]").first.wait_for()
    box = page.get_by_role("spinbutton", name="Epochs").first
    box.fill(str(epochs))
    box.press("Enter")
    page.get_by_text(f"at most {epochs * 51200 / 1e6:.1f} MB").wait_for()
    own, workers, heap = _own(server), _children(server), _heap(context, page)
    page.get_by_role("button", name="Submit").click()
    page.locator(".pane[data-drawn] .said", has_text="Run 1").wait_for(timeout=3_600_000)
    seen = time.time()
    late = seen - max(float(line) for line in ends.read_text().split() if float(line) <= seen)
    page.wait_for_timeout(3000)
    grown = _own(server) - own, _children(server) - workers, _heap(context, page) - heap
    size = epochs * 51200 / 1e6
    return f"{epochs:6}  <= {size:4.1f} MB  {late:13.2f} s" + "".join(
        f"  {each:+6.1f} MB" for each in grown
    )


def _own(pid: int) -> float:
    """Return the MB that a process holds for itself."""
    status = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(x.split()[1]) for x in status.splitlines() if x.startswith("Private")) / 1e3


def _children(pid: int) -> float:
    """Return the MB that all that a process began hold for themselves."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = " ".join((task / "children").read_text() for task in tasks).split()
    return sum(_own(int(child)) + _children(int(child)) for child in found)


def _heap(context: Any, page: Any) -> float:
    """Return the MB of a page's JavaScript, arrays included, after what is not needed has gone."""
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Runtime.getHeapUsage")
    return float(found["usedSize"] + found.get("backingStorageSize", 0)) / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("epochs", type=int, nargs="+")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args()
    main(given.epochs, given.browser)
