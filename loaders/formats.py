"""What kind of file this is, told by its bytes and never by its name. Nothing of it is run."""

from __future__ import annotations

import dataclasses
import string
import zipfile
from pathlib import Path

from xai_core.errors import LoadError


@dataclasses.dataclass(frozen=True)
class FileKind:
    """A kind of file: its name for people, the framework that reads it, or why it is refused."""

    title: str
    framework: str | None = None
    refusal: str = ""


TORCH_ZIP = FileKind("PyTorch checkpoint", "torch")
TORCH_LEGACY = FileKind("PyTorch checkpoint (before 1.6)", "torch")
KERAS_ZIP = FileKind("Keras model", "keras")
HDF5 = FileKind("Keras HDF5 model", "keras")
TORCHSCRIPT = FileKind("TorchScript archive", "torch")
EXPORTED = FileKind("torch.export archive (.pt2)", "torch")
SAFETENSORS = FileKind("safetensors file", "torch")
ONNX = FileKind("ONNX file", "onnx")
SAVED_MODEL = FileKind(
    "TensorFlow SavedModel",
    refusal="Load it where it was made and save it with model.save('model.keras').",
)
PICKLE = FileKind(
    "Python pickle",
    refusal="A pickle can run any code. Save the weights with torch.save(model.state_dict(), ...).",
)
NOT_MODELS = {
    "image": FileKind("photo", refusal="Drop it on the photo's side, and a model here."),
    "zip": FileKind("ZIP archive with no model in it", refusal="Unpack it and bring the model."),
    "text": FileKind("text file", refusal="Bring the file that torch.save or model.save wrote."),
    "empty": FileKind("empty file", refusal="The upload or the export was cut short: try again."),
    "pdf": FileKind("PDF document", refusal="Bring the file that torch.save or model.save wrote."),
    "unknown": FileKind(
        "file of no kind that Vitrine knows",
        refusal="It reads PyTorch (.pt, .pth, .pt2, .safetensors), Keras (.keras, .h5, .hdf5) and "
        "ONNX (.onnx) files.",
    ),
}
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f920")
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


def sniff(path: Path) -> FileKind:
    """Tell what a file is from its first bytes, and for a ZIP from its members' names."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return NOT_MODELS["empty"]
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return HDF5
    if head.startswith(_LEGACY_MAGIC):
        return TORCH_LEGACY
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return PICKLE
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return NOT_MODELS["image"]
    if head.startswith(b"%PDF"):
        return NOT_MODELS["pdf"]
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000:
        return SAFETENSORS
    printable = set(string.printable.encode())
    if all(byte in printable or byte > 127 for byte in head):
        return NOT_MODELS["text"]
    if head[0] == 0x08 and head[1] <= 20:  # the protobuf field ir_version
        return ONNX
    return NOT_MODELS["unknown"]


def _sniff_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise LoadError(
            "This file begins like a PyTorch or Keras archive and is damaged: its table of "
            "contents cannot be read. Copy or export it again."
        ) from error
    bare = {name.split("/", 1)[-1] for name in names}
    if "archive_format" in bare or any(name.startswith("models/") for name in bare):
        return EXPORTED
    if "constants.pkl" in bare or any(name.startswith("code/") for name in bare):
        return TORCHSCRIPT
    if "data.pkl" in bare:
        return TORCH_ZIP
    if "config.json" in names and any(name.endswith(".weights.h5") for name in names):
        return KERAS_ZIP
    if any(name.endswith("saved_model.pb") for name in names):
        return SAVED_MODEL
    return NOT_MODELS["zip"]


def framework_of(path: Path) -> str:
    """Return `torch`, `keras` or `onnx`, what reads the file.

    Raises LoadError for what is no model, or a kind that is not read.
    """
    kind = sniff(path)
    if kind.framework is None:
        article = "an" if kind.title[0] in "aeiouAEIOU" else "a"
        raise LoadError(f"This is {article} {kind.title}, which is not loaded. {kind.refusal}")
    return kind.framework
