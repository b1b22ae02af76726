"""Where a person says that a network comes from: what that does not go with, and no more."""

import dataclasses

import pytest

from loaders.options import Options
from tests.fakes.wall import LinearModel
from ui import origins
from workers import cards


def card(classes, architecture):
    made = cards.describe(LinearModel(Options(classes=tuple(map(str, range(classes)))), "m"))
    return dataclasses.replace(made, architecture=architecture)


@pytest.mark.parametrize(
    ("origin", "classes", "architecture"),
    [("custom", 6, ""), ("custom", 1000, "resnet50"), ("pretrained", 1000, "resnet50"),
     ("custom-head", 6, "resnet50")],
)  # fmt: skip
def test_what_goes_together_is_not_spoken_of(origin, classes, architecture):
    assert origins.check(origin, card(classes, architecture)) is None


def test_a_head_was_replaced_only_where_a_published_network_has_another(
):  # fmt: skip
    known = origins.check("pretrained", card(6, "resnet50"))
    assert "6 classes where ImageNet has 1,000: the head of resnet50 was replaced" in known.message
    assert known.about == "labels"
    own = origins.check("pretrained", card(6, ""))
    assert "replaced" not in own.message
    assert "it is none that was published for ImageNet" in own.message
    assert own.about == "origin"


def test_a_head_of_ones_own_is_looked_for():
    same = origins.check("custom-head", card(1000, "resnet50"))
    assert "it looks like the head that resnet50 was published with" in same.message
    own = origins.check("custom-head", card(6, ""))
    assert "no published network was recognised" in own.message
    assert "head that" not in own.message
    assert own.about == "preprocessing"


def test_every_answer_is_known():
    offered = Options.declared()["origin"].options
    assert {each for each in offered if origins.check(each, card(5, ""))} == set(offered) - {
        "custom"
    }
