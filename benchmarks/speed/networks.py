"""The networks that are timed, and the quickest forward passes that there are of them."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.row import Work

Array = NDArray[np.float32]
SIDE, CLASSES, BATCH = 224, 1000, 8


def view(side: int = SIDE) -> Array:
    """Return a view, float32 `[side, side, 3]`: soft noise, the same each time."""
    cells = np.random.default_rng(0).random((side // 8 + 1, side // 8 + 1, 3), np.float32)
    return np.ascontiguousarray(np.kron(cells, np.ones((8, 8, 1), np.float32))[:side, :side])


def torch_module(name: str = "resnet50") -> Any:
    """Return torchvision's network with random weights, its batch norms no identities."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    module = getattr(models, name)(weights=None, num_classes=CLASSES).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return module


def torch_model(name: str = "resnet50", side: int = SIDE) -> Any:
    """Return it behind our adapter, as a file of it is served."""
    from loaders.preprocessing import preset
    from loaders.torch.model import TorchModel

    return TorchModel(
        torch_module(name),
        name=name,
        kind="random weights",
        architecture=name,
        preprocessing=preset("imagenet", (side, side)),
        labels=tuple(map(str, range(CLASSES))),
    )


def keras_model(name: str = "ResNet50", side: int = SIDE) -> Any:
    """Return one of Keras' applications with random weights behind our adapter."""
    import keras

    from loaders.keras.model import KerasModel

    keras.utils.set_random_seed(0)
    made = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3))
    return KerasModel(made, owned=True)


def started(model: Any) -> dict[str, str]:
    """Let a model change to what runs its passes, and say what that took: it is in no ratio."""
    backend = model.settled()
    if backend.start is None:
        return {"by": backend.name}
    return {"by": backend.name, "which took once": f"{backend.start:.1f} s"}


def torch_floors(module: Any, side: int = SIDE) -> Mapping[str, tuple[Work, int]]:
    """Return the passes of a batch through a module, by backend: what nothing can be quicker than.

    Eager; batch norms folded and channels last; ONNX Runtime; and OpenVINO where it is there.
    """
    import onnxruntime
    import torch
    from torch.fx.experimental.optimization import fuse

    torch.set_num_threads(1)
    photos = torch.rand(BATCH, 3, side, side)
    last = photos.contiguous(memory_format=torch.channels_last)
    folded = fuse(copy.deepcopy(module).eval()).to(memory_format=torch.channels_last)

    def run(network: Any, given: Any) -> Work:
        def pass_() -> None:
            with torch.inference_mode():
                network(given)

        return pass_

    kept = io.BytesIO()
    torch.onnx.export(
        module, (photos,), kept, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(kept.getvalue(), options, ["CPUExecutionProvider"])
    found: dict[str, tuple[Work, int]] = {
        "torch, eager": (run(module, photos), BATCH),
        "torch, folded": (run(folded, last), BATCH),
        "ONNX Runtime": (lambda: session.run(None, {"x": photos.numpy()}), BATCH),
    }
    if compiled := _openvino(module, photos):
        found["OpenVINO"] = (lambda: compiled(photos.numpy()), BATCH)
    return found


def torch_slopes(module: Any, side: int = SIDE) -> Mapping[str, tuple[Work, int]]:
    """Return passes there and back, the weights frozen: as it is and folded, several at once."""
    import torch
    from torch.fx.experimental.optimization import fuse

    torch.set_num_threads(1)
    photos = torch.rand(BATCH, 3, side, side)
    folded = fuse(copy.deepcopy(module).eval()).to(memory_format=torch.channels_last)
    frozen = copy.deepcopy(module).eval()
    for network in (folded, frozen):
        network.requires_grad_(False)

    def run(network: Any, given: Any) -> Work:
        def pass_() -> None:
            views = given.detach().requires_grad_()
            torch.autograd.grad(network(views)[:, 0].sum(), views)

        return pass_

    last = photos.contiguous(memory_format=torch.channels_last)
    made: dict[str, tuple[Work, int]] = {}
    for count in (2, BATCH):
        made[f"torch, frozen, {count} at once"] = run(frozen, photos[:count]), count
        made[f"folded, {count} at once"] = run(folded, last[:count]), count
    return made


def keras_floors(network: Any, folder: Path | None = None) -> Mapping[str, tuple[Work, int]]:
    """Return the passes of a batch through a Keras network: predict's graph, and OpenVINO."""
    import tensorflow as tf

    photos = np.random.default_rng(0).random((BATCH, *network.input_shape[1:]), np.float32)
    spec = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: network(x, training=False), input_signature=[spec])
    given = tf.constant(photos)
    found: dict[str, tuple[Work, int]] = {"tf.function": (lambda: graph(given), BATCH)}
    if compiled := _openvino(graph.get_concrete_function(), None):
        found["OpenVINO"] = (lambda: compiled(photos), BATCH)
    return found


def _openvino(network: Any, example: Any) -> Callable[[Array], Any] | None:
    try:
        import openvino
    except ImportError:
        return None
    given = {} if example is None else {"example_input": example}
    made = openvino.convert_model(network, **given)
    settings = {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(made, "CPU", settings).create_infer_request()
    return lambda photos: request.infer([photos], share_inputs=True)
