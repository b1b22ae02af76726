"""Write `docs/methods.md` from what the methods declare: `python -m benchmarks.methods`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final, get_args

from xai_core.explainer import Explainer, Family, explainers
from xai_core.model import given
from xai_core.params import Param

PLACE: Final = Path(__file__).resolve().parents[1] / "docs" / "methods.md"


def main() -> None:
    """Write the file."""
    PLACE.write_text(text(), encoding="utf-8")
    print(f"{PLACE.name}: {len(explainers())} methods")


def text(package: str = "xai_core") -> str:
    """Return the file: a section for each family, in it one for each method of a package."""
    lines = [
        "# The methods",
        "",
        "Written from the methods' own declarations by `python -m benchmarks.methods`; a test "
        "fails where it is stale. How well their maps find a planted mark is in [peaks](peaks.md).",
    ]
    for family in get_args(Family):
        methods = [cls for cls in explainers().values() if cls.family == family]
        methods = [cls for cls in methods if cls.__module__.startswith(f"{package}.")]
        if methods:
            lines += ["", f"## {family.capitalize()}"]
            for cls in sorted(methods, key=lambda cls: (cls.place, cls.title)):
                lines += ["", *_method(cls)]
    return "\n".join(lines) + "\n"


def _served(cls: type[Explainer]) -> str:
    return "for detectors" if cls.tasks == ("detection",) else "for classifiers and detectors"


def _method(cls: type[Explainer]) -> list[str]:
    _, *rest = inspect.cleandoc(cls.__doc__ or "").split("\n\n")
    engines = ", ".join(engine.name for engine in cls.engines)
    facts = [
        f"`{cls.name}`",
        f"needs {' and '.join(given(need) for need in cls.needs)}",
        f"engines: {engines}",
        "signed" if cls.signed else "unsigned",
        *([] if cls.tasks == ("classification",) else [_served(cls)]),
        *(["does not depend on the class"] if cls.class_agnostic else []),
        cls.reference,
    ]
    lines = [f"### {cls.title}", "", " ".join(cls.shows.split()), ""]
    for paragraph in rest:
        lines += [" ".join(paragraph.split()), ""]
    lines += ["; ".join(facts) + ".", ""]
    declared = cls.declared()
    if declared:
        lines += [
            "| setting | flag | default | range | what it does |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(param) for param in declared.values()]
    return lines if declared else lines[:-1]


def _row(param: Param) -> str:
    default = param.default
    word = ("on" if default else "off") if isinstance(default, bool) else str(default)
    engines = f" Engines: {', '.join(param.engines)}." if param.engines else ""
    cells = (param.title, f"`{param.flag}`", word or "the method's own", param.rule,
             param.help + engines)  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
