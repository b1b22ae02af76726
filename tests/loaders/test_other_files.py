"""Files that hold no model: each is named as what it is, by its bytes alone."""

import bz2
import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from loaders.formats import framework_of, sniff
from xai_core.errors import LoadError


def photo(ending: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, ending)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def numpy_file(save: Any) -> bytes:
    file = io.BytesIO()
    save(file, np.ones(3))
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pth"), io.BytesIO())
    return file.getvalue()


def scikit(protocol: int) -> bytes:
    # By hand: the class is not really scikit-learn's, so that pickle would not find it.
    name = b"csklearn.linear_model._logistic\nLogisticRegression\n"
    return (b"\x80" + bytes([protocol]) if protocol > 1 else b"") + name + b")\x81."


FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "an empty file"),
    "text": (b"some words about a model\n" * 40, "a text file"),
    "words in brackets": (b"(a.k.a. the best model so far)\n" * 40, "a text file"),
    "source": (b"import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n", "a Python file"),
    "table": (b"epoch,loss\n1,0.5\n2,0.25\n", "a text file"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "a pointer of Git LFS.*git lfs pull",
    ),
    "page": (b"\n<!DOCTYPE html><html><head><title>Sign in", "a web page.*Download the model"),
    "png": (photo("png"), "a photo"),
    "webp": (photo("webp"), "a photo"),
    "heic": (b"\x00\x00\x00\x20ftypheic" + bytes(40), "a photo"),
    "video": (b"\x00\x00\x00\x20ftypisom" + bytes(40), "a video"),
    "pdf": (b"%PDF-1.7 \x00", "a PDF document"),
    "array": (numpy_file(np.save), "a file of NumPy arrays"),
    "arrays": (numpy_file(np.savez), "a file of NumPy arrays"),
    "gzip": (gzip.compress(b"model"), "a packed archive"),
    "bzip": (bz2.compress(b"model"), "a packed archive"),
    "tar": (tar(), "a packed archive"),
    "office": (zipped("[Content_Types].xml", "word/document.xml"), "an office document"),
    "photos": (zipped("holiday/1.jpg", "holiday/2.JPG"), "a ZIP archive of photos"),
    "around": (zipped("run/best.pth", "run/notes.md"), "a ZIP archive with a model inside"),
    "zip": (zipped("notes.md"), "a ZIP archive with no model in it"),
    "saved model": (zipped("m/saved_model.pb", "m/variables/x"), "a TensorFlow SavedModel"),
    "its graph": (b"\x08\x01\x12\x8c\x05\n\x1a\x05\n\x03Add" * 9, "a TensorFlow SavedModel"),
    "frozen": (b"\nX\n\x05input\x12\x0bPlaceholder*\x0b\n\x05dtype\x12", "a TensorFlow graph"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(99), "a TensorFlow Lite model"),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(99), r"a language model \(GGUF\)"),
    "noise": (
        bytes(range(200, 256)) + b"\x00\x01\x02" * 40,
        "a file of no kind that Vitrine knows",
    ),
}
FILES |= {
    f"pickle {protocol} of {type(content).__name__}": (pickle.dumps(content, protocol), "a Python")
    for protocol in range(6)
    for content in ({"a": [1, 2.5, "b"]}, [1, 2], set(range(900)))
}
FILES |= {
    f"scikit-learn {protocol}": (scikit(protocol), "a scikit-learn pickle") for protocol in range(5)
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_named(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(LoadError, match="^This is " + message) as caught:
        framework_of(path)
    said = str(caught.value)
    assert ", which is not loaded. " in said
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"BM", b"BZ", b"(\x00", b"}\x00", b"\x80\x02"])
def test_a_header_length_is_no_other_kinds_first_bytes(tmp_path: Path, start: bytes) -> None:
    (length,) = struct.unpack("<H", start)
    header = json.dumps({"__metadata__": {}}).encode().ljust(length)
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<Q", length) + header)
    assert sniff(path).title == "safetensors file"
