"""Drive the app in chromium and write the README's pictures: `python -m assets.make_screenshots`.

It opens each page as a first visitor does, presses its button, and takes what is then there.
"""

import argparse
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "docs" / "images"
WIDTH: Final = 1280
LIMIT: Final = 600_000  # bytes a picture may have
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main() -> None:
    """Start a server, take the pictures, end the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dark", action="store_true", help="take the dark theme")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder")
    asked = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen([*command, "--server.headless", "true"], cwd=ROOT)  # noqa: S603
    try:
        wait(address, server)
        taken = {name: take(address, dark=asked.dark) for name, take in PICTURES.items()}
    finally:
        server.terminate()
        server.wait(30)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, data in taken.items():
        (asked.out / f"{name}.png").write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")


def wait(address: str, server: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers. Raises RuntimeError where it does not."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):  # noqa: S310
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError("the server did not start")


def offering(address: str, *, dark: bool = False) -> bytes:
    """Return the page 'Offering' after its first run, as PNG."""

    def ran(page: Any) -> None:
        page.get_by_role("button", name="Run (").click()
        page.locator('.frame[data-drawn^="answer"]').wait_for()
        page.get_by_text("Details").wait_for()

    return shot(address, ran, dark=dark)


def compare(address: str, *, dark: bool = False) -> bytes:
    """Return the page 'Compare' after its first grid, as PNG."""

    def ran(page: Any) -> None:
        page.get_by_role("button", name="Run all").click()
        page.get_by_text("It has ended: ").wait_for(state="attached")
        page.locator(".compared .panels[data-drawn]").wait_for()

    return shot(f"{address}/compare", ran, dark=dark, height=900)


def lesson(address: str, *, dark: bool = False) -> bytes:
    """Return a page that teaches a method, before anything has run, as PNG."""

    def ran(page: Any) -> None:
        page.get_by_role("button", name="Run (").wait_for()
        page.get_by_role("slider", name="Step of the film").press("End")

    return shot(f"{address}/integrated_gradients", ran, dark=dark, height=900)


def detection(address: str, *, dark: bool = False) -> bytes:
    """Return the page 'Object detection' after its first run, as PNG."""

    def ran(page: Any) -> None:
        page.get_by_role("button", name="Why heart").click()
        page.get_by_role("button", name="Run (").click()
        page.locator('.frame[data-drawn^="answer"]').wait_for()

    return shot(f"{address}/object_detection", ran, dark=dark, height=900)


def training(name: str) -> Callable[..., bytes]:
    """Return what takes a page that trains, on its recording, as PNG."""

    def take(address: str, *, dark: bool = False) -> bytes:
        def ran(page: Any) -> None:
            page.get_by_role("button", name="Submit").wait_for()
            page.locator("canvas").first.wait_for()

        return shot(f"{address}/{name}", ran, dark=dark, height=900)

    return take


PICTURES: Final = {
    "offering": offering,
    "compare": compare,
    "lesson": lesson,
    "detection": detection,
    "mlp": training("mlp"),
    "lstm": training("lstm"),
}


def shot(address: str, act: Callable[[Any], None], *, dark: bool = False, height: int = 0) -> bytes:
    """Return a page after an act, as PNG; as tall as what is in it where no height is given."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page: Any = browser.new_page(
            viewport={"width": WIDTH, "height": 1000}, color_scheme="dark" if dark else "light"
        )
        page.set_default_timeout(120_000)
        page.goto(address)
        act(page)
        page.mouse.move(5, 500)
        # The page scrolls inside itself: make the window as tall as what is in it.
        height = height or page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
        page.set_viewport_size({"width": WIDTH, "height": int(height)})
        page.wait_for_timeout(1500)  # the figure is drawn again at its new size
        taken = page.screenshot()
        browser.close()
    return small(taken)


def small(png: bytes) -> bytes:
    """Return a picture of fewer bytes than `LIMIT`, with fewer colours where it must be."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (None, 256, 128):
        out = io.BytesIO()
        shown = image if colours is None else image.quantize(colours)
        shown.save(out, "PNG", optimize=True)
        if out.tell() < LIMIT:
            break
    return out.getvalue()


if __name__ == "__main__":
    main()
