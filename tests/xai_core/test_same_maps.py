"""The same seeds give the same maps, release after release: three kept from before tasks were."""

import numpy as np
import pytest
from PIL import Image

from loaders import catalogue
from loaders.load import load
from tests.conftest import ROOT
from xai_core.explainer import make
from xai_core.target import ClassTarget

KEPT = ROOT / "tests" / "data" / "maps" / "shapes_star.npz"
"""Every eighth value of each map of class 0, of the built-in PyTorch model and the photo star."""

STEP = 8


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "lime"])
def test_the_map_is_the_one_that_was_kept(method: str) -> None:
    entry = next(each for each in catalogue.models() if each.name == "shapes")
    model = load(entry.path, entry.options, name=entry.name)
    pixels = np.asarray(Image.open(ROOT / "assets" / "photos" / "star.jpg").convert("RGB"))
    view, _ = model.preprocessing.view(pixels)
    made = make(method, {}, size=model.input_size).explain(model, view, ClassTarget(0))
    with np.load(KEPT) as kept:
        # 3e-7 apart where both were made; the last digits are another machine's own
        np.testing.assert_allclose(made.attribution[::STEP, ::STEP], kept[method], atol=1e-5)
