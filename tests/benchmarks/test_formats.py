"""A part of docs/formats.md measured again, and the page held against what was measured."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.formats import kinds, networks, older, tables
from benchmarks.formats.ask import EXTENSION, WrongAnswer, ask
from benchmarks.formats.case import Case, Key, Truth
from benchmarks.formats.truth import differs
from loaders.load import load
from tests.hostile.conftest import SOAK
from workers.client import Wall
from workers.sandbox import available, floor
from xai_core.discovery import EXTENSIONS
from xai_core.errors import VitrineError

ROWS, RECOGNISED = tables.read()


def by_key(cases: Iterator[Case]) -> dict[Key, Case]:
    return {case.key: case for case in cases}


OLDER, TODAY = by_key(older.cases()), by_key(kinds.cases())
VISION, APPLICATIONS = by_key(networks.torchvision_cases()), by_key(networks.application_cases())
QUICK = [key for key in VISION if networks.megabytes(key.holds) < 40]


def seeded(keys: list[Key] | dict[Key, Case], count: int) -> list[Key]:
    """Return some keys, drawn with one seed."""
    rows = list(keys)
    return [rows[index] for index in np.random.default_rng(5).permutation(len(rows))[:count]]


def test_every_file_has_its_row() -> None:
    assert set(ROWS) == {*OLDER, *TODAY, *VISION, *APPLICATIONS}


def test_the_page_says_what_was_measured() -> None:
    page = tables.PAGE.read_text()
    assert page == tables.drawn(page, ROWS, RECOGNISED)


def test_every_torchvision_classifier_was_recognised() -> None:
    names = set(networks.architectures.table())
    assert len(names) >= 80
    assert {name for told in RECOGNISED.values() for name in told} == names


def test_the_tables_are_as_broad_as_they_say() -> None:
    kinds_of = [key.kind for key in VISION]
    assert kinds_of.count("whole module") >= 20
    assert {networks.family(key.holds) for key in VISION} == set(RECOGNISED)
    assert len({key.holds for key in APPLICATIONS}) >= 12
    assert len({key.writer for key in OLDER}) >= 15


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    if not floor(available()):
        pytest.skip("this system has no sandbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(EXTENSIONS, EXTENSION)
        made = Wall(cores=2, spool=tmp_path_factory.mktemp("wall"))
        yield made
        made.close()


@pytest.mark.parametrize(
    "key",
    [
        *seeded(TODAY, 14 if SOAK else 4),
        *seeded(OLDER, 8 if SOAK else 2),
        *seeded(QUICK, 6 if SOAK else 2),
        *seeded(APPLICATIONS, 2 if SOAK else 1),
    ],
    ids=lambda key: " ".join(key[1:]),
)
def test_the_table_says_what_is_so(key: Key, wall: Wall) -> None:
    case = (TODAY | OLDER | VISION | APPLICATIONS)[key]
    assert ask(case, wall) == ROWS[key]


@pytest.mark.parametrize("key", OLDER, ids=lambda key: " ".join(key[1:]))
def test_what_an_older_version_said(
    key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them, without the wall: the scores are those of the version that wrote it."""
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    case = OLDER[key]
    path = tmp_path / case.name
    oracle = case.write(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries, about their own past
        if why := ROWS[key].why:
            with pytest.raises(VitrineError, match=re.escape(why)):
                load(path, case.options, name=case.name)
            return
        model = load(path, case.options, name=case.name)
        view = case.photo.astype(np.float32) / 255
        scores = model.logits(view[None])[0].astype(np.float64)
    true = oracle(view, model.preprocessing)
    assert not differs(Truth(scores, np.zeros(0)), true)


def test_a_wrong_answer_is_seen() -> None:
    true = Truth(np.array([0.0, 1.0, 3.0]), np.array([[1.0, -2.0]]))
    assert not differs(Truth(true.scores + 5, true.gradient), true)
    assert not differs(Truth(true.scores, np.zeros(0)), true)
    assert "scores" in differs(Truth(true.scores + np.eye(3)[2] / 1000, true.gradient), true)
    assert "scores" in differs(Truth(true.scores * np.nan, true.gradient), true)
    assert "gradients" in differs(Truth(true.scores, true.gradient * 1.1), true)
    assert "gradients" in differs(Truth(true.scores, 0 * true.gradient), true)


def test_a_model_that_says_something_else_is_no_row(wall: Wall) -> None:
    case = TODAY[next(key for key in TODAY if key.kind == "ONNX")]
    other = TODAY[next(key for key in TODAY if key.holds == "one unit")]

    def write(path: Path) -> object:
        case.write(path)
        return lambda view, how: Truth(np.array([1.0, 2, 4, 7]), np.zeros(0))

    with pytest.raises(WrongAnswer, match="scores differ"):
        ask(Case(other.key, case.name, write), wall)
