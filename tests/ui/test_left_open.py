"""What a file leaves open: what was assumed, and names that are numbers."""

import dataclasses

from loaders.options import Options
from tests.fakes.wall import LinearModel
from ui.left_open import answers, left_open
from workers import cards
from xai_core.model import Finding

NAMES = tuple("abcdef")


def card(*findings, options=Options()):  # noqa: B008 - frozen
    made = cards.describe(LinearModel(options, "m"))
    return dataclasses.replace(made, findings=findings)


def asked(card, options=Options()):  # noqa: B008
    return [(param.name, said) for param, said in left_open(card, options)]


def test_a_warning_asks_its_option_once():
    said = [
        Finding("warning", "Nothing says how.", "preprocessing"),
        Finding("warning", "Nor that.", "preprocessing"),
        Finding("info", "It is 64.", "size"),
        Finding("warning", "It is in training mode.", "mode"),
    ]
    assert asked(card(*said, options=Options(classes=NAMES))) == [
        ("preprocessing", "Nothing says how.")
    ]


def test_numbered_classes_are_asked_and_named_ones_not():
    said = Finding("info", "They are numbered.", "labels")
    assert asked(card(said)) == [("classes", "They are numbered.")]
    assert asked(card()) == [("classes", "The file does not name its classes.")]
    named = Options(classes=NAMES)
    assert asked(card(said, options=named)) == []
    # who calls them so means it
    numbers = Options(classes=tuple(f"class {index}" for index in range(6)))
    assert asked(card(said, options=numbers), numbers) == []


def test_a_finding_without_a_control_has_none():
    assert answers(Finding("warning", "It is in training mode.", "mode")) is None
    assert answers(Finding("info", "They are numbered.", "labels")).name == "classes"
