"""The app as people meet it: a server of its own and Debian's chromium."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError, expect, sync_playwright

from assets.make_screenshots import FLAGS
from tests.conftest import PATIENCE, ROOT


@pytest.fixture(scope="session")
def browser():
    """Return a chromium; skips where there is none, except in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium, and CI must have one")
        pytest.skip("there is no chromium on this machine")
    expect.set_options(timeout=1000 * PATIENCE)

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield made
        _left.clear()
        made.close()


@contextlib.contextmanager
def served(log):
    """Serve the app on a free port while this is open; its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += ["--server.port", str(port), "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1"]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)  # noqa: S603
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(address, process, log)
            yield address, process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def _served(browser, tmp_path_factory):
    """Serve the app; its address, its process, and what its first visitor saw at the side.

    The first visitor of all does not come by the front door, but by another page's address.
    """
    with served(tmp_path_factory.mktemp("server") / "log") as (address, process):
        first = newcomer(browser)
        page = first.new_page()
        page.goto(f"{address}/methods")
        with contextlib.suppress(TimeoutError):
            page.get_by_role("heading", name="Methods").wait_for()
        seen = page.get_by_test_id("stSidebar").all_inner_texts()
        first.close()
        yield address, process, seen


@pytest.fixture(scope="session")
def serving(_served):
    """Return the address of the app on a free port, and its process."""
    return _served[:2]


@pytest.fixture(scope="session")
def first_seen(_served):
    """Return the text at the side of the page that was the first that anybody opened."""
    return _served[2]


@pytest.fixture
def server(serving):
    """Return the address of the app."""
    return serving[0]


def _wait(address, process, log):
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=PATIENCE):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


_left = {}
"""Windows that somebody has left, by what cannot be changed in them."""

FORGET = "localStorage.clear(); sessionStorage.clear(); window.name = ''"


class Newcomer:
    """Somebody new, who is patient, at a window that others had before.

    Nothing of those is left, but for a tab at an empty page of the app, and the scripts that
    chromium holds for it: else it fetches and compiles them for each test.
    A page that is `spent` has been changed beyond that, and is closed.
    """

    def __init__(self, browser, *, viewport=None, reduced_motion=None, color_scheme=None, **fixed):
        self.size = viewport or {"width": 1420, "height": 1500}
        self.media = {
            "reduced_motion": reduced_motion or "null", "color_scheme": color_scheme or "null"
        }  # fmt: skip
        self.free = _left.setdefault(tuple(sorted(fixed.items())), [])
        self.window, self.tab = (
            self.free.pop() if self.free else (browser.new_context(viewport=self.size, **fixed), 0)
        )
        self.window.set_default_timeout(1000 * PATIENCE)

    def new_page(self):
        page, self.tab = self.tab or self.window.new_page(), None
        page.set_viewport_size(self.size)
        page.emulate_media(**self.media)
        return page

    def close(self):
        """Leave the window as if nobody had been there."""
        tab = self.tab
        for page in self.window.pages:
            if tab or getattr(page, "spent", False) or not page.url.startswith("http"):
                if page is not tab:
                    page.close()
                continue
            page.goto(f"{'://'.join(urlsplit(page.url)[:2])}/_stcore/health")
            page.evaluate(FORGET)
            page.mouse.move(0, 0)
            tab = page
        self.window.clear_cookies()
        self.free.append((self.window, tab))

    def __getattr__(self, name):
        return getattr(self.window, name)


def newcomer(browser, **more):
    """Return a browser of somebody new."""
    return Newcomer(browser, **more)


def rested(page):
    """Wait until no run of the page's script is under way."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def later(page):
    """Wait until the page's own timers of under half a second have come, such as a slider's."""
    page.evaluate("() => new Promise(done => setTimeout(done, 500))")


def steady(locator):
    """Wait until an element has stayed where it is for five frames."""
    locator.evaluate(
        """element => new Promise(done => {
            let before = "", same = 0;
            const look = () => {
                const now = JSON.stringify(element.getBoundingClientRect());
                same = now === before ? same + 1 : 0;
                before = now;
                same < 5 ? requestAnimationFrame(look) : done();
            };
            look();
        })"""
    )


def unroll(box):
    """Open the list of a combobox, and again where a focus that came late has closed it."""
    option = box.page.get_by_role("option").first
    limit = time.monotonic() + PATIENCE
    while True:
        box.scroll_into_view_if_needed()
        steady(box)  # a list closes when what holds it scrolls
        box.press("ArrowDown")
        try:
            option.wait_for(timeout=5000)
        except TimeoutError:
            assert time.monotonic() < limit
        else:
            return


def uploads(page):
    """Return where model files arrive, once its script listens: it writes the hint first."""
    page.locator(".upload .hint", has_text="drop it here").wait_for()
    return page.locator(".upload input[type=file]")


def turn_to(page, name):
    """Follow a link of the navigation, again where a poll of the page took the click."""

    def there():
        page.get_by_role("link", name=name).click()
        later(page)
        rested(page)
        return page.get_by_role("heading", name=name, level=1).count() > 0

    until(page, there)


def until(page, holds):
    """Wait until something holds that no locator can see."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit
        page.wait_for_timeout(50)


@pytest.fixture
def visit(browser, server):
    """Return a function that opens the app, or a page of it, as a new visitor."""
    contexts = []

    def visit(path=""):
        context = newcomer(browser)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server}/{path}")
        return page

    yield visit
    for context in contexts:
        context.close()
