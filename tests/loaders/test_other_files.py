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
    "zip": (zipped("notes.md"), "a ZIP archive with no model"),
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


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """Write a protobuf message of short texts, messages and small numbers."""
    made = b""
    for number, value in fields:
        kind = 0 if isinstance(value, int) else 2
        tag = number << 3 | kind
        made += bytes([tag & 127 | 128, tag >> 7]) if tag > 127 else bytes([tag])
        if isinstance(value, int):
            made += bytes([value])
        else:
            size = len(value)
            made += (bytes([size & 127 | 128, size >> 7]) if size > 127 else bytes([size])) + value
    return made


def joblibbed(**settings: Any) -> bytes:
    import joblib

    file = io.BytesIO()
    joblib.dump({"a": np.arange(9), "b": [1, 2]}, file, **settings)
    return file.getvalue()


def skops() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", '{"__class__": "LogisticRegression"}')
        archive.writestr("140.npy", b"x")
    return file.getvalue()


_INPUT = message((1, b"image"), (3, message((4, message((1, 64), (2, 64))))))
_IR = b'<?xml version="1.0"?>\n<net name="model" version="11">\n\t<layers>\n'
FILES |= {
    "one byte": (b"\x08", "a file of no kind"),
    "Core ML": (message((1, 4), (2, message((1, _INPUT), (10, _INPUT)))), "a Core ML model"),
    "Core ML, the first": (message((1, 1), (2, message((1, _INPUT)))), "a Core ML model"),
    "Core ML package": (
        zipped("m.mlpackage/Manifest.json", "m.mlpackage/Data/com.apple.CoreML/model.mlmodel"),
        "a Core ML model",
    ),
    "Core ML, compiled": (zipped("m.mlmodelc/coremldata.bin"), "a Core ML model"),
    "OpenVINO": (_IR, "an OpenVINO model.*Bring the model that it was converted from"),
    "OpenVINO, both": (zipped("m.xml", "m.bin"), "an OpenVINO model"),
    "other XML": (b'<?xml version="1.0"?>\n<annotation><folder>', "an XML file"),
    "TensorFlow.js": (
        b'{"format": "layers-model", "modelTopology": {"class_name": "Sequential"}}',
        "a TensorFlow.js model",
    ),
    "TensorFlow.js, both": (zipped("m/model.json", "m/group1-shard1of1.bin"), "a TensorFlow.js"),
    "TensorFlow's index": (b"\0\0\6\x08\1" + bytes.fromhex("57fb808b247547db"), "a TensorFlow ch"),
    "TensorFlow's pointer": (b'model_checkpoint_path: "x-1"\n', "a TensorFlow checkpoint"),
    "TensorFlow 1": (
        message((1, message((1, b"x"), (2, b"Placeholder")))), "a TensorFlow graph of the time",
    ),
    "Caffe": (b'name: "LeNet"\nlayer {\n  name: "data"\n', "a Caffe model"),
    "Caffe's weights": (
        message((1, b"LeNet"), (100, message((1, b"conv1"), (2, b"Convolution")))), "a Caffe model",
    ),
    "Caffe's first weights": (message((1, b"LeNet"), (2, message((4, b"c")))), "a Caffe model"),
    "Darknet": (b"[net]\nbatch=64\nwidth=416\n[convolutional]\n", r"a Darknet \(YOLO\) file"),
    "Darknet's weights": (struct.pack("<3IQ", 0, 2, 5, 32013312) + bytes(99), "a Darknet"),
    "MXNet": (b'{"nodes": [{"op": "null", "name": "data"}], "arg_nodes": [0]}', "an MXNet model"),
    "MXNet's weights": (struct.pack("<QQ", 0x112, 0) + bytes(99), "an MXNet model"),
    "PaddlePaddle": (
        message((1, b"\x08\0\x10" + b"\xff" * 9 + b"\x01\x1a\x02")), "a PaddlePaddle model",
    ),
    "PaddlePaddle's weights": (
        pickle.dumps({"StructuredToParameterName@@": {}, "w": np.ones(3)}, 4), "a PaddlePaddle",
    ),
    "TensorRT": (b"ftrt\0\0\0\0" + bytes(99), "a TensorRT engine"),
    "ExecuTorch": (b"\x1c\0\0\0ET12" + bytes(99), "an ExecuTorch program"),
    "ncnn": (b"7767517\n75 83\nInput data 0 1 data\n", "an? ncnn model"),
    "RKNN": (b"RKNN\0\0\0\0" + bytes(99), "an RKNN model"),
    "Flax": (b"\x81\xa6params\x82\xa6Conv_0\x82", r"a Flax \(JAX\) file of weights"),
    "Orbax": (zipped("ckpt/_CHECKPOINT_METADATA", "ckpt/manifest.ocdbt"), "an Orbax"),
    "joblib": (joblibbed(), "a Python pickle"),
    "joblib, packed": (joblibbed(compress=3), "a Python pickle"),
    "skops": (skops(), r"a scikit-learn model \(skops\)"),
    "XGBoost": (b'{"learner":{"attributes":{},"gradient_booster":{', "a model of decision trees"),
    "CatBoost": (b"CBM1\x10\0\0\0", "a CatBoost model"),
    "notebook": (b'{\n "cells": [\n  {"cell_type": "code"}]}', "a Jupyter notebook"),
    "Keras's JSON": (
        b'{"class_name": "Functional", "config": {}}', "a Keras network's JSON, without weights",
    ),
    "Hugging Face": (b'{"architectures": ["ViT"], "model_type": "vit"}', "a Hugging Face model"),
    "a dict of Python's": (b"{0: 'cat', 1: 'dog'}", "a text file"),
    "other JSON": (b'{"lr": 0.1}', "a JSON file"),
    "text in UTF-16": ("some words about a model\n".encode("utf-16"), "a text file"),
    "a long licence": (b"#" + b" all rights kept\n#" * 900 + b"\nimport torch\n", "a Python file"),
    "a docstring": (b"'" + b"What it does. " * 60 + b"'\nfrom torch import nn\n", "a Python file"),
    "AVIF sequence": (b"\0\0\0\x1cftypavis\0\0\0\0avifmsf1miaf", "a photo"),
    "HEIC of another brand": (b"\0\0\0\x1cftypmsf1\0\0\0\0hevcmsf1miaf", "a photo"),
    "a project": (zipped("p/models/net.py", "p/code/train.py"), "a ZIP archive with no model"),
    "a project with its model": (
        zipped("p/models/best.pth", "p/notes.xml", "p/x.bin"), "a ZIP archive with a model inside",
    ),
    "zip with a pickle": (zipped("model/data.pkl", "notes.md"), "a ZIP archive with a pickle"),
    "zip with joblib": (zipped("model.joblib"), "a ZIP archive with a pickle"),
    "zip with traversal": (zipped("../../../data.pkl", "/etc/passwd"), "a ZIP archive with a pi"),
}  # fmt: skip


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


def test_two_bytes_of_a_protobuf_are_onnx(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(message((1, 8), (2, b"pytorch"), (3, b"2.0")))
    assert sniff(path).title == "ONNX file"


def test_a_zip_of_a_million_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    table = entry * 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(table), 4, 0)
    path.write_bytes(b"PK\3\4" + table + end)
    with pytest.raises(LoadError, match="a table of contents of 47 MB, far longer"):
        framework_of(path)


HEADS = [b"\x08", b"\n", b"\x81", b"\x82\xa6", b"\x78\x9c", b"\x08\x01\x12", b"\n\xff\xff", b"PK"]


@pytest.mark.parametrize("head", HEADS)
def test_any_bytes_are_named_or_read(tmp_path: Path, head: bytes) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / "model"
    for length in (*range(12), 100, 5000):
        for _ in range(20):
            path.write_bytes(head + rng.bytes(length))
            assert sniff(path).title
