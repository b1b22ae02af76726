"""Models of other frameworks, told by their first bytes or by the names in their ZIP."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from loaders.file_kind import FileKind

_FROM = "Bring the model that it was converted from: PyTorch's, Keras's or its ONNX file."
SAVED_MODEL = FileKind(
    "TensorFlow SavedModel",
    refusal="Load it where it was made and save it with model.save('model.keras').",
)
FROZEN = FileKind(
    "TensorFlow graph of the time before TensorFlow 2",
    refusal="Rebuild the network in Keras and save it with model.save('model.keras').",
)
TF_CHECKPOINT = FileKind(
    "TensorFlow checkpoint, or a part of one",
    refusal="It holds weights without their network. Load it where the network is defined and save "
    "it with model.save('model.keras').",
)
TFLITE = FileKind(
    "TensorFlow Lite model",
    refusal="Bring the Keras model that it was converted from: model.save('model.keras').",
)
TFJS = FileKind(
    "TensorFlow.js model",
    refusal="Bring the Keras model that it was converted from: model.save('model.keras').",
)
CORE_ML = FileKind("Core ML model", refusal=_FROM)
OPENVINO = FileKind("OpenVINO model", refusal=_FROM)
TENSORRT = FileKind(
    "TensorRT engine", refusal=f"It runs on one kind of graphics card alone. {_FROM}"
)
CAFFE = FileKind(
    "Caffe model", refusal="Convert it to ONNX where Caffe is installed, and bring the ONNX file."
)
DARKNET = FileKind(
    "Darknet (YOLO) file",
    refusal="Most such networks detect objects; this page explains classifiers of photos. Bring a "
    "classifier as an ONNX file.",
)
MXNET = FileKind(
    "MXNet model",
    refusal="Export it to ONNX where MXNet is installed (mx.onnx.export_model), and bring that.",
)
PADDLE = FileKind(
    "PaddlePaddle model", refusal="Convert it with paddle2onnx and bring the ONNX file."
)
EXECUTORCH = FileKind(
    "ExecuTorch program", refusal="Bring the PyTorch model that it was made from."
)
NCNN = FileKind("ncnn model", refusal=_FROM)
RKNN = FileKind("RKNN model, for one kind of chip", refusal=_FROM)
HAILO = FileKind("Hailo model, for one kind of chip", refusal=_FROM)
GGUF = FileKind("language model (GGUF)", refusal="Bring a classifier of photos.")
FLAX = FileKind(
    "Flax (JAX) file of weights",
    refusal="It holds weights without their network. Convert the network to Keras or PyTorch, or "
    "export it to ONNX.",
)
ORBAX = FileKind(
    "Orbax (JAX) checkpoint",
    refusal="It holds weights without their network. Convert the network to Keras or PyTorch, or "
    "export it to ONNX.",
)
SKOPS = FileKind(
    "scikit-learn model (skops)",
    refusal="Such a model works on rows of numbers. Bring a classifier of photos, of PyTorch or "
    "Keras.",
)
CATBOOST = FileKind(
    "CatBoost model",
    refusal="Such a model works on rows of numbers. Bring a classifier of photos, of PyTorch or "
    "Keras.",
)

_STARTS: tuple[tuple[FileKind, tuple[bytes, ...]], ...] = (
    (GGUF, (b"GGUF", b"lmgg", b"ggjt", b"tjgg", b"fmgg")),
    (TENSORRT, (b"ftrt", b"ptrt")),
    (RKNN, (b"RKNN",)),
    (HAILO, (b"\x01HEF",)),
    (CATBOOST, (b"CBM1",)),
    (MXNET, (b"\x12\x01\0\0\0\0\0\0",)),  # kMXAPINDArrayListMagic
    # three numbers of the version: 0.1.0, 0.2.0 and 0.2.5
    (DARKNET, tuple(struct.pack("<3I", 0, *rest) for rest in ((1, 0), (2, 0), (2, 5)))),
)
_TABLE_END = bytes.fromhex("57fb808b247547db")  # of the table that a checkpoint's .index is

Field = tuple[int, int, bytes]


def by_start(head: bytes, end: bytes = b"") -> FileKind | None:
    """Return another framework's model by a file's first bytes and its last eight, or None."""
    for kind, starts in _STARTS:
        if head.startswith(starts):
            return kind
    if head[4:8] == b"TFL3":
        return TFLITE
    if head[4:6] == b"ET" and head[6:8].isdigit():
        return EXECUTORCH
    if end == _TABLE_END:
        return TF_CHECKPOINT
    if _is_flax(head):
        return FLAX
    if head[:1] == b"\x08":
        return _of_version(head)
    if head[:1] == b"\n":
        return _of_graph(head)
    return None


def fields(data: bytes) -> Iterator[Field]:
    """Yield (number, wire type, what there is of its bytes) of a protobuf message's beginning."""
    place = 0
    while place < len(data):
        tag, place = _number(data, place)
        number, wire = tag >> 3, tag & 7
        start = place
        if wire == 0:
            _, place = _number(data, place)
        elif wire == 2:
            length, start = _number(data, place)
            place = start + length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            return
        if not 0 < number < 100_000:
            return
        yield number, wire, data[start:place]


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    return value, len(data)


