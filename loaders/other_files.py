"""Files that hold no model, or one that is not read: named by their first bytes, with a way out."""

from __future__ import annotations

import dataclasses
import pickletools
import re
import string
from collections.abc import Sequence
from pathlib import PurePosixPath


@dataclasses.dataclass(frozen=True)
class FileKind:
    """A kind of file: its name for people, the framework that reads it, or why it is refused."""

    title: str
    framework: str | None = None
    refusal: str = ""


_BRING = "Bring the file that torch.save or model.save wrote."
_UNPACK = "Unpack it and bring the model itself."
SAVED_MODEL = FileKind(
    "TensorFlow SavedModel",
    refusal="Load it where it was made and save it with model.save('model.keras').",
)
PICKLE = FileKind(
    "Python pickle",
    refusal="A pickle can run any code. Save the weights with torch.save(model.state_dict(), ...).",
)
SCIKIT_LEARN = FileKind(
    "scikit-learn pickle",
    refusal="Such a model works on rows of numbers, and a pickle can run any code. Bring a "
    "classifier of photos, of PyTorch or Keras.",
)
FROZEN = FileKind(
    "TensorFlow graph of the time before TensorFlow 2",
    refusal="Rebuild the network in Keras and save it with model.save('model.keras').",
)
TFLITE = FileKind(
    "TensorFlow Lite model",
    refusal="Bring the Keras model that it was converted from: model.save('model.keras').",
)
GGUF = FileKind("language model (GGUF)", refusal="Bring a classifier of photos.")
EMPTY = FileKind("empty file", refusal="The upload or the export was cut short: try again.")
IMAGE = FileKind("photo", refusal="Drop it on the photo's side, and a model here.")
VIDEO = FileKind("video", refusal="Bring a photo out of it on the photo's side, and a model here.")
PDF = FileKind("PDF document", refusal=_BRING)
OFFICE = FileKind("office document", refusal=_BRING)
PACKED = FileKind("packed archive", refusal=_UNPACK)
ARRAYS = FileKind(
    "file of NumPy arrays",
    refusal="It holds numbers and no network. Bring the file that torch.save or model.save wrote.",
)
LFS = FileKind(
    "pointer of Git LFS",
    refusal="It stands in the model's place. Fetch the model itself with git lfs pull.",
)
WEB_PAGE = FileKind(
    "web page",
    refusal="The download saved a page, often a sign-in or a warning, in the model's place. "
    "Download the model itself.",
)
TEXT = FileKind("text file", refusal=_BRING)
SOURCE = FileKind(
    "Python file", refusal="Send it together with the file of the model whose class it defines."
)
ZIP = FileKind("ZIP archive with no model in it", refusal="Unpack it and bring the model.")
ZIP_OF_PHOTOS = FileKind(
    "ZIP archive of photos", refusal="Bring one photo on the photo's side, and a model here."
)
ZIP_AROUND = FileKind("ZIP archive with a model inside", refusal=_UNPACK)
UNKNOWN = FileKind(
    "file of no kind that Vitrine knows",
    refusal="It reads PyTorch (.pt, .pth, .pt2, .safetensors), Keras (.keras, .h5, .hdf5) and "
    "ONNX (.onnx) files.",
)

_STARTS = (
    (IMAGE, (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")),
    (PDF, (b"%PDF",)),
    (GGUF, (b"GGUF",)),
    (ARRAYS, (b"\x93NUMPY",)),
    (LFS, (b"version https://git-lfs",)),
    (PACKED, (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")),
)
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_MODELS = (".pt", ".pth", ".pt2", ".ckpt", ".safetensors", ".keras", ".h5", ".hdf5", ".onnx")
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
CODE = re.compile(r"^(import \w|from [\w.]+ import |class \w+.*:|(async )?def \w+\(|@\w)", re.M)
"""What a line of Python begins with, and other text hardly does."""

_PRINTABLE = frozenset(string.printable.encode())


def by_start(head: bytes) -> FileKind | None:
    """Return what a file's first 512 bytes show it to be, other than a model; None if nothing."""
    if not head:
        return EMPTY
    for kind, starts in _STARTS:
        if head.startswith(starts):
            return kind
    if head[4:8] == b"TFL3":
        return TFLITE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return IMAGE
    if head[4:8] == b"ftyp":
        return IMAGE if head[8:12] in (b"heic", b"heix", b"mif1", b"avif") else VIDEO
    if head[257:262] == b"ustar":
        return PACKED
    if head.startswith(b"\x08\x01\x12"):  # an ONNX file would be of the first draft
        return SAVED_MODEL
    if head.startswith(b"\n") and (b"Placeholder" in head or b"\x12\x05Const" in head):
        return FROZEN
    if head.startswith(_PICKLES) or _is_old_pickle(head):
        return SCIKIT_LEARN if b"sklearn" in head else PICKLE
    return None


def _is_old_pickle(head: bytes) -> bool:
    """Tell a pickle of protocol 0 or 1, which has no first bytes of its own. Runs nothing of it."""
    steps, end = 0, -1
    try:
        for _, _, place in pickletools.genops(head):
            steps, end = steps + 1, place or 0
    except ValueError as error:
        # Cut off after 512 bytes; text and other files soon hold what is no step of a pickle.
        return steps >= 8 and "unknown" not in str(error)
    return steps > 1 and end == len(head) - 1


def as_text(head: bytes) -> FileKind | None:
    """Return a kind of text file, or None for what is none."""
    if not all(byte in _PRINTABLE or byte > 127 for byte in head):
        return None
    start = head.lstrip()[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return WEB_PAGE
    return SOURCE if CODE.search(head.decode("utf-8", "replace")) else TEXT


def in_zip(names: Sequence[str]) -> FileKind:
    """Return what a ZIP is that is no model itself, by its members' names."""
    if "[Content_Types].xml" in names:
        return OFFICE
    endings = [PurePosixPath(name).suffix.lower() for name in names if not name.endswith("/")]
    if any(ending in _MODELS for ending in endings):
        return ZIP_AROUND
    if endings and all(ending == ".npy" for ending in endings):
        return ARRAYS
    if endings and sum(ending in _PHOTOS for ending in endings) > len(endings) / 2:
        return ZIP_OF_PHOTOS
    return ZIP
