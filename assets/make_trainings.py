"""Record the trainings that the pages open on, before anybody has trained.

`python -m assets.make_trainings`; `--only NAME` makes one of them.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Final

from assets import readme
from loaders.trainings import FOLDER, Shipped, write
from workers.tasks.train_lstm import TrainLstm
from workers.tasks.train_mlp import TrainMlp
from xai_core import versions
from xai_core.task import Bench, Task, silent
from xai_core.training.lstm import RECORDED, LstmSettings, series_of
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_presets import PRESETS


def _mlp(settings: MlpSettings) -> tuple[Task, MlpSettings]:
    return TrainMlp(settings=settings), settings


MADE: Final[dict[str, Callable[[], tuple[Task, Any]]]] = {
    "mlp": lambda: _mlp(MlpSettings()),
    # each preset's, so that it is seen before it is trained
    **{f"mlp-{each.name}": functools.partial(_mlp, each.settings()) for each in PRESETS},
    RECORDED: lambda: _lstm(LstmSettings()),
}
"""Each training by its recording's name: its task, and its values."""


def _lstm(settings: LstmSettings) -> tuple[Task, LstmSettings]:
    series = series_of("stock", ticker="AAPL", start="2022-01-01", end="2023-01-01")
    return TrainLstm(series=series, settings=settings), settings


def main() -> None:
    """Write every one."""
    import tempfile
    from pathlib import Path

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MADE, help="make this one alone")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True, parents=True)
    for name in MADE if asked.only is None else [asked.only]:
        task, settings = MADE[name]()
        with tempfile.TemporaryDirectory() as folder:
            recording = task.run(Bench(folder=Path(folder)), silent)
        shipped = Shipped(
            name=name,
            recording=dataclasses.replace(recording, files={}),  # type: ignore[arg-type]
            values=dataclasses.asdict(settings),
            versions=dict(versions.versions("torch")),
        )
        path = FOLDER / f"{name}.npz"
        write(path, shipped)
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB")
    readme.write_sizes()


if __name__ == "__main__":
    main()
