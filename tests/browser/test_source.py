"""A network of one's own class in a browser: the box for its source, and files sent together."""

import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

from tests.browser.conftest import rested, uploads
from tests.browser.test_offering import ready, send
from tests.hostile.sources import NETWORK


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Path]:
    space: dict[str, object] = {"__name__": "author"}
    exec(NETWORK, space)  # noqa: S102 - the tests' own
    files = {name: tmp_path / name for name in ("mine.pth", "mine.py", "names.txt")}
    torch.manual_seed(0)
    torch.save(space["Net"]().state_dict(), files["mine.pth"])  # type: ignore[operator]
    files["mine.py"].write_text(NETWORK)
    files["names.txt"].write_text("cat\ndog\nfox\n")
    return files


def found(page, said):
    """Open what was found in the file, and wait for what is said there."""
    ready(page)
    rested(page)
    page.get_by_text("About this model\u2019s file").click()
    page.get_by_text(said).wait_for()


def test_a_refused_file_is_opened_with_its_source(visit, own):
    page = ready(visit())
    send(page, own["mine.pth"])
    page.get_by_text("Open mine.pth with the source of its class").wait_for()
    box = page.locator(".st-key-missing")
    pasted = box.get_by_role("textbox", name="Paste the source")
    broken = "import nowhere_at_all as missing\nmissing.start()"
    pasted.fill(broken)
    pasted.blur()
    box.get_by_role("button", name="Open with this source").click()
    page.get_by_text("uses nowhere_at_all.start, which is not here").wait_for()
    page.reload()
    page.get_by_text("uses nowhere_at_all.start, which is not here").wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Send what it lacks").click()
    pasted.wait_for()
    expect(pasted).to_have_value("import nowhere_at_all as missing\nmissing.start()")
    box.locator("input[type=file]").set_input_files(str(own["mine.py"]))
    expect(pasted).to_have_value(NETWORK)
    box.get_by_role("button", name="Open with this source").click()
    page.get_by_text("The file does not name its classes").wait_for()
    page.get_by_role("button", name="Open the model").click()
    page.locator(".v-name", has_text="mine.pth").wait_for()
    found(page, "Its source was run in the sandbox, and Net() was built of it")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_files_are_dropped_together(visit, own):
    page = ready(visit())
    page.get_by_role("button", name="Change model").click()
    uploads(page)
    place = page.locator(".upload .drop")
    place.wait_for()
    contents = [[name, list(path.read_bytes())] for name, path in own.items()]
    dropped = page.evaluate_handle(
        """(files) => {
            const all = new DataTransfer();
            for (const [name, bytes] of files)
                all.items.add(new File([new Uint8Array(bytes)], name));
            return all;
        }""",
        contents,
    )
    place.dispatch_event("drop", {"dataTransfer": dropped})
    page.get_by_role("button", name="Open the model").click()
    page.locator(".v-name", has_text="mine.pth").wait_for()
    ready(page)
    for label in ("cat", "dog", "fox"):
        page.locator(".bars").get_by_text(label, exact=True).wait_for()
    found(page, "Net() was built of it")
    # five are refused before they are sent
    send(page, *[own["names.txt"]] * 5)
    expect(page.locator(".upload .error")).to_have_text(re.compile("up to three more files"))
