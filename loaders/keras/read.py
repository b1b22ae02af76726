"""An audited Keras file into a model object, by Keras 3 or else by tf_keras; never compiled."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import keras
import tensorflow as tf

from loaders.keras import dependencies, repairs, weights
from loaders.keras.archive import CONFIG, WEIGHTS, Archive
from loaders.keras.reasons import reason
from xai_core.errors import LoadError, VitrineError

_SPARE = 100_000
"""Numbers that a network may hold beyond those in its file: seeds, counters, fresh statistics."""


def read(path: Path, archive: Archive, objects: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the model of an audited file and the library that read it, `keras` or `tf_keras`.

    `objects` are the classes and functions that are not Keras's own, by the file's names. Neither
    library compiles it, and both stop before they allocate more than the file holds. Raises
    LoadError with both reasons where neither reads it.
    """
    reasons: list[str] = []
    first: Exception | None = None
    unfit: VitrineError | None = None
    readers: tuple[tuple[str, Callable[[Path, Archive], Any]], ...] = (
        ("keras", _read_keras),
        ("tf_keras", _read_tf_keras),
    )
    for library, reader in readers:
        budget = _Budget(archive.elements + _SPARE, apart=archive.kind == "weights")
        try:
            with warnings.catch_warnings(), budget, _scopes(objects):
                warnings.simplefilter("ignore")
                return _network(reader(path, archive)), library
        except Exception as error:  # a malformed file may end in any of Python's own
            if budget.refusal:
                raise LoadError(budget.refusal) from error
            if isinstance(error, VitrineError):
                if archive.kind != "weights":
                    raise
                unfit = unfit or error
            first = first or error
            reasons.append(reason(error))
    if unfit is not None:
        raise unfit
    if archive.written_by.startswith("Keras 1"):
        raise LoadError(
            f"{archive.written_by} wrote this file, and no Keras of today reads what Keras 1 "
            "wrote. Open it with Keras 2.0 to 2.2, which still does, and save it again: "
            "model.save('model.h5')."
        )
    if archive.written_by.startswith("Keras 3"):
        if archive.kind == "hdf5":
            raise LoadError(
                "Keras 3 wrote this file and cannot rebuild it from HDF5, which does not hold all "
                "that a network of Keras 3 may be made of. Save it again where it was made, as "
                "model.save('model.keras')."
            ) from first
        way_out = "Load it with a Keras that can, and save it again with the newest."
        if archive.written_by == f"Keras {keras.__version__}":
            way_out = "It is damaged or was changed, or Keras does not read what it wrote."
        raise LoadError(
            f"{archive.written_by} wrote this file and Keras {keras.__version__} cannot rebuild "
            f"it: {reasons[0]}. {way_out}"
        ) from first
    # what the file already is need not be advised
    other = "model.keras" if archive.kind == "hdf5" else "model.h5"
    raise LoadError(
        f"Neither Keras 3 nor tf_keras can rebuild this file. Keras 3: {reasons[0]} | tf_keras: "
        f"{reasons[1]} | Save it again with the Keras that made it, as model.save('{other}')."
    ) from first


def _network(made: Any) -> Any:
    """Return what a configuration describes. Raises LoadError where that is no network."""
    if not (callable(made) and hasattr(made, "layers") and hasattr(made, "built")):
        raise LoadError(
            f"The file's configuration describes a {type(made).__name__[:60]} and no network. "
            "Save the whole model: model.save('model.keras')."
        )
    return made


@contextlib.contextmanager
def _scopes(objects: Mapping[str, Any]) -> Iterator[None]:
    """Let both libraries find somebody's own classes and functions."""
    if not objects:
        yield
        return
    other = importlib.import_module("tf_keras")
    with (
        keras.saving.custom_object_scope(objects),
        other.saving.custom_object_scope(objects),
    ):
        yield


# By content and not by suffix: the public load_model of both looks at the name's ending only.
def _read_keras(path: Path, archive: Archive) -> Any:
    if archive.kind == "weights":
        # Either library may change what it is given.
        return _join(_build_keras(copy.deepcopy(archive.config)), path)
    if archive.kind == "hdf5":
        legacy = importlib.import_module("keras.src.legacy.saving.legacy_h5_format")
        return legacy.load_model_from_hdf5(str(path), compile=False, safe_mode=True)
    library = importlib.import_module("keras.src.saving.saving_lib")
    with path.open("rb") as file:
        source: BinaryIO = file
        if changed := repairs.repaired(archive.config):
            source = repairs.rewritten(file, changed)
        return library.load_model(source, compile=False, safe_mode=True)


