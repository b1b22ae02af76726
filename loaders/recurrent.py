"""A file with an LSTM or a GRU in it, read for its weights alone: PyTorch's or Keras's.

It passes the same checks as a model of photos; then its layers are written out, and no framework is
needed any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders.formats import EXPORTED, TORCHSCRIPT, framework_of, sniff
from loaders.options import Options
from xai_core.errors import UnsupportedModel
from xai_core.training.lstm_cells import GATES, Floats, Kind, Layer, Network, from_torch

MOST_WEIGHTS = 4 << 20
"""Most weights of the layers together."""
_PART = re.compile(
    r"(?P<where>.*?)(?P<part>(weight|bias)_(ih|hh|hr))(_l(?P<at>\d+))?(?P<back>_reverse)?"
)
_WANTED = "A file with one or more LSTM or GRU layers is needed"


def read(path: Path) -> tuple[Network, str]:
    """Return the recurrent layers of a file, and what was found in it.

    Raises LoadError for a file that is refused, and UnsupportedModel for one without such layers,
    or with such as are not written out here.
    """
    framework = framework_of(path)
    if framework == "torch":
        return _torch(path)
    if framework == "keras":
        return _keras(path)
    raise UnsupportedModel(
        f"{_WANTED}, by PyTorch (a state dict) or Keras. Of an ONNX file the gates are not read: "
        "save the network where it was made."
    )


# PyTorch -----------------------------------------------------------------------------------------


def _torch(path: Path) -> tuple[Network, str]:
    from loaders.torch import contents

    kind = sniff(path)
    if kind in (TORCHSCRIPT, EXPORTED):
        raise UnsupportedModel(
            f"Of a {kind.title} the gates are not read. Save the weights alone: "
            "torch.save(model.state_dict(), 'lstm.pt')."
        )
    content = contents.read(path, kind, Options())
    states = [each.tensors for each in content.sets]
    if content.module is not None:
        states = [content.module.state_dict()]
    for state in states:
        arrays = {
            name: tensor.detach().float().numpy()
            for name, tensor in state.items()
            if hasattr(tensor, "detach")
        }
        if any(_PART.fullmatch(name) for name in arrays):
            return from_state(arrays)
    raise UnsupportedModel(f"{_WANTED}, and this one has none: no weights are named weight_ih_l0.")


def from_state(state: Mapping[str, NDArray[Any]]) -> tuple[Network, str]:
    """Write out the recurrent layers of a state dict, one on the other. Raises UnsupportedModel."""
    found: dict[tuple[str, int], dict[str, NDArray[Any]]] = {}
    for name, array in state.items():
        if not (match := _PART.fullmatch(name)):
            continue
        if match["back"]:
            raise UnsupportedModel(
                "The network reads its window in both directions; only those that read it forward "
                "are shown."
            )
        if match["part"] == "weight_hr":
            raise UnsupportedModel("The network projects its hidden state, which is not shown.")
        found.setdefault((match["where"], int(match["at"] or 0)), {})[match["part"]] = array
    flat: dict[str, NDArray[Any]] = {}
    below, kinds, units = 0, set(), []
    for at, ((where, number), parts) in enumerate(found.items()):
        called = f"{where}layer {number}"
        if not {"weight_ih", "weight_hh"} <= set(parts):
            raise UnsupportedModel(f"Of {called} some weights are missing.")
        rows, own = parts["weight_hh"].shape
        if own * 4 == rows:
            kinds.add("lstm")
        elif own * 3 == rows:
            kinds.add("gru")
        else:
            raise UnsupportedModel(
                f"{called} has {rows // max(own, 1)} gates: it is neither an LSTM nor a GRU."
            )
        if parts["weight_ih"].shape[0] != rows or (at and parts["weight_ih"].shape[1] != below):
            raise UnsupportedModel(
                f"{called} does not read what the layer before it gives: only layers one on the "
                "other are shown."
            )
        below = own
        units.append(own)
        flat |= {f"{part}_l{at}": array for part, array in parts.items()}
    if len(kinds) != 1:
        raise UnsupportedModel("The network has both LSTM and GRU layers; one kind is shown.")
    head = _line(state, below)
    if head:
        flat |= {"head.weight": state[f"{head}weight"]}
        flat |= {"head.bias": state[f"{head}bias"]} if f"{head}bias" in state else {}
    kind: Kind = "lstm" if kinds == {"lstm"} else "gru"
    return _checked(from_torch(kind, flat)), _said(kind, units, "PyTorch", bool(head))


def _line(state: Mapping[str, NDArray[Any]], units: int) -> str:
    """Return where the line lies that makes one number of the last layer, or nothing.

    Any other weights may stand between the two, and then what it says is not known.
    """
    rest = {name: array for name, array in state.items() if not _PART.fullmatch(name)}
    heads = [name.removesuffix("weight") for name in rest if name.endswith("weight")]
    if len(heads) != 1 or not set(rest) <= {f"{heads[0]}weight", f"{heads[0]}bias"}:
        return ""
    return heads[0] if rest[f"{heads[0]}weight"].shape == (1, units) else ""


# Keras -------------------------------------------------------------------------------------------


def _keras(path: Path) -> tuple[Network, str]:
    from loaders.keras.built import built

    model = built(path)
    layers: list[Layer] = []
    kinds, units = set(), []
    head, offset, lines = None, 0.0, 0
    for layer in model.layers:
        name, config = type(layer).__name__, layer.get_config()
        if name in ("LSTM", "GRU"):
            if lines:
                raise UnsupportedModel(
                    "A dense layer stands before or between the recurrent ones: not shown."
                )
            kinds.add(name.lower())
            layers.append(_from_keras(name, config, [w.numpy() for w in layer.weights]))
            units.append(layers[-1].units)
            head = None
        elif name == "Dense":
            lines += 1
            if not layers or lines > 1 or config["units"] != 1 or config["activation"] != "linear":
                head = None  # another stands between: what it says is not known
                continue
            weights = [np.asarray(weight.numpy(), np.float64) for weight in layer.weights]
            if len(weights[0]) == layers[-1].units:
                head, offset = weights[0][:, 0], float(weights[1][0]) if len(weights) > 1 else 0.0
        elif name not in ("InputLayer", "Dropout", "Masking"):
            raise UnsupportedModel(
                f"The network has a layer {name} between or beside its recurrent ones, and only "
                "LSTM and GRU layers one on the other are shown."
            )
    if not layers:
        raise UnsupportedModel(f"{_WANTED}, and this one has none.")
    if len(kinds) != 1:
        raise UnsupportedModel("The network has both LSTM and GRU layers; one kind is shown.")
    kind: Kind = "lstm" if kinds == {"lstm"} else "gru"
    network = Network(kind, tuple(layers), head, offset)
    return _checked(network), _said(kind, units, "Keras", head is not None)


def _from_keras(name: str, config: Mapping[str, Any], weights: list[Any]) -> Layer:
    """Bring a layer's weights into torch's order of gates. Raises UnsupportedModel."""
    want = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    for key, value in want.items():
        if config.get(key) != value:
            raise UnsupportedModel(
                f"A layer {name} has {str(config.get(key))[:40]!r} as its {key}; those with "
                f"{value!r} are shown."
            )
    if config.get("go_backwards") or config.get("stateful"):
        raise UnsupportedModel(f"A layer {name} reads backwards or keeps its state: not shown.")
    if name == "GRU" and not config.get("reset_after", False):
        raise UnsupportedModel(
            "A layer GRU resets before it multiplies (reset_after=False); those with "
            "reset_after=True, which is Keras's default, are shown."
        )
    kernel, recalls = (np.asarray(weight, np.float64).T for weight in weights[:2])
    rows = kernel.shape[0]
    gates = len(GATES["lstm"]) if name == "LSTM" else len(GATES["gru"])
    own = rows // gates
    biases: Floats = np.zeros((2, rows))
    if len(weights) > 2:
        given = np.asarray(weights[2], np.float64)
        biases[: 1 if given.ndim == 1 else 2] = given
    # an LSTM has torch's order; a GRU has update, reset, candidate, and torch reset first
    order = np.arange(rows)
    if name == "GRU":
        order = np.concatenate([order[own : 2 * own], order[:own], order[2 * own :]])
    return Layer(kernel[order], recalls[order], biases[0][order], biases[1][order])


def _checked(network: Network) -> Network:
    count = sum(layer.reads.size + layer.recalls.size for layer in network.layers)
    if count > MOST_WEIGHTS:
        raise UnsupportedModel(
            f"The recurrent layers have {count:,} weights; at most {MOST_WEIGHTS:,} are shown."
        )
    for layer in network.layers:
        parts = (layer.reads, layer.recalls, layer.bias, layer.bias_recalled)
        if not all(np.isfinite(part).all() for part in parts):
            raise UnsupportedModel("Some weights are no numbers (NaN or infinite).")
    return network


def _said(kind: Kind, units: list[int], by: str, head: bool) -> str:
    layers = f"{len(units)} {kind.upper()} layer{'' if len(units) == 1 else 's'}"
    sizes = " and ".join(map(str, units))
    line = "and a line that forecasts" if head else "and no line of its own that forecasts"
    return f"{layers} of {sizes} units by {by}, {line}."
