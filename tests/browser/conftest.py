"""The app as people meet it: a server of its own and Debian's chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from assets.make_screenshots import FLAGS
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def browser():
    """Return a chromium; skips where there is none, except in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium, and CI must have one")
        pytest.skip("there is no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    """Return the address of the app on a free port, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
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
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def server(serving):
    """Return the address of the app."""
    return serving[0]


def _wait(address, process, log):
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def visit(browser, server):
    """Return a function that opens the app as a new visitor."""
    contexts = []

    def visit():
        context = browser.new_context(viewport={"width": 1420, "height": 1500})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(server)
        return page

    yield visit
    for context in contexts:
        context.close()
