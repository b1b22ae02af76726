"""A model that a command works on: its flags, and its way through the wall."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from commands._waiting import bytes_of, wait
from loaders import catalogue, printed, texts
from loaders.onnx.graph import holds_graph
from loaders.options import Options
from loaders.source import export
from workers.client import ModelHandle, Session, Wall
from xai_core import device
from xai_core.card import Card, Wanted
from xai_core.errors import LoadError, NeedsArchitecture, NeedsSource, ParamError
from xai_core.params import Param

MAX_SENT = 16_000_000
"""The longest file that a flag takes, in bytes; what is in it has its own limit."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opened:
    """A loaded model: the visitor's session, the handle, the card, and what was asked of it.

    `word` names it as the call did.
    """

    session: Session
    handle: ModelHandle
    card: Card
    options: Options
    word: str
    built_in: bool

    @property
    def flags(self) -> dict[str, str]:
        """The words that ask the same of it again, by option."""
        word = self.word if self.built_in else ""
        return printed.flags(self.options, word=word, preprocessing=self.card.preprocessing)


def flags(parser: argparse.ArgumentParser) -> None:
    """Add MODEL and whatever may be said of a model and its photos."""
    parser.add_argument("model", metavar="MODEL", help="a file, or a name that `models` lists")
    parser.add_argument(
        device.FLAG,
        choices=device.CHOICES,
        help="where long runs may go: an NVIDIA GPU where there is one (auto), or in any case "
        f"(cuda); without it, what {device.VARIABLE} says, or else cpu",
    )
    groups: dict[str, Any] = {}
    for param in Options.flags().values():
        if param.group not in groups:
            groups[param.group] = parser.add_argument_group(param.group)
        help = param.help.replace("%", "%%")
        groups[param.group].add_argument(param.flag, metavar=param.shape, help=help)


def _place(args: argparse.Namespace) -> device.Device:
    """Return where runs may go. Raises ParamError for a GPU that this machine does not show."""
    place: device.Device = args.device or device.asked()
    if place == "cuda" and not device.files():
        raise ParamError(
            f"{device.FLAG} cuda needs an NVIDIA GPU, and this machine shows none in /dev. "
            f"Leave {device.FLAG} out, or use auto"
        )
    return place


@contextmanager
def opened(args: argparse.Namespace, wanted: Wanted = "classification") -> Iterator[Opened]:
    """Start the wall, load a model that does what is wanted, and end both afterwards."""
    options, place = _asked(args), _place(args)
    entry = None if Path(args.model).is_file() else catalogue.find(args.model)
    if entry is not None:
        options, name = catalogue.asked_of(entry, options), entry.name
    else:
        path, name = Path(args.model), Path(args.model).name
        if not path.is_file():
            own = {"classification": catalogue.models(), "detection": catalogue.detectors()}
            listed = own.get(wanted, (*catalogue.models(), *catalogue.detectors()))
            names = ", ".join(entry.name for entry in listed)
            if wanted == "detection":
                raise LoadError(
                    f"No file {args.model!r}, and no detector of that name ({names}, or a "
                    "published one that `models` lists). Bring a detector's file"
                )
            raise LoadError(
                f"No file {args.model!r}, and no model of that name ({names}, or a published one "
                "that `models` lists)"
            )
    with closing(Wall(device=place)) as wall:
        session = wall.session("cli")
        if isinstance(entry, catalogue.Pretrained):
            path = wait(session.fetch(entry), f"downloading {name}", bytes_of)
        elif entry is not None:
            path = entry.path
        else:
            path = _kept(session, path)
        handle = session.open(
            path, options, name=name, trusted_path=entry is not None, wanted=wanted
        )
        try:
            wait(handle.loading, "loading")
        except NeedsSource as error:
            way_out = f" {export(error.example)}" if handle.framework == "torch" else ""
            raise NeedsSource(f"{error} Its source goes to --source FILE.{way_out}") from None
        except NeedsArchitecture as error:
            raise NeedsArchitecture(f"{error} Its JSON goes to --architecture FILE.") from None
        if handle.card is None:
            raise LoadError(f"{name} was not loaded")
        yield Opened(
            session=session,
            handle=handle,
            card=handle.card,
            options=options,
            word=args.model,
            built_in=entry is not None,
        )


def _asked(args: argparse.Namespace) -> Options:
    given = {name: getattr(args, name) for name in Options.flags()}
    for name, param in Options.flags().items():
        if param.file and given[name] is not None:
            given[name] = _read_text(param, Path(given[name]))
    return Options.from_text(given)


def _read_text(param: Param, path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SENT:
            raise LoadError(
                f"{param.flag} cannot be read from {str(path)!r}: it is longer than "
                f"{MAX_SENT // 10**6} MB, which no such text needs"
            )
        return texts.decode_text(path.read_bytes())
    except (OSError, texts.NotText) as error:
        raise LoadError(f"{param.flag} cannot be read from {str(path)!r}: {error}") from error


def _kept(session: Session, path: Path) -> Path:
    """Copy a model to the session, with the files beside it that its weights lie in."""
    kept = session.add_file(path.name, path)
    if holds_graph(path):
        for name in wait(session.companions(kept), "looking for its weights").names:
            if os.path.lexists(path.parent / name):
                session.add_beside(kept, name, path.parent / name)
    return kept
