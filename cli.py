"""The terminal's door: JSON on standard output, progress on standard error.

Exit status: 0; 2 for a bad call; 3 for a file, model or image that is refused or cannot be
explained, with one line on standard error that begins `error: `. Every file goes through the same
sandboxed workers as in the browser.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arguments import parse
from loaders import catalogue, texts
from loaders.onnx.graph import holds_graph
from loaders.preprocessing import Options
from loaders.source import export
from workers.client import Job, ModelHandle, Session, Wall
from workers.fetch import Cache
from workers.incoming import text
from xai_core import plain, render
from xai_core.card import Card
from xai_core.errors import (
    ImageError,
    LoadError,
    NeedsArchitecture,
    NeedsSource,
    ParamError,
    VitrineError,
)
from xai_core.explainer import Explainer, explainers, make
from xai_core.model import Finding
from xai_core.question import Question
from xai_core.record import record
from xai_core.target import ClassTarget

MAX_SENT = 16_000_000
"""The longest of them in bytes; what is in it has its own limit."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(arguments)
        answer = args.run(args)
    except ParamError as error:
        return _fail(error, 2)
    except VitrineError as error:
        return _fail(error, 3)
    except KeyboardInterrupt:
        print("error: stopped", file=sys.stderr)
        return 130
    try:
        print(json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False), flush=True)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(error: VitrineError, status: int) -> int:
    print("error: " + " ".join(str(error).split()), file=sys.stderr)
    return status


def _parse(arguments: list[str]) -> argparse.Namespace:
    commands = {
        "models": _models,
        "methods": _methods,
        "inspect": _inspect,
        "predict": _predict,
        "explain": _explain,
    }
    return parse(arguments, commands)


def _models(args: argparse.Namespace) -> list[dict[str, Any]]:
    built_in = [_listed(entry) | {"classes": list(entry.classes)} for entry in catalogue.models()]
    cache = Cache()
    pretrained = [
        _listed(entry)
        | {
            "library": entry.library,
            "parameters": entry.parameters,
            "accuracy": None if entry.top1 is None else round(entry.top1 / 100, 5),
            "bytes": entry.bytes,
            "downloaded": cache.holds(entry),
        }
        for entry in catalogue.pretrained()
    ]
    return built_in + pretrained


def _listed(entry: catalogue.Entry | catalogue.Pretrained) -> dict[str, Any]:
    keys = ("name", "task", "source", "framework", "title", "trained_on")
    return {key: getattr(entry, key) for key in keys}


def _methods(args: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": cls.title,
            "needs": [need.__name__ for need in cls.needs],
            "signed": cls.signed,
            "reference": cls.reference,
            "engines": [engine.name for engine in cls.engines],
            "help": (cls.__doc__ or "").split("\n", 1)[0],
            "parameters": [_parameter(param) for param in cls.declared().values()],
        }
        for name, cls in explainers().items()
    ]


def _parameter(param: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": param.name,
        "flag": param.flag,
        "kind": param.kind,
        "default": param.default,
        "unit": param.unit,
        "help": param.help,
        "source": param.source,
    }
    if param.kind in ("integer", "real"):
        row["range"] = [param.lo, param.hi]
    if param.options:
        row["options"] = list(param.options)
    if param.engines:
        row["engines"] = list(param.engines)
    return row


@contextmanager
def _opened(args: argparse.Namespace) -> Iterator[tuple[Session, ModelHandle, Card]]:
    """Start the wall, load the model, and end both afterwards."""
    given = {name: getattr(args, name) for name in Options.flags()}
    for name, param in Options.flags().items():
        if param.file and given[name] is not None:
            given[name] = _read_text(name, Path(given[name]))
    options = Options.from_text(given)
    entry = None if Path(args.model).is_file() else catalogue.find(args.model)
    if entry is not None:
        options, name = catalogue.asked_of(entry, options), entry.name
    else:
        path, name = Path(args.model), Path(args.model).name
        if not path.is_file():
            names = ", ".join(entry.name for entry in catalogue.models())
            raise LoadError(
                f"No file {args.model!r}, and no model of that name ({names}, or a published one "
                "that `models` lists)"
            )
    with closing(Wall()) as wall:
        session = wall.session("cli")
        if isinstance(entry, catalogue.Pretrained):
            path = _wait(session.fetch(entry), f"downloading {name}", _bytes)
        elif entry is not None:
            path = entry.path
        else:
            path = _kept(session, path)
        handle = session.open(path, options, name=name, trusted_path=entry is not None)
        try:
            _wait(handle.loading, "loading")
        except NeedsSource as error:
            way_out = f" {export(error.example)}" if handle.framework == "torch" else ""
            raise NeedsSource(f"{error} Its source goes to --source FILE.{way_out}") from None
        except NeedsArchitecture as error:
            raise NeedsArchitecture(f"{error} Its JSON goes to --architecture FILE.") from None
        card = handle.card
        if card is None:
            raise LoadError(f"{name} was not loaded")
        yield session, handle, card


def _kept(session: Session, path: Path) -> Path:
    """Copy a model to the session, with the files beside it that its weights lie in."""
    kept = session.add_file(path.name, path)
    if holds_graph(path):
        for name in _wait(session.companions(kept), "looking for its weights"):
            if os.path.lexists(path.parent / name):
                session.add_beside(kept, name, path.parent / name)
    return kept


