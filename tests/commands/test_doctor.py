"""`doctor`: the preparations that were tried, and the one that is much more plausible."""

import json

import pytest

import cli
from xai_core.report.numbers import percent


def test_a_wrong_preset_is_called_and_the_right_one_named(capsys):
    words = ["doctor", "shapes", "heart", "--preprocessing", "unit", "--known", "heart"]
    assert cli.main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["warns"]
    assert said["better"].startswith("symmetric, red, green, blue")
    own = next(row for row in said["trials"] if row["own"])
    assert own["preset"] == "unit"
    assert not own["out_of_range"]
    assert {row["preset"] for row in said["trials"] if row["out_of_range"]} == {"raw", "caffe"}
    assert percent(own["known"]) in said["sentences"][0]


@pytest.mark.parametrize("known", ["dog", "17"])
def test_a_class_that_the_model_has_not_is_refused(known, capsys):
    assert cli.main(["doctor", "shapes", "heart", "--known", known]) == 2
    assert "--known must be a class name" in capsys.readouterr().err
