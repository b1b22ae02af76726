"""Compare: a grid in one go and the pinned runs, on one scale, with how far they agree."""

import base64
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE, ROOT
from tests.pages.conftest import settle
from tests.pages.test_offering import desk, parts, words
from ui import grid, state
from xai_core.agreement import agreement
from xai_core.report import percent

PAGE = str(ROOT / "pages" / "compare.py")


@pytest.fixture
def compare(wall, monkeypatch):
    """Return the page, ready to run a grid."""
    monkeypatch.setattr(state, "key", lambda: "one browser")
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    return settle(app, lambda app: any(button.key == "run-grid" for button in app.button))


def button(app, key):
    return next(each for each in app.button if each.key == key)


def ran(app):
    button(app, "run-grid").click()
    return settle(app, lambda app: grid.of(desk(app)) and not desk(app).pending)


def panels(app):
    return parts(app, "compared")[0]


def test_the_page_offers_two_photos_under_two_networks_by_two_methods(compare):
    assert compare.title[0].value == "Side by side"
    assert len(compare.multiselect(key="grid-models").value) == 2
    assert len(compare.multiselect(key="grid-photos").value) == 2
    assert len(compare.multiselect(key="grid-methods").value) == 2
    assert button(compare, "run-grid").label == "Run all (8 runs)"
    assert "Each run is kept as if it had been made alone." in words(compare)


def test_a_grid_stands_on_one_scale(compare):
    ran(compare)
    shown = panels(compare)
    answers = [each.answer for each in grid.of(desk(compare)).cells]
    assert len(answers) == len(shown["panels"]) == 8
    assert shown["columns"] == 4
    assert shown["ticks"] == ["\u2212100\u00a0%", "0\u00a0%", "100\u00a0%"]
    by_name = {f"{at} ": answer for at, answer in enumerate(answers, 1)}
    for each in shown["panels"]:
        answer = by_name[re.match(r"\d+ ", each["title"])[0]]
        values = np.frombuffer(base64.b64decode(each["map"]["values"]), "<f4")
        wanted = answer.explanation.attribution
        np.testing.assert_array_equal(values.reshape(wanted.shape), wanted)
        # its own strongest has the last colour
        assert each["top"] == pytest.approx(np.abs(wanted).max())
        first = answer.scene.prediction.top[0]
        chance = percent(float(answer.scene.prediction.probabilities[first]))
        assert chance in each["about"]
    # each column and each row has its head
    cells = grid.of(desk(compare)).cells
    networks = grid.of(desk(compare)).networks
    assert list(shown["heads"]["columns"]) == [
        f"{cell.ask.title}, {networks[cell.network].name}" for cell in cells if cell.photo == 0
    ]
    photos = [
        panel["about"].partition(":")[0] for panel in (shown["panels"][0], shown["panels"][4])
    ]
    assert list(shown["heads"]["rows"]) == photos
    # a row is one photo
    names = [each["about"].partition(":")[0] for each in shown["panels"]]
    assert len(set(names[:4])) == len(set(names[4:])) == 1
    assert "places can be compared, strengths cannot" in words(compare)


def test_what_all_runs_share_is_said_once_all_are_there(compare, wall):
    for key in ("grid-models", "grid-photos"):
        compare.multiselect(key=key).set_value(compare.multiselect(key=key).value[:1])
    compare.multiselect(key="grid-methods").set_value(["grad-cam", "hirescam", "occlusion"]).run()
    wall.held = True  # the last one has a map so far, and waits with it
    button(compare, "run-grid").click()
    settle(compare, lambda app: grid.of(desk(app)) and grid.of(desk(app)).done == 2)
    assert "places can be compared" in words(compare)
    assert "These runs differ in" not in words(compare)
    assert "All share" not in words(compare)
    # and how they agree is not said of some of them only
    assert "is said when all runs have ended: 1 is still to come." in words(compare)
    assert "Rank correlation" not in words(compare)
    wall.held = False
    settle(compare, lambda app: not desk(app).pending)
    assert "Rank correlation" in words(compare)
    assert "still to come" not in words(compare)
    assert "These runs differ in method. All share the photo" in words(compare)


def test_the_pairs_have_their_numbers(compare):
    compare.multiselect(key="grid-photos").set_value(
        compare.multiselect(key="grid-photos").value[:1]
    )
    compare.multiselect(key="grid-models").set_value(
        compare.multiselect(key="grid-models").value[:1]
    )
    compare.run()
    ran(compare)
    one, other = [each.answer.explanation for each in grid.of(desk(compare)).cells]
    found = agreement(one, other)
    rank = f"{found.rank:.2f}".replace("-", "\u2212")
    assert f'<td data-label="Rank correlation: ">{rank}</td>' in words(compare)
    assert f'<td data-label="Overlap: ">{percent(found.overlap)}</td>' in words(compare)
    apart = parts(compare, "figure")[0]
    values = np.frombuffer(base64.b64decode(apart["map"]["values"]), "<f4")
    np.testing.assert_array_equal(values.reshape(found.apart.shape), found.apart)
    assert "These runs differ in method." in words(compare)


def test_pinned_runs_stand_side_by_side(compare):
    compare.segmented_control(key="compare-what").set_value("pinned")
    compare.run()
    assert "No run is pinned yet." in words(compare)
    assert parts(compare, "compared") == []
    compare.segmented_control(key="compare-what").set_value("grid")
    ran(compare.run())
    for run in list(desk(compare).runs)[:3]:
        desk(compare).with_runs(lambda runs, run=run: runs.pin(run.id))
    compare.segmented_control(key="compare-what").set_value("pinned")
    compare.run()
    assert len(panels(compare)["panels"]) == 3
    assert panels(compare)["columns"] == 3


def test_too_many_and_none_are_said(compare):
    compare.multiselect(key="grid-methods").set_value([])
    compare.run()
    assert button(compare, "run-grid").disabled
    assert "Choose at least one model, one photo and one method." in words(compare)
    names = compare.multiselect(key="grid-methods").options
    compare.session_state["grid-methods"] = ["grad-cam", "occlusion", "lime"]
    compare.session_state["grid-photos"] = compare.multiselect(key="grid-photos").value
    compare.run()
    assert len(names) >= 3
    assert button(compare, "run-grid").label == "Run all (12 runs)"
    assert not button(compare, "run-grid").disabled


def test_what_cannot_run_says_why_in_its_place(compare):
    held = desk(compare)
    pictures = [
        grid.Picture("here", "here", photo=held.photo),
        grid.Picture("broken.png", "broken.png", data=lambda: b"no photo"),
    ]
    network = grid.Network("Shapes", model=held.model)
    grid.begin(held, [network], pictures, [grid.Ask("grad-cam")])
    settle(compare, lambda app: not desk(app).pending)
    good, bad = panels(compare)["panels"]
    assert good["problem"] == ""
    assert good["map"]
    assert bad["problem"] == grid.of(held).cells[1].problem != ""
    assert bad["map"] is None
    assert bad["about"] == "broken.png, Shapes"
