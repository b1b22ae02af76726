"""An ONNX file whose weights lie in a second file, in a browser: dropped together, or after it."""

from pathlib import Path

import onnx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import uploads
from tests.browser.test_offering import ready, send
from tests.hostile.conftest import SOAK
from tests.loaders.onnx.graphs import model, tail


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    onnx.save_model(
        model(tail(), metadata={"names": "['ant', 'bee', 'cow', 'dog']"}),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    return [tmp_path / "model.onnx", tmp_path / "model.onnx.data"]


def opened(page):
    page.get_by_role("button", name="Open the model").click()
    page.locator(".v-name", has_text="model.onnx").wait_for()
    page.locator(".bars").get_by_text("ant", exact=True).wait_for()
    expect(page.locator(".v-error")).to_have_count(0)


# files that are dropped together are the same to a browser whatever they are: see test_source.py
@pytest.mark.skipif(not SOAK, reason="run by make soak")
def test_both_are_dropped_together(visit, pair):
    page = ready(visit())
    page.get_by_role("button", name="Change model").click()
    uploads(page)
    place = page.locator(".upload .drop")
    place.wait_for()
    contents = [[path.name, list(path.read_bytes())] for path in pair]
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
    opened(page)


def test_the_second_is_sent_after_the_first(visit, pair):
    page = ready(visit())
    send(page, pair[0])
    page.get_by_text("'model.onnx.data' did not come with it").wait_for()
    page.get_by_text("Drop the missing file here").wait_for()
    page.locator(".upload input[type=file]").set_input_files(pair[1])
    opened(page)
