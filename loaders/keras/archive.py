"""Reads a Keras file's configuration and the size of its weights, with no framework.

Nothing is unpacked or allocated by what the file merely claims: sizes are compared with the bytes
that are there first.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from loaders.keras import names
from loaders.keras.audit import layers, printable
from loaders.labels import Inside
from xai_core.errors import LoadError, NeedsArchitecture

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MAX_CONFIG = 64 << 20
MAX_MEMBERS, MAX_DATASETS = 2_000, 100_000
MAX_RATIO = 20
"""Weights hardly compress: a file that declares this many times its size was made to hurt."""
FREE = 16 << 20
"""Bytes that may be declared whatever the file's size: fresh zeros do compress."""
DAMAGE = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError),
    SystemError,  # h5py's word for a name that is no UTF-8
)
"""What h5py may raise of a file that is damaged."""
_WEIGHTS_OF_KERAS = re.compile(
    r"(^|/)(vars/\d+|[^/]*(kernel|bias|gamma|beta|moving_mean|moving_variance|embeddings|weight)s?"
    r"(:\d+)?)$"
)
_FORMS = "Save the whole model: model.save('model.keras')."


@dataclasses.dataclass(frozen=True)
class Archive:
    """What a file says of itself.

    `elements` is how many numbers its weights hold, `names` what it holds of class names.
    """

    kind: Literal["keras-zip", "hdf5", "weights"]
    title: str
    config: dict[str, Any]
    written_by: str
    elements: int
    names: tuple[Inside, ...] = ()


