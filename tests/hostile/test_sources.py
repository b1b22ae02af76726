"""Every hostile source through the real wall: no mark, no socket, nobody else's secret.

The same texts do their deeds where nothing holds them, which the last test shows.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loaders.preprocessing import Options
from tests.conftest import ROOT
from tests.hostile.attack import SECRET, Aim
from tests.hostile.conftest import SOAK, Listener
from tests.hostile.sources import NETWORK, SOURCES
from workers.client import Wall
from xai_core import plain
from xai_core.errors import VitrineError

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
LIMIT = 4.0
"""Seconds that a source without an end is given here."""

_SLOW = ("all the memory", "no end, quietly", "a deep fall")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space: dict[str, Any] = {"__name__": "author"}
    exec(NETWORK, space)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(space["Net"]().state_dict(), path)
    return path


def opened(wall: Wall, weights: Path, text: str) -> tuple[str, str, bool]:
    """Return what came back, the sentence of the refusal, and whether the file is as it was."""
    session = wall.session("hostile")
    said = sentence = ""
    path = session.add_file("weights.pth", weights)
    try:
        handle = session.open(path, Options(source=text, size=(40, 40)), name="weights.pth")
        try:
            said = json.dumps(plain.pack(handle.loading.result(60))[0])
            answer = handle.predict(PHOTO).result(60)
            said += str(answer.logits.shape)
        except VitrineError as error:
            sentence = str(error)
            said += sentence + error.detail
        return said, sentence, path.read_bytes() == weights.read_bytes()
    finally:
        session.close()


@pytest.fixture(scope="module")
def warm(wall: Wall, weights: Path) -> None:
    """Open a good one first, so that the short limit is the source's alone."""
    assert opened(wall, weights, NETWORK)[1] == ""


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", [name for name in SOURCES if SOAK or name not in _SLOW])
def test_it_leaves_no_mark(
    name: str,
    wall: Wall,
    weights: Path,
    listener: Listener,
    secret: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, before = SOURCES[name], listener.visits
    if source.ends.startswith("The source did not"):
        monkeypatch.setattr(wall, "time_limit", LIMIT)
    monkeypatch.setitem(wall._memory, "torch", 1 << 30)
    aim = Aim(tmp_path / "mark", listener.port, secret)
    said, sentence, untouched = opened(wall, weights, source.text(aim))
    assert not list(tmp_path.iterdir())
    assert listener.visits == before
    assert SECRET[:8] not in said
    assert untouched
    if source.ends:
        assert re.search(source.ends, sentence)
    assert "Traceback" not in sentence
    assert len(sentence) < 700
    assert sentence.isprintable()


def test_the_wall_still_stands(wall: Wall, weights: Path) -> None:
    said, sentence, _ = opened(wall, weights, NETWORK)
    assert sentence == ""
    assert "Net() was built of it" in said
    assert all(mother["state"] == "ready" for mother in wall.state()["mothers"].values())


def test_without_the_wall_it_would(
    listener: Listener, secret: Path, tmp_path: Path, weights: Path
) -> None:
    """The positive control: run by somebody careless each of these texts does its deed."""
    rows: list[list[str]] = []
    for number, source in enumerate(each for each in SOURCES.values() if each.control):
        path, mark = tmp_path / f"{number}.py", tmp_path / f"mark-{number}"
        path.write_text(source.text(Aim(mark, listener.port, secret)))
        rows.append(["source", str(path), str(mark), SECRET])
    before = listener.visits
    run = subprocess.run(
        [sys.executable, "-m", "tests.hostile.controls", "source"],
        input=json.dumps(rows),
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "VITRINE_SANDBOX"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    names = [name for name, source in SOURCES.items() if source.control]
    idle = [name for name, row in zip(names, rows, strict=True) if not Path(row[2]).exists()]
    assert not idle, f"{idle}\n{run.stderr[-3000:]}"
    assert listener.visits >= before + 2
    assert SECRET in run.stdout
    assert len(names) >= 15
