"""Components draw what was sent last, whichever data are handed to them first."""

import pytest
import streamlit as st

from tests.conftest import ROOT
from ui import mounts


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})


def test_a_number_rises_where_data_change_and_stays_where_they_do_not():
    one = {"rows": [{"label": "star", "share": 0.5}], "name": "a"}
    first = mounts.changed("bars", one)
    assert mounts.changed("bars", {"rows": [{"label": "star", "share": 0.5}], "name": "a"}) == first
    second = mounts.changed("bars", one | {"rows": [{"label": "star", "share": 0.25}]})
    third = mounts.changed("bars", one)
    assert first < second < third
    assert mounts.changed("bars", one) == third
    assert mounts.changed("strip", one) != 0


def test_a_clock_that_goes_back_does_not_turn_the_order(monkeypatch):
    now = mounts.changed("bars", {"at": 0})
    monkeypatch.setattr(mounts.time, "time_ns", lambda: 0)
    assert mounts.changed("bars", {"at": 1}) == now + 1


def test_every_component_of_ours_draws_in_order():
    for path in sorted((ROOT / "ui").rglob("*.py")):
        made = path.read_text(encoding="utf-8").count("components.v2.component(")
        assert made == (path.name == "mounts.py"), path.name


@pytest.mark.parametrize("script", ["const a = 1;", "export default function () {}\n" * 2])
def test_a_script_without_the_one_entry_is_refused(script):
    with pytest.raises(ValueError, match="one function"):
        mounts._script([script])
