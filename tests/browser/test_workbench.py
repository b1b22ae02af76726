"""The workbench: the answer in sight, runs kept, the doubt measured, in a real browser."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import rested, steady, until
from tests.browser.test_offering import RUN, choose, ready, run
from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def laptop(visit):
    page = visit()
    page.set_viewport_size({"width": 1366, "height": 768})
    return ready(page)


def in_sight(page, locator):
    """Whether an element lies in the window whole."""
    box = locator.bounding_box()
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    return (
        box is not None
        and box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= width
        and box["y"] + box["height"] <= height
    )


def test_after_a_run_the_answer_is_in_sight_without_scrolling(laptop):
    run(laptop)
    rested(laptop)  # the figure takes its size once it is drawn
    for part in (".over", ".map"):
        assert in_sight(laptop, laptop.locator(f".st-key-stage .figure {part} canvas"))
    assert in_sight(laptop, laptop.locator(".v-prose").first)
    assert in_sight(laptop, laptop.locator(".v-doubt"))
    assert in_sight(laptop, laptop.get_by_role("button", name=RUN))
    over = laptop.locator(".st-key-stage .figure .over canvas").bounding_box()
    assert over["width"] > 250
    # no gap beside the photo, in its card or among the runs
    card = laptop.locator(".st-key-photo-card .photo .picture").bounding_box()
    photo = laptop.locator(".st-key-photo-card .photo canvas").bounding_box()
    for side in ("width", "height"):
        assert abs(card[side] - photo[side]) <= 1
    run_of = laptop.locator(".strip img").evaluate(
        "it => [it.clientWidth / it.clientHeight, it.naturalWidth / it.naturalHeight]"
    )
    assert run_of[0] == pytest.approx(run_of[1], abs=0.05)
    rail = laptop.locator(".st-key-rail").bounding_box()
    assert rail["x"] + rail["width"] <= over["x"]
    # the rail stays while the answer scrolls
    before = laptop.get_by_role("button", name=RUN).bounding_box()
    laptop.mouse.move(1000, 400)
    laptop.mouse.wheel(0, 300)
    laptop.wait_for_function(
        "() => document.querySelector('.v-title').getBoundingClientRect().top < 0"
    )
    after = laptop.get_by_role("button", name=RUN).bounding_box()
    assert abs(after["y"] - before["y"]) < 20  # it comes to rest at the window's edge


def test_run_covers_no_part_of_the_first_fields_and_nothing_moves_while_the_photo_changes(laptop):
    rested(laptop)
    bar = laptop.locator(".st-key-run").bounding_box()
    for label in ("Class to explain", "Class to compare with", "Method"):
        field = laptop.get_by_role("combobox", name=label).bounding_box()
        assert field["y"] + field["height"] <= bar["y"]
    laptop.evaluate(WATCH)
    laptop.get_by_role("button", name="Change photo").click()
    laptop.get_by_role("dialog").get_by_role("button", name="A crescent and a ring").click()
    laptop.get_by_text("A crescent and a ring. The model gets it").wait_for()
    rested(laptop)
    assert laptop.evaluate("window.seen.size") == 1, laptop.evaluate("[...window.seen]")


WATCH = """() => {
  window.seen = new Set();
  const look = () => {
    const question = document.querySelector(".st-key-question");
    const run = document.querySelector(".st-key-run");
    window.seen.add([question, run].map((each) =>
      each ? Math.round(each.getBoundingClientRect().height) : 0).join());
    requestAnimationFrame(look);
  };
  look();
}"""


def test_on_a_phone_run_brings_the_answer_into_view_and_covers_no_focus(visit):
    page = visit()
    page.set_viewport_size({"width": 390, "height": 844})
    ready(page)
    page.get_by_role("button", name=RUN).scroll_into_view_if_needed()
    page.get_by_role("button", name=RUN).click()
    title = page.get_by_role("heading", name="Why star?")
    title.wait_for()
    expect(title).to_be_in_viewport()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    what_has_the_focus_is_not_covered_by_run(page)


OVER_RUN = """() => {
  const at = document.activeElement.getBoundingClientRect();
  const bar = document.querySelector(".st-key-run");
  return bar.contains(document.activeElement) || at.bottom <= bar.getBoundingClientRect().top;
}"""


def what_has_the_focus_is_not_covered_by_run(page):
    for window in ({"width": 390, "height": 600}, {"width": 768, "height": 600}):
        page.set_viewport_size(window)
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        page.get_by_text("Skip to the question").focus()
        page.keyboard.press("Enter")
        stops = 0
        while not page.get_by_role("button", name=RUN).evaluate("it => it.matches(':focus')"):
            steady(
                page.evaluate_handle("document.activeElement").as_element()
            )  # it may scroll into view
            assert page.evaluate(OVER_RUN)
            page.keyboard.press("Tab")
            stops += 1
        assert stops > 4


def test_runs_are_kept_brought_back_pinned_removed_and_undone(laptop):
    run(laptop)
    rested(laptop)
    choose(laptop, "Method", "Occlusion")
    laptop.get_by_role("button", name=RUN).click()
    second = laptop.get_by_role("button", name="2 Occlusion for star")
    second.wait_for()
    first = laptop.get_by_role("button", name="1 Grad-CAM for star")
    expect(second).to_have_attribute("aria-current", "true")

    first.click()
    expect(first).to_have_attribute("aria-current", "true")
    laptop.get_by_text(re.compile("^Grad-CAM for")).wait_for()
    expect(laptop.get_by_role("combobox", name="Method")).to_have_value(re.compile("^Grad-CAM"))
    # the agreement with the other run is said, and no advice to make it
    doubt = laptop.locator(".v-doubt")
    expect(doubt).to_contain_text("On the same question, Occlusion (run 2)")
    expect(doubt).not_to_contain_text("To check it, run")

    laptop.get_by_role("button", name="Pin 1 Grad-CAM").click()
    expect(laptop.get_by_role("button", name="Pin 1 Grad-CAM")).to_have_attribute(
        "aria-pressed", "true"
    )
    laptop.reload()
    expect(laptop.get_by_role("button", name="Pin 1 Grad-CAM")).to_have_attribute(
        "aria-pressed", "true"
    )
    laptop.get_by_role("button", name="Remove 2 Occlusion").click()
    expect(second).to_have_count(0)
    laptop.get_by_role("button", name="Undo: bring Occlusion back").click()
    second.wait_for()


def test_ctrl_enter_runs_the_doubt_is_measured_and_goes_into_the_report(laptop, tmp_path):
    expect(laptop.locator(".aloud[role=status]")).to_have_text("")
    laptop.keyboard.press("Control+Enter")
    expect(laptop.locator(".aloud[role=status]")).to_have_text(
        "Grad-CAM has ended: the answer is there."
    )
    rested(laptop)
    laptop.get_by_role("button", name="Hide the strongest parts and ask again").click()
    doubt = laptop.locator(".v-doubt")
    expect(doubt).to_contain_text("Hiding the strongest 5\u00a0% takes star from")
    expect(doubt).to_contain_text("and the model then says heart")
    expect(doubt).to_contain_text("changes the answer in 0 of 10")
    rested(laptop)
    laptop.get_by_text("Your judgement").click()
    laptop.get_by_text("No", exact=True).click()
    laptop.get_by_role("textbox", name="Note").fill("It looks at the sticker.")
    laptop.get_by_role("button", name="Keep it with this run").click()
    laptop.get_by_text("Your judgement: no").wait_for()
    with laptop.expect_download() as started:
        laptop.get_by_role("button", name="JSON", exact=True).click()
    said = json.loads(Path(started.value.path()).read_text())
    assert said["judgement"] == {"right": "no", "note": "It looks at the sticker.", "name": ""}
    with laptop.expect_download() as started:
        laptop.get_by_role("button", name="Report", exact=True).click()
    place = tmp_path / "report.html"
    started.value.save_as(place)
    report = laptop.context.new_page()
    report.goto(place.as_uri())
    report.locator("h1").wait_for()
    body = " ".join(report.locator("body").inner_text().split())
    for sentence in said["sentences"]:
        assert " ".join(re.sub("[\u201c\u201d]", "", sentence).split()) in body.replace(
            "\u201c", ""
        ).replace("\u201d", "")
    for words in ("Hiding the strongest 5", "It looks at the sticker.", said["model_hash"][:12]):
        assert words in body


def test_a_built_in_photo_is_chosen_by_its_picture_and_a_large_one_refused(laptop, tmp_path):
    laptop.get_by_role("button", name="Change photo").click()
    laptop.get_by_role("dialog").get_by_role("button", name="A crescent", exact=True).click()
    expect(laptop.get_by_role("dialog")).to_have_count(0)
    expect(laptop.get_by_text("A crescent. The model gets it as")).to_be_visible()
    rested(laptop)
    # and one over the limit is refused in a sentence
    limit = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
    megabytes = limit["maxUploadSize"]
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate((megabytes << 20) + 1)
    laptop.get_by_role("button", name="Change photo").click()
    place = laptop.get_by_test_id("stFileUploader")
    place.locator("input[type=file]").set_input_files(large)
    place.locator('[data-testid="stFileChip"][aria-invalid="true"]').wait_for()
    said = place.evaluate("element => getComputedStyle(element, '::after').content")
    assert f"a file here may have {megabytes} MB at most" in said
    expect(laptop.get_by_text("large.png")).to_be_visible()


def test_a_signed_map_s_middle_is_the_page_s_own_background(visit):
    page = ready(visit())
    choose(page, "Method", "Occlusion")
    run(page)
    bar = page.locator('.frame[data-drawn^="answer"] .ramp')
    for scheme, ground in (("light", (252, 252, 250)), ("dark", (20, 24, 26))):
        page.emulate_media(color_scheme=scheme)  # as a reader's system turns dark at night

        def follows(ground=ground):
            colours = re.findall(r"rgb\(([^)]*)\)", bar.evaluate("bar => bar.style.background"))
            told = [int(part) for part in colours[8].split(",")]
            return max(abs(a - b) for a, b in zip(told, ground, strict=True)) <= 3

        until(page, follows)
