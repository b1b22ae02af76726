"""What a hostile file tries to do, and how a file is noted that tries it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SECRET = "the-photo-of-somebody-else"

_CODE = """
def attack():
    # All names are the function's own, for exec runs this with a stranger's.
    import ctypes, os, socket
    def quietly(act):
        try:
            return act()
        except BaseException as error:
            return repr(error)
    quietly(lambda: open({mark!r}, "w").close())
    quietly(lambda: os.system("touch " + {mark!r}))
    quietly(lambda: socket.create_connection(("127.0.0.1", {port}), 1).close())
    quietly(lambda: ctypes.CDLL(None).creat({mark!r}.encode(), 0o600))
    if os.environ.get("VITRINE_SANDBOX"):
        quietly(lambda: os.kill(os.getppid(), 9))
    told = quietly(lambda: open({secret!r}).read())
    print(told)
    return told
"""


@dataclasses.dataclass(frozen=True)
class Aim:
    """What one file aims at: a mark to leave, a port to reach, a secret to read."""

    mark: Path
    port: int
    secret: Path

    @property
    def code(self) -> str:
        """Python that tries all three, and ends well."""
        return self._code + "attack()\n"

    @property
    def loud(self) -> str:
        """The same, which ends in an error whose text is the secret."""
        return self._code + "raise RuntimeError(attack())\n"

    @property
    def _code(self) -> str:
        return _CODE.format(mark=str(self.mark), port=self.port, secret=str(self.secret))

    @property
    def command(self) -> str:
        """A shell's command that leaves the mark."""
        return f"touch {self.mark}"


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A hostile file.

    `control` names the careless reader of `controls.py` in whose hands it does its deed; empty
    where it would have none that needs no sandbox (a bomb), or where the library itself refuses.
    """

    kind: str
    name: str
    path: Path
    control: str = ""


Writer = Callable[[Path, Aim], Any]


class Call:
    """Pickles as a call of `function`, done by whoever unpickles it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.deed = function, arguments

    def __reduce__(self) -> Any:
        return self.deed


@dataclasses.dataclass(frozen=True)
class Book:
    """The hostile files that a module knows how to write."""

    entries: list[tuple[str, str, str, Writer]] = dataclasses.field(default_factory=list)

    def note(self, kind: str, name: str, control: str = "") -> Callable[[Writer], Writer]:
        """Note a function that writes a file of a kind."""

        def noted(writer: Writer) -> Writer:
            self.entries.append((kind, name, control, writer))
            return writer

        return noted

    def write(self, folder: Path, marks: Path, port: int, secret: Path) -> Iterator[Hostile]:
        """Write every file into `folder`, each with a mark of its own in `marks`."""
        for kind, name, control, writer in self.entries:
            path = folder / f"{kind}-{name}".replace(" ", "-")
            writer(path, Aim(marks / path.name, port, secret))
            yield Hostile(kind, name, path, control)
