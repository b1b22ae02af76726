"""What a file is told to be: its name for people, and who reads it, or why it is refused."""

from __future__ import annotations

import dataclasses

# by their sound: "an ex em el file"
_WITH_AN = (*"aeioAEIO", "XML", "MXNet", "RKNN", "ncnn")


@dataclasses.dataclass(frozen=True)
class FileKind:
    """A kind of file: its name for people, the framework that reads it, or why it is refused."""

    title: str
    framework: str | None = None
    refusal: str = ""

    @property
    def sentence(self) -> str:
        """What the file is, and the way out."""
        article = "an" if self.title.startswith(_WITH_AN) else "a"
        return f"This is {article} {self.title}, which is not loaded. {self.refusal}"
