"""Every kind of file that today's libraries write, each with a small network in it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torchvision

from benchmarks.formats import own
from benchmarks.formats.case import Case, Key, Oracle
from benchmarks.formats.truth import by_keras, by_torch
from loaders.options import Options

SIDE = 64

Write = Callable[[Path], Oracle]


def library(name: str) -> Any:
    """Import Keras 3 or tf_keras, which takes seconds."""
    return importlib.import_module(name)


def writer(name: str) -> str:
    """Return a library and its version as the tables name it. Imports nothing."""
    number = importlib.metadata.version(name).partition("+")[0]
    return f"{'Keras' if name == 'keras' else name} {number}"


# PyTorch -----------------------------------------------------------------------------------------


class _Own(torch.nn.Sequential):
    """A class that only this file knows, as a `__main__.Net` is."""


def _small(*end: Any, channels: int = 3, classes: int = 4, own: type | None = None) -> Any:
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(channels, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)]
    module = (own or nn.Sequential)(*layers, *end).eval()
    module[6].weight.data *= 20  # else all photos are nearly alike to it
    return module


def _nested() -> Any:
    whole = _small()
    return torch.nn.Sequential(torch.nn.Sequential(*whole[:4]), *whole[4:]).eval()


def _torchvision(classes: int = 4) -> Any:
    torch.manual_seed(0)
    name = "shufflenet_v2_x0_5"
    return torchvision.models.get_model(name, weights=None, num_classes=classes).eval()


def _state(classes: int = 4, wrap: Callable[[Any], Any] = lambda state: state, **how: Any) -> Write:
    def write(path: Path) -> Oracle:
        module = _torchvision(classes)
        torch.save(wrap(module.state_dict()), path, **how)
        return by_torch(module)

    return write


def _whole(make: Callable[[], Any], ending: Any = "logits", **how: Any) -> Write:
    def write(path: Path) -> Oracle:
        module = make()
        torch.save(module, path, **how)
        return by_torch(module, ending)

    return write


def _own_state(path: Path) -> Oracle:
    module = _small()
    torch.save(module.state_dict(), path)
    return by_torch(module)


def _safetensors(path: Path) -> Oracle:
    from safetensors.torch import save_file

    module = _torchvision()
    save_file(module.state_dict(), path)
    return by_torch(module)


def _traced(make: Callable[[], Any], ending: Any = "logits", channels: int = 3) -> Write:
    def write(path: Path) -> Oracle:
        module = make()
        example = torch.rand(2, channels, SIDE, SIDE)
        torch.jit.save(torch.jit.trace(module, example), str(path))
        return by_torch(module, ending)

    return write


def _exported(make: Callable[[], Any], ending: Any = "logits", channels: int = 3) -> Write:
    def write(path: Path) -> Oracle:
        module = make()
        dynamic = ({0: torch.export.Dim("batch")},)
        example = torch.rand(2, channels, SIDE, SIDE)
        program = torch.export.export(module, (example,), dynamic_shapes=dynamic)
        torch.export.save(program, path)
        return by_torch(module, ending)

    return write


def _onnx(path: Path) -> Oracle:
    from onnx import TensorProto, helper, numpy_helper

    module = _small()
    nodes, weights, name = [], [], "x"
    for number, layer in ((0, "Conv"), (2, "Conv")):
        parameters = [f"w{number}", f"b{number}"]
        own = (module[number].weight, module[number].bias)
        for key, tensor in zip(parameters, own, strict=True):
            weights.append(numpy_helper.from_array(tensor.detach().numpy(), key))
        strides = list(module[number].stride)
        nodes.append(helper.make_node(layer, [name, *parameters], [f"c{number}"], strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        name = f"r{number}"
    for key, tensor in (("dense", module[6].weight), ("bias", module[6].bias)):
        weights.append(numpy_helper.from_array(tensor.detach().numpy(), key))
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    nodes.append(helper.make_node("Gemm", ["f", "dense", "bias"], ["y"], transB=1))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, SIDE, SIDE))
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 4))
    graph = helper.make_graph(nodes, "net", [given], [answer], weights)
    opset = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    path.write_bytes(data)
    return by_torch(module)


_OLD: dict[str, Any] = {"_use_new_zipfile_serialization": False}
_STATE, _WHOLE, _SCRIPT = "PyTorch state dict", "PyTorch whole module", "TorchScript"
_PT2 = "torch.export (.pt2)"
_ONE = functools.partial(_small, torch.nn.Sigmoid(), channels=1, classes=1)
_SOFT = functools.partial(_small, torch.nn.Softmax(1))
_MINE = functools.partial(_small, own=_Own)

TORCH: dict[tuple[str, str], tuple[str, Write]] = {
    (_STATE, "torchvision's own network"): ("m.pth", _state()),
    (_STATE, "inside a checkpoint"): (
        "m.pth",
        _state(wrap=lambda state: {"epoch": 1, "model": state}),
    ),
    (_STATE, "one unit"): ("m.pth", _state(1)),
    (_STATE, "the format before 1.6"): ("m.pth", _state(**_OLD)),
    (_STATE, "a class of one's own"): ("m.pth", _own_state),
    (_WHOLE, "torchvision's classes"): ("m.pt", _whole(_torchvision)),
    (_WHOLE, "torch.nn's classes"): ("m.pt", _whole(_small)),
    (_WHOLE, "nested"): ("m.pt", _whole(_nested)),
    (_WHOLE, "ends in a softmax"): ("m.pt", _whole(_SOFT, "softmax")),
    (_WHOLE, "grey, one unit"): ("m.pt", _whole(_ONE, "sigmoid")),
    (_WHOLE, "the format before 1.6"): ("m.pt", _whole(_small, **_OLD)),
    (_WHOLE, "a class of one's own"): ("m.pt", _whole(_MINE)),
    (_SCRIPT, "any traced network"): ("m.pt", _traced(_small)),
    (_SCRIPT, "grey, one unit"): ("m.pt", _traced(_ONE, "sigmoid", 1)),
    (_PT2, "any exported network"): ("m.pt2", _exported(_small)),
    (_PT2, "a class of one's own"): ("m.pt2", _exported(_MINE)),
    (_PT2, "nested"): ("m.pt2", _exported(_nested)),
    (_PT2, "grey, one unit"): ("m.pt2", _exported(_ONE, "sigmoid", 1)),
    ("safetensors", "torchvision's own network"): ("m.safetensors", _safetensors),
    ("ONNX", "standard operators"): ("m.onnx", _onnx),
}


SOURCES: dict[tuple[str, str], str] = {
    (_STATE, "a class of one's own"): """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, classes):
        super().__init__(
            nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes),
        )
