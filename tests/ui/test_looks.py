"""How the reader has maps drawn: what the browser may say, and what is handed on."""

import pytest

from ui.looks import Looks
from xai_core.report.pictures import Look

SAID = {"colours": {"false": "viridis", "true": "red-blue"}, "opacity": 30, "cells": True}


def test_it_begins_as_the_figure_does():
    assert Looks().of(False) == Looks().of(True) == Look()


def test_what_the_browser_says_is_kept_by_kind_of_map():
    looks = Looks()
    looks.hear(SAID)
    assert looks.of(False) == Look(palette="viridis", cells=True, opacity=0.3)
    assert looks.of(True) == Look(palette="red-blue", cells=True, opacity=0.3)
    looks.hear({"colours": {"false": "cividis"}, "opacity": 30})  # of this kind alone
    assert looks.of(True).palette == "red-blue"
    assert looks.of(False) == Look(palette="cividis", opacity=0.3)


@pytest.mark.parametrize(
    "said",
    [None, [], "magma", {}, {"colours": {"false": "red-blue"}}, {"colours": ["viridis"]},
     {"colours": {"false": ["viridis"]}}, {"opacity": "30"}, {"opacity": float("nan")},
     {"opacity": -1}, {"opacity": 1e9}, {"opacity": True, "cells": 1}],
)  # fmt: skip
def test_rubbish_changes_nothing(said):
    looks = Looks()
    looks.hear(said)
    assert looks.of(False) == Look()
