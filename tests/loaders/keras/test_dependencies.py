"""Files of TensorFlow 2.13 and 2.14, damaged: a mismatch is refused and never silent."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from loaders.keras import file as loader
from loaders.keras.dependencies import MARK
from loaders.preprocessing import Options
from xai_core.errors import LoadError

OLDER = Path(__file__).resolve().parents[2] / "data" / "older"


def changed(path: Path, writer: str, name: str, change: Callable[[Any], None]) -> Path:
    """Write a file of an older version with its weights changed."""
    with zipfile.ZipFile(OLDER / f"{writer}.zip") as archive:
        source = zipfile.ZipFile(io.BytesIO(archive.read(name)))
    weights = io.BytesIO(source.read("model.weights.h5"))
    with h5py.File(weights, "a") as file:
        change(file)
    with zipfile.ZipFile(path, "w") as target:
        for member in ("metadata.json", "config.json"):
            target.writestr(member, source.read(member))
        target.writestr("model.weights.h5", weights.getvalue())
    return path


def opened(path: Path) -> Any:
    return loader.load(path, Options(preprocessing="unit"), name="m")


def delete(name: str) -> Callable[[Any], None]:
    return lambda file: file.__delitem__(f"{MARK}/{name}")


def move(old: str, new: str) -> Callable[[Any], None]:
    return lambda file: file.move(f"{MARK}/{old}", f"{MARK}/{new}")


def reshape(file: Any) -> None:
    kernel = file[f"{MARK}/dense/vars/0"][()]
    del file[f"{MARK}/dense/vars/0"]
    file[f"{MARK}/dense/vars/0"] = kernel.T


def more(file: Any) -> None:
    file[f"{MARK}/dense_7/vars/0"] = np.zeros((6, 4), np.float32)


@pytest.mark.parametrize("writer", ["TensorFlow-2.13.1", "TensorFlow-2.14.1"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (delete("conv2d"), "holds weights of 1 layers 'conv2d' and the network has 2"),
        (delete("dense/vars/1"), "holds 1 tensors and 'dense' has 2"),
        (reshape, r"a tensor \[4, 6\] where 'dense/kernel:0' is \[6, 4\]"),
        (move("dense", "linear"), "1 layers 'linear' and the network has 0"),
        (more, "holds weights of 2 layers 'dense' and the network has 1"),
        (delete("batch_normalization"), "holds no weights for 'batch_normalization"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, writer: str, change: Callable[[Any], None], why: str
) -> None:
    path = changed(tmp_path / "m", writer, "functional.keras", change)
    with pytest.raises(LoadError, match=why):
        opened(path)


def test_their_layers_are_put_in_their_order(tmp_path: Path) -> None:
    """The numbers of two layers of one class are exchanged: so are their weights, and shapes."""

    def exchange(file: Any) -> None:
        for old, new in (("conv2d", "other"), ("conv2d_2", "conv2d"), ("other", "conv2d_2")):
            file.move(f"{MARK}/{old}", f"{MARK}/{new}")

    path = changed(tmp_path / "m", "TensorFlow-2.13.1", "functional.keras", exchange)
    with pytest.raises(LoadError, match=r"a tensor \[3, 3, 8, 6\] where 'conv2d/kernel:0'"):
        opened(path)


@pytest.mark.parametrize("writer", ["TensorFlow-2.13.1", "TensorFlow-2.14.1"])
def test_their_weights_alone_are_joined_with_the_json(tmp_path: Path, writer: str) -> None:
    with zipfile.ZipFile(OLDER / f"{writer}.zip") as archive:
        whole = io.BytesIO(archive.read("functional.keras"))
    with zipfile.ZipFile(whole) as source:
        (tmp_path / "m").write_bytes(source.read("model.weights.h5"))
        network = source.read("config.json").decode()
    (tmp_path / "whole").write_bytes(whole.getvalue())
    options = Options(preprocessing="unit", architecture=network)
    model = loader.load(tmp_path / "m", options, name="m")
    view = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    expected = opened(tmp_path / "whole").logits(view)
    np.testing.assert_allclose(model.logits(view), expected, atol=1e-5)
