"""The pages of docs/ say what is so."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loaders.recordings import recordings
from tests.conftest import ROOT
from tests.fakes.tiny import torch_model
from xai_core import explainer
from xai_core.card import Cost
from xai_core.explainer import explainers, make
from xai_core.target import ClassTarget

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_worked_example_is_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explainers()
    monkeypatch.setattr(explainer, "_REGISTRY", dict(explainer._REGISTRY))
    text = (ROOT / "docs" / "adding-a-method.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "contrast_gradient.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("contrast_gradient", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    model = torch_model()
    view = np.random.default_rng(1).random((*model.input_size, 3), np.float32)
    made = make("contrast-gradient", {"noise": 0.0, "samples": 2})
    assert made.cost(model) == Cost(forward=2, backward=2)
    said = made.explain(model, view, ClassTarget(1))
    # without noise each sample is the same: the gradient times the contrast
    gradient = model.gradients(view[None], ClassTarget(1))[0]
    wanted = (gradient * (view - view.mean((0, 1)))).sum(2)
    np.testing.assert_allclose(said.attribution, wanted, atol=1e-6)
    again = make("contrast-gradient", {"seed": 5}).explain(model, view, ClassTarget(1))
    other = make("contrast-gradient", {"seed": 6}).explain(model, view, ClassTarget(1))
    assert not np.array_equal(again.attribution, other.attribution)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_path_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for where in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / where).exists(), where
    if page.name in ("architecture.md", "adding-a-method.md"):
        roots = "xai_core|loaders|workers|ui|pages|commands|tests|assets|benchmarks|docs"
        named = re.findall(rf"`((?:{roots})/[A-Za-z0-9_./]*)`", text)
        assert named
        for where in named:
            assert (ROOT / where).exists(), where


def test_the_readme_moves() -> None:
    """One of its pictures is the film of a run, as the page of its method plays it."""
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    (film,) = (ROOT / each for each in shown if each.endswith(".webp"))
    assert film.stem in recordings()
    assert film.stat().st_size < 700_000
    with Image.open(film) as picture:
        assert getattr(picture, "n_frames", 1) == len(recordings()[film.stem].captions) > 8