def read(path: Path, architecture: str = "") -> Archive:
    """Read a .keras archive or an HDF5 file, told apart by content.

    `architecture` is the JSON of the network that weights alone belong to. Raises LoadError, and
    NeedsArchitecture for such weights without it.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK"):
        return _read_zip(path)
    if head == b"\x89HDF\r\n\x1a\n":
        return _read_hdf5(path, architecture)
    raise LoadError(
        "This is neither a Keras archive nor an HDF5 file by its content. Keras models come from "
        "model.save('model.keras') or model.save('model.h5')."
    )


def _read_zip(path: Path) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, path.stat().st_size)
            config = _json(archive.read(CONFIG), "config.json")
            config.pop("compile_config", None)  # training's, and not rebuilt
            written_by = ""
            if "metadata.json" in archive.namelist():
                metadata = _json(archive.read("metadata.json"), "metadata.json")
                written_by = f"Keras {printable(metadata.get('keras_version'), 20)}"
            inside = (*names.in_config(config), *names.in_archive(archive))
            with archive.open(WEIGHTS) as member:
                # h5py seeks back and forth, which a zip member does by reading from its start
                weights: BinaryIO = io.BytesIO(member.read())
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise LoadError(
            "The Keras archive is damaged: a part of it cannot be unpacked. Copy or save it again."
        ) from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise LoadError("The Keras archive is encrypted. Save it without a password.") from error
    elements = measure(weights, path.stat().st_size, config)
    return Archive("keras-zip", "Keras archive", config, written_by, elements, inside)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    named = [member.filename for member in members]
    if len(named) > MAX_MEMBERS or len(set(named)) < len(named):
        raise LoadError(
            f"The archive has {len(named):,} members, over {MAX_MEMBERS:,} or some of them twice; "
            "Keras writes a handful."
        )
    for needed in (CONFIG, WEIGHTS):
        if needed not in named:
            raise LoadError(f"This ZIP holds no {needed}, so it is no whole Keras model. {_FORMS}")
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(FREE, MAX_RATIO * size):
        raise LoadError(_claim("would unpack to", unpacked, size))
    config = members[named.index(CONFIG)].file_size
    if config > MAX_CONFIG:
        raise LoadError(f"The model's configuration is {_bytes(config)}; a network needs far less.")


def _read_hdf5(path: Path, architecture: str) -> Archive:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            attributes = {name: file.attrs.get(name) for name in ("model_config", "keras_version")}
            inside = tuple(names.in_attributes(file.attrs))
    except DAMAGE as error:
        raise LoadError(
            "The HDF5 file is damaged or was cut short: its contents cannot be listed. Copy or "
            "save it again."
        ) from error
    raw = attributes["model_config"]
    whole = raw is not None
    if not whole:
        hold_weights(path)
    if not whole and not architecture:
        raise NeedsArchitecture(
            "This HDF5 file holds weights without their network. Send the network's JSON "
            "(model.to_json()) with it, or save the whole model: model.save('model.keras')."
        )
    config = _json(raw, "model_config") if whole else _json(architecture, "network's JSON")
    if not whole:
        config.pop("compile_config", None)  # training's, and not rebuilt
        attributes["keras_version"] = config.get("keras_version") or attributes["keras_version"]
    with path.open("rb") as stream:
        elements = measure(stream, path.stat().st_size, config, apart=not whole)
    version = printable(_text(attributes["keras_version"] or ""), 20)
    written_by = f"Keras {version.removesuffix('-tf')}" if attributes["keras_version"] else ""
    inside = (*inside, *names.in_config(config))
    if not whole:
        return Archive("weights", "Keras weights", config, written_by, elements, inside)
    return Archive("hdf5", "Keras HDF5 model", config, written_by, elements, inside)


def hold_weights(path: Path) -> None:
    """Raise LoadError unless an HDF5 file without a network holds weights that can be read."""
    import h5py

    with path.open("rb") as stream:
        measure(stream, path.stat().st_size, {})
    floats: list[str] = []
    shapes: list[str] = []
    try:
        with h5py.File(path, "r") as file:
            marked = "layer_names" in file.attrs or "keras_version" in file.attrs
            for dataset in datasets(file):
                if dataset.shape and dataset.dtype.kind == "f":
                    floats.append(dataset.name)
                elif not dataset.shape or dataset.dtype.kind not in "iub":
                    continue
                sides = " x ".join(map(str, dataset.shape))
                shapes.append(f"{printable(dataset.name.lstrip('/'), 40)!r}, {sides}")
                dataset[()]  # whole: what is damaged inside is only seen when it is read
    except DAMAGE as error:
        raise LoadError(
            "This HDF5 file is damaged or was cut short: what it holds cannot be read. Copy or "
            "save it again."
        ) from error
    if floats and (marked or any(_WEIGHTS_OF_KERAS.search(name[-200:]) for name in floats)):
        return
    held = f"data ({'; '.join(shapes[:3])})" if shapes else "no numbers"
    raise LoadError(
        f"This HDF5 file holds {held} and neither a network nor weights that Keras wrote: it is "
        "no model. Bring the file that model.save wrote."
    )


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _json(raw: Any, owner: str) -> dict[str, Any]:
    text = _text(raw)
    if len(text) > MAX_CONFIG:
        raise LoadError(f"The file's {owner} is {_bytes(len(text))}; a network needs far less.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"The file's {owner} is not the JSON that Keras writes.") from error
    if not isinstance(value, dict):
        raise LoadError(f"The file's {owner} is not the JSON object that Keras writes.")
    return value


def measure(stream: BinaryIO, size: int, config: dict[str, Any], *, apart: bool = False) -> int:
    """Count the numbers in the weights, and hold the declared sizes against the bytes.

    `apart` says that the configuration came in a file of its own, and may be another network's.

    Raises LoadError for a bomb, a damaged file and one that points outside itself.
    """
    import h5py

    elements, declared = 0, 0
    sides: set[int] = set()
    try:
        with h5py.File(stream, "r") as file:
            for dataset in datasets(file):
                elements += dataset.size
                declared += dataset.size * dataset.dtype.itemsize
                sides.update(dataset.shape)
    except DAMAGE as error:
        raise LoadError(
            "The file's weights are damaged or were cut short. Copy or save it again."
        ) from error
    if declared > max(FREE, MAX_RATIO * size):
        raise LoadError(_claim("declares weights of", declared, size))
    _check_sides(config, sides, apart)
    return elements


def datasets(file: Any) -> Iterator[Any]:
    """Yield every dataset that lies in the file itself."""
    import h5py

    found: list[str] = []

    def visit(name: str, link: Any) -> str | None:  # a refusal ends the visit; h5py cannot raise
        if not isinstance(link, h5py.HardLink):
            return (
                f"The HDF5 file points elsewhere at {printable(name)}; Keras writes no such links, "
                "and they are not followed."
            )
        found.append(name)
        if len(found) > MAX_DATASETS:
            return f"The HDF5 file has over {MAX_DATASETS:,} entries; it is no network."
        return None

    if refusal := file.visititems_links(visit):
        raise LoadError(refusal)
    for name in found:
        entry = file[name]
        if not isinstance(entry, h5py.Dataset) or entry.shape is None:
            continue
        if entry.external or entry.is_virtual:
            raise LoadError(
                f"The weights {printable(name)} lie outside the file; Keras writes no such "
                "weights, and they are not followed."
            )
        yield entry


def _check_sides(config: dict[str, Any], sides: set[int], apart: bool) -> None:
    """Refuse a layer of more units than any of the stored arrays has: Keras would allocate it."""
    for name, settings in layers(config):
        if "Quantized" in str(settings.get("dtype")):
            continue  # packed weights have other sides
        for key in ("units", "filters", "output_dim", "input_dim"):
            value = settings.get(key)
            if key == "input_dim" and name != "Embedding":
                continue
            if isinstance(value, (int, float)) and value not in sides:
                if apart:
                    raise LoadError(
                        f"The JSON is another network's: its {printable(name)} "
                        f"{printable(settings.get('name', ''))!r} has {value:,} {key}, and no "
                        "weights in the file have that size. Send the JSON of the network that "
                        "they were saved from."
                    )
                raise LoadError(
                    f"The file declares a {printable(name)} of {value:,} {key} and holds no "
                    "weights of that size, so it is damaged or was made to exhaust the memory."
                )


def _claim(verb: str, claimed: int, size: int) -> str:
    return (
        f"The file is {_bytes(size)} and {verb} {_bytes(claimed)}, which no trained network does: "
        "it is damaged or was made to exhaust the memory."
    )


def _bytes(count: int) -> str:
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} bytes"
