"""A link in the address bar: the same question in another browser, and no heap of history."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer, rested, until
from tests.browser.test_offering import RUN, choose, ready, run
from tests.hostile.conftest import SOAK
from ui import mounts

OUT_OF_TURN = """async script => {
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const draws = (await import(url)).default, parentElement = document.createElement("div");
    return [[2, "new"], [1, "old"], [3, "newer"]].map(([lastChanged, photo]) => {
        draws({ data: { lastChanged, query: "photo=" + photo }, parentElement });
        return location.search;
    });
}"""

pytestmark = pytest.mark.timeout(300)


def carried(page):
    return {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}


def answer(page):
    """Return what the answer is called, and its sentence."""
    return page.locator(".v-title").first.inner_text(), page.locator(".v-prose").first.inner_text()


def test_a_link_asks_the_same_question_elsewhere(visit, browser):
    page = ready(visit())
    until(page, lambda: carried(page).get("model") == "shapes_shortcut")
    entries = page.evaluate("history.length")
    choose(page, "Method", "Occlusion")
    slider = page.get_by_role("slider", name="Patch height")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    until(page, lambda: "patch-height" in carried(page))
    rested(page)
    choose(page, "Class to explain", "star")
    until(page, lambda: carried(page).get("target") == "star")
    rested(page)
    assert page.evaluate("history.length") == entries
    run(page)

    page.reload()
    ready(page)
    expect(page.get_by_role("combobox", name="Method")).to_have_value(re.compile("^Occlusion"))
    link, first = page.url, answer(page)

    context = newcomer(browser)
    other = context.new_page()
    other.goto(link)
    ready(other)
    expect(other.get_by_role("combobox", name="Method")).to_have_value(re.compile("^Occlusion"))
    run(other)
    assert answer(other) == first
    until(other, lambda: carried(other) == carried(page))

    other.get_by_role("link", name="Methods").click()
    other.get_by_role("heading", name="Methods").wait_for()
    other.get_by_role("link", name="Offering").click()
    ready(other)
    until(other, lambda: carried(other) == carried(page))
    expect(other.get_by_role("button", name=RUN)).to_be_enabled()

    # data that are handed over out of turn: the later ones stay
    script = mounts._script([mounts.part("address.js")])
    orders = other.evaluate(OUT_OF_TURN, script)
    assert [parse_qs(each)["?photo"] for each in orders] == [["new"], ["new"], ["newer"]]
    context.close()


# tests/pages/test_links.py holds all that these say, and what a browser adds is above
@pytest.mark.skipif(not SOAK, reason="four pages are opened: run by make soak")
def test_a_lesson_s_and_a_grid_s_links_open_the_same_elsewhere(visit, browser, server):
    page = ready(visit("occlusion"))
    slider = page.get_by_role("slider", name="Patch height and width")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    until(page, lambda: carried(page).get("patch-height") == slider.input_value())
    lesson, patch = page.url, slider.input_value()
    page.goto(f"{server}/compare")
    page.get_by_role("button", name="Run all").wait_for()
    until(page, lambda: "methods" in carried(page))
    choose(page, "Why", "heart")
    until(page, lambda: carried(page).get("target") == "heart")
    grid = page.url

    context = newcomer(browser)
    other = context.new_page()
    other.goto(lesson)
    ready(other)
    expect(other.get_by_role("slider", name="Patch height and width")).to_have_value(patch)
    context.close()
    context = newcomer(browser)
    other = context.new_page()
    other.goto(grid)
    other.get_by_role("button", name="Run all").wait_for()
    expect(other.get_by_role("combobox", name="Why")).to_have_value("heart")
    until(other, lambda: carried(other) == carried(page))
    context.close()
