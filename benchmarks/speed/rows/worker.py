"""What the two largest runs hold above their model, in the worker that does them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.speed.row import Case, Size, row


@row(what="RISE with 20,000 masks and occlusion 12/4 at 299 px, through the wall",
     goal="300 MB above the model", memory=False)  # fmt: skip
def worker_memory(size: Size) -> Case:
    """Say the memory of each framework and run; the short runs take a tenth of the masks."""
    from benchmarks import memory
    from workers.client import Wall

    said = {}
    with tempfile.TemporaryDirectory() as folder:
        wall = Wall(cores=1, spool=Path(folder) / "spool")
        try:
            for framework in ("torch", "keras"):
                path, options = memory.network(framework, Path(folder))
                session = wall.session(framework)
                handle = session.open(path, options, name=path.stem, trusted_path=True)
                handle.loading.result(600)
                for method, values in memory.RUNS.items():
                    few = {"masks": 2000} if "masks" in values and not size.full else {}
                    told = memory.run(handle, method, values | few)
                    said[f"{method} on {framework}"] = f"{told.above:.0f} MB"
                session.close()
        finally:
            wall.close()
    return Case(said=said)
