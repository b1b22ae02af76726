"""Two doors, one result: the page and the command line write the same JSON of the same run."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cli
from commands import _opened
from tests.fakes.wall import Wall
from tests.pages.conftest import settle
from tests.pages.test_offering import answered, desk, opened
from ui import takeaway
from xai_core.region import Region

DIFFER = {"seconds"}
"""The time it took."""


def from_terminal(capsys: pytest.CaptureFixture[str], out: Any, *words: str) -> dict[str, Any]:
    assert cli.main(["explain", *words, "--out", str(out)]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    written = json.loads((out / "explanation.json").read_text())
    assert written == {name: value for name, value in said.items() if name != "files"}
    return written


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_both_doors_write_the_same(
    app: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    method: str,
) -> None:
    monkeypatch.setattr(_opened, "Wall", Wall)
    photo = tmp_path / "clear.png"  # one that is worth a note, and a finding
    levels = np.random.default_rng(1).integers(0, 256, (24, 30, 4), dtype=np.uint8)
    Image.fromarray(levels).save(photo)
    opened(app)
    first = desk(app).photo
    desk(app).open_photo(photo.read_bytes(), name="clear.png", word=str(photo))
    settle(app, lambda app: desk(app).photo is not first and desk(app).prediction)
    app.selectbox(key="method").set_value(method).run()
    answered(app)
    page = json.loads(takeaway.described(desk(app).answer))
    own = from_terminal(capsys, tmp_path / "out", "shapes_shortcut", str(photo), "--method", method)
    assert list(page) == list(own)
    assert {name: page[name] for name in page if name not in DIFFER} == {
        name: own[name] for name in own if name not in DIFFER
    }
    assert {each["about"] for each in page["findings"]} >= {"photo"}
    assert {each["level"] for each in page["findings"]} == {"info", "warning"}
    assert "" not in page["parameters"].values()
    for name in ("preprocessing", "sentences", "doubts", "facts", "versions", "target"):
        assert page[name], name


def test_what_the_page_alone_knows_is_none_for_the_other(
    app: Any,
) -> None:
    answered(opened(app))
    desk(app).mark(desk(app).photo, Region(0, 0, 40, 100))
    marked = json.loads(takeaway.described(desk(app).answer))
    assert marked["region"]["box"] == [0, 0, 40, 100]
    assert marked["region"]["sentences"][0].startswith("The marked region holds")
