"""Files of which something is assumed: right, or warned of, and never silently wrong."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from benchmarks.assumptions import table, torch_cases  # noqa: F401 - torch goes first
from benchmarks.assumptions.case import CASES, Case, judged
from tests.hostile.conftest import SOAK

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from benchmarks.assumptions import keras_cases, onnx_cases  # noqa: F401 - they register

EVERY = [(framework, case) for framework, cases in CASES.items() for case in cases]
HEAVY = [each for each in EVERY if each[0] == "keras" and "MobileNetV2" in each[1].name]
"""Files that take ten seconds each: one in four of them is judged by `make test`."""
JUDGED = EVERY if SOAK else [each for each in EVERY if each not in HEAVY or each in HEAVY[::4]]
KEPT = {(row["framework"], row["name"]): row["outcome"] for row in table.read()}


@pytest.mark.parametrize(
    ("framework", "case"), JUDGED, ids=[f"{framework}: {case.name}" for framework, case in JUDGED]
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_assumed_is_right_or_said(
    framework: str, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_SANDBOX", "holds")
    outcome, why = judged(case, tmp_path)
    assert outcome != "silent", why
    assert outcome == KEPT[framework, case.name], why


def test_the_page_says_what_was_judged() -> None:
    assert {(framework, case.name) for framework, case in EVERY} == set(KEPT)
    page = table.PAGE.read_text()
    assert page == table.drawn(page, table.read())
    assert "silent" not in KEPT.values()