def _join(model: Any, path: Path) -> Any:
    weights.fill(model, path)
    return model


def _build_keras(config: dict[str, Any]) -> Any:
    if "module" in config:
        saving = importlib.import_module("keras.src.saving.serialization_lib")
        return saving.deserialize_keras_object(config, safe_mode=True)
    older = importlib.import_module("keras.src.legacy.saving.saving_utils")
    return older.model_from_config(config)


def _read_tf_keras(path: Path, archive: Archive) -> Any:
    library = importlib.import_module("tf_keras")
    convnext = importlib.import_module("tf_keras.src.applications.convnext")
    # tf_keras saves this layer of its own and does not find it again.
    with library.saving.custom_object_scope({"LayerScale": convnext.LayerScale}):
        return _open_tf_keras(path, archive)


def _open_tf_keras(path: Path, archive: Archive) -> Any:
    if archive.kind == "weights":
        library = importlib.import_module("tf_keras")
        return _join(library.models.model_from_json(json.dumps(archive.config)), path)
    if archive.kind == "hdf5":
        legacy = importlib.import_module("tf_keras.src.saving.legacy.hdf5_format")
        return legacy.load_model_from_hdf5(str(path), compile=False)
    # tf_keras would open the archive for writing
    library = importlib.import_module("tf_keras.src.saving.saving_lib")
    serialization = importlib.import_module("tf_keras.src.saving.serialization_lib")
    with zipfile.ZipFile(path) as archive_file:
        config = {**json.loads(archive_file.read(CONFIG)), "compile_config": None}
        with serialization.ObjectSharingScope():
            model = serialization.deserialize_keras_object(config, safe_mode=True)
        if _is_of_2_13(archive_file):
            with _weights(archive_file) as file:
                dependencies.fill(model, file, archive.config)
            return model
        store = library.H5IOStore(WEIGHTS, archive=archive_file, mode="r")
        try:
            library._load_state(
                model,
                weights_store=store,
                assets_store=None,
                inner_path="",
                visited_trackables=set(),
            )
        finally:
            store.close()
    return model


@contextlib.contextmanager
def _weights(archive: zipfile.ZipFile) -> Iterator[Any]:
    h5py = importlib.import_module("h5py")
    with h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as file:
        yield file


def _is_of_2_13(archive: zipfile.ZipFile) -> bool:
    """Say whether the weights lie where TensorFlow 2.13 and 2.14 put them."""
    with _weights(archive) as file:
        return dependencies.MARK in file


class _Budget(contextlib.ExitStack):
    """Counts the variables that Keras makes, and stops it before one that the file cannot fill."""

    def __init__(self, elements: int, *, apart: bool = False) -> None:
        super().__init__()
        self.apart = apart  # the network came in a file of its own, and may be another
        self.left, self.refusal = elements, ""

    def spend(self, shape: Any) -> None:
        """Take a variable's elements off what is left. Raises LoadError."""
        if shape is None or any(side is None for side in shape):
            return
        count = math.prod(int(side) for side in shape)
        self.left -= count
        if self.left < 0:
            sides = " x ".join(str(int(side)) for side in shape) or "1"
            why = (
                "The JSON is another network's: it has {} numbers, and the file holds too few to "
                "fill them. Send the JSON of the network that they were saved from."
                if self.apart
                else "The file declares {} numbers and holds too few to fill them: it is damaged "
                "or was made to exhaust the memory."
            )
            self.refusal = why.format(f"weights of {sides}")
            raise LoadError(self.refusal)

    def __enter__(self) -> _Budget:
        super().__enter__()
        make = keras.Variable.__init__

        def counted(
            variable: Any, initializer: Any, shape: Any = None, *args: Any, **kwargs: Any
        ) -> None:
            self.spend(shape)
            make(variable, initializer, shape, *args, **kwargs)

        def creator(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
            self.spend(kwargs.get("shape"))  # tf_keras says it, Keras 3 does not
            return next_creator(**kwargs)

        self.callback(setattr, keras.Variable, "__init__", make)
        keras.Variable.__init__ = counted
        self.enter_context(tf.variable_creator_scope(creator))
        return self
