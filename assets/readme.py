"""Write the parts of `assets/README.md` that are measured: between a begin and an end marker."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
README: Final = FOLDER / "README.md"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the markers of section `name`."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{README.name} must hold the markers of section {name!r}, found none")
    README.write_text(before + begin + "\n" + text + "\n" + end + after, encoding="utf-8")


def write_sizes() -> None:
    """List every shipped file of the folders with its size in kB (1000 bytes)."""
    folders = ("models", "photos", "recordings")
    found = (p for kind in folders for p in (FOLDER / kind).rglob("*"))
    files = sorted(p for p in found if p.is_file())
    rows = [f"| `{p.relative_to(FOLDER)}` | {p.stat().st_size / 1000:.1f} |" for p in files]
    total = sum(p.stat().st_size for p in files) / 1000
    rows.append(f"| all | {total:.1f} |")
    write_section("sizes", "| file | kB |\n| --- | ---: |\n" + "\n".join(rows) + "\n")
