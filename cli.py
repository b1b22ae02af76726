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

from commands import parse
from xai_core.errors import ParamError, VitrineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        args = parse(sys.argv[1:] if argv is None else argv)
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


if __name__ == "__main__":
    sys.exit(main())
