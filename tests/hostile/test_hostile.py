"""Every hostile file through the real wall: no mark, no socket, nobody else's secret.

Without a sandbox the same files do what they came for, which the last test shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loaders.preprocessing import Options
from tests.conftest import ROOT
from tests.hostile import keras_files, onnx_files, other_files, torch_files
from tests.hostile.attack import SECRET, Hostile
from tests.hostile.conftest import SOAK, Listener
from workers.client import Wall
from xai_core import plain
from xai_core.errors import VitrineError

BOOKS = (torch_files.BOOK, keras_files.BOOK, onnx_files.BOOK, other_files.BOOK)
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
NAMES = [f"{kind}-{name}".replace(" ", "-") for b in BOOKS for kind, name, _, _ in b.entries]

pytestmark = pytest.mark.filterwarnings("ignore")  # torch and h5py, about what is written here


def chosen(names: list[str]) -> list[str]:
    """Return the files that `make test` sends: at least two of each kind, one seed."""
    if SOAK:
        return names
    kinds: dict[str, list[str]] = {}
    for name in (name for name in names if "endless" not in name):  # it takes the whole limit
        kinds.setdefault(name.split("-")[0], []).append(name)
    pick = np.random.default_rng(3)
    return [
        str(name)
        for row in kinds.values()
        for name in pick.choice(row, max(2, len(row) // 2), replace=False)
    ]


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, listener: Listener, secret: Path
) -> dict[str, Hostile]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "marks").mkdir()
    made = [
        file for b in BOOKS for file in b.write(folder, folder / "marks", listener.port, secret)
    ]
    return {file.path.name: file for file in made}


def test_there_are_enough_of_them(files: dict[str, Hostile]) -> None:
    assert len(files) == len(NAMES) >= 60
    assert len({file.kind for file in files.values()}) >= 10


@pytest.mark.parametrize("name", chosen(NAMES))
def test_it_leaves_no_mark(
    name: str, files: dict[str, Hostile], wall: Wall, listener: Listener
) -> None:
    file = files[name]
    session = wall.session("hostile")
    before = listener.visits
    said = ""
    try:
        handle = session.open(session.add_file(name, file.path), Options(), name=name)
        try:
            card = handle.loading.result(60)
            said = json.dumps(plain.pack(card)[0])
            answer = handle.predict(PHOTO).result(60)
            said += bytes(np.clip(answer.logits, 0, 255).astype(np.uint8)).decode("latin1")
        except VitrineError as error:
            sentence = str(error)
            assert sentence.strip() == sentence != ""
            assert "\n" not in sentence
            assert "Traceback" not in sentence
            assert sentence.isprintable()
            assert len(sentence) < 700
            said = sentence + error.detail
    finally:
        session.close()
    assert not any((file.path.parent / "marks").iterdir())
    assert listener.visits == before
    assert SECRET[:8] not in said


def test_the_wall_still_stands(wall: Wall) -> None:
    mothers = wall.state()["mothers"]
    assert mothers
    assert all(mother["state"] == "ready" for mother in mothers.values())


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_without_the_wall_it_would(
    framework: str, files: dict[str, Hostile], listener: Listener
) -> None:
    """The positive control: in a careless reader's hands each payload does its deed."""
    groups = {"torch": {"pickle", "torch", "torch call", "export", "script"}}
    groups["keras"] = {"keras", "tf_keras", "h5", "unpack"}
    rows: list[list[Any]] = []
    for file in files.values():
        if file.control in groups[framework]:
            mark = file.path.parent / "marks" / file.path.name
            rows.append([file.control, str(file.path), str(mark), SECRET])
    assert rows
    before = listener.visits
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.hostile.controls", framework],
        input=json.dumps(rows),
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "VITRINE_SANDBOX"}
        | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    idle = [Path(row[1]).name for row in rows if not Path(row[2]).exists()]
    for row in rows:
        Path(row[2]).unlink(missing_ok=True)
    assert not idle, f"{idle}\n{run.stderr[-3000:]}"
    assert listener.visits > before
