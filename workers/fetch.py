"""Downloads of published weights into a cache: the one part of Vitrine that uses the network.

It runs on the trusted side and opens nothing of what it brings: a worker behind the wall does. A
file arrives as `NAME.part`, goes on where it stopped, and gets its name when all of it is there
and its checksum is the published one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urljoin, urlsplit

from workers.incoming import GB, text
from workers.jobs import Job
from workers.process import Stopped
from xai_core.errors import LoadError

BUILT_IN = "The built-in models work without a network."
PERIOD = 0.1
"""Seconds between two looks at a download."""

CHUNK = 1 << 14
"""Bytes that are read at once; fewer are lost when a connection drops."""

PAUSE = 0.5
"""Seconds before a dropped connection is made again."""


class Remote(Protocol):
    """A published file: `checksum` is `md5:` or `sha256:` and its first hexadecimal digits."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def url(self) -> str:
        """Where it lies."""

    @property
    def checksum(self) -> str | None:
        """What it must hash to."""

    @property
    def bytes(self) -> int | None:
        """About how large it is."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a download may take: seconds to connect, between two bytes and in all; bytes.

    A publisher's own figure is rounded, so a file may be half as large again and `slack` more.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 7200.0
    unknown: int = 1 * GB
    slack: int = 16 * 10**6
    reserve: int = 1 * GB
    tries: int = 4


class Cache:
    """The folder of downloaded weights. One download of a file serves all who wait for it.

    `folder` is `VITRINE_CACHE`, or else `vitrine` in the system's place for caches. Addresses,
    also those that a publisher refers to, are of `scheme` alone. `free` tells how many bytes a
    disk has left.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        scheme: str = "https",
        limits: Limits | None = None,
        free: Callable[[Path], int] | None = None,
    ) -> None:
        self.folder = folder or default_folder()
        self.scheme, self.limits = scheme, limits or Limits()
        self.free = free or (lambda folder: shutil.disk_usage(folder).free)
        self._lock = threading.Lock()
        self._downloads: dict[Path, _Download] = {}

    def path(self, remote: Remote) -> Path:
        """Return where a file is, or will be: under its published name."""
        return self.folder / remote.url.rsplit("/", 1)[-1]

    def holds(self, remote: Remote) -> bool:
        """Say whether a file has been downloaded; `fetch` looks whether it is still whole."""
        return self.path(remote).is_file()

    def fetch(self, remote: Remote) -> Job:
        """Begin to bring a file, or find it; the result is its path.

        Progress is in bytes. Raises, as the job's error, LoadError with a sentence.
        """
        job = Job(lambda job: self._work(job, remote), time_limit=math.inf)
        threading.Thread(target=job.run, name=f"fetch-{job.id}", daemon=True).start()
        return job

    def _work(self, job: Job, remote: Remote) -> Path:
        download = self._join(remote)
        try:
            while not download.over.wait(PERIOD):
                if job.cancelled:
                    raise Stopped(killed=False)
                if download.size:
                    job.progress(min(download.received, download.size), download.size)
        finally:
            with self._lock:
                download.waiting -= 1
        if download.error is not None:
            raise download.error
        return download.path

    def _join(self, remote: Remote) -> _Download:
        path = self.path(remote)
        with self._lock:
            download = self._downloads.get(path)
            if download is None:
                download = self._downloads[path] = _Download(self, remote)
                threading.Thread(target=download.run, name=f"get-{path.name}", daemon=True).start()
            download.waiting += 1
            return download

    # For the download

    def wanted(self, download: _Download) -> None:
        """Raise Stopped where nobody waits for it any more; then nobody can join it either."""
        with self._lock:
            if download.waiting <= 0:
                self.forget(download)
                raise Stopped(killed=False)

    def ended(self, download: _Download) -> None:
        """Let nobody join a download that has ended."""
        with self._lock:
            self.forget(download)

    def forget(self, download: _Download) -> None:
        """Take it off the list, under the lock."""
        if self._downloads.get(download.path) is download:
            del self._downloads[download.path]


