"""HDF5 files of weights alone: whose they are, told by their shapes, and a network filled by them.

Keras has two layouts: the older one keeps the layers' order, the one of `.weights.h5` their paths.
keras.applications publishes its weights in the older one.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from loaders.keras import dependencies
from loaders.keras.archive import DAMAGE, datasets, measure
from xai_core.errors import LoadError

TABLE = Path(__file__).resolve().parents[2] / "assets" / "keras_applications.json"

Shape = tuple[int, ...]


class Application(NamedTuple):
    """One of keras.applications, by the name of its function, and how many classes it tells."""

    name: str
    classes: int


def body_digest(shapes: Iterable[Shape]) -> str:
    """Return a digest of the shapes of a network's weights without its head's, in any order."""
    return hashlib.sha256(json.dumps(sorted(shapes)).encode()).hexdigest()[:24]


def without_head(shapes: Iterable[Shape]) -> Iterator[tuple[list[Shape], int]]:
    """Yield the weights without each that could be the head's, and the classes that it would tell.

    A head is a Dense layer, or a convolution of one pixel, with a bias.
    """
    counted = Counter(shapes)
    for kernel in sorted(counted):
        bias = kernel[-1:]
        if len(kernel) in (2, 4) and math.prod(kernel[:-2]) == 1 and counted[bias]:
            yield list((counted - Counter([kernel, bias])).elements()), kernel[-1]


@functools.cache
def table() -> dict[str, str]:
    """Read the digests of keras.applications' bodies, by the name of the function."""
    rows: dict[str, str] = json.loads(TABLE.read_text())
    return rows


def is_weights_only(path: Path) -> bool:
    """Say whether an HDF5 file holds weights and no network; False for one that is damaged."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "model_config" not in file.attrs and any(datasets(file))
    except DAMAGE:
        return False


def recognise(path: Path) -> Application | None:
    """Return whose weights an HDF5 file holds, or None where it is no keras.applications' file.

    Raises LoadError for a file that claims more than it holds or points outside itself.
    """
    if not is_weights_only(path):
        return None
    shapes = _stored(path)
    for body, classes in without_head(shapes):
        digest = body_digest(body)
        for name, known in table().items():
            if known == digest:
                return Application(name, classes)
    return None


def build(known: Application) -> Any:
    """Return the network, with Keras 3 and without weights."""
    import keras

    return getattr(keras.applications, known.name)(weights=None, classes=known.classes)


def fill(model: Any, path: Path) -> None:
    """Copy the file's weights into a built network of Keras 3 or tf_keras, every one into its own.

    Raises LoadError where the weights of one are not the weights of the other.
    """
    held, wanted = Counter(_stored(path)), Counter(_sized(model.weights))
    if held != wanted:
        odd = min((held - wanted) or (wanted - held))
        where = "file and not in the network" if held - wanted else "network and not in the file"
        raise LoadError(
            f"These weights belong to another network: a tensor {list(odd)} is in the {where}. "
            "Bring the network that they were saved from."
        )
    try:
        _READERS[_library(model), _is_ordered(path)](model, path)
    except DAMAGE as error:
        raise LoadError(
            "These weights have the shapes of the network's and another order or other names, so "
            "it cannot be said which belong where. Save the whole model: model.save('model.keras')."
        ) from error


def _stored(path: Path) -> list[Shape]:
    """List the shapes of the file's weights; counters and seeds, which are none, are left out."""
    import h5py

    try:
        with path.open("rb") as stream:
            measure(stream, path.stat().st_size, {})
        with h5py.File(path, "r") as file:
            # A trained network brings its optimiser along.
            return _sized(each for each in datasets(file) if "/optimizer/" not in each.name)
    except DAMAGE as error:
        raise LoadError(
            "The file's weights are damaged or were cut short. Copy or save it again."
        ) from error


def _sized(weights: Iterable[Any]) -> list[Shape]:
    return [
        tuple(int(side) for side in weight.shape)
        for weight in weights
        if len(weight.shape) and "float" in str(weight.dtype)
    ]


def _is_ordered(path: Path) -> bool:
    import h5py

    with h5py.File(path, "r") as file:
        return "layer_names" in file.attrs


def _library(model: Any) -> str:
    roots = [base.__module__.split(".")[0] for base in type(model).__mro__]
    return next(root for root in roots if root in ("keras", "tf_keras"))


def _keras_by_order(model: Any, path: Path) -> None:
    import h5py

    reader = importlib.import_module("keras.src.legacy.saving.legacy_h5_format")
    with h5py.File(path, "r") as file:
        reader.load_weights_from_hdf5_group(file, model)


def _keras_by_path(model: Any, path: Path) -> None:
    reader = importlib.import_module("keras.src.saving.saving_lib")
    _walk(reader, model, path, visited_saveables=set())


def _tf_keras_by_order(model: Any, path: Path) -> None:
    import h5py

    reader = importlib.import_module("tf_keras.src.saving.legacy.hdf5_format")
    with h5py.File(path, "r") as file:
        reader.load_weights_from_hdf5_group(file, model)


def _tf_keras_by_path(model: Any, path: Path) -> None:
    import h5py

    with h5py.File(path, "r") as file:
        if dependencies.MARK in file:
            dependencies.fill(model, file, {})
            return
    reader = importlib.import_module("tf_keras.src.saving.saving_lib")
    _walk(reader, model, path, visited_trackables=set())


def _walk(reader: Any, model: Any, path: Path, **visited: Any) -> None:
    # By content: the public load_weights of both looks at the name's ending.
    store = reader.H5IOStore(str(path), mode="r")
    try:
        reader._load_state(model, weights_store=store, assets_store=None, inner_path="", **visited)
    finally:
        store.close()


_READERS = {
    ("keras", True): _keras_by_order,
    ("keras", False): _keras_by_path,
    ("tf_keras", True): _tf_keras_by_order,
    ("tf_keras", False): _tf_keras_by_path,
}
