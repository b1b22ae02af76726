"""onnxruntime's part: a session, and a network that takes photos and gives arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from loaders.keras.audit import printable
from loaders.onnx.entry import Entry
from xai_core.errors import LoadError

Array = NDArray[np.float32]
BATCH = 8


def session(
    data: bytes, folder: Path, *, plain: bool = False, sides: Mapping[str, int] | None = None
) -> Any:
    """Return a session. `plain` leaves the graph as it is, which is quicker to make.

    `sides` gives values to sides that the graph leaves free, by their names.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(folder)
    )
    settings.log_severity_level = 4
    for name, value in (sides or {}).items():
        settings.add_free_dimension_override_by_name(name, value)
    if plain:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(data, settings, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base but this
        if "NOT_IMPLEMENTED" in str(error):
            raise LoadError(
                f"onnxruntime {onnxruntime.__version__} has no such operation for these numbers on "
                f"a processor ({reason(error)}). Export the network in single precision "
                "(model.float()), or with another opset."
            ) from error
        raise LoadError(
            f"onnxruntime cannot run this file ({reason(error)}). It is damaged, or newer than "
            f"onnxruntime {onnxruntime.__version__} knows: export it again with a lower opset."
        ) from error


def reason(error: Exception) -> str:
    """Return what onnxruntime says, without its codes and its places."""
    # "[ONNXRuntimeError] : 10 : INVALID_GRAPH : Load model from PLACE failed:What is wrong"
    text = " ".join(str(error).split()).split(" : ", 3)[-1]
    text = re.sub(r"\S{0,400}/onnxruntime_src\S{0,400}", "", text.split("failed:", 1)[-1])
    return printable(text.strip(), 120)


class Network:
    """A session with one photo tensor in; `step` photos go through it at once."""

    def __init__(self, session: Any, entry: Entry, size: tuple[int, int]) -> None:
        self.session, self.entry, self.size = session, entry, size
        fixed = 1 if entry.batch is None else entry.batch
        self.fixed, self.step = bool(fixed), fixed or BATCH
        self._flags = {
            each.name: np.zeros([side if isinstance(side, int) else 1 for side in each.shape], bool)
            for each in session.get_inputs()
            if each.name != entry.name
        }

    def alone(self) -> None:
        """Let one photo at a time through, whatever the graph says of its batch."""
        self.fixed, self.step = True, 1

    def run(self, images: Array, names: Sequence[str]) -> list[list[Any]]:
        """Return what the graph gives for each step: a list a name, of arrays `[step, ...]`.

        The last step is filled up where the batch is fixed; `trimmed` takes that off.
        """
        found: list[list[Any]] = [[] for _ in names]
        for start in range(0, len(images), self.step):
            part = images[start : start + self.step]
            if self.fixed and len(part) < self.step:
                part = np.concatenate([part, np.repeat(part[-1:], self.step - len(part), 0)])
            feed = {self.entry.name: self.entry.arranged(part), **self._flags}
            for row, value in zip(found, self.session.run(list(names), feed), strict=True):
                row.append(value)
        return found

    def rows(self, images: Array, *names: str) -> list[Array]:
        """Return float32 `[N, numbers]` for each output: one row a photo."""
        found = []
        for parts in self.run(images, names):
            left, made = len(images), []
            for part in parts:
                count = self.step if self.fixed else min(self.step, left)
                made.append(np.asarray(part, np.float32).reshape(count, -1)[:left])
                left -= count
            found.append(np.concatenate(made))
        return found
