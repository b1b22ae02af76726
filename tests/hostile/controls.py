"""Careless readers: what the hostile files do where nothing holds them.

`python -m tests.hostile.controls FRAMEWORK` reads `[control, path, mark, secret's text]` rows as
JSON from standard input and opens every file as somebody with no wall would. Never run elsewhere
than in the tests' own folders.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any


def _found(mark: str, data: bytes, secret: str) -> None:
    if secret.encode() in data:
        Path(mark).write_text("read")


def _torch(control: str, path: str, mark: str, secret: str) -> None:
    import torch

    if control == "pickle":
        with Path(path).open("rb") as file:
            pickle.load(file)
    elif control.startswith("torch"):
        content = torch.load(path, weights_only=False)
        if control == "torch call":
            content.forward(torch.tensor(0o600))  # taken for the rights of a new file
    elif control == "export":
        torch.export.load(path)
    elif control == "script":
        module = torch.jit.load(path)
        answer = module(torch.zeros(1, 3, 32, 32))
        held = [tensor.flatten() for tensor in (answer, module.w)]
        for tensor in held:
            data = bytes(tensor.clamp(0, 255).to(torch.uint8).tolist())
            _found(mark, data, secret[: len(data)] if len(data) == 8 else secret)


def _keras(control: str, path: str, mark: str, secret: str) -> None:
    import h5py

    if control == "h5":
        with h5py.File(path, "r") as file:
            _found(mark, file["model_weights/stolen"][()].tobytes(), secret)
    elif control == "unpack":
        import zipfile

        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                target = Path(path).parent / name
                with contextlib.suppress(OSError):
                    target.write_bytes(archive.read(name))
    elif control == "keras":
        import keras

        keras.config.enable_unsafe_deserialization()
        keras.models.load_model(path, compile=False, safe_mode=False)
    elif control == "tf_keras":
        import tf_keras

        tf_keras.models.load_model(path, compile=False)


def _source(control: str, path: str, mark: str, secret: str) -> None:
    import torch

    space: dict[str, Any] = {"__name__": "source", "path": path}
    exec(compile(Path(path).read_text(), path, "exec"), space)
    space["Net"]()(torch.zeros(1, 3, 8, 8))


READERS: dict[str, Any] = {"torch": _torch, "keras": _keras, "source": _source}


def main() -> None:
    """Read every file that standard input names, whatever comes of it."""
    if sys.argv[1] == "torch":
        import torch  # noqa: F401 - before TensorFlow
        import torchvision  # noqa: F401
    warnings.simplefilter("ignore")
    for row in json.load(sys.stdin):
        try:
            READERS[sys.argv[1]](*row)
        except BaseException as error:
            print(row[1], repr(error)[:300], file=sys.stderr)


if __name__ == "__main__":
    main()
