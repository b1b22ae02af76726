"""Class names out of each form of file that people have, and refusals in a sentence."""

import pytest

from loaders.class_names import read_classes
from xai_core.errors import ParamError

NAMES = ("tench", "gold fish", "shark, great white")


@pytest.mark.parametrize(
    "text",
    [
        "tench\ngold fish\nshark, great white",
        "\ufefftench\r\n gold  fish \r\nshark, great white\r\n\r\n",
        '["tench", "gold fish", "shark, great white"]',
        '{"0": "tench", "2": "shark, great white", "1": "gold fish"}',
        '{"gold fish": 1, "tench": 0, "shark, great white": 2}',
        '{"0": ["n01", "tench"], "1": ["n02", "gold fish"], "2": ["n03", "shark, great white"]}',
        '0,tench\n1,gold fish\n2,"shark, great white"\n',
        "index,name\n0,tench\n2,shark, great white\n\n1, gold fish\n",
    ],
)
def test_forms(text):
    assert read_classes(text) == NAMES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("cat\n\ndog", "the name of class 1 is empty"),
        ('["cat", ""]', "the name of class 1 is empty"),
        ('["cat", 3]', "something else"),
        ("[]", "from 1 to 100000 names, got 0"),
        ("{}", "something else"),
        ('{"a": {"b": 1}}', "something else"),
        ('{"cat": true}', "something else"),
        ('{"0": "cat", "0": "dog"}', "'0' is there twice"),
        ('{"cat": 0, "dog": 0}', "class 0 is 'cat' and 'dog'"),
        ("{0: 'cat'}", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("1,cat\n2,dog", "from 0 to 1; 0 is missing"),
        ("0,cat\n0,dog", "class 0 is 'cat' and 'dog'"),
        ('0,cat\n1,"dog', "a quote is not closed"),
        ("0,cat\n1,", "the name of class 1 is empty"),
        ("x" * 201, "at most 200 printable characters"),
        ("cat\n\x1b[31mdog", "printable characters"),
        ("x" * 16_000_001, "at most 16 MB"),
    ],
)
def test_refusals(text, words):
    with pytest.raises(ParamError) as caught:
        read_classes(text)
    assert str(caught.value).startswith("--classes ")
    assert words in str(caught.value)


def test_names_that_stand_twice_get_their_number() -> None:
    assert read_classes("crane\nheron\ncrane") == ("crane (0)", "heron", "crane (2)")
