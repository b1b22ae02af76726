"""Hostile files that say they are Keras's, of either Keras."""

from __future__ import annotations

import base64
import io
import json
import marshal
import os
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.hostile.attack import Aim, Book, Writer

BOOK = Book()
Layer = dict[str, Any]


def _marshalled(aim: Aim) -> str:
    function = eval(f"lambda x: (exec({aim.code!r}, {{}}), x)[1]")
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


def _of(class_name: str, module: str = "keras.layers", **config: Any) -> Layer:
    return {
        "module": module,
        "class_name": class_name,
        "registered_name": None,
        "config": {"name": class_name.lower()} | config,
    }


def _dense(**config: Any) -> Layer:
    return _of("Dense", units=3, **config)


def layers(aim: Aim) -> dict[str, Layer]:
    """Return layers, in the way that Keras 3 writes them, that bring code or name it."""
    lambda_ = {
        "class_name": "__lambda__",
        "config": {"code": _marshalled(aim), "defaults": None, "closure": None},
    }
    shell = {"module": "os", "class_name": "function", "config": "system", "registered_name": None}
    shell["registered_name"] = "system"
    process = {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", str(aim.mark)]},
        "registered_name": "Popen",
    }
    return {
        "Lambda": _of("Lambda", function=lambda_, arguments={}),
        "Lambda in a wrapper": _of("TimeDistributed", layer=_of("Lambda", function=lambda_)),
        "os.system as activation": _dense(activation=shell),
        "os.system as initialiser": _dense(kernel_initializer=shell),
        "os.system as regulariser": _dense(kernel_regularizer=shell),
        "a process as constraint": _dense(kernel_constraint=process),
        "a process as a layer": process,
        "a file as vocabulary": _of("StringLookup", vocabulary=str(aim.secret)),
        "a file of words": _of("TextVectorization", vocabulary=str(aim.secret)),
        "a second program": _of("TFSMLayer", filepath=str(aim.secret.parent)),
        "a download": _dense(
            activation={
                "module": "keras.utils",
                "class_name": "function",
                "config": "get_file",
                "registered_name": "get_file",
            }
        ),
        "a torch module": _of(
            "TorchModuleWrapper", module={"class_name": "__tensor__", "config": {"value": "x"}}
        ),
    }


def _model(layer: Layer) -> dict[str, Any]:
    first = _of("InputLayer", batch_shape=[None, 8, 8, 3], dtype="float32")
    inner = {"name": "net", "layers": [first, layer, _of("Flatten"), _dense()]}
    return {"module": "keras", "class_name": "Sequential", "config": inner}


def _weights(shape: tuple[int, ...] = (192, 3), **options: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.create_dataset("layers/dense/vars/0", shape, "f4", **options)
    return file.getvalue()


def _zip(path: Path, config: Any, weights: bytes | None = None, **more: bytes) -> None:
    members: dict[str, Any] = {
        "metadata.json": json.dumps({"keras_version": "3.9.0"}),
        "config.json": config if isinstance(config, str) else json.dumps(config),
        "model.weights.h5": _weights() if weights is None else weights,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | more).items():
            archive.writestr(name, content)


def _hdf5(path: Path, config: Any) -> None:
    with h5py.File(path, "w") as h5:
        h5.attrs["keras_version"] = b"2.15.0"
        h5.attrs["backend"] = b"tensorflow"
        h5.attrs["model_config"] = json.dumps(config).encode()
        weights = h5.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([b"dense"])
        weights["dense/dense/kernel:0"] = np.zeros((192, 3), np.float32)


def _keras3(name: str) -> Writer:
    return lambda path, aim: _zip(path, _model(layers(aim)[name]))


for _name in layers(Aim(Path("m"), 1, Path("s"))):
    # The careless reader needs the name that Keras tells its own archives by.
    _control = "keras" if _name == "Lambda" else ""
    BOOK.note("keras", _name + ".keras", _control)(_keras3(_name))


def old_layers(aim: Aim) -> dict[str, Layer]:
    """Return the same in the way that tf_keras writes them."""
    code = [_marshalled(aim), None, None]
    lambda_ = {"class_name": "Lambda", "config": {"name": "l", "function": code}}
    lambda_["config"] |= {"function_type": "lambda", "output_shape_type": "raw"}
    lambda_["config"] |= {"output_shape": None, "arguments": {}}
    wrapped = {"class_name": "Bidirectional", "config": {"name": "t", "layer": lambda_}}
    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 3}}

    def shaped(**config: Any) -> Layer:
        return dense | {"config": dense["config"] | config}

    return {
        "Lambda": lambda_,
        "Lambda in a wrapper": wrapped,
        "a TensorFlow function": {
            "class_name": "TFOpLambda",
            "config": {"name": "io", "function": "io.write_file"},
        },
        "os.system as activation": shaped(activation="os.system"),
        "os.system as initialiser": shaped(
            kernel_initializer={"class_name": "system", "module": "os", "config": {}}
        ),
        "exec as regulariser": shaped(
            kernel_regularizer={
                "class_name": "exec",
                "module": "builtins",
                "config": {"code": aim.code},
            }
        ),
        "an operation of any kind": {
            "class_name": "TensorFlowOpLayer",
            "config": {"name": "x", "node_def": "name: 'ReadFile'", "constants": {}},
        },
        "somebody's own layer": {
            "class_name": "os>system",
            "registered_name": "os>system",
            "config": {"name": "x"},
        },
    }


