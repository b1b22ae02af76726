"""One wall with workers that take the test operations, shared where a test does not break it."""

import time
from pathlib import Path

import pytest

from loaders.preprocessing import Options
from workers.client import Wall


def new_wall(folder, **settings):
    return Wall(
        operations="tests.workers.operations", kind="plain", spool=folder, **{"cores": 2} | settings
    )


@pytest.fixture(scope="module")
def wall(tmp_path_factory):
    made = new_wall(tmp_path_factory.mktemp("wall"))
    yield made
    made.close()


@pytest.fixture
def open_model(wall):
    """Open fake models in a session that ends with the test."""
    session = wall.session("test")

    def opened(text="model", in_session=session):
        return in_session.open(in_session.add_file("m.pt", text.encode()), Options(), name="m")

    yield opened
    session.close()


def wait_for(condition, seconds=10.0):
    """Wait until something comes true; return the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - start


def processes(mark):
    """List the ids of the living processes that carry a wall's folder on their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(mark).encode() in line:
                found.append(int(folder.name))
    return found
