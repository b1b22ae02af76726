"""The picture: pointing, marking, keys, and what is said to those who do not see it."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import later, newcomer, rested, steady, until
from tests.browser.test_offering import RUN, ready, run
from tests.conftest import ROOT
from xai_core import colormaps, render
from xai_core.model import Geometry

PARTS = ("map", "over")
SIDE = 512
"""Pixels a side of the opening photo; the opening model sees all of it."""
LARGE = 20_000
"""Bytes that only a message with a picture in it has."""


@pytest.fixture(scope="module")
def answered(browser, serving):
    """Return a page with an answer on it, and all frames that went over its socket."""
    context = newcomer(browser)
    page = context.new_page()
    page.frames_sent, page.frames_received = [], []

    def listen(socket):
        socket.on("framesent", lambda frame: page.frames_sent.append(frame))
        socket.on("framereceived", lambda frame: page.frames_received.append(frame))

    page.on("websocket", listen)
    page.goto(serving[0])
    run(ready(page))
    with page.expect_download() as started:
        page.get_by_role("button", name="NPY").click()
    page.values = np.load(io.BytesIO(started.value.path().read_bytes()), allow_pickle=False)
    yield page
    context.close()


@pytest.fixture
def page(answered):
    """Return the answered page with nothing pointed at and nothing marked."""
    rested(answered)
    yield answered
    answered.mouse.move(5, 5)
    clear = figure(answered).locator(".clear")
    if clear.is_visible():
        clear.click()
    expect(sentence(answered)).to_have_count(0)


def figure(page):
    return page.locator('.figure:has(.frame[data-drawn^="answer"])')


def picture(page, part):
    return figure(page).locator(f".{part} .picture")


def said(page):
    return figure(page).locator(".said")


def sentence(page):
    return page.locator(".v-prose", has_text="The marked region")


def at(page, part, row, column):
    """Return the place on the screen of a point of the photo."""
    steady(picture(page, part))
    place = picture(page, part).bounding_box()
    return (
        place["x"] + (column / SIDE) * place["width"],
        place["y"] + (row / SIDE) * place["height"],
    )


def drag(page, part, start, end):
    page.mouse.move(*at(page, part, *start))
    page.mouse.down()
    page.mouse.move(*at(page, part, *end), steps=4)
    page.mouse.up()


def where(page):
    """Return the marked region as the page tells it, in rows and columns, ends not in it."""
    told = figure(page).locator(".where").inner_text()
    found = re.fullmatch(r"Marked: rows (\d+) to (\d+), columns (\d+) to (\d+)", told)
    top, bottom, left, right = (int(number) for number in found.groups())
    return top, left, bottom + 1, right + 1


def share(values, box):
    """Return what share of a map of the whole photo lies in a box, by counting the photo."""
    top, left, bottom, right = box
    times = SIDE // values.shape[0]
    spread = np.maximum(values, 0).repeat(times, 0).repeat(times, 1)
    return spread[top:bottom, left:right].sum() / spread.sum()


def whole_percent(text):
    return int(re.search(r"(\d+)\u00a0%", text)[1])


@pytest.mark.parametrize(("part", "row", "column"), [
    ("over", 470.5, 50.5), ("map", 430.5, 90.5), ("over", 500.5, 20.5), ("map", 403.5, 33.5),
])  # fmt: skip
def test_pointing_reads_the_raw_value_there(page, part, row, column):
    page.mouse.move(*at(page, part, row, column))
    told = re.fullmatch(
        r"Row (\d+), column (\d+) of the photo: ([\d.e-]+), (\d+|under 1)\u00a0% of the strongest; "
        r"colour about (\d+), (\d+), (\d+)",
        said(page).inner_text(),
    )
    assert told, said(page).inner_text()
    found = int(told[1]), int(told[2])
    assert np.abs(np.subtract(found, (row, column))).max() <= 2  # a pixel of the screen
    cell = tuple(np.array(found) * page.values.shape[0] // SIDE)
    value = page.values[cell]
    assert value > 0
    assert float(told[3]) == float(f"{value:.3g}")
    assert whole_percent(f"{told[4]}\u00a0%") == round(100 * value / page.values.max())
    photo = np.asarray(Image.open(ROOT / "assets" / "photos" / "heart_marked.jpg"), int)
    near = photo[found[0] - 1 : found[0] + 2, found[1] - 1 : found[1] + 2].reshape(-1, 3)
    colour = np.array([int(part) for part in told.groups()[4:]])
    assert ((colour >= near.min(0) - 25) & (colour <= near.max(0) + 25)).all()


def test_the_cross_hair_is_at_the_same_place_on_all_pictures(page):
    page.mouse.move(*at(page, "over", 128.5, 384.5))
    for part in PARTS:
        middle = picture(page, part)
        box = middle.bounding_box()
        across = middle.locator(".across").bounding_box()
        down = middle.locator(".down").bounding_box()
        assert (across["y"] - box["y"]) / box["height"] == pytest.approx(0.25, abs=0.01)
        assert (down["x"] - box["x"]) / box["width"] == pytest.approx(0.75, abs=0.01)
    page.mouse.move(5, 5)
    expect(picture(page, "map").locator(".across")).to_be_hidden()
    expect(said(page)).to_have_text("Point at a picture to read a value, drag to mark a region.")


def test_a_dragged_region_is_on_all_pictures_and_its_share_is_true(page):
    drag(page, "over", (400, 30), (511, 70))
    sentence(page).wait_for()
    top, left, bottom, right = box = where(page)
    assert np.abs(np.subtract(box, (400, 30, 511, 70))).max() <= 3
    told = sentence(page).inner_text()
    assert whole_percent(told) == round(100 * share(page.values, box))
    styles = {picture(page, part).locator(".box").get_attribute("style") for part in PARTS}
    assert len(styles) == 1
    place = picture(page, "map").bounding_box()
    drawn = picture(page, "map").locator(".box").bounding_box()
    assert drawn["width"] / place["width"] == pytest.approx((right - left) / SIDE, abs=0.01)

    drag(page, "map", (top, left), (top - 100, left))  # by a corner
    expect(figure(page).locator(".where")).not_to_have_text("")
    page.wait_for_function("told => !document.body.innerText.includes(told)", arg=told)
    taller = where(page)
    assert taller[2:] == (bottom, right)
    assert taller[0] == pytest.approx(top - 100, abs=3)
    assert whole_percent(sentence(page).inner_text()) == round(100 * share(page.values, taller))

    drag(page, "over", (taller[0] + 60, left + 20), (taller[0] + 60, left + 120))  # by its inside
    pushed = where(page)
    assert np.subtract(pushed, taller)[[0, 2]].tolist() == [0, 0]
    assert np.subtract(pushed, taller)[[1, 3]] == pytest.approx(100, abs=3)
    page.keyboard.press("Escape")
    expect(sentence(page)).to_have_count(0)
    for part in PARTS:
        expect(picture(page, part).locator(".box")).to_be_hidden()


def test_escape_ends_a_drag_that_goes_wrong(page):
    page.mouse.move(*at(page, "map", 100, 100))
    page.mouse.down()
    page.mouse.move(*at(page, "map", 200, 200), steps=3)
    expect(picture(page, "over").locator(".box")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.move(*at(page, "map", 250, 250))
    page.mouse.up()
    expect(picture(page, "over").locator(".box")).to_be_hidden()
    expect(sentence(page)).to_have_count(0)


def test_the_keyboard_alone_points_and_marks(page):
    page.get_by_role("button", name=RUN).focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if picture(page, "map").evaluate("picture => picture.matches(':focus-visible')"):
            break
    assert (
        picture(page, "map").evaluate("picture => getComputedStyle(picture).outlineWidth") == "2px"
    )
    expect(said(page)).to_contain_text("Arrows move by a cell of the map")
    page.keyboard.press("m")
    row, column = np.unravel_index(page.values.argmax(), page.values.shape)
    cell = SIDE // page.values.shape[0]
    place = f"Row {row * cell + cell // 2}, column {column * cell + cell // 2} of the photo"
    expect(said(page)).to_contain_text(f"{place}: ")
    expect(said(page)).to_contain_text("100\u00a0% of the strongest")
    expect(figure(page).locator(".aloud")).to_contain_text(place)
    page.keyboard.press("ArrowUp")
    value = page.values[row - 1, column]
    expect(said(page)).to_contain_text(f": {float(f'{value:.3g}'):g},")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    sentence(page).wait_for()
    box = (row - 2) * cell, column * cell, row * cell, (column + 4) * cell
    assert where(page) == box
    expect(figure(page).locator(".aloud")).to_contain_text("Marked: rows")
    assert whole_percent(sentence(page).inner_text()) == round(100 * share(page.values, box))
    page.keyboard.press("Escape")
    expect(sentence(page)).to_have_count(0)
    page.keyboard.press("Home")
    expect(said(page)).to_contain_text(f"column {cell // 2} of")
    page.keyboard.press("Escape")
    expect(picture(page, "map").locator(".across")).to_be_hidden()


def test_who_does_not_see_the_pictures_is_told_what_they_show(page):
    lies = r"Half of the evidence for .star. lies in \d+\s% of the photo, at the bottom left\."
    for part, words in (
        ("map", f"^Map by Grad-CAM\\. {lies}$"),
        ("over", f"^The same map over the photo\\. {lies}$"),
    ):
        expect(figure(page).locator(f".{part} canvas")).to_have_attribute(
            "aria-label", re.compile(words)
        )
        expect(figure(page).get_by_role("img", name=re.compile(words))).to_be_visible()
    bar = figure(page).get_by_role(
        "img", name=re.compile(r"^Colour bar, magma, from 0 to 0\.\d+: ")
    )
    expect(bar).to_be_visible()
    expect(
        page.get_by_role("img", name="The same heart, with a sticker, as the model gets it")
    ).to_be_visible()


def silent(page):
    """Whether the page sends nothing for longer than it polls."""
    page.frames_sent.clear()
    later(page)
    later(page)  # what is never sent cannot be waited for
    return page.frames_sent == []


def test_pointing_asks_the_server_nothing_and_a_look_goes_into_what_is_handed_on(page):
    until(page, lambda: silent(page))  # the model is measured no more
    page.mouse.move(*at(page, "map", 300, 300))
    assert silent(page)
    # drawn by the browser alone, and told once it rests
    page.frames_received.clear()
    page.get_by_role("slider", name="Opacity").fill("30")
    page.get_by_role("combobox", name="Colours").select_option("viridis")
    page.get_by_role("checkbox", name="Show the cells").check()
    until(page, lambda: page.frames_received)
    rested(page)
    assert max(len(frame) for frame in page.frames_received) < LARGE
    with page.expect_download() as started:
        page.get_by_role("button", name="PNG", exact=True).click()
    made = np.asarray(Image.open(started.value.path()).convert("RGB"))
    assert (made == colormaps.table("viridis")[-1]).all(-1).any()


def test_a_run_of_the_page_sends_the_picture_again_to_nobody(page):
    rested(page)
    page.frames_received.clear()
    page.get_by_role("slider", name="Opacity").fill("41")
    page.get_by_text("All settings").click()
    page.get_by_text("Only what speaks for the class", exact=True).wait_for()
    rested(page)
    page.frames_received.clear()
    page.mouse.move(*at(page, "map", 300, 300))
    before = said(page).inner_text()
    for _ in range(2):  # what is asked changes, and what is shown does not
        before_it = len(page.frames_received)
        page.get_by_role("switch", name="Only what speaks").or_(
            page.get_by_role("checkbox", name="Only what speaks")
        ).dispatch_event("click")
        until(page, lambda came=before_it: len(page.frames_received) > came)
        rested(page)
    drag(page, "map", (300, 300), (400, 400))
    sentence(page).wait_for()
    assert len(page.frames_received) > 5
    assert max(len(frame) for frame in page.frames_received) < LARGE
    expect(page.get_by_role("slider", name="Opacity")).to_have_value("41")
    assert before


def test_pointing_at_a_photo_alone_reads_its_pixel(page):
    alone = page.locator(".figure.alone .photo .picture")
    alone.scroll_into_view_if_needed()
    steady(alone)
    place = alone.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 4, place["y"] + place["height"] / 2)
    told = page.locator(".figure.alone .said")
    expect(told).to_have_text(re.compile(r"^Row 6[34], column 3[123]: colour \d+, \d+, \d+$"))


def test_a_region_outlives_f5_and_the_next_answer(page):
    drag(page, "map", (400, 30), (500, 130))
    sentence(page).wait_for()
    box = where(page)
    told = page.locator(".v-prose").first.inner_text()
    page.reload()
    sentence(page).wait_for()
    figure(page).wait_for()
    assert page.locator(".v-prose").first.inner_text() == told  # the answer, as it was
    assert where(page) == box
    drawn = figure(page).locator(".frame").get_attribute("data-drawn")
    page.get_by_role("button", name=RUN).click()
    page.locator(f'.frame[data-drawn^="answer"]:not([data-drawn="{drawn}"])').wait_for()
    sentence(page).wait_for()
    assert where(page) == box
    expect(picture(page, "over").locator(".box")).to_be_visible()


def test_a_finger_reads_marks_and_scrolls(browser, server):
    context = newcomer(browser, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(server)
    run(ready(page))
    middle = picture(page, "over")
    figure(page).wait_for()
    middle.evaluate("picture => picture.scrollIntoView({ block: 'start' })")
    steady(middle)
    assert middle.bounding_box()["width"] > 340
    page.touchscreen.tap(*at(page, "over", 450.5, 80.5))
    expect(said(page)).to_contain_text(
        re.compile(r"^Row 4\d\d, column [78]\d of the photo: 0\.\d+")
    )
    expect(said(page)).to_be_in_viewport()
    fingers = context.new_cdp_session(page)

    def swipe(start, end):
        places = [at(page, "over", *point) for point in np.linspace(start, end, 8)]
        for kind, (x, y) in zip(["touchStart", *["touchMove"] * 7], places, strict=True):
            fingers.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            )
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe((450, 80), (300, 200))
    steady(middle)
    expect(middle.locator(".box")).to_be_hidden()
    page.get_by_role("button", name="Mark by dragging").click()
    middle.evaluate("picture => picture.scrollIntoView({ block: 'start' })")
    steady(middle)
    swipe((400, 30), (500, 130))
    sentence(page).wait_for()
    assert np.abs(np.subtract(where(page), (400, 30, 500, 130))).max() <= 3
    context.close()


CELLS = """([scripts, data, points]) => {
  const cellAt = new Function(`${scripts}; return cellAt`)();
  return points.map((point) => cellAt(data, point));
}"""


@pytest.mark.parametrize("box", [(0, 0, 12, 18), (6, 3, 18, 21), (-3, -6, 9, 12), (3, 3, 15, 21)])
def test_a_point_is_in_the_cell_that_is_drawn_there(browser, box):
    """Three photo pixels a cell: the middle one is drawn with the cell's own value."""
    values = np.arange(1, 25, dtype=np.float32).reshape(4, 6)
    photo = (15, 18)
    drawn = render.to_upload(values, Geometry(photo, tuple(map(float, box)), (4, 6)))
    middles = [
        (row, column)
        for row in range(photo[0])
        for column in range(photo[1])
        if (row - box[0]) % 3 == 1 and (column - box[1]) % 3 == 1
    ]
    script = (ROOT / "ui" / "parts" / "figure" / "frame.js").read_text()
    data = {"size": photo, "box": box, "map": {"rows": 4, "columns": 6}}
    page = browser.new_page()
    cells = page.evaluate(CELLS, [script, data, [[r + 0.5, c + 0.5] for r, c in middles]])
    page.close()
    found = [0.0 if cell is None else float(values.ravel()[cell]) for cell in cells]
    np.testing.assert_allclose(found, [drawn[middle] for middle in middles], atol=1e-4)
    assert 0 in found
    assert max(found) > 0
