"""The two largest runs at 299 pixels: progress, maps so far, memory and cancel, on a real model."""

from pathlib import Path

import pytest

from benchmarks import memory
from loaders import catalogue
from loaders.preprocessing import Options
from tests.lasting import Lent

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="Linux alone tells a process's memory"
)


@pytest.fixture(scope="module")
def handle():
    wall = Lent()
    entry = catalogue.find("shapes")
    options = Options(classes=entry.classes, size=(memory.SIDE, memory.SIDE))
    made = wall.session("s").open(entry.path, options, name="shapes", trusted_path=True)
    assert made.loading.result(120).input_size == (299, 299)
    yield made
    wall.close()


@pytest.mark.parametrize(("method", "passes"), [("rise", 20_001), ("occlusion", 5_330)])
def test_a_long_run_shows_what_it_has_and_ends_when_cancelled(handle, method, passes):
    values = memory.RUNS[method]
    told = memory.run(handle, method, values, stop_at=3)
    assert told.state == "cancelled"
    assert told.of == passes
    assert 0 < told.passes < passes
    assert told.steps >= 3
    assert told.maps >= 3
    assert told.above < memory.MOST
    # the model answers; on a busy machine by a new worker, as this one did not listen in time
    assert handle.predict(memory.PHOTO).result(120).probabilities.shape == (6,)
