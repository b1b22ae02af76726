import contextlib
import os
import re
import threading
import time
from pathlib import Path

import pytest
import torch
import torchvision
from playwright.sync_api import expect

from tests.browser.conftest import later, until, uploads
from tests.browser.test_offering import RUN, choose, ready, upload_model


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a state dict of 60 MB: a resnet18 with many classes."""
    path = tmp_path_factory.mktemp("large") / "resnet18-of-mine.pth"
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=7_500).state_dict(), path)
    assert path.stat().st_size > 60_000_000
    return path


class Line:
    """The browser's line to the server: so many megabytes a second, or cut."""

    def __init__(self, page, megabytes):
        page.spent = True
        self.session = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.rate = megabytes * 1e6
        self.mend()

    def cut(self):
        self._set(True)

    def mend(self):
        self._set(False)

    def free(self):
        """Let it be as fast as it can."""
        self.rate = -1
        self.mend()

    def _set(self, offline):
        rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": self.rate}
        self.session.send("Network.emulateNetworkConditions", {"offline": offline} | rates)


def parts(page):
    """Return a list that the ranges of all parts sent from now on will be in."""
    found = []

    def note(request):
        if request.method == "PUT" and "/vitrine/upload/" in request.url:
            found.append(request.headers["content-range"])

    page.on("request", note)
    return found


def send(page, path):
    page.get_by_role("button", name="Change model").click()
    uploads(page).set_input_files(path)
    page.locator('.upload[data-phase="sending"]').wait_for()


def share(page):
    return int(page.locator(".upload .track").get_attribute("aria-valuenow") or 0)


def arrived(page, name):
    """Open the file that has arrived as it is, and wait until it is the model on the desk."""
    page.get_by_role("button", name="Open the model").click()
    page.locator(".v-name", has_text=name).wait_for()
    ready(page)


def test_a_large_file_is_sent_with_progress_and_opened(visit, large):
    page = ready(visit())
    line = Line(page, 8)
    sent = parts(page)
    send(page, large)
    page.locator(
        ".upload .said", has_text=re.compile(r"^\d+ MB of 60 MB, about \d+ s left")
    ).wait_for()
    seen = [share(page)]
    page.keyboard.press("Escape")  # the dialog closes, and the card goes on telling
    page.get_by_text(re.compile(r"Receiving resnet18-of-mine.pth: \d+\u00a0% of")).wait_for()
    expect(page.locator(".upload")).to_have_count(0)
    page.get_by_role("button", name="Change model").click()
    page.locator(".upload .track").wait_for()
    seen.append(share(page))
    assert 0 < seen[0] < seen[1]
    line.free()
    arrived(page, large.name)
    page.get_by_text("knows 7,500 classes").wait_for()
    assert [part.partition("-")[0] for part in sent] == [
        f"bytes {16 * 2**20 * n}" for n in range(4)
    ]
    expect(page.locator(".upload")).to_have_count(0)


def test_a_dropped_connection_goes_on_where_it_stopped(visit, large):
    page = ready(visit())
    line = Line(page, 12)
    sent = parts(page)
    send(page, large)
    until(page, lambda: share(page) >= 35)
    line.cut()
    page.locator(".upload .said", has_text="The connection dropped at").wait_for()
    page.locator(".upload .again", has_text="Try now").wait_for()
    before = len(sent)
    later(page)  # the line stays down for a while
    line.free()
    arrived(page, large.name)
    starts = [int(re.match(r"bytes (\d+)-", part)[1]) for part in sent]
    assert starts[before] >= 16 * 2**20
    assert starts == sorted(starts)


def test_who_cancels_has_an_empty_place_and_the_model_of_before(visit, large):
    page = ready(visit())
    name = page.locator(".v-name").inner_text()
    Line(page, 10)
    send(page, large)
    until(page, lambda: share(page) >= 5)
    with page.expect_request(lambda request: request.method == "DELETE") as deleted:
        page.locator(".upload .cancel").click()
    assert deleted.value.response().status == 204
    page.locator('.upload[data-phase="idle"]').wait_for()
    expect(page.get_by_text("Receiving")).to_have_count(0)
    expect(page.locator(".v-name")).to_have_text(name)


def test_the_keyboard_opens_the_choice_of_files_and_a_file_is_dropped(visit):
    page = ready(visit())
    page.get_by_role("button", name="Change model").click()
    button = page.get_by_role("button", name="Choose a file")
    button.wait_for()
    later(page)  # the dialog takes the focus when it has opened
    with page.expect_file_chooser():
        button.press("Enter")
    a_file_is_dropped(page)


DROP = """(place, count) => {
  const given = new DataTransfer();
  for (let at = 0; at < count; at++) given.items.add(new File(["no model"], `dropped-${at}.pt`));
  place.dispatchEvent(new DragEvent("dragover", { dataTransfer: given, cancelable: true }));
  place.dispatchEvent(new DragEvent("drop", { dataTransfer: given, cancelable: true }));
}"""


