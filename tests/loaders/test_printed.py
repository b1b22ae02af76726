"""Printed flags ask the same again: of a file of one's own, and of a model of the catalogue."""

import dataclasses
import itertools

import pytest

from loaders import catalogue, printed
from loaders.options import Options
from loaders.preprocessing import for_imagenet
from loaders.resolve import resolve
from tests.loaders.test_preprocessing import FULL


def read(words):
    """Return what a command line makes of the words, without those that name files."""
    return {name: word for name, word in words.items() if not Options.flags()[name].file}


def test_a_file_of_ones_own():
    words = printed.flags(FULL, word="", preprocessing={})
    again = Options.from_text(
        read(words) | {"source": FULL.source, "architecture": "{}", "classes": "cat\ndog"}
    )
    asked_elsewhere = {"framework": "auto", "origin": "custom"}
    assert again == dataclasses.replace(FULL, **asked_elsewhere)
    for name in ("source", "architecture", "classes"):
        assert words[name] == Options.declared()[name].file
    assert printed.flags(Options(), word="", preprocessing={}) == {}
    assert printed.flags(Options(mean=(-0.5,)), word="", preprocessing={}) == {"mean": "-0.5"}


CHANGES = [
    {},
    {"size": None},
    {"resize": None},
    {"size": None, "resize": None, "interpolation": None},
    {"fit": "crop"},
    {"fit": "pad", "resize": None},
    {"fit": "stretch", "resize": None, "size": (96, 160)},
    {"resize": 400},
    {"preprocessing": "raw", "mean": (0.1,)},
    {"interpolation": "nearest"},
]


@pytest.mark.parametrize(
    ("name", "change"),
    list(itertools.product(["torchvision/resnet50", "torchvision/efficientnet_b4"], CHANGES)),
)
def test_a_model_of_the_catalogue_is_prepared_the_same_again(name, change):
    entry = catalogue.find(name)
    size = entry.options.size
    network = {"size": size, "channels": 3}
    recognised = for_imagenet("imagenet", size)
    here = dataclasses.replace(entry.options, **change)
    done, _ = resolve(here, recognised, **network)
    words = printed.flags(here, word=name, preprocessing=done.to_json())
    assert change or not words
    assert "classes" not in words
    again = catalogue.asked_of(entry, Options.from_text(read(words)))
    same, _ = resolve(again, recognised, **network)
    assert dataclasses.replace(same, why=done.why) == done


def test_other_names_of_a_built_in_model_are_said():
    entry = catalogue.models()[0]
    here = dataclasses.replace(entry.options, classes=tuple("abcdef"))
    assert printed.flags(here, word=entry.name, preprocessing={}) == {"classes": "classes.txt"}


def test_the_files_that_flags_name_read_back_as_what_was_asked():
    names = ("cat", "a, b", "1", "two  words".replace("  ", " "))
    asked = Options(classes=names, source="class Net: pass\n", build="Net()", architecture="{}")
    found = printed.flags(asked, word="", preprocessing={})
    files = printed.files(asked, found)
    assert set(files) == {found[name] for name in ("classes", "source", "architecture")}
    read = Options.from_text({"classes": files[found["classes"]]})
    assert read.classes == names
    assert files[found["source"]] == asked.source
    assert printed.files(Options(), {}) == {}
    # a built-in model's own names need no file
    entry = catalogue.models()[0]
    own = printed.flags(entry.options, word=entry.name, preprocessing={})
    assert printed.files(entry.options, own) == {}