""",
    (_WHOLE, "a class of one's own"): """
from torch import nn

class _Own(nn.Sequential):
    pass
""",
}
"""What the refused ones of TORCH lack."""


# Keras -------------------------------------------------------------------------------------------


def _functional(keras: Any, *, channels: int = 3, units: int = 4, ending: str = "softmax") -> Any:
    layers = keras.layers
    first = keras.Input((SIDE, SIDE, channels))
    maps = layers.Conv2D(8, 3, strides=2, activation="relu")(first)
    mean = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(maps))
    return keras.Model(first, layers.Dense(units, activation=ending)(mean))


def _body_and_head(keras: Any) -> Any:
    layers = keras.layers
    body = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Conv2D(8, 3, activation="relu")])
    first = keras.Input((SIDE, SIDE, 3))
    mean = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(body(first)))
    return keras.Model(first, layers.Dense(4, activation="softmax")(mean))


def _subclassed(keras: Any) -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        """A network whose code is in no file."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.inner = _functional(keras)

        def call(self, images: Any) -> Any:
            """Return the inner network's answer."""
            return self.inner(images)

    made = Net()
    made(keras.ops.zeros((1, SIDE, SIDE, 3)) if hasattr(keras, "ops") else _zeros())
    return made


def _zeros() -> Any:
    import tensorflow as tf

    return tf.zeros((1, SIDE, SIDE, 3))


def _saved(name: str, make: Callable[[Any], Any], ending: Any = "softmax") -> Write:
    def write(path: Path) -> Oracle:
        keras = library(name)
        keras.utils.set_random_seed(0)
        model = make(keras)
        arrays = model.get_weights()
        model.set_weights([*arrays[:-2], 20 * arrays[-2], arrays[-1]])  # its answers differ then
        model.compile(loss="mse", optimizer="adam")  # as most files come
        model.save(path)
        return by_keras(model, ending)

    return write


_GREY_UNIT = functools.partial(_functional, channels=1, units=1, ending="sigmoid")
_LINEAR_UNIT = functools.partial(_functional, units=1, ending="linear")
_KERAS: dict[str, dict[str, Any]] = {
    "functional": {"make": _functional},
    "nested": {"make": _body_and_head},
    "grey, one unit": {"make": _GREY_UNIT, "ending": "sigmoid"},
    "one linear unit": {"make": _LINEAR_UNIT, "ending": "logits"},
    "subclassed": {"make": _subclassed},
}


_SUBCLASS = """
import {library} as keras

class Net(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        layers = keras.layers
        first = keras.Input((64, 64, 3))
        maps = layers.Conv2D(8, 3, strides=2, activation="relu")(first)
        maps = layers.Conv2D(6, 3, activation="relu")(maps)
        mean = layers.GlobalAveragePooling2D()(maps)
        self.inner = keras.Model(first, layers.Dense(4, activation="softmax")(mean))

    def call(self, images):
        return self.inner(images)
"""


def _with_source(case: Case, text: str) -> Case:
    key = case.key._replace(holds=f"{case.key.holds}, with its source")
    return dataclasses.replace(case, key=key, options=Options(source=text))


def cases() -> Iterator[Case]:
    """Yield every case of today's libraries."""
    for (kind, holds), (name, write) in TORCH.items():
        by = writer("onnx" if kind == "ONNX" else "torch")
        case = Case(Key("kinds", kind, holds, by), name, write)
        yield case
        if text := SOURCES.get((kind, holds)):
            yield _with_source(case, text)
    yield from own.cases(writer("torch"))
    for ending in (".keras", ".h5"):
        for name in ("keras", "tf_keras"):
            for holds, how in _KERAS.items():
                if holds == "subclassed" and ending == ".h5":
                    continue  # Keras itself does not write it
                key = Key("kinds", f"Keras {ending}", holds, writer(name))
                case = Case(key, "m" + ending, _saved(name, **how))
                yield case
                if holds == "subclassed":
                    yield _with_source(case, _SUBCLASS.format(library=name))
