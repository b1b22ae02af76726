"""The page on inversion in a browser: wide, on a phone, and by the keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer, rested


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
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
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= size[0]
    finally:
        context.close()