def _read_text(name: str, path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SENT:
            raise LoadError(
                f"--{name} cannot be read from {str(path)!r}: it is longer than "
                f"{MAX_SENT // 10**6} MB, which no such text needs"
            )
        return texts.decode_text(path.read_bytes())
    except (OSError, texts.NotText) as error:
        raise LoadError(f"--{name} cannot be read from {str(path)!r}: {error}") from error


def _photo(session: Session, name: str) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Return a photo's pixels, and what was changed on the way to them."""
    path = Path(name)
    if not path.is_file():
        sample = next((photo for photo in catalogue.photos() if photo.name == name), None)
        if sample is None:
            names = ", ".join(photo.name for photo in catalogue.photos())
            raise ImageError(f"No file {name!r}, and no built-in photo of that name ({names})")
        path = sample.path
    made = _wait(session.decode(path.read_bytes()), "photo")
    return made["pixels"], tuple(Finding("info", note, "photo") for note in made["notes"])


def _passes(done: int, total: int) -> str:
    return f"{done} of {total} passes"


def _bytes(done: int, total: int) -> str:
    return f"{text(done)} of {text(total)}"


def _wait(job: Job, what: str, said: Callable[[int, int], str] = _passes) -> Any:
    """Wait for a job, with a line of progress a second where there is news."""
    shown = ""
    while True:
        seen = job.snapshot()
        if seen.state not in ("queued", "running"):
            return job.result()
        if seen.state == "queued" and seen.place > 1:
            line = f"{what}: place {seen.place} in the queue"
        elif seen.total > 1:
            left = f", {seen.left:.0f} s left" if seen.left is not None else ""
            line = f"{what}: {said(seen.done, seen.total)}{left}"
        else:
            line = what
        if line != shown:
            print(line, file=sys.stderr)
            shown = line
        until = time.monotonic() + 1
        while time.monotonic() < until and job.snapshot().state in ("queued", "running"):
            time.sleep(0.02)


def _inspect(args: argparse.Namespace) -> dict[str, Any]:
    with _opened(args) as (_, _, card):
        keys = (
            "kind",
            "framework",
            "architecture",
            "parameters",
            "input_size",
            "channels",
            "classes",
            "labels",
            "head",
            "layers",
            "default_layer",
            "preprocessing",
            "findings",
            "methods",
            "sandbox",
        )
        whole = plain.pack(card)[0] | {"classes": card.classes}
        return {key: whole[key] for key in keys}


def _predict(args: argparse.Namespace) -> dict[str, Any]:
    if args.top < 1:
        raise ParamError(f"--top must be from 1, got {args.top}")
    with _opened(args) as (session, handle, card):
        pixels, notes = _photo(session, args.image)
        seen = _wait(handle.predict(pixels), "predicting")
        chances, scores = seen["probabilities"], seen["logits"]
        return {
            "predictions": [
                {
                    "index": int(index),
                    "label": card.labels[index],
                    "probability": float(chances[index]),
                    "score": float(scores[index]),
                }
                for index in np.argsort(-scores, kind="stable")[: args.top]
            ],
            "preprocessing": dict(card.preprocessing),
            "findings": _findings(card, (*notes, *seen["findings"])),
        }


def _class(text: str | None, labels: Sequence[str], flag: str) -> int | None:
    """Return the class that a number or a name stands for."""
    if text is None:
        return None
    if text in labels:
        return labels.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(labels):
        return int(text)
    raise ParamError(
        f"--{flag} must be a class name or a number from 0 to {len(labels) - 1}, got {text!r}"
    )


def _explain(args: argparse.Namespace) -> dict[str, Any]:
    make(args.method, args.values, engine=args.engine)  # a bad value is refused before the model
    with _opened(args) as (session, handle, card):
        against = _class(args.against, card.labels, "against")
        index = _class(args.target, card.labels, "target")
        pixels, notes = _photo(session, args.image)
        seen = _wait(handle.predict(pixels), "predicting")
        index = int(seen["logits"].argmax()) if index is None else index
        if against == index:
            raise ParamError(f"--against must be another class than the target, got {against}")
        method: Explainer = make(args.method, args.values, engine=args.engine, size=card.input_size)
        values = {name: getattr(method, name) for name in method.declared()}
        explanation = _wait(
            handle.explain(
                pixels,
                Question(
                    method=args.method,
                    values=values,
                    engine=method.engine,
                    target=ClassTarget(index, against, args.of),
                ),
            ),
            method.title,
        )
        answer: dict[str, Any] = record(explanation)
        label = card.labels[index]
        answer |= {"label": label, "probability": float(seen["probabilities"][index])}
        answer |= {"frame": args.frame, "shape": list(explanation.attribution.shape)}
        attribution = explanation.attribution
        if args.frame == "upload":
            attribution = render.to_upload(attribution, explanation.geometry)
            answer["shape"] = list(attribution.shape)
        answer["preprocessing"] = dict(card.preprocessing)
        answer["findings"] = _findings(card, (*notes, *seen["findings"]))
        _write(args.out, attribution, render.overlay(pixels, explanation), answer)
        answer["files"] = [
            str(args.out / name) for name in ("attribution.npy", "overlay.png", "explanation.json")
        ]
        return answer


def _findings(card: Card, of_photo: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return what is to be known of the model and of this photo, as plain data."""
    return [dataclasses.asdict(finding) for finding in (*card.findings, *of_photo)]


def _write(
    folder: Path, attribution: NDArray[np.float32], overlay: NDArray[np.uint8], answer: Any
) -> None:
    """Write the three files or none: all of them are made before the first is written."""
    array = io.BytesIO()
    np.save(array, attribution, allow_pickle=False)
    text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
    files = {
        "attribution.npy": array.getvalue(),
        "overlay.png": render.png(overlay),
        "explanation.json": f"{text}\n".encode(),
    }
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


if __name__ == "__main__":
    sys.exit(main())
