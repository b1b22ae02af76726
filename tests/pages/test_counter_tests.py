"""Counter-tests: masking by the map, a part drawn by the reader, the whole photo changed."""

import threading
import time

import numpy as np
import pytest

from tests.conftest import PATIENCE
from tests.pages.conftest import settle
from tests.pages.test_offering import desk, parts, run_button, words
from ui import counter_changes, counter_mask, counter_page, text
from workers.tasks.try_changes import TryChanges
from xai_core.hashes import hash_of
from xai_core.probes.augmentations import AUGMENTATIONS
from xai_core.probes.masking import POINTS
from xai_core.report.augmented import change_sentences
from xai_core.report.masked import CONTROLS, masked_sentences


@pytest.fixture
def page(app):
    """Return the page, with a model and a photo that were looked at."""
    app.run()
    app.switch_page("pages/counter_tests.py")
    return settle(app, lambda app: run_button(app) is not None and not run_button(app).disabled)


def ran(app):
    run_button(app).click()
    return settle(app, lambda app: desk(app).run is None and desk(app).answer is not None)


def button(app, key):
    return next(each for each in app.button if each.key == key)


def masked(app):
    before = dict(desk(app).answer.measured)
    button(app, "mask").click()
    return settle(app, lambda app: desk(app).answer.measured != before)


def test_the_page_invites(page):
    assert page.title[0].value == "Try to break it"
    assert "Press Run for a map first" in words(page)


def test_masking_shows_four_photos_the_curve_and_computed_sentences(page):
    app = masked(ran(page))
    made = desk(app).answer.measured[counter_mask.kept_as("hide")]
    assert words(app).count("<figure>") == 4
    assert "data:image/svg+xml" in words(app)
    slider = app.select_slider[0]
    assert made.areas[int(slider.value)] == pytest.approx(
        made.areas[1:][np.abs(made.areas[1:] - 0.05).argmin()]
    )
    labels = desk(app).answer.scene.card.labels
    for point in (int(slider.value), len(made.counts) - 2):
        app.select_slider[0].set_value(point).run()
        said = masked_sentences(made, labels, point)
        for sentence in said:
            assert text.emphasised(sentence) in words(app)
        assert said[CONTROLS].startswith("Hiding the same region")


def test_keeping_is_another_curve_and_both_stay_with_the_run(page):
    app = masked(ran(page))
    app.selectbox(key="mask-way").set_value("keep").run()
    assert not app.select_slider
    app = masked(app)
    run = desk(app).answer
    assert {"masked-hide", "masked-keep"} <= set(run.measured)
    assert "With nothing but the strongest" in words(app)
    before = run.measured["masked-keep"]
    assert (before.draws, before.way) == (5, "keep")
    app.number_input(key="mask-draws").set_value(2).run()
    app.selectbox(key="mask-fill").set_value("inpainted").run()
    app = masked(app)
    now = desk(app).answer.measured["masked-keep"]
    assert (now.draws, now.fill, now.seed) == (2, "inpainted", 0)
    again = masked(app)
    assert desk(again).answer.measured["masked-keep"].seed == 1
    assert len(now.counts) <= len(POINTS) + 1
    said = counter_mask.sentences(desk(again).answer)
    assert any(each.startswith("Hiding the strongest") for each in said)


def test_a_run_whose_model_is_gone_cannot_be_tested(page):
    app = ran(page)
    desk(app).answer.scene.model.handle.state = "closed"
    app.run()
    assert button(app, "mask").disabled
    assert "no longer open" in words(app)


# The whole photo changed


def grid_of(app):
    return desk(app).results.get(counter_changes.SLOT)


def tried(app):
    app.session_state[counter_page.PART] = "changes"
    app.run()
    before = grid_of(app)
    button(app, "changes").click()
    return settle(app, lambda app: grid_of(app) is not before)


def cards(app):
    return parts(app, "vitrine_changes")[0]["cards"]


def test_sixteen_changes_stand_sorted_with_computed_sentences(page):
    app = tried(page)
    grid = grid_of(app)
    assert len(grid.rows) == len(AUGMENTATIONS) == 16
    labels = grid.asked.model.card.labels
    for sentence in change_sentences(grid.made.cells[0], grid.rows, labels):
        assert text.emphasised(sentence) in words(app)
    shown = cards(app)
    assert [card["at"] for card in shown] == [row.at for row in grid.rows]
    flips = [card["flips"] for card in shown]
    assert flips == sorted(flips, reverse=True)
    for card, row in zip(shown, grid.rows, strict=True):
        assert len(card["pictures"]) == 2
        assert card["answer"].removeprefix("then ").startswith(labels[row.facts["first"]])
        cell = row.cell
        pixels = grid.asked.task.photo(cell.change).pixels
        logits = desk(app).model.handle.model.logits(
            desk(app).model.preprocessing.view(pixels)[0][None]
        )
        np.testing.assert_allclose(cell.logits, logits[0], atol=1e-4)


def test_a_cell_opens_as_a_run_in_the_offering(page):
    app = tried(page)
    grid = grid_of(app)
    row = grid.rows[3]
    app.session_state[counter_changes._OPENS] = (f"grid-{id(grid)}", row.at)
    app.run()
    run = desk(app).answer
    np.testing.assert_array_equal(run.explanation.attribution, row.cell.explanation.attribution)
    assert run.scene.photo.name.endswith(row.facts["words"])
    assert run.explanation.image_hash == hash_of(run.scene.photo.pixels)
    assert app.title[0].value == "Your model, behind glass"
    app.session_state[counter_changes._OPENS] = ("another grid", 1)
    app.switch_page("pages/counter_tests.py").run()
    assert len(desk(app).runs) == 1


def test_a_grid_is_stopped_and_keeps_what_there_is(page, monkeypatch):
    app = page
    app.session_state[counter_page.PART] = "changes"
    app.run()
    reached = threading.Event()
    own = TryChanges._cell

    def slowly(self, bench, change, progress):
        if change.name == "turned-left":
            reached.set()
            for step in range(int(PATIENCE * 100)):
                progress(step, 100)
                time.sleep(0.01)
        return own(self, bench, change, progress)

    monkeypatch.setattr(TryChanges, "_cell", slowly)
    button(app, "changes").click()
    app.run()
    assert reached.wait(PATIENCE)
    settle(app, lambda app: parts(app, "vitrine_changes"))
    assert len(cards(app)) == 2  # mirrored, upside down
    button(app, "cancel-changes").click()
    settle(app, lambda app: grid_of(app) is not None)
    assert len(grid_of(app).rows) == 2
    assert "stopped after 2 changes" in words(app)
