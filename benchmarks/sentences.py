"""Write `docs/sentences.md`, all that a reader may be told: `python -m benchmarks.sentences`.

The sentences stand in the code where their numbers are, so that none is said without its reason;
here they are gathered for whoever reads them as an editor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PLACE: Final = ROOT / "docs" / "sentences.md"

PARTS: Final = {
    "The pages": ("pages", "ui"),
    "The methods, their lessons and their films": (
        "xai_core/explainers", "xai_core/lessons", "xai_core/steps", "xai_core/engines",
    ),
    "Answers, doubts and reports": ("xai_core",),
    "Models, files and photos": ("loaders",),
    "Work and its limits": ("workers",),
    "The command line": ("commands", "cli.py"),
}  # fmt: skip
"""A part of the file, and where its sentences stand; a place counts for the first that names it."""

WORDS: Final = 3
"""Fewer words than these are a name or a label."""

LONG: Final = 12
"""More words than these without one that joins them are a list of names."""
_JOINTS: Final = frozenset({"a", "the", "is", "are", "of", "to", "and", "or", "not", "with"})

FAULTS: Final = frozenset({"ValueError", "TypeError", "AssertionError", "RuntimeError"})
"""What is raised at whoever writes the code, and read by no visitor."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"<[^>]*>")
_CODE = re.compile(r"[{}\\]|;\S|;\s*$|\(\?|=\"|://|--st-|v-\w|\w\|\w|^\s*[.#\[]|^M[\d ]|color-mix")
_SCRIPT = re.compile(r'"([^"\n]*)"|`([^`\n]*)`')


def main() -> None:
    """Write the file."""
    PLACE.write_text(text(), encoding="utf-8")
    print(f"{PLACE.name}: {sum(len(said) for _, _, said in gathered())} sentences")


def text() -> str:
    """Return the file: a section for each part of the house, in it one for each module."""
    lines = [
        "# The sentences",
        "",
        "What the pages, the reports and the command line may say, in the order of the code, with "
        "what is filled in between braces. Written by `python -m benchmarks.sentences`; a test "
        "fails where it is stale. A sentence is changed in the module that heads it. What each "
        "method is and does at more length is in [methods](methods.md).",
    ]
    part = ""
    for heading, module, said in gathered():
        if heading != part:
            lines += ["", f"## {heading}"]
            part = heading
        lines += ["", f"### {module}", "", *(f"- {sentence}" for sentence in said)]
    return "\n".join(lines) + "\n"


def gathered() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each module that says anything: its part, its path, and what it says."""
    done: set[Path] = set()
    for heading, places in PARTS.items():
        for place in places:
            top = ROOT / place
            for path in sorted(
                [top] if top.is_file() else [*top.rglob("*.py"), *top.rglob("*.js")]
            ):
                if path in done:
                    continue
                done.add(path)
                source = path.read_text(encoding="utf-8")
                said = script(source) if path.suffix == ".js" else module(source)
                if said:
                    yield heading, path.relative_to(ROOT).as_posix(), said


def module(source: str) -> list[str]:
    """Return the sentences of a module of Python, each once."""
    tree = ast.parse(source)
    skipped = _skipped(tree)
    found: dict[str, None] = {}

    def walk(node: ast.AST) -> None:
        if node in skipped:
            return
        said = literal(node)
        if said is None:
            for child in ast.iter_child_nodes(node):
                walk(child)
            return
        if is_said(said):
            found.setdefault(" ".join(_TAG.sub(" ", said).split()))
        if isinstance(node, ast.JoinedStr):  # what is chosen inside a placeholder
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    walk(part.value)

    walk(tree)
    return list(found)


def script(source: str) -> list[str]:
    """Return the sentences of a script of the browser's, each once."""
    plain = re.sub(r"^\s*//.*$", "", source, flags=re.MULTILINE)
    found = [(quoted or marked).replace("${", "{") for quoted, marked in _SCRIPT.findall(plain)]
    return list(dict.fromkeys(said for said in found if is_said(said)))


def literal(node: ast.AST) -> str | None:
    """Return a text that stands in the code, with its placeholders; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literal(node.left), literal(node.right)
        return None if left is None or right is None else left + right
    return None


def _piece(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return "{" + _called(part.value) + "}"
    return str(part.value) if isinstance(part, ast.Constant) else ""


def _called(node: ast.expr) -> str:
    """Return a short name of what is filled in."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").replace("_", " ").lower()
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name.replace("_", " ")
        case ast.Subscript(value=inner):
            return _called(inner)
        case ast.Call(func=ast.Name(id=name), args=[]) | ast.Call(func=ast.Attribute(attr=name)):
            return name.strip("_").replace("_", " ")
        case ast.Call(func=ast.Name(id=name), args=[inner, *_]):
            return name[1:].replace("_", " ") if name.startswith("_") else _called(inner)
        case ast.IfExp(body=first, orelse=last):
            return f"{literal(first) or _called(first)}/{literal(last) or _called(last)}"
        case ast.BinOp(left=inner):
            return _called(inner)
        case _:
            return "..."


def is_said(said: str) -> bool:
    """Whether a text is a sentence or a piece of one, not a name, a mark or a style."""
    bare = _TAG.sub(" ", _PLACEHOLDER.sub("", said))
    words = _WORD.findall(bare)
    if len(words) > LONG and not _JOINTS & set(bare.lower().split()):
        return False
    return len(words) >= WORDS and " " in bare.strip() and not _CODE.search(bare)


def _skipped(tree: ast.Module) -> set[ast.AST]:
    """Return what is not said to a visitor: docstrings, lists of names, faults of the code."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                found.add(node)
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in FAULTS:
                found.add(node)
            case ast.Call(func=ast.Attribute(attr="split")):  # names, one after the other
                found.add(node)
            case ast.Call(func=ast.Name(id="cast")):
                found.add(node.args[0])
            case _:
                pass
    return found


if __name__ == "__main__":
    main()
