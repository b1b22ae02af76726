"""Counter-tests in a real browser: masking by mouse and keyboard, the changes, wide and narrow."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import rested, until

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
