"""One wall whose workers know the tests' own tasks, shared where a test does not break it."""

import time
from pathlib import Path

import pytest

from tests.workers.extension.tasks.honest import Hold
from workers.client import Wall
from xai_core.discovery import EXTENSIONS, find

EXTENSION = "tests.workers.extension"


@pytest.fixture(autouse=True, scope="module")
def _extended():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(EXTENSIONS, EXTENSION)
        find.cache_clear()  # an earlier test may have looked without it
        yield


def new_wall(folder, **settings):
    return Wall(spool=folder, **{"cores": 2} | settings)


@pytest.fixture(scope="session")
def wall(tmp_path_factory):
    """Return a wall for all files here: what ends its workers and mothers, it outlives."""
    made = new_wall(tmp_path_factory.mktemp("wall"))
    yield made
    made.close()


def held(session, text="model", **fields):
    """Hold a worker with a fake model that is a file of the session's."""
    path = session.add_file("m.pt", text.encode())
    return session.hold("plain", Hold(path=path, **fields), read=[path])


@pytest.fixture
def hold(wall):
    """Hold workers with fake models in a session that ends with the test."""
    session = wall.session("test")

    def made(text="model", in_session=session, **fields):
        return held(in_session, text, **fields)

    yield made
    session.close()


def wait_for(condition, seconds=60.0):
    """Wait until something comes true; return the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - start


def begun(job):
    """Wait until a run says that it has begun."""
    wait_for(lambda: job.snapshot().total > 0 or job.over)
    return job


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
