"""Downloads from a publisher on this machine: whole, resumed, shared, and every way to fail."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.fakes.publisher import Remote, publishing
from tests.workers.conftest import wait_for
from workers import fetch
from workers.fetch import CHUNK, Cache, Limits
from xai_core.errors import JobError, LoadError

DATA = np.random.default_rng(0).bytes(300_000)
QUICK = Limits(connect=2, read=2, slack=1000)


@pytest.fixture
def publisher():
    with publishing(DATA) as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", scheme="http", limits=QUICK)


def fails(cache, remote, match):
    with pytest.raises(LoadError, match=match):
        cache.fetch(remote).result(60)
    assert not cache.holds(remote)


def left_behind(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def test_a_file_comes_whole_and_once(cache, publisher):
    remote = publisher.remote()
    assert not cache.holds(remote)
    path = cache.fetch(remote).result(60)
    assert path.read_bytes() == DATA
    assert path.name == "tiny-0.pth"
    assert left_behind(cache) == ["tiny-0.pth"]
    assert cache.holds(remote)
    assert cache.fetch(remote).result(60) == path
    assert len(publisher.asked) == 1


def test_a_damaged_file_is_fetched_again(cache, publisher):
    remote = publisher.remote()
    path = cache.fetch(remote).result(60)
    path.write_bytes(DATA[:-1] + b"!")
    assert cache.fetch(remote).result(60).read_bytes() == DATA
    assert len(publisher.asked) == 2


def test_a_file_placed_by_hand_needs_no_network(cache):
    cache.folder.mkdir()
    (cache.folder / "tiny.h5").write_bytes(DATA)
    path = cache.fetch(Remote("http://127.0.0.1:9/tiny.h5")).result(60)
    assert path.read_bytes() == DATA


def test_a_dropped_connection_goes_on(cache, publisher):
    publisher.cut_at = [6 * CHUNK, 6 * CHUNK + 10]
    assert cache.fetch(publisher.remote()).result(60).read_bytes() == DATA
    assert publisher.asked[0] is None
    assert publisher.asked[1:] == [f"bytes={6 * CHUNK}-", f"bytes={12 * CHUNK}-"]


def test_a_publisher_without_ranges_begins_again(cache, publisher):
    publisher.cut_at, publisher.ranges = [100_000], False
    assert cache.fetch(publisher.remote()).result(60).read_bytes() == DATA


def test_a_part_longer_than_the_file_begins_again(cache, publisher):
    cache.folder.mkdir()
    (cache.folder / "tiny-0.pth.part").write_bytes(DATA + b"more")
    assert cache.fetch(publisher.remote()).result(60).read_bytes() == DATA


def test_what_arrived_is_kept_for_the_next_time(cache, publisher):
    publisher.cut_at = [3 * CHUNK, 0, 0, 0]
    fails(cache, publisher.remote(), r"stopped at 0\.1 MB: the connection to 127.* is kept")
    publisher.asked.clear()
    assert cache.fetch(publisher.remote()).result(60).read_bytes() == DATA
    assert publisher.asked == [f"bytes={3 * CHUNK}-"]


def test_a_wrong_checksum_is_refused(cache, publisher):
    fails(cache, publisher.remote(checksum="sha256:00000000"), "arrived damaged")
    assert left_behind(cache) == []
    fails(cache, publisher.remote(checksum="md5:00"), "arrived damaged")


def test_a_file_far_larger_than_published_is_not_begun(cache, publisher):
    fails(cache, publisher.remote(bytes=1000), r"it is 0\.3 MB, far more than its publisher says")
    assert (cache.folder / "tiny-0.pth.part").stat().st_size == 0


def test_more_than_was_announced_ends_it(tmp_path, publisher, monkeypatch):
    # Without a length the answer is as long as it is.
    monkeypatch.setattr(
        "http.server.BaseHTTPRequestHandler.send_header",
        lambda self, *header, send=publisher.RequestHandlerClass.send_header: (
            None if header[0] == "Content-Length" else send(self, *header)
        ),
    )
    cache = Cache(tmp_path, scheme="http", limits=QUICK)
    fails(cache, publisher.remote(bytes=100_000), "longer than was announced")


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusal_is_told(cache, publisher, status):
    publisher.status = status
    fails(cache, publisher.remote(), f"127.0.0.1 answered {status}. The built-in models work")


def test_a_redirect_is_followed_within_its_scheme(cache, publisher):
    with publishing(b"") as front:
        front.status, front.location = 302, publisher.remote().url
        remote = front.remote(checksum=publisher.remote().checksum, bytes=len(DATA))
        assert cache.fetch(remote).result(60).read_bytes() == DATA
        front.location = "https://example.invalid/tiny.pth"
        fails(cache, front.remote("other.pth"), "leads away from http")
        front.location = "/again"
        fails(cache, front.remote("circle.pth"), "round in circles")


def test_only_https_by_default(tmp_path, publisher):
    fails(Cache(tmp_path), publisher.remote(), "leads away from https")
    assert publisher.asked == []


def test_without_a_network_it_is_one_sentence(cache):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        remote = Remote(f"http://127.0.0.1:{taken.getsockname()[1]}/tiny.pth")
        with pytest.raises(LoadError) as refused:
            cache.fetch(remote).result(60)
    assert str(refused.value) == (
        "TinyNet could not be downloaded: 127.0.0.1 cannot be reached from this server. The "
        "built-in models work without a network."
    )


def test_a_proxy_of_the_environment_is_asked(cache, publisher, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{publisher.server_port}")
    remote = publisher.remote()
    remote.url = "http://models.invalid/tiny.pth"
    assert cache.fetch(remote).result(60).read_bytes() == DATA


def test_cancelled_in_the_middle_and_kept(cache, publisher):
    publisher.pause = 0.05  # 300 KiB would take 15 s
    job = cache.fetch(publisher.remote())
    wait_for(lambda: job.snapshot().done > 0)
    job.cancel()
    wait_for(lambda: job.over)
    assert 0 < job.snapshot().done < len(DATA)
    with pytest.raises(JobError):
        job.result()
    assert job.snapshot().state == "cancelled"
    publisher.pause = 0
    assert cache.fetch(publisher.remote()).result(60).read_bytes() == DATA


def test_progress_in_bytes_with_the_time_left(cache, publisher):
    publisher.cut_at, publisher.pause = [200_000], 0.001
    publisher.declared = None
    job = cache.fetch(publisher.remote())
    wait_for(lambda: job.snapshot().left is not None or job.over)
    seen = job.snapshot()
    assert job.over or (seen.total == len(DATA) and 0 < seen.done <= seen.total)
    job.result(60)


def test_two_visitors_share_a_download(cache, publisher):
    publisher.pause = 0.002
    jobs = [cache.fetch(publisher.remote()) for _ in range(3)]
    wait_for(lambda: jobs[0].snapshot().done > 0)
    jobs[0].cancel()  # the others go on
    assert {job.result(60).read_bytes() == DATA for job in jobs[1:]} == {True}
    assert len(publisher.asked) == 1


ELSEWHERE = """
import pathlib, sys
from tests.fakes.publisher import Remote
from tests.workers.test_fetch import DATA, QUICK
from workers.fetch import Cache
folder, url, checksum = sys.argv[1:]
cache = Cache(pathlib.Path(folder), scheme="http", limits=QUICK)
remote = Remote(url, checksum=checksum, bytes=len(DATA))
assert cache.fetch(remote).result(60).read_bytes() == DATA
"""


def test_two_processes_share_a_download(cache, publisher):
    publisher.pause = 0.002
    remote = publisher.remote()
    command = [sys.executable, "-c", ELSEWHERE, str(cache.folder), remote.url, remote.checksum]
    others = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]  # noqa: S603 - our own
    assert [other.wait(240) for other in others] == [0, 0]
    assert len(publisher.asked) == 1


def test_a_full_disk_is_said_before_and_after(tmp_path, publisher, monkeypatch):
    full = Cache(tmp_path, scheme="http", limits=QUICK, free=lambda folder: QUICK.reserve + 1000)
    fails(full, publisher.remote(), "disk has no room for it")
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("no /dev/full here")
    cache = Cache(tmp_path / "cache", scheme="http", limits=QUICK)
    cache.folder.mkdir()
    (cache.folder / "tiny-0.pth.part").symlink_to("/dev/full")
    fails(cache, publisher.remote(), "disk has no room for it")


def test_a_folder_that_cannot_be_used_is_said(tmp_path, publisher):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache", scheme="http", limits=QUICK)
    fails(cache, publisher.remote(), "folder for downloads cannot be used .* VITRINE_CACHE names")


def test_a_download_without_end_is_ended(tmp_path, publisher):
    publisher.pause = 0.02
    limits = Limits(connect=2, read=2, total=0.3)
    cache = Cache(tmp_path, scheme="http", limits=limits)
    fails(cache, publisher.remote(), "took over .* and was stopped")


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("VITRINE_CACHE", str(tmp_path / "own"))
    assert fetch.default_folder() == tmp_path / "own"
    monkeypatch.delenv("VITRINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.default_folder() == tmp_path / "vitrine"
