"""Dialogs in a browser: what a file leaves open, errors beside their fields, names fetched back."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import newcomer, rested, steady
from tests.browser.test_offering import NAMES, ready, send
from tests.conftest import ROOT

SHAPES = ROOT / "assets" / "models" / "shapes.pth"


PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(browser, server):
    context = newcomer(browser, viewport=PHONE)
    page = context.new_page()
    page.goto(server)
    yield ready(page)
    context.close()


def shapes(name):
    data = SHAPES.read_bytes()
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def in_sight(locator):
    """Whether the whole of it is within the window, as it was scrolled."""
    return locator.evaluate(
        """element => {
            const box = element.getBoundingClientRect();
            return box.top >= 0 && box.left >= 0
                && box.bottom <= innerHeight && box.right <= innerWidth;
        }"""
    )


def shown(page, name, label):
    """Wait until a model has answered with a class of that name, and its dialog is gone."""
    page.locator(".v-name", has_text=name).wait_for()
    page.locator(".bars").get_by_text(label, exact=True).first.wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    ready(page)
    rested(page)


def test_answers_belong_to_one_file_and_names_come_back_as_they_were(page, tmp_path):
    dialog = page.get_by_role("dialog")
    names = dialog.get_by_role("textbox", name="Class names, one a line")
    send(page, shapes("first.pth"))
    page.get_by_text("first.pth is read: a PyTorch state dict").wait_for()
    names.fill("one\ntwo")
    dialog.get_by_role("button", name="Open the model").click()
    page.get_by_text("The model has 6 classes, and these are 2 names.").wait_for()
    names.fill("\n".join(NAMES))
    dialog.get_by_role("button", name="Open the model").click()
    shown(page, "first.pth", "heart")

    page.get_by_role("button", name="Class names", exact=True).click()
    with page.expect_download() as started:
        dialog.get_by_role("button", name="classes.txt").click()
    fetched = tmp_path / "classes.txt"
    started.value.save_as(fetched)
    assert fetched.read_text() == "\n".join(NAMES) + "\n"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    send(page, shapes("second.pth"))
    page.get_by_text("second.pth is read").wait_for()
    expect(names).to_have_value("")
    dialog.get_by_role("button", name="Open the model").click()
    shown(page, "second.pth", "class 3")

    # a finding leads to the control, and the file that was fetched gives the names again
    page.get_by_role("button", name="Give its class names").click()
    dialog.locator("input[type=file]").set_input_files(fetched)
    dialog.get_by_test_id("stFileChipName").get_by_text("classes.txt").wait_for()
    rested(page)
    dialog.get_by_role("button", name="Apply").click()
    shown(page, "second.pth", "heart")


def test_a_wrong_size_is_refused_in_sight_and_beside_its_field(page):
    page.get_by_role("button", name="Pre-processing", exact=True).click()
    dialog = page.get_by_role("dialog")
    size = dialog.get_by_role("textbox", name="Size")
    size.fill("5000x5000")
    size.press("Enter")
    said = dialog.locator(".v-error")
    expect(said).to_have_text(
        "'Size' must be height x width, each from 16 to 2048 pixels. '5000x5000' is not."
    )
    for window in (PHONE, {"width": 1366, "height": 768}):
        page.set_viewport_size(window)
        steady(said)
        assert in_sight(said)
        below = said.bounding_box()["y"] - size.bounding_box()["y"]
        assert 0 < below < 100
    size.fill("96x96")
    size.press("Enter")
    expect(dialog).to_have_count(0)
    page.get_by_text("96 x 96 px", exact=False).first.wait_for()
