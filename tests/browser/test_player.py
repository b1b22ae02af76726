"""The player by itself, on a clock of the test's own, and once as the page shows it."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import rested
from tests.browser.test_offering import ready, run
from tests.conftest import ROOT
from ui import player
from xai_core.encode import webp
from xai_core.film import Frame

PARTS = ROOT / "ui" / "parts" / "player"
COUNT, SECONDS = 7, 2.0
THEME = ":root { --st-primary-color: #0f6b66; --st-border-color: #ccc; --st-text-color: #000 }"
HOST = """async ([script, shadow, data]) => {
  window.root = document.querySelector("#host").attachShadow({ mode: "open" });
  root.innerHTML = shadow;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: mount } = await import(url);
  window.mount = (data) => mount({ data, parentElement: root });
  window.away = window.mount(data);
}"""


def grey(at):
    return 20 + 30 * at


def data(name="one", count=COUNT, label=""):
    frames = tuple(
        Frame(np.full((40, 64, 3), grey(at), np.uint8), f"Grey {grey(at)}.") for at in range(count)
    )
    still = Frame(np.full((40, 64, 3), 255, np.uint8), "All of them.")
    *coded, last = [
        f"data:image/webp;base64,{base64.b64encode(webp(frame.picture)).decode()}"
        for frame in (*frames, still)
    ]
    return {
        "id": name, "title": "Greys", "label": label, "frames": coded, "still": last,
        "captions": [frame.caption for frame in frames], "seconds": SECONDS,
        "said": still.caption,
    }  # fmt: skip


@pytest.fixture
def mounted(browser):
    """Return a function that mounts the player on an empty page, whose clock stands still."""
    contexts = []

    def mounted(given=None, *, motion="no-preference", before=""):
        context = browser.new_context(reduced_motion=motion, viewport={"width": 700, "height": 700})
        contexts.append(context)
        page = context.new_page()
        page.set_content(f'{before}<style>{THEME}</style><div id="host"></div>')
        page.clock.install(time=0)
        page.clock.pause_at(1000)
        script, style, html = (
            (PARTS / f"player.{kind}").read_text() for kind in ("js", "css", "html")
        )
        page.evaluate(HOST, [script, f"<style>{style}</style>{html}", given or data()])
        expect(page.locator(".player[data-drawn]")).to_be_visible()
        return page

    yield mounted
    for context in contexts:
        context.close()


@pytest.fixture
def quiet(mounted):
    """Return a page whose player waits on its first frame."""
    page = mounted(motion="reduce")
    page.get_by_role("button", name="Still").click()
    step(page, 0)
    return page


def step(page, at):
    """Check that one frame is on the screen: picture, caption, slider, number, alternative."""
    expect(page.locator(".caption")).to_have_text(f"Grey {grey(at)}.")
    expect(page.locator(".player")).to_have_attribute("data-drawn", str(at))
    expect(page.locator(".count")).to_have_text(f"{at + 1} / {COUNT}")
    expect(page.get_by_role("slider", name="Step of the film")).to_have_value(str(at))
    expect(page.get_by_role("img")).to_have_attribute("aria-label", f"Grey {grey(at)}.")
    assert abs(shade(page) - grey(at)) < 5


def shade(page):
    return page.locator("canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(20, 20, 1, 1).data[0]"
    )


def still(page):
    expect(page.locator(".player")).to_have_attribute("data-drawn", "still")
    expect(page.locator(".caption")).to_have_text("All of them.")
    expect(page.get_by_role("button", name="Still")).to_have_attribute("aria-pressed", "true")
    assert shade(page) > 250


def playing(page, *, yes):
    expect(page.get_by_role("button", name="Pause" if yes else "Play", exact=True)).to_be_visible()


def frames_later(page, count=1.0, speed=1.0):
    page.clock.run_for(int(1000 * SECONDS * count / speed))


def test_it_begins_by_itself_once_in_sight_and_stops_at_the_end(mounted):
    page = mounted()
    playing(page, yes=True)
    step(page, 0)
    frames_later(page, 1.1)
    step(page, 1)
    frames_later(page, COUNT)
    step(page, COUNT - 1)
    playing(page, yes=False)
    frames_later(page, 5)
    step(page, COUNT - 1)  # it does not begin again
    page.get_by_role("button", name="Play").click()
    step(page, 0)


def test_out_of_sight_it_waits(mounted):
    page = mounted(before='<div style="height: 3000px"></div>')
    playing(page, yes=False)
    frames_later(page, 3)
    step(page, 0)
    page.locator(".stage").scroll_into_view_if_needed()
    playing(page, yes=True)
    page.evaluate("scrollTo(0, 0)")
    playing(page, yes=False)


def test_with_reduced_motion_it_shows_the_still_and_plays_when_asked(mounted):
    page = mounted(motion="reduce")
    still(page)
    playing(page, yes=False)
    frames_later(page, 4)
    still(page)
    page.get_by_role("button", name="Play").click()
    step(page, 0)
    frames_later(page, 1.1)
    step(page, 1)
    page.get_by_role("button", name="Still").click()
    still(page)
    playing(page, yes=False)
    page.get_by_role("button", name="One step forward").click()
    step(page, 1)  # where it was left


def test_motion_that_is_reduced_later_stops_it(mounted):
    page = mounted()
    playing(page, yes=True)
    page.emulate_media(reduced_motion="reduce")
    playing(page, yes=False)


def test_buttons_and_the_slider(quiet):
    quiet.get_by_role("button", name="One step forward").click()
    step(quiet, 1)
    quiet.get_by_role("button", name="One step back").click()
    quiet.get_by_role("button", name="One step back").click()
    step(quiet, 0)  # there is none before
    quiet.get_by_role("slider").fill("4")
    step(quiet, 4)
    quiet.locator(".stage").click()
    playing(quiet, yes=True)
    frames_later(quiet, 1.1)
    step(quiet, 5)
    quiet.get_by_role("slider").fill("2")
    playing(quiet, yes=False)
    step(quiet, 2)
    frames_later(quiet, 3)
    step(quiet, 2)


def test_the_keyboard_alone(quiet):
    quiet.get_by_role("slider").focus()
    for key, at in (("ArrowRight", 1), ("ArrowUp", 0), ("ArrowLeft", 0), ("End", COUNT - 1),
                    ("ArrowDown", COUNT - 1), ("Home", 0), ("PageDown", 5)):  # fmt: skip
        quiet.keyboard.press(key)
        step(quiet, at)
    quiet.keyboard.press("Space")
    playing(quiet, yes=True)
    quiet.keyboard.press("Space")
    playing(quiet, yes=False)
    order = []
    quiet.locator(".player").focus()
    for _ in range(6):
        quiet.keyboard.press("Tab")
        focused = quiet.locator(".player :focus")
        assert focused.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        order.append(focused.get_attribute("aria-label") or focused.inner_text())
    assert order == [
        "One step back", "Play", "One step forward", "Step of the film", "Speed", "Still"
    ]  # fmt: skip
    quiet.get_by_role("button", name="Still").focus()
    quiet.keyboard.press("Space")  # it presses the button, and does not play
    still(quiet)
    playing(quiet, yes=False)


@pytest.mark.parametrize("speed", ["0.5", "2", "4"])
def test_the_speed_is_the_readers(quiet, speed):
    quiet.get_by_role("combobox", name="Speed").select_option(speed)
    quiet.get_by_role("button", name="Play").click()
    frames_later(quiet, 0.9, float(speed))
    step(quiet, 0)
    frames_later(quiet, 0.2, float(speed))
    step(quiet, 1)
    frames_later(quiet, 1, float(speed))
    step(quiet, 2)


def test_who_listens_hears_what_is_asked_for_and_no_chatter(quiet):
    aloud = quiet.locator(".aloud")
    expect(aloud).to_have_attribute("aria-live", "polite")
    quiet.clock.run_for(1000)
    for _ in range(4):
        quiet.keyboard.press("Shift")
        quiet.get_by_role("button", name="One step forward").click()
    expect(aloud).to_have_text(f"Step 1 of {COUNT}. Grey {grey(0)}.")  # they have not come to rest
    quiet.clock.run_for(1000)
    expect(aloud).to_have_text(f"Step 5 of {COUNT}. Grey {grey(4)}.")
    quiet.get_by_role("slider").fill("0")
    quiet.clock.run_for(1000)
    quiet.get_by_role("button", name="Play").click()
    quiet.clock.run_for(1000)
    expect(aloud).to_have_text("Playing")
    quiet.evaluate(
        "window.heard = 0; new MutationObserver((all) => heard += all.length)"
        ".observe(root.querySelector('.aloud'), { childList: true, characterData: true })"
    )
    for _ in range(3):
        frames_later(quiet)
        expect(quiet.get_by_role("slider")).to_have_attribute("aria-valuetext", "Playing")
    assert quiet.evaluate("heard") == 0
    quiet.get_by_role("button", name="Pause").click()
    quiet.clock.run_for(1000)
    expect(aloud).to_have_text(f"Step 4 of {COUNT}. Grey {grey(3)}.")
    assert quiet.evaluate("heard") == 1


def test_a_page_drawn_anew_keeps_its_place_and_another_film_begins_anew(mounted):
    page = mounted()
    frames_later(page, 2.1)
    step(page, 2)
    page.evaluate("given => { away(); window.away = mount(given) }", data())
    playing(page, yes=True)
    step(page, 2)
    frames_later(page, 1.1)
    step(page, 3)
    page.evaluate("given => { away(); window.away = mount(given) }", data("another", 3))
    expect(page.locator(".count")).to_have_text("1 / 3")


def test_a_recording_says_that_it_is_one(mounted):
    page = mounted(data(label="Recording"))
    expect(page.locator(".tag")).to_have_text("Recording")
    expect(page.get_by_role("group", name="Recording. Greys")).to_be_visible()


def test_on_a_phone_the_label_hides_nothing_of_the_picture(mounted):
    page = mounted(data(label="Recording"))
    for width, hides in ((700, True), (390, False)):
        page.set_viewport_size({"width": width, "height": 844})
        tag, picture = (page.locator(name).bounding_box() for name in (".tag", "canvas"))
        assert (tag["y"] < picture["y"] + picture["height"] - 1) is hides
        assert tag["x"] + tag["width"] <= width


def test_text_is_never_markup(mounted):
    given = data()
    given["captions"][0] = given["title"] = '<img src=x onerror="window.hit = 1">'
    page = mounted(given)
    expect(page.locator(".caption")).to_have_text(given["title"])
    assert page.locator(".player img").count() == 0
    assert page.evaluate("window.hit") is None


def test_it_fits_a_phone(mounted):
    page = mounted()
    page.set_viewport_size({"width": 390, "height": 844})
    for control in page.locator(".controls > *").all():
        place = control.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390
    for name in ("One step back", "One step forward", "Still"):
        place = page.get_by_role("button", name=name).bounding_box()
        assert min(place["width"], place["height"]) >= 40


def test_a_recording_plays_where_nothing_has_run_and_then_the_answers_film(visit):
    page = visit()
    ready(page)
    page.get_by_text("How Grad-CAM works: a recording").click()
    shown = page.get_by_role("group", name="Recording. Channels add up to the map")
    expect(shown).to_have_attribute("data-drawn", re.compile(r"\d"))
    expect(shown.locator(".tag")).to_have_text("Recording")
    shown.get_by_role("slider").fill("1")
    expect(shown.locator(".caption")).to_have_text(re.compile(r"^Channel \d+ has the weight "))
    expect(shown.locator("canvas")).to_have_js_property("width", 640)
    page.get_by_text("Recording: Grad-CAM for").wait_for()
    # the answer's film, which is handed out
    run(page)
    assert page.locator(".player").count() == 0
    page.get_by_text("How it came about").click()
    shown = page.locator(".player")
    expect(shown).to_have_attribute("data-drawn", re.compile(r"\d"))
    expect(page.locator(".caption")).to_contain_text("The layer features.20 gives 160 maps")
    shown.get_by_role("button", name="One step forward").click()
    shown.get_by_role("slider").fill("3")
    expect(page.locator(".caption")).to_have_text(re.compile(r"^Channel \d+ has the weight "))
    count = int(shown.locator(".count").inner_text().split("/")[1])
    for kind, name in player.NAMES.items():
        with page.expect_download() as started:
            page.get_by_role("button", name=f"Film as {name}").click()
        data = started.value.path().read_bytes()
        assert started.value.suggested_filename == f"grad-cam-star.{kind}"
        if kind != "webm":
            assert Image.open(io.BytesIO(data)).n_frames == count
    expect(page.get_by_text("1. The layer gives 160 maps of 16 x 16 cells.")).to_be_visible()
    # what is recorded of each method
    page.get_by_role("link", name="Methods").click()
    page.get_by_role("heading", name="Methods").wait_for()
    rested(page)
    page.get_by_text("How it works, its settings").first.click()
    shown = page.get_by_role("group", name=re.compile(r"^Recording\. "))
    expect(shown).to_have_attribute("data-drawn", re.compile(r"\d"))
