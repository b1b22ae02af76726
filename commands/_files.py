"""What a command writes into the folder of its --out: all files or none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from xai_core.errors import ParamError


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files or none: all of them are made before the first is written.

    Raises ParamError for a folder that cannot be written.
    """
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            made.append(folder / f".{name}.part")
            made[-1].write_bytes(data)
        for name in files:
            made.append((folder / f".{name}.part").replace(folder / name))
    except OSError as error:
        for path in made:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise ParamError(
            f"--out must be a folder that can be written, got {folder}: {error}"
        ) from error
