"""A file with dense layers in it, read for its weights alone: PyTorch's or Keras's.

It passes the same checks as a model of photos. Where the file brings what runs, its answers are
compared with those of its dense layers and ReLU between them, so that no other network is shown as
one of these.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.formats import EXPORTED, TORCHSCRIPT, framework_of, sniff
from loaders.options import Options
from xai_core.errors import UnsupportedModel
from xai_core.training.dense import Dense
from xai_core.training.opened import LAYERS, UNITS, WEIGHTS

Array = NDArray[np.float32]
Answers = Callable[[Array], Array]

_WANTED = "A classifier of dense layers with ReLU between them is needed"
_BESIDE = re.compile(r"num_batches_tracked$|_metadata$")
NEAR = 1e-3
"""How far answers may lie from those of the layers, as a share of the largest."""


def read(path: Path) -> tuple[Dense, bool]:
    """Return the dense layers of a file, and whether its own answers were compared with theirs.

    Raises LoadError for a file that is refused, and UnsupportedModel for one of other layers.
    """
    framework = framework_of(path)
    if framework == "torch":
        return _torch(path)
    if framework == "keras":
        return _keras(path)
    raise UnsupportedModel(
        f"{_WANTED}, by PyTorch or Keras. Of an ONNX file the layers are not read: save the "
        "network where it was made."
    )


def from_state(state: Mapping[str, NDArray[Any]]) -> Dense:
    """Write out the dense layers of a state dict, one on the other. Raises UnsupportedModel."""
    weights: list[Array] = []
    biases: list[Array] = []
    left = {name: array for name, array in state.items() if not _BESIDE.search(name)}
    for name in [name for name in left if name.endswith("weight") and left[name].ndim == 2]:
        weight = left.pop(name)
        bias = left.pop(name.removesuffix("weight") + "bias", np.zeros(len(weight)))
        if bias.shape != (len(weight),):
            raise UnsupportedModel(f"The bias beside {name[:60]!r} does not fit it.")
        weights.append(np.asarray(weight, np.float32))
        biases.append(np.asarray(bias, np.float32))
    if left and weights:
        raise UnsupportedModel(
            f"{_WANTED}, and this one has other weights besides: {next(iter(left))[:60]!r}."
        )
    return _checked(Dense(tuple(weights), tuple(biases)))


def _checked(network: Dense) -> Dense:
    weights = network.weights
    if len(weights) < 2:
        raise UnsupportedModel(f"{_WANTED}, with at least one hidden layer.")
    if len(weights) - 1 > LAYERS or sum(each.size for each in weights) > WEIGHTS:
        raise UnsupportedModel(
            f"At most {LAYERS} hidden layers with {WEIGHTS:,} weights together are shown."
        )
    for below, above in itertools.pairwise(weights):
        if above.shape[1] != len(below):
            raise UnsupportedModel(
                f"A layer that reads {above.shape[1]:,} numbers stands behind one that gives "
                f"{len(below):,}: only layers one on the other are shown."
            )
        if len(below) > UNITS:
            raise UnsupportedModel(f"A hidden layer has {len(below):,} units; up to {UNITS} fit.")
    if len(weights[-1]) < 2:
        raise UnsupportedModel("The network gives one number, and no score for each class.")
    if not all(np.isfinite(part).all() for part in (*weights, *network.biases)):
        raise UnsupportedModel("Some weights are no numbers (NaN or infinite).")
    return network


def _compared(network: Dense, answers: Answers) -> None:
    """Raise UnsupportedModel where a network's own answers are not those of its dense layers."""
    x = np.random.default_rng(0).random((8, network.weights[0].shape[1]), np.float32)
    given = answers(x)
    scores = network.answers(x)[-1]
    shares = network.probabilities(x)
    for said in (scores, shares, np.log(np.maximum(shares, 1e-30))):
        if given.shape == said.shape:
            near = np.abs(given - said).max() <= NEAR * max(float(np.abs(said).max()), 1e-3)
            if near:
                return
    raise UnsupportedModel(
        f"{_WANTED}, and this one answers otherwise than its dense layers would with ReLU between "
        "them: it has another activation, or does something else in between."
    )


# PyTorch -----------------------------------------------------------------------------------------


def _torch(path: Path) -> tuple[Dense, bool]:
    from loaders.torch import archives, contents

    kind = sniff(path)
    if kind is EXPORTED:
        raise UnsupportedModel(
            f"Of a {kind.title} the layers are not read. Save the weights alone: "
            "torch.save(model.state_dict(), 'mlp.pt')."
        )
    if kind is TORCHSCRIPT:
        return _module(archives.read_script(path))
    content = contents.read(path, kind, Options())
    if content.module is not None:
        return _module(content.module)
    refused = UnsupportedModel(f"{_WANTED}, and this one has no weights of two sides.")
    for each in content.sets:
        try:
            return from_state(_arrays(each.tensors)), False
        except UnsupportedModel as error:
            refused = error
    raise refused


def _arrays(state: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return a state's tensors as numpy's. Raises UnsupportedModel where they are too many."""
    tensors = {name: each for name, each in state.items() if hasattr(each, "detach")}
    if sum(int(each.numel()) for each in tensors.values()) > 2 * WEIGHTS:
        raise UnsupportedModel(f"It has more than {2 * WEIGHTS:,} weights.")
    return {name: each.detach().float().cpu().numpy() for name, each in tensors.items()}


def _module(module: Any) -> tuple[Dense, bool]:
    import torch

    network = from_state(_arrays(module.state_dict()))
    inputs = network.weights[0].shape[1]
    side = round(inputs**0.5)
    forms = [(inputs,)] + ([(1, side, side), (side, side)] if side * side == inputs else [])

    def answers(x: Array) -> Array:
        with torch.no_grad():
            for form in forms:
                try:
                    given = module(torch.tensor(x).reshape(len(x), *form))
                except (RuntimeError, TypeError, ValueError):
                    continue
                if isinstance(given, torch.Tensor) and given.shape[0] == len(x):
                    made: Array = given.float().numpy()
                    return made
        raise UnsupportedModel(
            f"{_WANTED}, and this one does not answer to rows of {inputs:,} numbers."
        )

    _compared(network, answers)
    return network, True


# Keras -------------------------------------------------------------------------------------------


def _keras(path: Path) -> tuple[Dense, bool]:
    from loaders.keras.built import built

    model = built(path)
    state: dict[str, NDArray[Any]] = {}
    for at, layer in enumerate(model.layers):
        parts = [np.asarray(each.numpy()) for each in layer.weights]
        if not parts:
            continue
        if type(layer).__name__ != "Dense":
            raise UnsupportedModel(f"{_WANTED}, and this one has a layer {type(layer).__name__}.")
        state[f"{at}.weight"] = parts[0].T
        if len(parts) > 1:
            state[f"{at}.bias"] = parts[1]
    network = from_state(state)
    shape = tuple(model.input_shape[1:])
    if None in shape or int(np.prod(shape)) != network.weights[0].shape[1]:
        raise UnsupportedModel(f"{_WANTED}, and this one reads inputs of the shape {shape}.")
    _compared(network, lambda x: np.asarray(model(x.reshape(len(x), *shape), training=False)))
    return network, True
