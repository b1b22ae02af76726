"""What `train-mlp` learns from, and the networks that it looks at: all is read behind the wall."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from commands import _training
from commands._waiting import bytes_of, wait
from loaders import digit_sets
from loaders.samples import PACKED, packed, pictured
from workers.client import Session
from workers.tasks.open_dense import NAME, OpenDense
from workers.tasks.read_samples import ReadDigitSet, ReadSamples
from workers.tasks.recognise import Recognise
from xai_core.errors import LoadError, UnsupportedModel, VitrineError
from xai_core.task import Task
from xai_core.training.samples import Samples


def samples(args: argparse.Namespace, session: Session) -> Samples | None:
    """Return what stands in the place of the digits, or None. Raises LoadError."""
    if args.set is not None:
        return _published(args.set, session)
    if args.data is None:
        return None
    path: Path = args.data
    data = _folder(path) if path.is_dir() else _training.data_of("--data", path, PACKED)
    task = ReadSamples(data=np.frombuffer(data, np.uint8), called=path.resolve().name[:60])
    try:
        found: Samples = _training.result(session, task).samples
    except VitrineError as error:  # whatever is wrong is the file's
        raise LoadError(str(error)) from None
    return found


def opening(args: argparse.Namespace, session: Session) -> tuple[Task, Sequence[Path]]:
    """Return what opens the networks, and the files that it reads. Raises LoadError."""
    own = samples(args, session)
    for path in args.networks:
        if not path.is_file():
            raise LoadError(f"--networks names {str(path)!r}, and there is no such file")
    paths = tuple(session.add_file(each.name, each) for each in args.networks)
    kind = session.run(Recognise(path=paths[0]), read=paths[:1]).result().kind
    if kind not in ("torch", "keras"):
        raise UnsupportedModel(
            f"{args.networks[0].name} is neither PyTorch's nor Keras's. Save the network where it "
            "was made."
        )
    names = tuple(each.name[:NAME] for each in args.networks)
    task = OpenDense(paths=paths, names=names, framework=kind, scaling=args.scaling, samples=own)
    return task, paths


def _published(name: str, session: Session) -> Samples:
    """Bring the files of a published set, and read them. Raises LoadError."""
    found = digit_sets.find(name)
    paths = tuple(
        wait(session.bring(each), f"fetching {each.title}", bytes_of) for each in found.files
    )
    task = ReadDigitSet(called=name, paths=paths)
    made: Samples = session.run(task, read=paths).result().samples
    return made


def _folder(folder: Path) -> bytes:
    """Return a folder's pictures as their ZIP. Raises LoadError."""

    def parts() -> Iterator[tuple[str, bytes]]:
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place, name)
                inside = path.relative_to(folder).as_posix()
                if pictured(inside) and path.is_file():
                    yield inside, _training.data_of("--data", path, PACKED)

    return packed(parts(), folder.resolve().name[:60] or "The folder")
