"""Text that others wrote, shown as text: never as Markdown, never as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from loaders.options import Options

NO_BREAK = "\u00a0"

_QUOTED = re.compile("\u201c([^\u201d]{0,400})\u201d")
_BRACKETED = re.compile(r" \(--[a-z-]+(?: [A-Zx]+)?(?:(?:,| or| and)+ --[a-z-]+)*\)")
_FLAG = re.compile(r"--([a-z][a-z-]*)")
TITLES = {param.flag[2:]: param.called for param in Options.declared().values()}
"""What the page calls the thing that a flag of the command line sets."""

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:$<>&^=@/\"'])")


def escape(text: str) -> str:
    """Return text for the inside of HTML."""
    return html.escape(_one_line(text))


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is, for labels that Streamlit reads as Markdown."""
    return _MARKS.sub(r"\\\1", _one_line(text))


def on_page(sentence: str) -> str:
    """Return a sentence in the page's words: a flag in brackets goes, another is its control."""
    bare = _BRACKETED.sub("", sentence)
    return _FLAG.sub(lambda flag: TITLES.get(flag[1], flag[0]), bare)


def emphasised(sentence: str) -> str:
    """Return a sentence as HTML, with what stands in curly quotes set in bold instead."""
    return _QUOTED.sub(r"<b>\1</b>", escape(sentence))


def _one_line(text: str) -> str:
    """Keep what can be seen; the rest, line breaks and direction marks, become spaces."""
    return "".join(char if char.isprintable() or char == NO_BREAK else " " for char in text)


def sentence(name: str) -> str:
    """Return a title as a sentence of its own; a file's name gets no full stop."""
    plain = name.rstrip()
    return plain if re.search(r"([.!?]|\.\w{1,5})$", plain) else f"{plain}."


def seconds(value: float) -> str:
    """Return a time in words, 'under 1 s', '12 s', '3 min'."""
    if value < 1:
        return "under 1\u00a0s"
    if value < 90:
        return f"{value:.0f}\u00a0s"
    if value < 90 * 60:
        return f"{value / 60:.0f}\u00a0min"
    return f"{value / 3600:.1f}\u00a0h"


def capital(words: str) -> str:
    """Return words with a capital at their beginning; the rest stays as it is."""
    return words[:1].upper() + words[1:]


def estimate(value: float, *, at_most: bool = False) -> str:
    """Return an expected time, 'under 1 s', 'about 12 s' or 'at most 12 s'."""
    if value < 1:
        return seconds(value)
    return f"{'at most' if at_most else 'about'} {seconds(value)}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence, 'one, two and three'."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def ordinal(number: int) -> str:
    """Return '1st', '2nd', '11th'."""
    tail = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{tail}"


def distinct(labels: list[str]) -> list[str]:
    """Return labels in which no two are the same: a doubled name gets its index."""
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    return [
        f"{label} ({index})" if seen[label] > 1 else label for index, label in enumerate(labels)
    ]
