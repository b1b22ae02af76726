"""The terminal's door: JSON on standard output, progress on standard error.

Exit status: 0; 2 for a bad call; 3 for a file, model or image that is refused or cannot be
explained, with one line on standard error that begins `error: `. What it does is in `commands`;
every file goes through the same sandboxed workers as in the browser.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

OLDEST = (3, 11)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    if sys.version_info < OLDEST:  # the packages of an older Python could not even be read
        return _unready(f"it is Python {sys.version_info[0]}.{sys.version_info[1]}")
    try:
        from commands import parse
        from xai_core.errors import ParamError, VitrineError
    except ModuleNotFoundError as error:
        return _unready(f"the package {error.name} is not installed for it")
    try:
        try:
            args = parse(sys.argv[1:] if argv is None else argv)
        except ModuleNotFoundError as error:  # the commands' own imports
            return _unready(f"the package {error.name} is not installed for it")
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


def _fail(error: Exception, status: int) -> int:
    print("error: " + " ".join(str(error).split()), file=sys.stderr)
    return status


def _unready(why: str) -> int:
    """Say that this Python is not Vitrine's, and which one is."""
    own = Path(__file__).absolute().parent / ".venv" / "bin" / "python"
    way_out = (
        f"Run it with {own} instead of python"
        if own.is_file()
        else "Run `make setup` in Vitrine's folder, and then .venv/bin/python instead of python"
    )
    print(
        f"error: this Python, {sys.executable}, cannot run Vitrine: {why}. {way_out}.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