def _old(name: str) -> Writer:
    def write(path: Path, aim: Aim) -> None:
        first = {"class_name": "InputLayer", "config": {"name": "i"}}
        first["config"] |= {"batch_input_shape": [None, 8, 8, 3], "dtype": "float32"}
        flat = {"class_name": "Flatten", "config": {"name": "f"}}
        inner = {"name": "net", "layers": [first, old_layers(aim)[name], flat]}
        _hdf5(path, {"class_name": "Sequential", "config": inner})

    return write


for _name in old_layers(Aim(Path("m"), 1, Path("s"))):
    _control = "tf_keras" if _name == "Lambda" else ""
    BOOK.note("hdf5", _name + ".h5", _control)(_old(_name))


# What lies outside -------------------------------------------------------------------------------


def _linked(path: Path, aim: Aim, how: str) -> None:
    _hdf5(path, _model(_of("ReLU")))
    size = aim.secret.stat().st_size if aim.secret.exists() else 8
    with h5py.File(path, "a") as h5:
        if how == "storage":
            h5.create_dataset(
                "model_weights/stolen", (size,), "u1", external=[(aim.secret, 0, size)]
            )
        elif how == "storage by a relative name":
            name = os.path.relpath(aim.secret, path.parent)
            h5.create_dataset("model_weights/stolen", (size,), "u1", external=[(name, 0, size)])
        elif how == "link":
            h5["model_weights/stolen"] = h5py.ExternalLink(str(_other(aim)), "/d")
        elif how == "virtual":
            layout = h5py.VirtualLayout((size,), "u1")
            layout[:] = h5py.VirtualSource(str(_other(aim)), "d", shape=(size,))
            h5.create_virtual_dataset("model_weights/stolen", layout)
        else:
            h5["model_weights/loop"] = h5py.SoftLink("/model_weights")


def _other(aim: Aim) -> Path:
    """Return an HDF5 file beside the secret that holds it."""
    path = aim.secret.with_suffix(".h5")
    if not path.exists():
        with h5py.File(path, "w") as h5:
            h5["d"] = np.frombuffer(aim.secret.read_bytes(), np.uint8)
    return path


for _how in ("storage", "storage by a relative name", "link", "virtual", "loop"):

    def _write_linked(path: Path, aim: Aim, how: str = _how) -> None:
        _linked(path, aim, how)

    # By its relative name h5py looks from where it runs, which is not where the file lies.
    _control = "" if _how in ("loop", "storage by a relative name") else "h5"
    BOOK.note("outside", _how, _control)(_write_linked)


@BOOK.note("outside", "a link in the weights of an archive")
def _inner_link(path: Path, aim: Aim) -> None:
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5["layers/dense/vars/0"] = h5py.ExternalLink(str(aim.secret), "/d")
    _zip(path, _model(_of("ReLU")), file.getvalue())


# Bombs -------------------------------------------------------------------------------------------


@BOOK.note("bomb", "weights declared")
def _declared(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("ReLU")), _weights((32_000, 32_000), chunks=(1000, 1000)))


@BOOK.note("bomb", "weights that unpack")
def _unpacks(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("ReLU")), bytes(300 << 20))


@BOOK.note("bomb", "a wide layer")
def _wide(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("Dense", units=2_000_000_000)))


@BOOK.note("bomb", "a large resize")
def _large(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("UpSampling2D", size=[40_000, 40_000])))


@BOOK.note("bomb", "a deep configuration")
def _deep(path: Path, aim: Aim) -> None:
    _zip(path, "[" * 3_000_000)


# Names of members --------------------------------------------------------------------------------


@BOOK.note("names", "up and away.keras", "unpack")
def _away(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("ReLU")), **{os.path.relpath(aim.mark, path.parent): b"x"})


@BOOK.note("names", "absolute.keras", "unpack")
def _absolute(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("ReLU")), **{str(aim.mark): b"x"})


@BOOK.note("names", "a symbolic link.keras")
def _symbolic(path: Path, aim: Aim) -> None:
    _zip(path, _model(_of("ReLU")))
    link = zipfile.ZipInfo("assets/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(aim.secret))


@BOOK.note("names", "the weights are a symbolic link.keras")
def _symbolic_weights(path: Path, aim: Aim) -> None:
    link = zipfile.ZipInfo("model.weights.h5")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(_model(_of("ReLU"))))
        archive.writestr(link, str(aim.secret))


@BOOK.note("names", "markup.keras")
def _markup(path: Path, aim: Aim) -> None:
    named = _of("ReLU") | {"class_name": "<img src=x onerror=alert(1)>\n![x](http://a)"}
    _zip(path, _model(named))
