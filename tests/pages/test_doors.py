"""Two doors, one result: the page and the command line write the same JSON of the same run."""

import json
from typing import Any

import pytest

import cli
from commands import _opened
from tests.fakes.wall import Wall
from tests.pages.test_offering import answered, desk, opened
from ui import answer
from xai_core.region import Region

DIFFER = {"seconds", "photo", "command"}
"""The time it took, the photo's place, and the command that names it."""


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
    opened(app)
    app.selectbox(key="method").set_value(method).run()
    answered(app)
    page = json.loads(answer.described(desk(app).answer))
    own = from_terminal(
        capsys, tmp_path / "out", "shapes_shortcut", "heart_marked", "--method", method
    )
    assert list(page) == list(own)
    assert {name: page[name] for name in page if name not in DIFFER} == {
        name: own[name] for name in own if name not in DIFFER
    }
    assert page["command"].replace(page["photo"], "heart_marked") == own["command"]
    assert "" not in page["parameters"].values()
    for name in ("preprocessing", "sentences", "doubts", "facts", "versions", "target"):
        assert page[name], name


def test_what_the_page_alone_knows_is_none_for_the_other(
    app: Any,
) -> None:
    answered(opened(app))
    desk(app).mark(desk(app).photo, Region(0, 0, 40, 100))
    marked = json.loads(answer.described(desk(app).answer))
    assert marked["region"]["box"] == [0, 0, 40, 100]
    assert marked["region"]["sentences"][0].startswith("The marked region holds")
