"""Bytes of a text into letters, whatever program saved them: UTF-8, UTF-16, or Windows's own."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Western words have one such letter, or two; a word of another alphabet has them in a row.
_FOREIGN = re.compile(r"[^\x00-\x7f\s]{3}")
UNKNOWN = "it is not UTF-8; open it in an editor and save it as UTF-8"


class NotText(ValueError):
    """Why bytes are no text that can be read, as the end of a sentence."""


def decode_text(data: bytes) -> str:
    """Return the letters of a text's bytes, without a byte order mark.

    Takes UTF-8, UTF-16 and UTF-32 with a mark, UTF-16 without one, and cp1252. Another alphabet's
    old code page cannot be told from it for sure, and is refused. Raises NotText.
    """
    coding, start = _coding(data)
    try:
        text = data[start:].decode(coding)
    except UnicodeDecodeError:
        if start or coding != "utf-8":
            raise NotText(f"it begins as {coding.upper()} and is cut short or damaged") from None
        text = _western(data)
    if _CONTROL.search(text):
        raise NotText("it holds bytes that no text has")
    return text.removeprefix("\ufeff")


def is_text(head: bytes, *, whole: bool) -> bool:
    """Tell whether bytes are a text's, or its beginning, cut anywhere, where not `whole`.

    A text whose letters cannot be told is one too: `decode_text` says what to do.
    """
    for cut in range(1 if whole else min(4, len(head))):
        try:
            decode_text(head[: len(head) - cut])
        except NotText:
            continue
        return True
    return len(head) > 8 and not _CONTROL.search(head.decode("latin-1"))


def _coding(data: bytes) -> tuple[str, int]:
    """Return how a text is coded, and how long its mark is."""
    for mark, coding in _MARKS:
        if data.startswith(mark):
            return coding, len(mark)
    half = len(data) // 2
    if half and len(data) % 2 == 0:
        even, odd = data[::2].count(0), data[1::2].count(0)
        if not even and 2 * odd > half:
            return "utf-16-le", 0
        if not odd and 2 * even > half:
            return "utf-16-be", 0
    return "utf-8", 0


def _western(data: bytes) -> str:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise NotText(UNKNOWN) from None
    if _FOREIGN.search(text):
        raise NotText(UNKNOWN)
    return text
