"""Compare in a real browser: a grid across two models, pinned runs after F5, one cross-hair."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import rested
from tests.browser.test_offering import RUN, choose, ready, run

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def laptop(visit):
    page = visit()
    page.set_viewport_size({"width": 1366, "height": 768})
    return ready(page)


def pinned_two(page):
    """Make two runs of two methods and pin both."""
    run(page)
    rested(page)
    choose(page, "Method", "Occlusion")
    page.get_by_role("button", name=RUN).click()
    page.get_by_role("button", name="2 Occlusion for star").wait_for()
    for name in ("1 Grad-CAM", "2 Occlusion"):
        rested(page)
        page.get_by_role("button", name=f"Pin {name}").click()
        expect(page.get_by_role("button", name=f"Pin {name}")).to_have_attribute(
            "aria-pressed", "true"
        )
    rested(page)


def test_pinned_runs_stand_side_by_side_and_survive_f5(laptop):
    pinned_two(laptop)
    laptop.get_by_role("button", name="Compare the 2 pinned runs").click()
    panels = laptop.locator(".compared figure")
    expect(panels).to_have_count(2)
    laptop.locator(".compared .panels[data-drawn]").wait_for()
    laptop.reload()
    laptop.locator(".compared .panels[data-drawn]").wait_for()
    expect(panels).to_have_count(2)
    expect(laptop.get_by_text("These runs differ in method.")).to_be_visible()
    expect(laptop.get_by_text("divided by its own strongest value")).to_be_visible()
    expect(laptop.locator(".v-table td").nth(1)).to_have_text(re.compile("agree"))
    # one cross-hair in both, and what each map says there
    first = panels.first.locator(".picture")
    first.hover(position={"x": 20, "y": 20})
    for panel in (panels.first, panels.last):
        expect(panel.locator(".across")).to_be_visible()
        expect(panel.locator(".value")).not_to_have_text("")
    heights = laptop.locator(".compared .across").evaluate_all(
        "lines => lines.map(line => line.style.top)"
    )
    assert heights[0] == heights[1]
    # by keys: M goes to the strongest place of the first map, and both say so
    first.focus()
    first.press("m")
    expect(panels.first.locator(".value")).to_contain_text("100\u00a0% of the strongest")
    expect(laptop.locator(".compared .aloud")).to_contain_text("2 Occlusion")
    # a run that is brought back stands in the Offering
    laptop.get_by_role("button", name="1 Grad-CAM for star").click()
    laptop.get_by_role("heading", name="Why star?").wait_for()


def test_two_photos_under_two_networks_in_one_click(visit):
    page = visit("compare")
    page.get_by_role("button", name="Run all (8 runs)").click()
    page.get_by_role("heading", name="8 runs").wait_for()
    panels = page.locator(".compared figure")
    expect(panels).to_have_count(8)
    expect(panels.locator("canvas")).to_have_count(8)
    expect(page.locator(".aloud[role=status]")).to_have_text(
        "It has ended: 8 runs stand side by side."
    )
    expect(page.get_by_text("Of 8 pairs of runs on one photo and for one class")).to_be_visible()
    # the sticker makes a star for one network alone: two of its maps beside two for the heart
    expect(page.get_by_text("4 pairs of maps for different classes")).to_be_visible()
    expect(page.get_by_text("All 12 pairs")).to_be_visible()
    # a head stands over its column, and one before each row
    heads, rows = page.locator(".compared .head.column"), page.locator(".compared .head.row")
    expect(heads).to_have_count(4)
    expect(rows).to_have_count(2)
    for at in range(4):
        assert heads.nth(at).bounding_box()["x"] == panels.nth(at).bounding_box()["x"]
    assert rows.nth(1).bounding_box()["y"] < panels.nth(4).bounding_box()["y"]
    said = panels.locator(".more").all_inner_texts()
    assert any("star" in each and "with a shortcut" in each for each in said)
    assert any("heart" in each and each.endswith("Paper shapes") for each in said)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_opened_first_by_its_address_has_the_house_round_it(first_seen):
    (side,) = first_seen
    assert {"explain", "offering", "learn", "methods"} <= set(side.lower().split("\n"))
