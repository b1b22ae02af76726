import io
import re

import numpy as np
from playwright.sync_api import expect

from tests.browser.conftest import later, rested, unroll, uploads
from tests.conftest import ROOT

NAMES = ["arrow", "crescent", "cross", "heart", "ring", "star"]
RUN = re.compile(r"^Run \(")


def ready(page):
    """Wait until the model has answered and a run can be started."""
    page.get_by_role("button", name=RUN).wait_for()
    return page


def run(page):
    rested(page)
    page.get_by_role("button", name=RUN).click()
    answer = page.get_by_text("Before you believe it")
    # first that the press was heard: on a busy machine the answer takes a while
    answer.or_(page.locator(".st-key-progress")).first.wait_for()
    answer.wait_for()


def choose(page, label, option):
    unroll(page.get_by_role("combobox", name=label))
    # a method's line has its family in brackets
    page.get_by_role("option", name=re.compile(rf"^{re.escape(option)}( \(|$)")).click()
    later(page)  # the page's run with it has begun
    rested(page)


SAMPLE = """canvas => {
  const small = document.createElement("canvas");
  small.width = small.height = 48;
  const context = small.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, 48, 48);
  return Array.from(context.getImageData(0, 0, 48, 48).data);
}"""


def drawn(page, part):
    """Return a sample of one canvas of the figure, once it is painted, uint8 [48, 48, 4]."""
    page.locator('.frame[data-drawn^="answer"]').wait_for()
    canvas = page.locator(f".frame[data-drawn^=answer] .{part} canvas")
    return np.array(canvas.evaluate(SAMPLE), np.uint8).reshape(48, 48, 4)


def upload_photo(page, name, data):
    page.get_by_role("button", name="Change photo").click()
    place = page.get_by_test_id("stFileUploader").filter(has_text="A photo of your own")
    place.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def send(page, *files):
    """Have files arrive in the dialog for another model: paths, or what the browser takes."""
    page.get_by_role("button", name="Change model").click()
    uploads(page).set_input_files(list(files))


def upload_model(page, name):
    data = (ROOT / "assets" / "models" / "shapes.pth").read_bytes()
    send(page, {"name": name, "mimeType": "application/octet-stream", "buffer": data})
    dialog = page.get_by_role("dialog")
    box = dialog.get_by_role("textbox", name="Class names, one a line")
    box.fill("\n".join(f"my {label}" for label in NAMES))
    dialog.get_by_role("button", name="Open the model").click()
    page.locator(".v-name", has_text=name).wait_for()
    expect(dialog).to_have_count(0)


def number(page):
    """Return the patch height that the slider shows."""
    return int(page.get_by_role("slider", name="Patch height").input_value())


def test_the_first_page_shows_the_model_its_answer_and_after_run_where_it_looked(visit):
    page = ready(visit())
    page.get_by_role("heading", name="Your model, behind glass").wait_for()
    assert page.locator(".v-name").inner_text()
    bars = page.locator(".bars button")
    assert bars.count() == 5
    run(page)
    for part in ("map", "over"):
        assert drawn(page, part)[..., :3].std() > 5
    assert (drawn(page, "map")[..., 3] == 255).mean() > 0.9
    before = drawn(page, "over")
    page.get_by_role("slider", name="Opacity").fill("0")
    bare = drawn(page, "over")
    assert (bare != before).any()
    page.get_by_role("combobox", name="Colours").select_option("cividis")
    np.testing.assert_array_equal(drawn(page, "over"), bare)  # nothing of the map is left in it
    page.get_by_text("Half of the evidence for").wait_for()
    # a bar makes its class the target
    rested(page)
    second = page.locator(".bars button").nth(1)
    label = second.locator(".name").inner_text()
    second.click()
    page.locator('.bars button[aria-pressed="true"]').filter(has_text=label).wait_for()
    expect(page.get_by_role("combobox", name="Class to explain")).to_have_value(label)
    page.get_by_role("button", name=RUN).click()
    page.locator(".v-prose").get_by_text(label, exact=True).first.wait_for()


def test_upload_tune_run_cancel_switch_and_download(visit):
    page = ready(visit())
    upload_model(page, "mine.pth")
    photo = (ROOT / "assets" / "photos" / "star.jpg").read_bytes()
    upload_photo(page, "holiday.jpg", photo)
    page.get_by_text(re.compile("^holiday.jpg The model gets it")).wait_for()
    page.locator(".bars button").filter(has_text="my star").wait_for()

    choose(page, "Method", "Occlusion")
    slider = page.get_by_role("slider", name="Patch height")
    slider.focus()
    before = number(page)
    for _ in range(4):
        slider.press("ArrowRight")
    expect(slider).to_have_value(str(before + 4))
    later(page)  # the slider's own timer
    rested(page)
    run(page)
    occluded = drawn(page, "map")
    assert occluded[..., :3].std() > 5

    # a long run: one pixel a step
    page.get_by_text("All settings").click()
    page.get_by_role("slider", name="Stride height and width").press("Home")
    page.get_by_text("All settings").click()
    page.get_by_text(re.compile("Shown: stride height")).wait_for()
    page.get_by_role("button", name=RUN).click()
    page.get_by_text(re.compile(r"of [\d,]+ passes")).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator(".v-quiet", has_text="Cancelled. The last answer is kept.").wait_for()
    np.testing.assert_array_equal(drawn(page, "map"), occluded)

    choose(page, "Method", "Grad-CAM")
    run(page)
    page.get_by_text("Grad-CAM for", exact=True).wait_for()  # not what is said while it runs

    page.get_by_role("link", name="Methods").click()
    page.get_by_role("heading", name="Methods").wait_for()
    page.get_by_role("link", name="Offering").click()
    ready(page)
    page.get_by_text("mine.pth", exact=True).wait_for()
    page.get_by_text(re.compile("^holiday.jpg The model gets it")).wait_for()
    assert drawn(page, "map")[..., :3].std() > 5
    choose(page, "Method", "Occlusion")
    expect(slider).to_have_value(str(before + 4))
    rested(page)  # what a button gives is the last run's, and a run under way makes it anew

    with page.expect_download() as started:
        page.get_by_role("button", name="NPY").click()
    values = np.load(io.BytesIO(started.value.path().read_bytes()), allow_pickle=False)
    assert values.dtype == np.float32
    assert values.shape == (128, 128)
    assert np.isfinite(values).all()
    assert values.std() > 0


def test_what_ends_behind_a_dialog_takes_nothing_from_it(visit):
    page = ready(visit())
    choose(page, "Method", "Occlusion")
    page.get_by_role("button", name=RUN).click()
    moving = page.locator(".st-key-progress")
    moving.wait_for()
    page.get_by_role("button", name="Change photo").click()
    chosen = page.get_by_test_id("stFileUploader").locator("input[type=file]")
    chosen.evaluate("input => { input.mine = true; }")
    moving.wait_for(state="detached")
    rested(page)
    assert chosen.evaluate("input => input.mine")
    page.keyboard.press("Escape")
    page.get_by_text("Before you believe it").wait_for()
