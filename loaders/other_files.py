"""Files that hold no model, or one that is not read: named by their first bytes, with a way out."""

from __future__ import annotations

import pickletools
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from loaders import other_models
from loaders.file_kind import FileKind

__all__ = ["FileKind", "by_start", "in_zip"]

_BRING = "Bring the file that torch.save or model.save wrote."
_UNPACK = "Unpack it and bring the model itself."
PICKLE = FileKind(
    "Python pickle",
    refusal="A pickle can run any code. Save the weights with torch.save(model.state_dict(), ...).",
)
SCIKIT_LEARN = FileKind(
    "scikit-learn pickle",
    refusal="Such a model works on rows of numbers, and a pickle can run any code. Bring a "
    "classifier of photos, of PyTorch or Keras.",
)
TORCH_PICKLE = FileKind(
    "PyTorch model that pickle wrote, not torch.save",
    refusal="A pickle can run any code. Save the weights with "
    "torch.save(model.state_dict(), 'model.pth').",
)
TREES = FileKind(
    "pickle of decision trees",
    refusal="Such a model works on rows of numbers, and a pickle can run any code. Bring a "
    "classifier of photos, of PyTorch or Keras.",
)
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
ZIP = FileKind("ZIP archive with no model in it", refusal="Unpack it and bring the model.")
ZIP_OF_PICKLE = FileKind(
    "ZIP archive with a pickle in it that torch.save did not write",
    refusal="A pickle can run any code. Save the weights with "
    "torch.save(model.state_dict(), 'model.pth').",
)
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
    (ARRAYS, (b"\x93NUMPY",)),
    (PACKED, (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")),
)
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_MODELS = (".pt", ".pth", ".pt2", ".ckpt", ".safetensors", ".keras", ".h5", ".hdf5", ".onnx")
_STILLS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"}
_DEFLATED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_HELD = (
    (SCIKIT_LEARN, (b"sklearn",)),
    (TREES, (b"xgboost", b"lightgbm", b"catboost")),
    (other_models.PADDLE, (b"StructuredToParameterName@@",)),
    (TORCH_PICKLE, (b"torch._utils", b"torch.nn.modules", b"torch.storage", b"torchvision.")),
)


def by_start(head: bytes, end: bytes = b"") -> FileKind | None:
    """Return what a file's first bytes, and its last eight, show it to be; None if nothing.

    A model that is read, or a text, is told elsewhere.
    """
    if not head:
        return EMPTY
    for kind, starts in _STARTS:
        if head.startswith(starts):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return IMAGE
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(64, head[3]), 4))}
        return IMAGE if brands & _STILLS else VIDEO
    if head[257:262] == b"ustar":
        return PACKED
    if head.startswith(_PICKLES) or _is_old_pickle(head[:512]):
        return next((kind for kind, words in _HELD if any(map(head.count, words))), PICKLE)
    if head.startswith(_DEFLATED):  # as joblib.dump(compress=...) writes
        inner = _unpacked(head)
        return by_start(inner) if inner.startswith(_PICKLES) else PACKED
    return other_models.by_start(head, end)


def _unpacked(head: bytes) -> bytes:
    """Return a few bytes of what is packed by zlib."""
    try:
        return zlib.decompressobj().decompress(head, 4096)
    except zlib.error:
        return b""


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


def in_zip(names: Sequence[str]) -> FileKind:
    """Return what a ZIP is that is no model itself, by its members' names."""
    if "[Content_Types].xml" in names:
        return OFFICE
    endings = [PurePosixPath(name).suffix.lower() for name in names if not name.endswith("/")]
    kind = other_models.in_zip(names)
    if kind in (other_models.SAVED_MODEL, other_models.TFJS):  # Keras's own may lie beside it
        return kind
    if any(ending in _MODELS for ending in endings):
        return ZIP_AROUND
    if kind:
        return kind
    if endings and all(ending == ".npy" for ending in endings):
        return ARRAYS
    if endings and sum(ending in _PHOTOS for ending in endings) > len(endings) / 2:
        return ZIP_OF_PHOTOS
    if any(ending in (".pkl", ".pickle", ".joblib") for ending in endings):
        return ZIP_OF_PICKLE
    return ZIP