def _inside(data: bytes, number: int) -> bytes | None:
    """Return the first of a message's fields of this number, or None."""
    return next((part for own, wire, part in fields(data) if own == number and wire == 2), None)


def _is_word(data: bytes | None) -> bool:
    return bool(data) and data is not None and data.isascii() and data.decode().isprintable()


def _of_version(head: bytes) -> FileKind | None:
    """Tell what begins with a small number: ONNX (None), Core ML or TensorFlow."""
    second = next((part for number, wire, part in fields(head) if (number, wire) == (2, 2)), None)
    if second is None or _is_word(second):  # ONNX names here who made it
        return None
    first = _inside(second, 1)
    if first is None or second[:1] != b"\n":
        return None
    if _is_word(_inside(first, 1)) and _inside(first, 3) is not None:
        return CORE_ML  # an input's name and type
    return SAVED_MODEL if head.startswith(b"\x08\x01") else None


def _of_graph(head: bytes) -> FileKind | None:
    """Tell what begins with a message or a text: PaddlePaddle, Caffe or TensorFlow 1."""
    if b"Placeholder" in head or b"\x12\x05Const" in head:
        return FROZEN
    rows = list(fields(head))
    if not rows or rows[0][:2] != (1, 2):
        return None
    first = rows[0][2]
    if first.startswith(b"\x08\0\x10" + b"\xff" * 9 + b"\x01"):
        return PADDLE  # the first block, whose parent is -1
    layers = [part for number, wire, part in rows[1:] if (number, wire) in ((100, 2), (2, 2))]
    # a layer of the first draft has its name in the field 4, of the second in the field 1
    named = layers and any(_is_word(_inside(layers[0], number)) for number in (1, 4))
    return CAFFE if _is_word(first) and named else None


def _is_flax(head: bytes) -> bool:
    """Tell msgpack's map from short names to maps, as flax.serialization writes weights."""
    if not head or not 0x81 <= head[0] <= 0x8F:
        return False
    length = head[1] & 31 if len(head) > 1 and head[1] >> 5 == 5 else 0
    name, after = head[2 : 2 + length], head[2 + length : 3 + length]
    maps = bool(after) and (0x81 <= after[0] <= 0x8F or after[0] in (0xC7, 0xC8, 0xC9, 0xDE))
    return length > 0 and _is_word(name) and maps


def in_zip(names: Sequence[str]) -> FileKind | None:
    """Return another framework's model by the names in a ZIP, or None."""
    ends = {name.rstrip("/").rsplit("/", 1)[-1] for name in names}
    if "saved_model.pb" in ends:
        return SAVED_MODEL
    if any("com.apple.CoreML" in name for name in names) or "coremldata.bin" in ends:
        return CORE_ML
    if any(end.endswith((".mlmodel", ".mlpackage")) for end in ends):
        return CORE_ML
    if "schema.json" in names:
        return SKOPS
    if ends & {"_CHECKPOINT_METADATA", "manifest.ocdbt"}:
        return ORBAX
    if "model.json" in ends and any(end.endswith(".bin") for end in ends):
        return TFJS
    if any(end.endswith(".xml") for end in ends) and any(end.endswith(".bin") for end in ends):
        return OPENVINO
    if any(end.endswith((".pdmodel", ".pdiparams", ".pdparams")) for end in ends):
        return PADDLE
    if any(".data-00000-of-" in end for end in ends):
        return TF_CHECKPOINT
    return None
