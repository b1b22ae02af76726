"""The page on the MLP in a browser: its pictures are the recording, and a whole visit works."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from loaders.trainings import shipped
from tests.browser.conftest import newcomer, rested, steady, turn_to, until
from xai_core import colormaps
from xai_core.training import mlp_units

PIXEL = "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data]"
TABLE = colormaps.table("magma").astype(int)


@pytest.fixture
def mlp(browser, server):
    """Return a function that opens the page as a new visitor, whose pictures stand still."""
    contexts = []

    def mlp(**more):
        context = newcomer(browser, reduced_motion="reduce", **more)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server}/mlp")
        drawn(page)
        rested(page)
        return page

    yield mlp
    for context in contexts:
        context.close()


def drawn(page):
    page.locator(".pane[data-drawn]").first.wait_for()


def scrub(page, epoch):
    page.locator(".scrub").evaluate(
        "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }", epoch
    )
    page.locator(f".pane[data-drawn='{epoch}']").first.wait_for()


def activation(page, place, row, white):
    """Read a pixel back to the activation that it stands for."""
    colour = page.locator(".stage canvas").first.evaluate(PIXEL, [place, row])
    gaps = np.abs(TABLE - np.array(colour[:3])).sum(1)
    assert gaps.min() == 0
    return float(gaps.argmin() * white / 255)


def test_a_pixel_is_the_activation_of_a_unit_a_digit_and_an_epoch(mlp):
    page = mlp()
    frames = shipped("mlp").recording.frames["layer 1"]
    values, white = frames.decoded(), mlp_units.white(frames)
    classes = shipped("mlp").recording.arrays["probe classes"]
    orders = mlp_units.orders(values[-1], classes, 10)
    seen = 0
    for order in (mlp_units.BY_CLASS, mlp_units.AS_IS, mlp_units.BY_ACTIVITY):
        page.get_by_label("Order of the units").select_option(order)
        for epoch in (0, 7, 99):
            scrub(page, epoch)
            title = f"MLP layer 1 (784, 512): epoch {epoch}"
            expect(page.locator(".pane .name")).to_have_text(title)
            for place, row in ((0, 3), (40, 12), (200, 35), (333, 67), (505, 99)):
                true = min(white, values[epoch, row, orders[order][place]])
                read = activation(page, place, row, white)
                assert abs(read - true) <= white / 255, (order, epoch, place, row)
                seen += true > 0
    assert seen > 10
    curve = shipped("mlp").recording.curves["validation loss"]
    expect(page.locator(".losses figcaption")).to_contain_text(f"{curve[99]:.3g}")
    page.get_by_label("Curves", exact=True).select_option("weight norms")
    norm = shipped("mlp").recording.arrays["each norms"][99, 0]
    expect(page.locator(".losses figcaption")).to_contain_text(f"layer 1 {norm:.3g}")
    by_keyboard_alone(page)


def test_a_visit_trains_leaves_comes_back_branches_and_takes_away(mlp):
    page = mlp()
    page.get_by_role("button", name="Dying ReLU").click()
    # what is changed before the form shows the preset goes out with the former values
    expect(page.get_by_role("spinbutton", name="Hidden layer size").first).to_have_value("128")
    rested(page)
    # small batches, so that few epochs have passed when it pauses: each is a frame of the films
    for name, value in (("Epochs", "200"), ("Batch size", "4")):
        box = page.get_by_role("spinbutton", name=name).first
        box.fill(value)
        box.press("Enter")
        rested(page)
    page.get_by_role("button", name="Submit").click()
    page.locator(".live .pane[data-drawn]").first.wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused.").first.wait_for()
    turn_to(page, "Methods")
    turn_to(page, "MLP")
    page.get_by_text("Paused.").first.wait_for()
    before = page.get_by_text("Paused.").first.text_content()
    page.get_by_role("button", name="Step one epoch").click()
    until(page, lambda: page.get_by_text("Paused.").first.text_content() != before)
    page.get_by_role("button", name="Stop and keep").click()
    page.locator(".theatre:not(.live) .pane[data-drawn]").first.wait_for()
    page.get_by_text("Run 1:").first.wait_for()
    rested(page)
    last = int(page.locator(".scrub").get_attribute("max"))
    scrub(page, 1)
    page.get_by_role("button", name="Branch from this epoch").click()
    rested(page)
    until(
        page,
        lambda: page.get_by_role("spinbutton", name="Back to epoch").first.input_value() == "1",
    )
    epochs = page.get_by_role("spinbutton", name="Epochs").last
    epochs.fill(str(last + 2))
    epochs.press("Enter")
    rested(page)
    branch = page.get_by_role("button", name="Branch", exact=True)
    branch.scroll_into_view_if_needed()
    steady(branch)
    branch.click()
    until(page, lambda: page.locator(".pane[data-drawn]").count() == 2)
    rested(page)
    page.get_by_label("Order of the units").select_option(mlp_units.AS_IS)
    scrub(page, last)
    one, two = (
        page.locator(".stage canvas").nth(at).evaluate("canvas => canvas.toDataURL()")
        for at in (0, 1)
    )
    assert one == two  # nothing was changed: the branch repeats the original
    page.get_by_role("tab", name="Take away").click()
    for name, check in (("Film as WebP", frames_of), ("Film as GIF", frames_of)):
        with page.expect_download() as got:
            page.get_by_role("button", name=name).click()
        assert check(got.value.path().read_bytes()) == last + 1
    with page.expect_download() as got:
        page.get_by_role("button", name="Recording (NPZ)").click()
    with np.load(io.BytesIO(got.value.path().read_bytes()), allow_pickle=False) as file:
        assert file["layer 1"].shape == (last + 1, 100, 128)
    with page.expect_download() as got:
        page.get_by_role("button", name="Curves (CSV)").click()
    assert len(got.value.path().read_text().splitlines()) == last + 2
    with page.expect_download() as got:
        page.get_by_role("button", name="Model (.pt)").click()
    assert got.value.path().read_bytes()[:2] == b"PK"


def frames_of(data):
    return Image.open(io.BytesIO(data)).n_frames


def test_a_click_chooses_a_unit_a_digit_is_drawn_and_a_folder_of_pictures_sent(mlp, tmp_path):
    page = mlp()
    stage = page.locator(".stage").first
    stage.scroll_into_view_if_needed()
    steady(stage)
    frames = shipped("mlp").recording.frames["layer 1"]
    classes = shipped("mlp").recording.arrays["probe classes"]
    order = mlp_units.orders(frames.decoded()[-1], classes, 10)[mlp_units.BY_CLASS]
    width = stage.bounding_box()["width"]
    stage.click(position={"x": width * 100.5 / 512, "y": 40})
    unit = page.get_by_role("spinbutton", name="Unit", exact=True)
    until(page, lambda: unit.input_value() == str(order[100]))
    rested(page)
    a_drawn_digit_is_answered(page)
    # a folder of pictures, as it is
    for name, shade in (("cat", 30), ("dog", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for at in range(20):
            picture = Image.fromarray(np.full((9, 7), shade + at, np.uint8))
            picture.save(tmp_path / "pets" / name / f"{at}.png")
    page.get_by_text("Other data").click()
    rested(page)
    page.locator(".st-key-mlp-folder input[type=file]").set_input_files(tmp_path / "pets")
    page.get_by_text("40 samples of cat and dog.").wait_for()
    page.get_by_text("Trains on 32 samples of pets in 2 classes").wait_for()


def a_drawn_digit_is_answered(page):
    page.get_by_role("tab", name="Draw a digit").click()
    pad = page.locator(".pad canvas")
    pad.scroll_into_view_if_needed()
    steady(pad)
    box = pad.bounding_box()
    x, y = box["x"] + 112, box["y"] + 36
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 150, steps=8)
    page.mouse.up()
    expect(page.locator(".bars .first").first).to_have_text("1")
    expect(page.locator(".answers .layer")).to_contain_text("MLP layer 1 (784, 512)")


def by_keyboard_alone(page):
    page.locator(".theatre .play").focus()
    page.keyboard.press("Home")
    page.locator(".theatre[data-epoch='0']").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".theatre[data-epoch='1']").wait_for()
    page.keyboard.press("End")
    page.locator(".theatre[data-epoch='99']").wait_for()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")  # the button in focus
    page.locator(".theatre.playing").wait_for()
    page.keyboard.press("Enter")
    page.locator(".theatre:not(.playing)").wait_for()
    expect(page.locator(".theatre .aloud")).to_contain_text("Epoch")


def test_a_phone_sees_all_of_it_and_answers_a_digit_drawn_by_finger(mlp):
    page = mlp(viewport={"width": 390, "height": 844}, has_touch=True)
    a_drawn_digit_is_answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for selector in (".stage", ".losses", ".deaths", ".confused", ".scrub"):
        box = page.locator(selector).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page.get_by_role("button", name="Show the two side by side").click()
    until(page, lambda: page.locator(".pane[data-drawn]").count() == 2)
    boxes = [each.bounding_box() for each in page.locator(".stage").all()]
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
