"""The page on the LSTM as people meet it: watch, scrub, ask, train, leave, come back, take away."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from loaders import trainings
from tests.browser.conftest import newcomer, rested, steady, turn_to, until
from xai_core import colormaps
from xai_core.training.lstm import RECORDED, LstmRecording
from xai_core.training.lstm_view import Look

PIXEL = """(canvas, [x, y]) => {
  const at = [Math.round(x * canvas.width), Math.round(y * canvas.height)];
  return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
}"""


SLIDE = """(input, to) => {
  input.value = to;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}"""


@pytest.fixture(scope="module")
def look():
    return Look(trainings.shipped(RECORDED, LstmRecording).recording)


@pytest.fixture
def opened(browser, server):
    """Return a function that opens the page as a new visitor, without its film playing."""
    contexts = []

    def opened(**more):
        given = {"viewport": {"width": 1366, "height": 768}, "reduced_motion": "reduce"}
        context = newcomer(browser, **given | more)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server}/lstm")
        page.locator(".gates[data-epoch]").wait_for()
        rested(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def slide(page, name, to):
    """Move a slider of the picture to a step."""
    page.get_by_role("slider", name=name, exact=True).evaluate(SLIDE, to)


def test_a_pixel_on_the_screen_is_a_unit_s_gate_on_a_day_after_an_epoch(opened, look):
    page = opened()
    made = look.map(0, "forget", "by memory")
    table = colormaps.table("magma")
    units, days = made.coded.shape[1:]
    canvas = page.locator("canvas.map")
    box = canvas.bounding_box()
    plot = (box["width"] - 74) / box["width"]
    for epoch, row, day in ((0, 0, 10), (20, 13, 100), (59, 31, 200)):
        slide(page, "Epoch", epoch)
        expect(page.locator(".gates")).to_have_attribute("data-epoch", str(epoch))
        place = [(day + 0.5) / days * plot, (row + 0.5) / units]
        pixel = canvas.evaluate(PIXEL, place)
        assert np.array_equal(pixel[:3], table[made.coded[epoch, row, day]])
    a_mistake_in_the_ticker_names_the_nearest(page)


def test_epochs_play_only_when_they_may_and_days_by_the_keyboard(opened):
    page = opened()
    expect(page.locator(".gates")).to_have_attribute("data-epoch", "59")  # nothing plays
    page.get_by_role("button", name="Play the epochs").press("Enter")
    until(page, lambda: page.locator(".gates").get_attribute("data-epoch") != "59")
    until(page, lambda: page.locator(".gates").get_attribute("data-epoch") == "59")
    day = page.get_by_role("slider", name="Day", exact=True)
    day.focus()
    day.press("Home")
    expect(page.locator(".gates")).to_have_attribute("data-day", "0")
    for _ in range(3):
        day.press("Shift+ArrowRight")
    ask = page.get_by_role("button", name="Ask about these days")
    ask.press("Enter")
    page.get_by_role("heading", name="Days that are alike").wait_for()
    expect(page.locator(".chosen")).to_have_text(re.compile("Chosen: .* 2022 to .* 2022"))
    page.get_by_role("button", name="What feeds this forecast").press("Enter")
    page.get_by_role("heading", name="What feeds this forecast").wait_for()
    fed = page.locator("canvas.fed")
    expect(fed).to_be_visible()
    # the bars are those of the forecast under the pointer
    box = page.locator("canvas.map").bounding_box()
    page.mouse.move(box["x"] + (box["width"] - 74) * 0.5, box["y"] + 20)
    expect(fed).to_have_attribute("data-day", "114")


def a_mistake_in_the_ticker_names_the_nearest(page):
    box = page.get_by_role("combobox", name="Ticker")
    box.fill("APPL")
    box.press("Enter")
    said = page.get_by_role("alert").filter(has_text="the nearest of the 20 built-in tickers")
    expect(said).to_contain_text("AAPL (Apple)")
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()


def test_train_leave_come_back_and_take_it_away(opened, tmp_path):
    page = opened()
    for name, value in (("Epochs", "120"), ("Hidden layer size", "6")):
        field = page.get_by_role("spinbutton", name=name, exact=True)
        field.fill(value)
        field.press("Tab")
        rested(page)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.locator(".gates.live").wait_for()
    turn_to(page, "Methods")
    turn_to(page, "LSTM")
    page.get_by_text("Trained here, Run 1: AAPL").wait_for()
    expect(page.locator(".gates.live")).to_have_count(0)
    expect(page.get_by_role("spinbutton", name="Epochs", exact=True)).to_have_value("120")
    expect(page.locator(".gates")).to_have_attribute("data-epoch", "119")
    for button, name in (("Animation as WebP", "lstm-aapl.webp"), ("Model (.pt)", "lstm-aapl.pt")):
        with page.expect_download() as taken:
            page.get_by_role("button", name=button).click()
        assert taken.value.suggested_filename == name
        taken.value.save_as(tmp_path / name)
    from PIL import Image

    with Image.open(tmp_path / "lstm-aapl.webp") as film:
        assert film.n_frames == 120
    assert (tmp_path / "lstm-aapl.pt").read_bytes()[:2] == b"PK"
    # another way from an epoch stands beside it, and steps with it
    page.get_by_role("button", name="Train on from there").click()
    until(page, lambda: page.locator(".gates[data-epoch]").count() == 2)
    rested(page)
    for name, to, attribute in (("Epoch", 7, "data-epoch"), ("Day", 30, "data-day")):
        page.get_by_role("slider", name=name, exact=True).last.evaluate(SLIDE, to)
        for at in (0, 1):
            expect(page.locator(".gates").nth(at)).to_have_attribute(attribute, str(to))


def test_a_phone_shows_all_of_it_in_one_column(opened):
    page = opened(viewport={"width": 390, "height": 844})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        steady(page.locator("canvas.map"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for canvas in ("map", "price"):
            box = page.locator(f"canvas.{canvas}").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert page.locator("canvas.map").bounding_box()["width"] > 300
