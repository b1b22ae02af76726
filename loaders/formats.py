"""What kind of file this is, told by its bytes and never by its name. Nothing of it is run."""

from __future__ import annotations

import zipfile
from pathlib import Path

from loaders import other_files
from loaders.other_files import SAVED_MODEL, FileKind
from xai_core.errors import LoadError

TORCH_ZIP = FileKind("PyTorch checkpoint", "torch")
TORCH_LEGACY = FileKind("PyTorch checkpoint (before 1.6)", "torch")
KERAS_ZIP = FileKind("Keras model", "keras")
HDF5 = FileKind("Keras HDF5 model", "keras")
TORCHSCRIPT = FileKind("TorchScript archive", "torch")
EXPORTED = FileKind("torch.export archive (.pt2)", "torch")
SAFETENSORS = FileKind("safetensors file", "torch")
ONNX = FileKind("ONNX file", "onnx")
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f920")


def sniff(path: Path) -> FileKind:
    """Tell what a file is from its first bytes, and for a ZIP from its members' names."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return HDF5
    if head.startswith(_LEGACY_MAGIC):
        return TORCH_LEGACY
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000:
        return SAFETENSORS
    if kind := other_files.by_start(head):
        return kind
    if kind := other_files.as_text(head):
        return kind
    if head[0] == 0x08 and head[1] <= 20:  # the protobuf field ir_version
        return ONNX
    return other_files.UNKNOWN


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
    if "serialized_exported_program.json" in names:  # before PyTorch 2.6
        return EXPORTED
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
    return other_files.in_zip(names)


def framework_of(path: Path) -> str:
    """Return `torch`, `keras` or `onnx`, what reads the file.

    Raises LoadError for what is no model, or a kind that is not read.
    """
    kind = sniff(path)
    if kind.framework is None:
        article = "an" if kind.title[0] in "aeiouAEIOU" else "a"
        raise LoadError(f"This is {article} {kind.title}, which is not loaded. {kind.refusal}")
    return kind.framework
