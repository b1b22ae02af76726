"""What the reader of a map concludes of the model: theirs alone, and kept with the run."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from xai_core.errors import ParamError

Right = Literal["yes", "no", "unsure"]
QUESTION = "Does the model look at the right features?"
NOTE, NAME = 4000, 120
"""Characters that a note and a name may have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgement:
    """An answer to `QUESTION`, with a note and a name where the reader gives them.

    Raises ParamError for another answer, and for texts that are too long.
    """

    right: Right
    note: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.right not in get_args(Right):
            raise ParamError(
                f"Judgement.right must be one of {', '.join(get_args(Right))}, "
                f"got {str(self.right)[:40]!r}"
            )
        for field, most in (("note", NOTE), ("name", NAME)):
            text = getattr(self, field)
            if not isinstance(text, str) or len(text) > most:
                got = f"{len(text):,}" if isinstance(text, str) else type(text).__name__
                raise ParamError(
                    f"Judgement.{field} must be text of at most {most:,} characters, got {got}"
                )
