"""Numbers and names as a sentence has them."""

from __future__ import annotations

import math

from xai_core.target import quoted as quote

__all__ = [
    "amount",
    "beside",
    "count",
    "counted",
    "percent",
    "printable",
    "quote",
    "shortened",
    "tick",
]


def percent(share: float) -> str:
    """Return a share in whole percent, never a false 0 or 100."""
    if 0 < share < 0.005:
        return "under 1\u00a0%"
    if 0.995 <= share < 1:
        return "over 99\u00a0%"
    return f"{share * 100:.0f}\u00a0%"


_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def count(number: int) -> str:
    """Return a small number as the word that begins a sentence, 'Three', or in figures."""
    return _COUNTS[number] if number < len(_COUNTS) else str(number)


def amount(value: float) -> str:
    """Return a score's part with two digits that count, '0.41', '-1.2', '12'."""
    size = f"{abs(value):.2g}" if abs(value) < 10 else f"{abs(value):.0f}"
    return f"\u2212{size}" if value < 0 else size


def beside(value: float, largest: float) -> str:
    """Return a value with as many decimals as three digits of the largest beside it take.

    Such values add up as they are written, but for the last digit.
    """
    decimals = min(max(2 - math.floor(math.log10(largest or 1.0)), 0), 12)
    size = f"{abs(value):,.{decimals}f}"
    return f"\u2212{size}" if value < 0 and size.strip("0.,") else size


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun, '1 pass' or '2,000 passes'."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def tick(value: float) -> str:
    """Return a colour bar's number with no more digits than help."""
    written = "0" if value == 0 else f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
    return written.replace("-", "\u2212")


def shortened(text: str, most: int) -> str:
    """Return a name of at most `most` characters: the middle of a longer one is left out."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}\u2026{text[len(text) - end :]}"


def printable(text: str) -> str:
    """Keep what can be seen; the rest, line breaks and direction marks, become spaces."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\u00a0" else " " for char in text)
