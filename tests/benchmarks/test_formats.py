"""Cells of docs/formats.md, each from a file that is written and loaded here."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.formats import CASES, measure, page

PICKED = [list(CASES)[index] for index in np.random.default_rng(5).permutation(len(CASES))[:6]]


def test_every_case_has_its_row() -> None:
    assert list(page())[2:] == list(CASES)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "holds"), PICKED)
def test_the_table_says_what_is_so(
    kind: str, holds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    assert measure(kind, holds, tmp_path).line() == page()[kind, holds]
