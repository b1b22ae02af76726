"""Numbers and names as a sentence has them."""

from __future__ import annotations

from xai_core.target import quoted as quote

__all__ = ["amount", "count", "percent", "quote"]


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
