"""Bombs and odd names in files of PyTorch's, safetensors and ZIPs."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import torch

from tests.hostile.attack import Aim, Book
from tests.hostile.torch_files import exported, rewrite, scripted

BOOK = Book()


@BOOK.note("bomb", "zip")
def _zip(path: Path, aim: Aim) -> None:
    file = io.BytesIO()
    torch.save({"w": torch.zeros(75_000_000)}, file)
    with (
        zipfile.ZipFile(file) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))


for _legacy in (False, True):

    @BOOK.note("bomb", "one number seen as many" + " (legacy)" * _legacy)
    def _stride(path: Path, aim: Aim, legacy: bool = _legacy) -> None:
        wide = torch.zeros(1).as_strided((1 << 20, 1 << 20), (0, 0))
        torch.save({"fc.weight": wide}, path, _use_new_zipfile_serialization=not legacy)


@BOOK.note("bomb", "one number inside a module")
def _stride_module(path: Path, aim: Aim) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten())
    module[0].weight.data = torch.zeros(1).as_strided((1 << 18, 3, 1 << 10, 1 << 10), (0,) * 4)
    torch.save(module, path)


@BOOK.note("bomb", "a pickle that doubles itself")
def _doubling(path: Path, aim: Aim) -> None:
    # Forty tuples of the one before, twice: 2^40 entries for whoever walks or prints them.
    data = (
        b"\x80\x02K\x01q\x00"
        + b"".join(b"0h%c" % n + b"h%c" % n + b"\x86q%c" % (n + 1) for n in range(40))
        + b"."
    )
    file = io.BytesIO()
    torch.save({}, file)
    path.write_bytes(
        rewrite(file.getvalue(), lambda name, old: data if name.endswith("data.pkl") else old)
    )


@BOOK.note("bomb", "a deep pickle")
def _deep(path: Path, aim: Aim) -> None:
    data = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    file = io.BytesIO()
    torch.save({}, file)
    path.write_bytes(
        rewrite(file.getvalue(), lambda name, old: data if name.endswith("data.pkl") else old)
    )


@BOOK.note("bomb", "a memo far away")
def _memo(path: Path, aim: Aim) -> None:
    path.write_bytes(pickle.dumps([1], 2)[:-1] + b"r" + struct.pack("<I", 0xFFFFFFF0) + b".")


@BOOK.note("bomb", "a long header")
def _header(path: Path, aim: Aim) -> None:
    path.write_bytes(struct.pack("<Q", 99_000_000) + b"{" + b" " * 5_000)


@BOOK.note("bomb", "a tensor past the end")
def _past(path: Path, aim: Aim) -> None:
    shape, end = [1 << 31, 1 << 31], 1 << 62
    text = json.dumps({"w": {"dtype": "U8", "shape": shape, "data_offsets": [0, end]}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))


@BOOK.note("bomb", "a tensor of no bytes")
def _nothing(path: Path, aim: Aim) -> None:
    shape = [0, 1 << 40, 1 << 20]
    text = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


@BOOK.note("bomb", "many members")
def _members(path: Path, aim: Aim) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, 2))
        for number in range(70_000):
            archive.writestr(f"a/data/{number}", b"")


@BOOK.note("bomb", "a graph without an end")
def _graph(path: Path, aim: Aim) -> None:
    deep = b"[" * 500_000
    path.write_bytes(
        rewrite(exported(), lambda name, old: deep if name.endswith("model.json") else old)
    )


# Names of members --------------------------------------------------------------------------------


def _saved() -> bytes:
    file = io.BytesIO()
    torch.save({"fc.weight": torch.ones(3)}, file)
    return file.getvalue()


for _kind, _good in (("checkpoint", _saved), ("torchscript", scripted), ("pt2", exported)):

    @BOOK.note("names", f"{_kind} up and away", "unpack")
    def _away(path: Path, aim: Aim, good: object = _good) -> None:
        path.write_bytes(good())  # type: ignore[operator]
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(os.path.relpath(aim.mark, path.parent), b"x")


@BOOK.note("names", "code up and away")
def _code(path: Path, aim: Aim) -> None:
    path.write_bytes(scripted())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"a/code/../../{aim.secret}", b"x")


@BOOK.note("names", "a storage that is a symbolic link")
def _symbolic(path: Path, aim: Aim) -> None:
    with zipfile.ZipFile(io.BytesIO(_saved())) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            content = old.read(info.filename)
            if info.filename.endswith("data/0"):
                info.create_system, info.external_attr = 3, 0o120777 << 16
                content = str(aim.secret).encode()
            new.writestr(info, content)


@BOOK.note("names", "markup")
def _markup(path: Path, aim: Aim) -> None:
    name = "<script>alert(1)</script>\n![x](http://127.0.0.1)\x1b[31m"
    torch.save({name: torch.zeros(3, 3, 3, 3)}, path)


@BOOK.note("names", "an object's name with line breaks")
def _line_breaks(path: Path, aim: Aim) -> None:
    data = b"\x80\x04\x8c\x08evil\n\n\x1b[\x8c\x05<b>\n\n\x93."
    path.write_bytes(
        rewrite(_saved(), lambda name, old: data if name.endswith("data.pkl") else old)
    )
