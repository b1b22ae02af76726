"""Uploads that were cut short or have a bit flipped: a model or a sentence, and the wall stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from loaders.preprocessing import Options
from tests.conftest import PATIENCE, ROOT
from tests.hostile import onnx_files, torch_files
from tests.hostile.conftest import SOAK
from workers.client import StillRunning, Wall
from xai_core.errors import VitrineError

pytestmark = pytest.mark.filterwarnings("ignore")
MODELS = ROOT / "assets" / "models"
EACH = 20 if SOAK else 3
"""Truncations, and flips, of each format."""


def _legacy(path: Path) -> None:
    state = torch.load(MODELS / "shapes.pth", weights_only=True)
    torch.save(state, path, _use_new_zipfile_serialization=False)


def _hdf5(path: Path) -> None:
    """Write what tf_keras writes for a convolution, a mean and a dense layer."""
    shapes = {"conv": [(3, 3, 3, 4), (4,)], "dense": [(4, 3), (3,)]}
    layers = [
        ("InputLayer", {"name": "in", "batch_input_shape": [None, 32, 32, 3]}),
        ("Conv2D", {"name": "conv", "filters": 4, "kernel_size": [3, 3]}),
        ("GlobalAveragePooling2D", {"name": "mean"}),
        ("Dense", {"name": "dense", "units": 3}),
    ]
    rows = [{"class_name": name, "config": config} for name, config in layers]
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": rows}}
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as h5:
        h5.attrs["keras_version"] = b"2.15.0"
        h5.attrs["backend"] = b"tensorflow"
        h5.attrs["model_config"] = json.dumps(config).encode()
        weights = h5.create_group("model_weights")
        weights.attrs["layer_names"] = [str(row["name"]).encode() for _, row in layers]
        for _, row in layers:
            group = weights.create_group(str(row["name"]))
            names = [f"{row['name']}/{n}:0" for n in ("kernel", "bias")]
            sides = shapes.get(str(row["name"]), [])
            group.attrs["weight_names"] = [name.encode() for name in names[: len(sides)]]
            for name, side in zip(names, sides, strict=False):
                group[name] = draw.standard_normal(side).astype(np.float32)


FORMATS: dict[str, Callable[[Path], Any]] = {
    "state-dict": lambda path: path.write_bytes((MODELS / "shapes.pth").read_bytes()),
    "legacy": _legacy,
    "torchscript": lambda path: path.write_bytes(torch_files.scripted()),
    "pt2": lambda path: path.write_bytes(torch_files.exported()),
    "safetensors": lambda path: save_file(
        torch.load(MODELS / "shapes.pth", weights_only=True), path
    ),
    "keras": lambda path: path.write_bytes((MODELS / "shapes.keras").read_bytes()),
    "hdf5": _hdf5,
    "onnx": lambda path: path.write_bytes(onnx_files.good()),
}


def cut(data: bytes, draw: np.random.Generator) -> bytes:
    """Return the beginning of a file; every other time, nearly all of it or nearly nothing."""
    edge = min(len(data), 4096)
    places = (draw.integers(len(data)), draw.integers(edge), len(data) - 1 - draw.integers(edge))
    return data[: int(draw.choice(places, p=(0.5, 0.25, 0.25)))]


def flip(data: bytes, draw: np.random.Generator) -> bytes:
    """Return a file with one bit flipped; every other time near its beginning or its end."""
    edge = min(len(data), 4096)
    places = (draw.integers(len(data)), draw.integers(edge), len(data) - 1 - draw.integers(edge))
    place = int(draw.choice(places, p=(0.5, 0.25, 0.25)))
    changed = bytearray(data)
    changed[place] ^= 1 << int(draw.integers(8))
    return bytes(changed)


def outcome(wall: Wall, data: bytes) -> str:
    """Send a file through the wall; return its sentence, or nothing where it loaded."""
    session = wall.session("damaged")
    try:
        handle = session.open(session.add_file("model", data), Options(), name="model")
        handle.loading.result(PATIENCE)
        return ""
    except StillRunning:
        raise AssertionError("it was neither refused nor loaded") from None
    except VitrineError as error:
        return str(error)
    finally:
        session.close()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_file_is_refused_or_loads(kind: str, wall: Wall, tmp_path: Path) -> None:
    FORMATS[kind](tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    assert outcome(wall, whole) == ""
    draw = np.random.default_rng(len(kind))
    for change in (cut, flip):
        for _ in range(EACH):
            sentence = outcome(wall, change(whole, draw))
            assert "\n" not in sentence
            assert len(sentence) < 700
            assert "failed inside the model" not in sentence  # an exception that got out
            assert change is flip or sentence, "a file that was cut has loaded"
    assert all(mother["state"] == "ready" for mother in wall.state()["mothers"].values())
