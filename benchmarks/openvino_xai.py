"""OpenVINO XAI's own AISE beside our transcription of it, on the same networks and photos.

`python -m benchmarks.openvino_xai FOLDER` makes an environment of its own in FOLDER, as the package
wants an older NumPy and OpenVINO than ours, runs it there on networks exported to ONNX and writes
docs/openvino-xai.json, from which docs/few-passes.md has its sentence.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import datetime
import io
import json
import subprocess
import tempfile
import venv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import aise, few_passes

Array = NDArray[np.float32]
PACKAGE = "openvino_xai==1.1.0"
KEPT = few_passes.DOCS / "openvino-xai.json"
BEGIN, END = "<!-- openvino-xai: begin -->", "<!-- openvino-xai: end -->"
PHOTOS = 4
"""Photos of each network."""

THERE = """
import importlib.util, sys
import numpy as np
import openvino as ov
from openvino_xai.methods.black_box.aise.classification import AISEClassification

folder, count = sys.argv[1], int(sys.argv[2])
spec = importlib.util.spec_from_file_location("aise", sys.argv[3])
aise = importlib.util.module_from_spec(spec)
spec.loader.exec_module(aise)
maps, alike = [], []
network = ov.Core().read_model(folder + "/network.onnx")
given = np.load(folder + "/given.npz", allow_pickle=False)
compiled = ov.Core().compile_model(network, "CPU")
method = AISEClassification(network, postprocess_fn=lambda out: next(iter(out.values())))
for view, index in zip(given["views"], given["classes"]):
    made = method.generate_saliency_map(
        np.ascontiguousarray(view.transpose(2, 0, 1)[None]), target_indices=[int(index)],
        num_iterations_per_kernel=count, scale_output=False,
    )
    maps.append(made[int(index)])

    def scores(views):
        return compiled(np.ascontiguousarray(views.transpose(0, 3, 1, 2)))[0][:, int(index)]

    own = aise.explained(scores, view, 2 * len(aise.WIDTHS) * count)
    alike.append(np.corrcoef(own.ravel(), maps[-1].ravel())[0, 1])
np.savez(folder + "/found.npz", maps=np.array(maps, np.float64), alike=alike)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside:
    """How far the two are apart on one network: the least correlation of their maps of a photo.

    `same` is of both in that environment, asking one network; `correlation` of theirs there and
    ours here, where the network is PyTorch's.

    `above` counts the photos on which *Adaptive masks* has more insertion less deletion than
    OpenVINO XAI's own map, at `passes` each.
    """

    network: str
    passes: int
    photos: int
    same: float
    correlation: float
    above: int


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = measured(_python(parser.parse_args().folder))
    kept = {
        "package": PACKAGE,
        "date": datetime.date.today().isoformat(),
        "found": [dataclasses.asdict(each) for each in found],
    }
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    page = few_passes.PAGE
    page.write_text(drawn(page.read_text(encoding="utf-8")), encoding="utf-8")
    print(said())


def _python(folder: Path) -> Path:
    """Return the Python of an environment that has the package."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    asked = [str(python), "-m", "pip", "install", "--quiet", PACKAGE]
    subprocess.run(asked, check=True)  # noqa: S603 - our own words
    return python


def measured(python: Path) -> list[Beside]:
    """Return how far the two are apart, by network and passes."""
    made = []
    for network, cases in few_passes.NETWORKS.items():
        given = list(cases(PHOTOS))
        for budget in few_passes.BUDGETS if given else ():
            theirs, same = _theirs(python, given, budget)
            ours = [aise.explained(case.chances, case.view, budget) for case in given]
            alike = [
                np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours, theirs, strict=True)
            ]
            above = 0
            for seed, (case, map_) in enumerate(zip(given, theirs, strict=True)):
                own, _ = few_passes.explained(case, few_passes.OURS, budget, seed)
                inserted, deleted = few_passes.curves(case, own)
                others = few_passes.curves(case, map_.astype(np.float32))
                above += inserted - deleted > others[0] - others[1]
            made.append(
                Beside(
                    network=network, passes=budget, photos=len(given),
                    same=round(same, 8), correlation=round(float(min(alike)), 5), above=int(above),
                )
            )  # fmt: skip
            print(made[-1], flush=True)
    return made


def _theirs(
    python: Path, cases: list[few_passes.Case], budget: int
) -> tuple[list[NDArray[np.float64]], float]:
    """Return OpenVINO XAI's maps `[h, w]` of so many passes, and how alike ours are there."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "network.onnx").write_bytes(_exported(cases[0]))
        np.savez(
            Path(folder) / "given.npz",
            views=np.stack([case.view for case in cases]),
            classes=np.array([case.index for case in cases]),
        )
        count = budget // (2 * len(aise.WIDTHS))
        asked = [str(python), "-c", THERE, folder, str(count), aise.__file__]
        subprocess.run(asked, check=True)  # noqa: S603 - our own words
        with np.load(Path(folder) / "found.npz", allow_pickle=False) as found:
            return list(found["maps"]), float(found["alike"].min())


def _exported(case: few_passes.Case) -> bytes:
    """Return the network as ONNX: views `[1, 3, h, w]` in 0..1 to probabilities `[1, classes]`."""
    import torch

    native, head = case.model.native(), case.model.head

    class Chances(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = native

        def forward(self, views: Any) -> Any:
            logits = self.network(views)
            return logits.softmax(1) if head.exclusive else logits.sigmoid()

    view = torch.from_numpy(case.view.transpose(2, 0, 1)[None].copy())
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Chances().eval(), (view,), file, dynamo=False)
    return file.getvalue()


def read() -> dict[str, Any]:
    """Return what was measured."""
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept


def said() -> str:
    """Say it in a paragraph."""
    kept = read()
    found = [Beside(**each) for each in kept["found"]]
    same = min(each.same for each in found)
    least = min(each.correlation for each in found)
    parts = [
        f"on {each.above} of {each.photos} photos of {each.network} at {each.passes} passes"
        for each in found
    ]
    return (
        f"{kept['package'].replace('==', ' ')} itself, run in an environment of its own on "
        f"{kept['date']} by `python -m benchmarks.openvino_xai FOLDER`, gives the maps of the "
        f"transcription where both ask one network there: the least correlation is {same:.6f}. "
        f"Beside the transcription in PyTorch it is at least {least:.2f}: the optimiser branches "
        "by scores that differ in their last digits. Adaptive masks is above it "
        f"{', '.join(parts)}."
    )


def drawn(page: str) -> str:
    """Return the page with the paragraph in its place."""
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{said()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    main()
