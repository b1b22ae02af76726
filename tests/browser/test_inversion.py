"""The page on inversion in a browser: wide, on a phone, and by the keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer, rested, steady
from tests.hostile.conftest import SOAK
from ui.inversion_page import TITLES

SIZES = [(1366, 768), (390, 844)]


@pytest.mark.parametrize("size", SIZES if SOAK else SIZES[:1])
def test_pictures_grow_and_are_played(browser, server, size):
    context = newcomer(browser, viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    try:
        page.goto(f"{server}/inversion")
        expect(page.get_by_role("heading", name="What is left of the photo?")).to_be_visible()
        run = page.get_by_role("button", name="Run (at most")
        run.focus()
        page.keyboard.press("Enter")  # the keyboard alone
        stop = page.get_by_role("button", name="Stop and keep")
        so_far = page.locator("figure img[alt$='so far']")
        expect(so_far.first).to_be_visible()
        expect(so_far).to_have_count(4)
        expect(stop).to_be_enabled()
        stop.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("gives the photo back").or_(
            page.get_by_text("does not give the photo back")).first).to_be_visible()  # fmt: skip
        expect(page.get_by_role("button", name="Film as WebP")).to_be_visible()
        rested(page)
        made = page.locator("figure img")
        expect(made).to_have_count(5)
        expect(made.first).to_have_attribute("alt", "The photo, as the model gets it")
        for width, height in (size, SIZES[-1]):
            page.set_viewport_size({"width": width, "height": height})
            steady(made.last)
            wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
            assert wide <= width
    finally:
        context.close()


def test_a_class_is_drawn(browser, server):
    context = newcomer(browser, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    try:
        page.goto(f"{server}/inversion")
        expect(page.get_by_role("button", name="Run (at most")).to_be_enabled()
        page.get_by_role("radio", name=TITLES["target"]).click()
        rested(page)
        run = page.get_by_role("button", name="Run (at most")
        expect(run).to_be_enabled()
        run.press("Enter")
        expect(page.locator("figure img[alt$='so far']").first).to_be_visible()
        said = page.get_by_text("the probability of")
        expect(said.first).to_be_visible()
        expect(page.get_by_role("button", name="Film as WebP")).to_be_visible()
        rested(page)
        assert page.locator("figure img").count() >= 1
    finally:
        context.close()
