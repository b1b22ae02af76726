"""Every pattern is linear: a stranger's text that is four times as long takes four times as long.

A pattern that backtracks holds the interpreter's lock for as long as it does. The texts are made
from each pattern's own parts: each repetition as long as it may be and then something that does
not fit, and beginnings that never come to an end.
"""

import ast
import importlib
import re
import time
from re import _parser as parser

import pytest

from tests.conftest import ROOT

PACKAGES = ("loaders", "ui", "workers", "xai_core", "commands")
CALLS = ("compile", "match", "search", "fullmatch", "finditer", "findall", "sub", "subn", "split")
SHORT, LONG = 5_000, 20_000
NOISE = 0.02
"""Seconds below which a time says nothing."""

PARTS = {
    "loaders/keras/recognise.py": r"name(_\d+)?",
    "loaders/onnx/layers.py": r"Conv(_\d+)?",
}
"""What is built from words of a table or a graph, by an example of it."""


def patterns():
    """Return every pattern of the product, by where it stands, with how it is used."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            nodes = list(ast.walk(ast.parse(path.read_text())))
            for node in nodes:
                if _asks(node):
                    how = _uses(node, nodes)
                    found[f"{place}:{node.lineno}"] = _text(node.args[0], place), how
    return found


def _uses(call, nodes):
    """Return the functions that a pattern is used by, as far as its own module tells."""
    if call.func.attr != "compile":
        return {call.func.attr}
    made = [each for each in nodes if isinstance(each, ast.Assign) and each.value is call]
    names = {target.id for each in made for target in each.targets}
    return {
        each.attr
        for each in nodes
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in names
        and each.attr in CALLS
    }


def _asks(node):
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return (
        called
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in CALLS
        and bool(node.args)
    )


def _text(given, place):
    if isinstance(given, ast.Constant):
        return given.value
    if place in PARTS:
        return PARTS[place]
    if isinstance(given, ast.Name) and given.id == "pattern":
        return None  # the rows of a table, which is taken apart below
    module = importlib.import_module(place.removesuffix(".py").replace("/", "."))
    return eval(ast.unparse(given), vars(module))  # noqa: S307 - our own source


def rows():
    from loaders import other_networks

    held = vars(other_networks).values()
    tables = [each for each in held if isinstance(each, tuple) and each]
    return [
        part.pattern
        for table in tables
        for row in table
        if isinstance(row, tuple)
        for part in row
        if isinstance(part, re.Pattern)
    ]


def repeats(tree):
    """Yield the parts of a pattern that may come many times."""
    for kind, given in tree:
        if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
            if given[1] > 1:
                yield given
            yield from repeats(given[2])
        elif kind is parser.SUBPATTERN:
            yield from repeats(given[3])
        elif kind is parser.BRANCH:
            for branch in given[1]:
                yield from repeats(branch)
        elif kind in (parser.ASSERT, parser.ASSERT_NOT):
            yield from repeats(given[1])


def example(tree, long=None, times=0):
    """Return a text that a pattern takes, as short as can be; `long` comes `times` times."""
    made = ""
    for kind, given in tree:
        if kind is parser.LITERAL:
            made += chr(given)
        elif kind is parser.NOT_LITERAL:
            made += "a" if given != ord("a") else "b"
        elif kind is parser.ANY:
            made += "a"
        elif kind is parser.IN:
            made += _one_of(given)
        elif kind in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
            holds = given is long or any(each is long for each in repeats(given[2]))
            count = times if given is long else max(given[0], int(holds))
            made += example(given[2], long, times) * count
        elif kind is parser.SUBPATTERN:
            made += example(given[3], long, times)
        elif kind is parser.BRANCH:
            branches = given[1]
            chosen = [b for b in branches if any(each is long for each in repeats(b))]
            made += example((chosen or branches)[0], long, times)
    return made


def _one_of(given):
    if given[0][0] is parser.NEGATE:
        return next(c for c in "a b1-\u00e9" if not _fits(c, given[1:]))
    kind, value = given[0]
    if kind is parser.LITERAL:
        return chr(value)
    if kind is parser.RANGE:
        return chr(value[0])
    return {parser.CATEGORY_DIGIT: "1", parser.CATEGORY_SPACE: " "}.get(value, "a")


def _fits(char, given):
    parts = "".join(
        re.escape(chr(value)) if kind is parser.LITERAL
        else f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}" if kind is parser.RANGE
        else {parser.CATEGORY_DIGIT: r"\d", parser.CATEGORY_SPACE: r"\s"}.get(value, r"\w")
        for kind, value in given
    )  # fmt: skip
    return re.match(f"[{parts}]", char) is not None


def attacks(pattern):
    """Return functions from a length to a text that is hard for a pattern."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    tree = parser.parse(text)
    made = []
    for part in repeats(tree):
        unit = max(1, len(example(part[2])))
        made.append(lambda n, part=part, unit=unit: example(tree, part, n // unit) + "\x00")
        made.append(lambda n, part=part, unit=unit: example(part[2]) * (n // unit) + "\x00")
        for cut in (1, 2):
            begun = example(tree, part, 3)[:-cut] or "a"
            made.append(lambda n, begun=begun: begun * (n // len(begun)))
            made.append(lambda n, begun=begun: (begun + "\n") * (n // (len(begun) + 1)))
    return made


def seconds(pattern, text, uses):
    given = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    start = time.thread_time()
    if "match" in uses:
        pattern.match(given)
    if "fullmatch" in uses:
        pattern.fullmatch(given)
    if uses - {"match", "fullmatch"} or not uses:
        sum(1 for _ in pattern.finditer(given))
    return time.thread_time() - start


def worst(text, uses=frozenset()):
    """Return by how much longer a pattern takes for a text that is four times as long."""
    pattern = re.compile(text)
    most = 0.0
    for attack in attacks(text):
        long = seconds(pattern, attack(LONG), uses)
        if long > NOISE:
            short = min(seconds(pattern, attack(SHORT), uses) for _ in range(3))
            most = max(most, long / short)
    return most


FOUND = {place: found for place, found in patterns().items() if found[0] is not None}
FOUND |= {
    f"loaders/other_networks.py, row {at}": (text, {"search"}) for at, text in enumerate(rows())
}


def test_the_patterns_are_found():
    assert len(FOUND) > 50
    assert any("recurrent" in place for place in FOUND)


@pytest.mark.parametrize("place", FOUND)
def test_it_is_linear(place):
    ratio = worst(*FOUND[place])
    assert ratio < 9, f"{place} takes {ratio:.1f} times as long for a text of four times the length"


@pytest.mark.parametrize(
    "text", [r"class \w[^\n:]*:", r"(a+)+$", r"\s*\d+\s*$", r"\S*/x\S*", r"(?P<a>.*?)(w|b)_x"]
)
def test_one_that_backtracks_is_found(text, monkeypatch):
    # smaller, so that they end; the first is exponential
    short, long = (16, 24) if text.startswith("(a+)") else (1_500, 6_000)
    for name, value in (("SHORT", short), ("LONG", long), ("NOISE", 0.0002)):
        monkeypatch.setattr(f"tests.test_patterns.{name}", value)
    assert worst(text) > 9
