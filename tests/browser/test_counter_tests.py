"""Counter-tests in a real browser: masking by mouse and keyboard, the changes, wide and narrow."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer, rested, steady, until

pytestmark = pytest.mark.timeout(300)


def test_a_map_is_masked_and_a_photo_changed(visit):
    page = visit("counter_tests")
    page.set_viewport_size({"width": 1366, "height": 768})
    run = page.get_by_role("button", name=re.compile("^Run"))
    expect(run).to_be_enabled()
    rested(page)
    page.keyboard.press("Control+Enter")
    # by keyboard: the test, and a larger share
    ask = page.get_by_role("button", name=re.compile("^Hide and ask"))
    expect(ask).to_be_enabled()
    ask.focus()
    ask.press("Enter")
    shown = page.locator(".v-fourfold figure")
    until(page, lambda: shown.count() == 4)
    expect(page.get_by_text("a hole that the model has never seen")).to_be_visible()
    assert shown.first.bounding_box()["y"] < 768
    curve = page.locator("img.v-curve")
    until(page, lambda: curve.evaluate("each => each.complete && each.naturalWidth > 0"))
    first = page.locator(".v-prose").first
    before = first.inner_text()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: first.inner_text() != before)
    # by mouse: the whole photo changed, and one opened
    page.get_by_role("radio", name="Change the whole photo").click(force=True)
    rested(page)
    page.get_by_role("button", name=re.compile("^Try 16 changes")).click()
    opens = page.get_by_role("button", name=re.compile("^Open as a run"))
    until(page, lambda: opens.count() == 16)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    opens.first.click()
    expect(page.get_by_role("heading", name="Your model, behind glass")).to_be_visible()


def test_a_part_is_drawn_by_mouse_by_keys_and_by_finger(browser, server):
    context = newcomer(browser, viewport={"width": 1366, "height": 768}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server}/counter_tests")
    expect(page.get_by_role("button", name=re.compile("^Run"))).to_be_enabled()
    rested(page)
    page.get_by_role("radio", name="Draw on it").click(force=True)
    over, hide = page.locator("svg.over"), page.get_by_role("button", name="Hide it")
    expect(hide).to_be_disabled()
    rested(page)
    # a polygon and a brush by keys: set, told, and cleared
    ways = (("Polygon", " ,ArrowRight, ,ArrowDown, ,Enter", "g.grab polygon.light", 3),
            ("Brush", " ,ArrowRight,ArrowDown,Enter", "g.grab polyline", 3))  # fmt: skip
    for tool, keys, drawn, points in ways:
        page.get_by_role("button", name=tool).click()
        over.focus()
        for key in keys.split(","):
            page.keyboard.press(key)
        expect(hide).to_be_enabled()
        assert len(over.locator(drawn).get_attribute("points").split()) == points
        page.keyboard.press("Escape")
        expect(hide).to_be_disabled()
    # a brush by mouse
    frame = over.bounding_box()

    def at(across, down):
        return frame["x"] + across * frame["width"], frame["y"] + down * frame["height"]

    page.mouse.move(*at(0.1, 0.1))
    page.mouse.down()
    page.mouse.move(*at(0.4, 0.1), steps=3)
    page.mouse.up()
    expect(hide).to_be_enabled()
    rested(page)
    hide.click()
    shown = page.locator(".v-three figure")
    until(page, lambda: shown.count() == 3)
    assert shown.first.bounding_box()["y"] < 768
    # a box by keys: begun, moved, sized, set, and dragged
    expect(hide).to_be_disabled()
    rested(page)
    page.get_by_role("button", name="Box").click()
    over.focus()
    for key in ("Enter", "ArrowDown", "Shift+ArrowRight", "Enter", "ArrowLeft"):
        page.keyboard.press(key)
    move = page.get_by_role("button", name="Move it there")
    expect(move).to_be_enabled()
    rested(page)
    move.press("Enter")
    expect(page.get_by_text("Before all edits it was")).to_be_visible()
    # a polygon by finger, on a phone
    page.set_viewport_size({"width": 390, "height": 844})
    rested(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    polygon = page.get_by_role("button", name="Polygon")
    polygon.tap()
    over.scroll_into_view_if_needed()
    steady(over)
    frame = over.bounding_box()
    for corner in ((0.2, 0.2), (0.7, 0.2), (0.7, 0.6), (0.2, 0.2)):
        page.touchscreen.tap(*at(*corner))
    expect(hide).to_be_enabled()
    rested(page)
    hide.tap()
    expect(page.get_by_text("3 edits.")).to_be_visible()
    page.get_by_role("button", name="Undo").tap()
    expect(page.get_by_text("3 edits.")).to_have_count(0)
    context.close()
