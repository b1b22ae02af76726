"""Class names inside a file: taken where they fit, left aside in a sentence where they do not."""

from collections import OrderedDict
from typing import Any

import pytest

from loaders.labels import fitting, labels_for
from loaders.options import Options
from xai_core.errors import LoadError

WANT = ("mole", "newt", "owl")
WHERE = "the checkpoint's 'class_to_idx'"

FITS: dict[str, Any] = {
    "names": ["mole", "newt", "owl"],
    "a tuple": WANT,
    "names to numbers": {"owl": 2, "mole": 0, "newt": 1},
    "numbers to names": OrderedDict([(2, "owl"), (0, "mole"), (1, "newt")]),
    "numbers as text": {"2": "owl", "1": "newt", "0": "mole"},
    "Keras's": {"0": ["n1", "mole"], "1": ["n2", "newt"], "2": ["n3", "owl"]},
    "JSON": '{"0": "mole", "1": "newt", "2": "owl"}',
    "lines": "mole\nnewt\nowl\n",
    "spaces": [" mole ", "newt\n", "owl"],
}

LEFT: dict[str, tuple[Any, str]] = {
    "too few": (["mole", "newt"], "they are 2 and the model has 3 classes"),
    "too many": ({str(i): i for i in range(10**5)}, "they are 100,000 and the model has 3"),
    "from one": ({1: "mole", 2: "newt", 3: "owl"}, "their numbers are not those from 0 to 2"),
    "huge number": ({1 << 99999: "a", 1: "b", 2: "c"}, "their numbers are not those from 0 to 2"),
    "twice": ({"0": "mole", 0: "newt", "2": "owl"}, "two of them have the number 0"),
    "numbers": ({0: 1, 1: 2, 2: 0}, "they are numbers for numbers"),
    "no numbers": ({"a": "mole", "b": "newt", "c": "owl"}, "do not say which number"),
    "a set": ({"mole", "newt", "owl"}, "they are a set, whose order says nothing"),
    "long": (["mole", "x" * 2_000_000, "owl"], "class 1 is 2,000,000 characters long"),
    "long text": ("x" * 30_000_000, "they are 30,000,000 characters long"),
    "empty": (["mole", " ", "owl"], "the name of class 1 cannot be shown"),
    "unprintable": (["mole", "a\x00b", "owl"], "the name of class 1 cannot be shown"),
    "objects": (["mole", 1.5, "owl"], "one of them is a float"),
    "huge name": ([0, 1 << 99999, 2], "one of them is a int"),
}


@pytest.mark.parametrize("case", FITS)
def test_names_that_fit_are_taken_and_said(case: str) -> None:
    names, (finding,) = labels_for(Options(), 3, imagenet=False, inside=FITS[case], where=WHERE)
    assert names == WANT
    assert (finding.level, finding.about) == ("info", "labels")
    assert f"named by {WHERE}" in finding.message


@pytest.mark.parametrize("case", LEFT)
def test_names_that_do_not_fit_are_left_and_said(case: str) -> None:
    inside, reason = LEFT[case]
    names, findings = labels_for(Options(), 3, imagenet=False, inside=inside, where=WHERE)
    assert names == ("class 0", "class 1", "class 2")
    assert reason in findings[0].message
    assert all(finding.about == "labels" for finding in findings)


def test_a_persons_names_go_before_the_files() -> None:
    asked = Options(classes=("a", "b", "c"))
    assert labels_for(asked, 3, imagenet=False, inside=list(WANT), where=WHERE) == (
        ("a", "b", "c"),
        (),
    )
    with pytest.raises(LoadError, match="3 class names were given and the model has 4"):
        labels_for(asked, 4, imagenet=False)


def test_the_files_names_go_before_imagenets() -> None:
    own = [f"thing {index}" for index in range(1000)]
    assert labels_for(Options(), 1000, imagenet=True, inside=own)[0] == tuple(own)
    names, findings = labels_for(Options(), 1000, imagenet=True, inside=["mole"], where=WHERE)
    assert names[0] == "tench"
    assert "left aside" in findings[0].message


def test_of_several_places_the_first_that_fits_is_taken() -> None:
    places = [("a", ["mole"]), ("b", list(WANT)), ("c", list("xyz"))]
    assert fitting(places, 3) == {"inside": list(WANT), "where": "b"}
    assert fitting(places, 9) == {"inside": ["mole"], "where": "a"}
    assert fitting([], 3) == {}
