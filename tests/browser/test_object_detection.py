"""Object detection in a real browser: a box by mouse and by keyboard, wide and narrow."""

import re

import pytest
from playwright.sync_api import TimeoutError as Never
from playwright.sync_api import expect

from tests.browser.conftest import until

pytestmark = pytest.mark.timeout(300)
BOX = re.compile(r"^Why \w+, .* \(box \d+\)\?$")


def test_a_box_is_clicked_explained_painted_over_and_drawn(visit):
    page = visit()
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"{page.url.rstrip('/')}/object_detection")
    boxes = page.get_by_role("button", name=BOX)
    try:
        boxes.first.wait_for(timeout=100_000)
    except (
        Never
    ):  # seen once in some twenty whole runs, and not understood: a reader comes anew, too
        print("no boxes, but:", page.locator("body").inner_text()[:2000])
        page.reload()
        boxes.first.wait_for()
    assert boxes.count() == 6  # what the photo holds
    expect(page.get_by_text("6 boxes of")).to_be_visible()
    # by keyboard: another box, and Run
    heart = page.get_by_role("button", name=re.compile("^Why heart"))
    heart.focus()
    heart.press("Enter")
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Why heart in its box?")).to_be_visible()
    figure = page.locator('.frame[data-drawn^="answer"]')
    figure.wait_for()
    until(page, lambda: figure.bounding_box()["y"] + figure.bounding_box()["height"] <= 768)
    expect(page.get_by_text("of the evidence lies outside of the box")).to_be_visible()
    # by mouse: what goes when the heart is painted over
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("Gone: heart.")).to_be_visible()
    # a box of one's own
    page.get_by_role("button", name="Draw a box of your own").click()
    over = page.locator(".boxes .over").first
    over.scroll_into_view_if_needed()
    place = over.bounding_box()
    page.mouse.move(place["x"] + 8, place["y"] + place["height"] - 40)
    page.mouse.down()
    page.mouse.move(place["x"] + 60, place["y"] + place["height"] - 8, steps=4)
    page.mouse.up()
    own = page.get_by_role("button", name=re.compile("^Your own box"))
    expect(own).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("What could stand there?")).to_be_visible()
    before = own.bounding_box()["x"]
    own.focus()
    own.press("ArrowRight")
    # drawn anew, it is nowhere for a moment
    until(page, lambda: (own.bounding_box() or {"x": 0})["x"] > before)
    expect(own).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(boxes.first).to_be_visible()
