"""What kind of file this is, told by its bytes and never by its name. Nothing of it is run."""

from __future__ import annotations

import zipfile
from pathlib import Path

from loaders import other_files, text_files, texts
from loaders.file_kind import FileKind
from loaders.options import MAX_SOURCE
from xai_core.errors import LoadError

TORCH_ZIP = FileKind("PyTorch checkpoint", "torch")
TORCH_LEGACY = FileKind("PyTorch checkpoint (before 1.6)", "torch")
KERAS_ZIP = FileKind("Keras model", "keras")
HDF5 = FileKind("Keras HDF5 model", "keras")
TEACHABLE = FileKind("Teachable Machine archive", "keras")
TORCHSCRIPT = FileKind("TorchScript archive", "torch")
EXPORTED = FileKind("torch.export archive (.pt2)", "torch")
SAFETENSORS = FileKind("safetensors file", "torch")
ONNX = FileKind("ONNX file", "onnx")
_MAX_COMMENT, _MAX_CONTENTS = 2**16 + 120, 8_000_000
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f920")


def sniff(path: Path) -> FileKind:
    """Tell what a file is from its first bytes, and for a ZIP from its members' names."""
    with path.open("rb") as file:
        head = file.read(text_files.HEAD)
        file.seek(max(0, path.stat().st_size - 8))
        end = file.read(8)
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return HDF5
    if head.startswith(_LEGACY_MAGIC):
        return TORCH_LEGACY
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000:
        return SAFETENSORS
    if kind := other_files.by_start(head, end):
        return kind
    if texts.is_text(head, whole=len(head) < text_files.HEAD):
        return text_files.kind(_beginning(path))
    if head[0] == 0x08 and head[1:2] and head[1] <= 20:  # the protobuf field ir_version
        return ONNX
    return other_files.UNKNOWN


def _beginning(path: Path) -> str:
    """Return as much of a text as a source may have: a licence may stand before its first line."""
    with path.open("rb") as file:
        data = file.read(MAX_SOURCE)
    for cut in range(min(4, len(data))):
        try:
            return texts.decode_text(data[: len(data) - cut])
        except texts.NotText:
            continue
    return data[: text_files.HEAD].decode("utf-8", "replace")


def _sniff_zip(path: Path) -> FileKind:
    _refuse_many(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise LoadError(
            "This file begins like a PyTorch or Keras archive and is damaged: its table of "
            "contents cannot be read. Copy or export it again."
        ) from error
    members = frozenset(names)
    bare = {name.split("/", 1)[-1] for name in names}
    if "serialized_exported_program.json" in names:  # before PyTorch 2.6
        return EXPORTED
    if "archive_format" in bare or "models/model.json" in bare:
        return EXPORTED
    if "constants.pkl" in bare or any(name.startswith("code/__torch__") for name in bare):
        return TORCHSCRIPT
    if {"model.json", "version", "tensors/0"} <= bare:  # before PyTorch 1.4
        return TORCHSCRIPT
    if any(_is_checkpoint(name, members) for name in names if name.endswith("data.pkl")):
        return TORCH_ZIP
    if "config.json" in names and any(name.endswith(".weights.h5") for name in names):
        return KERAS_ZIP
    if _is_teachable(names):
        return TEACHABLE
    return other_files.in_zip(names)


def _is_teachable(names: list[str]) -> bool:
    """Tell Teachable Machine's ZIP: its model lies at the top or in one folder, once."""
    found = [name for name in names if name.rsplit("/", 1)[-1] == "keras_model.h5"]
    return len(found) == 1 and found[0].count("/") < 2


def _is_checkpoint(name: str, names: frozenset[str]) -> bool:
    """Tell torch.save's ZIP from others with a data.pkl: its version stands beside it."""
    folder = name.removesuffix("data.pkl")
    return folder.count("/") == 1 and any(
        f"{folder}{beside}" in names for beside in ("version", ".format_version", "byteorder")
    )


def _refuse_many(path: Path) -> None:
    """Refuse a ZIP whose table of contents is a bomb, before it is read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MAX_COMMENT))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    length = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if length == 0xFFFFFFFF and (wide := tail.rfind(b"PK\x06\x06")) >= 0:
        length = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if length > _MAX_CONTENTS:
        raise LoadError(
            f"This ZIP archive has a table of contents of {length / 1e6:,.0f} MB, far longer than "
            "any model's, and is refused. Copy or export the model again."
        )


def framework_of(path: Path) -> str:
    """Return `torch`, `keras` or `onnx`, what reads the file.

    Raises LoadError for what is no model, or a kind that is not read.
    """
    kind = sniff(path)
    if kind.framework is None:
        raise LoadError(kind.sentence)
    return kind.framework
