"""Counter-tests: masking by the map, a part drawn by the reader, the whole photo changed."""

import numpy as np
import pytest

from tests.pages.conftest import settle
from tests.pages.test_offering import desk, run_button, words
from ui import counter_mask, text
from xai_core.probes.masking import POINTS
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
