"""The pages on methods in a real browser: player and formula by keyboard, wide and narrow."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import rested
from tests.browser.test_offering import ready, run
from tests.hostile.conftest import SOAK

pytestmark = pytest.mark.timeout(300)

PAGES = {
    "grad_cam": ("Grad-CAM", "after the ReLU"),
    "occlusion": ("Occlusion", "the score falls by"),
    "lime": ("LIME", "The line gives the whole photo"),
    "kernelshap": ("KernelSHAP", "less that with all hidden"),
}


@pytest.mark.parametrize("slug", PAGES if SOAK else ["grad_cam"])
def test_a_page_plays_runs_and_writes_the_formula_out(visit, slug):
    title, said = PAGES[slug]
    page = visit(slug)
    page.set_viewport_size({"width": 1366, "height": 768})
    ready(page)
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page.get_by_text("Recording: ")).to_be_visible()
    # the player by keyboard
    place = page.get_by_role("slider", name="Step of the film")
    place.focus()
    place.press("End")
    expect(place).to_have_value(place.get_attribute("max"))
    # a symbol by keyboard
    symbol = page.locator(".formula .symbol").first
    symbol.focus()
    expect(page.locator(".formula .meaning")).to_contain_text(": the ")
    run(page)
    rested(page)
    cell = page.locator(".formula .pointed[tabindex='0']")
    cell.focus()
    cell.press("ArrowDown")
    expect(page.locator(".formula .worked")).to_contain_text(said)
    first = page.locator(".formula .worked").inner_text()
    for _ in range(32):  # to the edge
        cell.press("ArrowLeft")
    expect(page.locator(".formula .worked")).not_to_have_text(first)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