class _Download:
    """One file on its way. It ends when nobody waits for it; what has arrived is kept."""

    def __init__(self, cache: Cache, remote: Remote) -> None:
        self.cache, self.remote = cache, remote
        self.path = cache.path(remote)
        self.part = self.path.with_name(self.path.name + ".part")
        self.waiting = 0
        self.received = self.size = 0
        self.error: LoadError | None = None
        self.over = threading.Event()
        self._until = time.monotonic() + cache.limits.total

    def run(self) -> None:
        """Bring the file, and note how it ended; never raises."""
        try:
            self._bring()
        except Stopped:
            pass
        except LoadError as error:
            self.error = error
        except OSError as error:
            self.error = self._disk(error)
        except Exception as error:  # a fault of ours or the library's: a sentence, and no hanging
            self.error = self._failed(f"{type(error).__name__}: {str(error)[:200]}")
        finally:
            self.cache.ended(self)
            self.over.set()

    def _bring(self) -> None:
        if self._is_there():
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self.part, self._look) as file:
            if self._is_there():  # another process was quicker
                return
            for tries_left in reversed(range(self.cache.limits.tries)):
                if self._receive(file, last=not tries_left):
                    break
                time.sleep(PAUSE)
            file.flush()
            if not is_whole(self.part, self.remote, self._look):
                self.part.unlink()
                raise LoadError(
                    f"{self.remote.title} arrived damaged: its checksum is not the published one, "
                    "and it was removed. Try again; if it happens twice, something on the way "
                    "changes files."
                )
            self.part.replace(self.path)

    def _is_there(self) -> bool:
        """Say whether the whole file is there; one that is damaged is removed."""
        if not self.path.is_file():
            return False
        whole = is_whole(self.path, self.remote, self._look)
        if not whole:
            self.path.unlink()
        return whole

    def _receive(self, file: IO[bytes], *, last: bool) -> bool:
        """Receive what is missing; return whether all of it came. Raises LoadError."""
        import requests

        try:
            with self._ask(file.tell()) as response:
                if response.status_code == 416:  # more has arrived than there is
                    file.seek(0)
                    file.truncate()
                    return False
                if response.status_code not in (200, 206):
                    raise self._failed(f"{self._host} answered {response.status_code}")
                if file.tell() and not _goes_on(response, file.tell()):
                    file.seek(0)
                    file.truncate()
                self._measure(file.tell(), response)
                for data in response.iter_content(CHUNK):
                    self._look()
                    self.received += len(data)
                    if self.received > (self.size or self._most):
                        raise self._failed("it is longer than was announced")
                    file.write(data)
                return True
        except requests.exceptions.SSLError as error:
            raise self._failed(f"the certificate of {self._host} is not trusted here") from error
        except requests.exceptions.ProxyError as error:
            raise self._failed("the proxy that this server uses does not let it through") from error
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            if not self.size and not self.received:
                raise self._failed(f"{self._host} cannot be reached from this server") from error
            if last:
                raise LoadError(
                    f"The download of {self.remote.title} stopped at {text(self.received)}: the "
                    f"connection to {self._host} was lost. What has arrived is kept; try again "
                    "and it goes on."
                ) from error
            return False
        except requests.RequestException as error:
            raise self._failed(type(error).__name__) from error

    def _ask(self, start: int) -> Any:
        import requests

        limits, url = self.cache.limits, self.remote.url
        headers = {"Accept-Encoding": "identity"}  # sizes and ranges are those of the file
        if start:
            headers["Range"] = f"bytes={start}-"
        for _ in range(5):
            if urlsplit(url).scheme != self.cache.scheme:
                raise self._failed(f"its address leads away from {self.cache.scheme}")
            response = requests.get(
                url,
                headers=headers,
                stream=True,
                timeout=(limits.connect, limits.read),
                allow_redirects=False,
            )
            if not response.is_redirect:
                return response
            response.close()
            url = urljoin(url, response.headers["Location"])
        raise self._failed("its address leads round in circles")

    def _measure(self, start: int, response: Any) -> None:
        """Note how large the file is. Raises LoadError where that is too large."""
        coming = int(response.headers.get("Content-Length", 0))
        self.received, self.size = start, start + coming if coming else 0
        if self.size > self._most:
            raise self._failed(f"it is {text(self.size)}, far more than its publisher says")
        free = self.cache.free(self.path.parent)
        if free - (coming or self._most) < self.cache.limits.reserve:
            raise self._full()

    @property
    def _most(self) -> int:
        limits, announced = self.cache.limits, self.remote.bytes
        return limits.unknown if announced is None else announced * 3 // 2 + limits.slack

    @property
    def _host(self) -> str:
        return urlsplit(self.remote.url).hostname or "its publisher"

    def _look(self) -> None:
        """Go on only while somebody waits and there is time. Raises Stopped or LoadError."""
        self.cache.wanted(self)
        if time.monotonic() > self._until:
            raise LoadError(
                f"The download of {self.remote.title} took over "
                f"{self.cache.limits.total / 3600:.3g} h and was stopped. What has arrived is "
                "kept; try again and it goes on."
            )

    def _failed(self, why: str) -> LoadError:
        otherwise = getattr(self.remote, "otherwise", BUILT_IN)
        return LoadError(f"{self.remote.title} could not be downloaded: {why}. {otherwise}")

    def _full(self) -> LoadError:
        return self._failed("the server's disk has no room for it")

    def _disk(self, error: OSError) -> LoadError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return self._full()
        return self._failed(
            f"the server's folder for downloads cannot be used ({error.strerror or error}); "
            "VITRINE_CACHE names another"
        )


def default_folder() -> Path:
    """Return where downloads are kept: VITRINE_CACHE, or the system's place for caches."""
    if named := os.environ.get("VITRINE_CACHE"):
        return Path(named).expanduser()
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "vitrine"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vitrine"
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / ".cache") / "vitrine"


def is_whole(path: Path, remote: Remote, look: Callable[[], None]) -> bool:
    """Say whether a file hashes to what was published; where nothing was, whether it is there.

    `look` is called between the parts, and may end it by raising.
    """
    if remote.checksum is None:
        return path.stat().st_size > 0
    kind, _, digits = remote.checksum.partition(":")
    made = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            made.update(part)
            look()
    return made.hexdigest().startswith(digits)


def _goes_on(response: Any, start: int) -> bool:
    given = str(response.headers.get("Content-Range", ""))
    return response.status_code == 206 and given.startswith(f"bytes {start}-")


@contextlib.contextmanager
def _alone(part: Path, look: Callable[[], None]) -> Iterator[IO[bytes]]:
    """Open a partial file to append; another process that does so too waits."""
    while True:
        with part.open("ab") as file:
            while not _locked(file):
                look()
                time.sleep(PERIOD)
            # Whoever held it may have given it its name or removed it since.
            if part.exists() and part.stat().st_ino == os.fstat(file.fileno()).st_ino:
                yield file
                return


def _locked(file: IO[bytes]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: one process is taken to use the cache
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