def a_file_is_dropped(page):
    page.locator(".upload .drop").evaluate(DROP, 5)
    page.locator(".upload .error", has_text="up to three more files").wait_for()
    page.locator(".upload .drop").evaluate(DROP, 1)
    page.get_by_text("dropped-0.pt was not opened.").wait_for()
    page.get_by_role("dialog").locator(".v-error").wait_for()
    page.keyboard.press("Escape")
    ready(page)
    page.locator(".st-key-waits", has_text="dropped-0.pt was not opened.").wait_for()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".v-error")).to_have_count(0)


def test_a_refusal_is_a_sentence_in_the_widget(visit):
    page = ready(visit())
    page.context.clear_cookies(name="vitrine")
    page.get_by_role("button", name="Change model").click()
    uploads(page).set_input_files(
        {"name": "m.pt", "mimeType": "application/octet-stream", "buffer": b"m"}
    )
    page.locator(".upload .error", has_text="Allow cookies for this page").wait_for()
    page.locator(".upload .choose").wait_for()


def long_run(page):
    """Start an occlusion of one pixel a step."""
    choose(page, "Method", "Occlusion")
    page.get_by_text("All settings").click()
    page.get_by_role("slider", name="Stride height and width").press("Home")
    page.get_by_text("All settings").click()
    later(page)
    page.get_by_role("button", name=RUN).click()
    page.get_by_text(re.compile(r"[1-9][\d,]* of [\d,]+ passes")).wait_for()


def passes(page):
    said = page.get_by_text(re.compile(r"of [\d,]+ passes")).inner_text()
    return int(re.search(r"([\d,]+) of", said)[1].replace(",", ""))


def test_f5_comes_back_to_the_model_the_settings_and_the_running_job(visit):
    page = ready(visit())
    upload_model(page, "mine.pth")
    page.locator(".bars button").filter(has_text="my ").first.wait_for()
    page.locator(".bars button").nth(1).click()
    target = page.locator(".bars button").nth(1).locator(".name").inner_text()
    page.locator('.bars button[aria-pressed="true"]').filter(has_text=target).wait_for()
    long_run(page)
    before = passes(page)
    page.reload()
    page.get_by_text(re.compile(r"of [\d,]+ passes")).wait_for()
    assert passes(page) >= before
    page.locator(".v-name", has_text="mine.pth").wait_for()
    expect(page.get_by_role("combobox", name="Method")).to_have_value(re.compile("^Occlusion"))
    expect(page.get_by_role("combobox", name="Class to explain")).to_have_value(target)
    page.get_by_role("button", name="Cancel").click()
    page.locator(".v-quiet", has_text="Cancelled.").wait_for()


def test_two_tabs_share_a_desk_and_two_browsers_do_not(visit):
    first, other = ready(visit()), ready(visit())
    second = first.context.new_page()
    second.goto(first.url)
    ready(second)
    upload_model(first, "alpha-secret.pth")
    upload_model(other, "beta-secret.pth")
    for page in (first, other):
        page.locator(".bars button").filter(has_text="my ").first.wait_for()
    second.reload()
    ready(second)
    second.locator(".v-name", has_text="alpha-secret.pth").wait_for()
    for page, own, not_own in ((first, "alpha", "beta"), (second, "alpha", "beta"),
                               (other, "beta", "alpha")):  # fmt: skip
        assert f"{own}-secret" in page.content()
        assert f"{not_own}-secret" not in page.content()


@pytest.mark.skipif(os.environ.get("VITRINE_SOAK") != "1", reason="1.9 GB: run by make soak")
@pytest.mark.timeout(1800)
def test_a_file_of_1900_mb_costs_the_server_no_memory(visit, serving, tmp_path):
    page = ready(visit())
    page.context.set_default_timeout(600_000)
    path = tmp_path / "huge.pth"
    with path.open("wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(1_900_000_000 >> 20):
            file.write(block)
    sizes, stop = [], threading.Event()
    status = Path(f"/proc/{serving[1].pid}/status")

    def watch():
        while not stop.wait(0.1):
            with contextlib.suppress(OSError):
                sizes.append(int(re.search(r"VmRSS:\s+(\d+) kB", status.read_text())[1]) / 1024)

    threading.Thread(target=watch, daemon=True).start()
    page.wait_for_timeout(2000)
    before, began = max(sizes), time.monotonic()
    send(page, path)
    # It is no model: the sentence says that all of it arrived and was looked at.
    page.locator('.upload[data-phase="done"]').or_(page.locator(".v-error")).first.wait_for()
    sent = time.monotonic() - began
    page.locator(".v-error").wait_for()
    stop.set()
    grown = max(sizes) - before
    print(f"\n{path.stat().st_size / 1e6:.0f} MB in {sent:.0f} s; the server held {before:.0f} MB, "
          f"and {grown:.0f} MB more at most")  # fmt: skip
    assert grown < 100
