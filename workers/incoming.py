"""Uploads on their way into a session's spool: in parts, within quotas, resumable after a cut.

An upload is announced with its size, which counts against the quotas at once; its parts follow in
order. What arrived before a cut is kept for `Limits.patience` seconds. The name that a browser
gives is shown and never part of a path.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from xai_core.errors import VitrineError

MB, GB = 10**6, 10**9


class UploadError(VitrineError):
    """An upload is refused or cannot go on; `status` is the answer's in HTTP."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Misplaced(UploadError):
    """A part does not begin where the last one ended; `received` says where that was."""

    def __init__(self, received: int) -> None:
        super().__init__("This part is not the next one.", 409)
        self.received = received


class Superseded(UploadError):
    """Another request goes on with the upload, because this one's connection seemed dead."""

    def __init__(self) -> None:
        super().__init__("Another request goes on with this upload.", 409)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What may be sent, in bytes, seconds and files.

    A session holds two files of the largest size: the model on the desk stays until the next one
    has loaded.
    """

    file: int = 2_200 * MB
    session: int = 4_400 * MB
    files: int = 512
    reserve: int = 1 * GB
    patience: float = 150.0


class Spool(Protocol):
    """As much of a session as an upload needs."""

    folder: Path

    def new_file(self, name: str) -> Path:
        """Return a path in a fresh folder of its own."""

    def remove_file(self, path: Path) -> None:
        """Remove a file and its folder."""


class Upload:
    """One file on its way. `received` bytes of `size` are on the disk."""

    def __init__(self, owner: str, spool: Spool, name: str, size: int, mark: str) -> None:
        self.id = secrets.token_urlsafe(16)
        self.owner, self.spool, self.name, self.size, self.mark = owner, spool, name, size, mark
        self.path = spool.new_file("upload")
        self.received = 0
        self.touched = time.monotonic()
        self._renewed = 0
        self._turn = 0
        self._lock = threading.Lock()
        self.path.touch(0o600)

    @property
    def done(self) -> bool:
        """Whether all of it has arrived."""
        return self.received == self.size

    def renew(self) -> None:
        """Keep it for longer, if something came since it was last kept for longer."""
        if self.received > self._renewed:
            self.touched, self._renewed = time.monotonic(), self.received

    def turn(self, start: int) -> int:
        """Begin a part at `start`; whoever wrote before can no longer. Raises Misplaced."""
        with self._lock:
            self._turn += 1
            if start != self.received:
                raise Misplaced(self.received)
            return self._turn

    def write(self, turn: int, data: bytes | bytearray) -> None:
        """Append to the file. Raises Superseded, and UploadError when the disk is full."""
        with self._lock:
            if turn != self._turn:
                raise Superseded
            if self.received + len(data) > self.size:
                raise UploadError("The file is longer than was announced.", 400)
            try:
                with self.path.open("r+b") as file:
                    file.seek(self.received)
                    file.write(data)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise UploadError(FULL, 507) from None
                raise UploadError(GONE, 404) from None
            self.received += len(data)
            if data:  # a request without a byte keeps nothing alive
                self.touched = time.monotonic()

    def remove(self) -> None:
        """Remove what has arrived; no part can follow."""
        with self._lock:
            self._turn += 1
            with contextlib.suppress(VitrineError):
                self.spool.remove_file(self.path)


FULL = "The server's disk has no room for this file. Try again later, or send a smaller one."
GONE = "The server no longer has what was sent of this file. Send it again."


class Incoming:
    """All uploads of this process. `free` tells how many bytes a disk has left."""

    def __init__(
        self, limits: Limits | None = None, free: Callable[[Path], int] | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._free = free or (lambda folder: shutil.disk_usage(folder).free)
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def begin(self, owner: str, spool: Spool, *, name: str, size: int, mark: str = "") -> Upload:
        """Announce a file of `size` bytes, or find it again by its `mark` after a cut."""
        if size <= 0:
            raise UploadError("The file is empty. Choose the model's own file.", 400)
        if size > self.limits.file:
            raise UploadError(
                f"A file may have up to {text(self.limits.file)}, and this one has {text(size)}. "
                "Save the model without its optimiser's state, or in half precision.",
                413,
            )
        with self._lock:
            own = [upload for upload in self._uploads.values() if upload.owner == owner]
            for upload in own:
                if mark and upload.mark == mark and upload.size == size and not upload.done:
                    upload.renew()
                    return upload
            kept = [path.lstat().st_size for path in spool.folder.rglob("*") if path.is_file()]
            ahead = sum(upload.size - upload.received for upload in own)
            if len(kept) >= self.limits.files or sum(kept) + ahead + size > self.limits.session:
                raise UploadError(
                    f"Your files here may have {text(self.limits.session)} together, and "
                    f"{text(sum(kept) + ahead)} are taken. Open a built-in model, which gives "
                    "their room back, and send this one again.",
                    413,
                )
            self._room(spool.folder, size)
            upload = Upload(owner, spool, name, size, mark)
            self._uploads[upload.id] = upload
            return upload

    def admit(self, upload: Upload) -> None:
        """See, before its first part, that the disk still has room for it. Raises UploadError."""
        with self._lock:
            if not upload.received:
                self._room(upload.path.parent, upload.size)

    def _room(self, folder: Path, size: int) -> None:
        """Raise UploadError unless there is room for so many bytes beside what is coming.

        What has been announced takes no place before its first byte: words cost nothing.
        """
        begun = [upload for upload in self._uploads.values() if upload.received]
        promised = sum(upload.size - upload.received for upload in begun)
        if self._free(folder) - promised - size < self.limits.reserve:
            raise UploadError(FULL, 507)

    def find(self, owner: str, id: str) -> Upload:
        """Return one of the owner's uploads. Raises UploadError, the same for another's."""
        with self._lock:
            upload = self._uploads.get(id)
        if upload is None or upload.owner != owner:
            raise UploadError(GONE, 404)
        return upload

    def take(self, owner: str, id: str) -> Upload:
        """Hand over an upload that is done: its file is the caller's from now on."""
        upload = self.find(owner, id)
        if not upload.done:
            raise UploadError("This file is still on its way.", 409)
        with self._lock:
            self._uploads.pop(id, None)
        return upload

    def cancel(self, owner: str, id: str) -> None:
        """Remove an upload and what has arrived of it."""
        self._drop(self.find(owner, id))

    def forget(self, owner: str) -> None:
        """Remove all of an owner's uploads."""
        with self._lock:
            own = [upload for upload in self._uploads.values() if upload.owner == owner]
        for upload in own:
            self._drop(upload)

    def sweep(self) -> None:
        """Remove what nobody went on with for too long; files of one owner wait for each other."""
        limit = time.monotonic() - self.limits.patience
        with self._lock:
            uploads = list(self._uploads.values())
            going = {upload.owner for upload in uploads if upload.touched >= limit}
            stale = [upload for upload in uploads if upload.owner not in going]
        for upload in stale:
            self._drop(upload)

    def _drop(self, upload: Upload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)
        upload.remove()


def text(size: int) -> str:
    """Return a size in words, '1.9 GB'."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{max(size / MB, 0.1):.3g} MB"
