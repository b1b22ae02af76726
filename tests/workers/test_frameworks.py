"""One real model of each framework through the wall, and what a page's process must not import."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from workers.client import Wall
from xai_core.explainer import explainers
from xai_core.model import Target

MODELS = ROOT / "assets" / "models" / "models.json"
PHOTO = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def wall(tmp_path_factory):
    made = Wall(cores=2, spool=tmp_path_factory.mktemp("wall"))
    yield made
    made.close()


@pytest.mark.skipif(not MODELS.exists(), reason="the built-in models are not made yet")
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_built_in_model_is_explained_as_without_the_wall(wall, framework):
    from loaders import catalogue

    entry = next(entry for entry in catalogue.models() if entry.framework == framework)
    name = entry.name
    handle = wall.session("s").open(entry.path, entry.options, name=name, trusted_path=True)
    card = handle.loading.result(120)
    assert card["framework"] == entry.framework
    assert card["labels"] == list(entry.classes)
    assert card["ms_per_pass"] > 0
    assert set(card["methods"]) == set(explainers())
    assert card["sandbox"]["files"]

    said = handle.predict(PHOTO).result(60)
    assert said["probabilities"].shape == (len(entry.classes),)
    assert said["geometry"].photo == (80, 100)
    assert said["view"].shape == (*card["input_size"], 3)

    index = int(said["probabilities"].argmax())
    made = handle.explain(PHOTO, method="occlusion", target=Target(index)).result(120)
    again = handle.explain(PHOTO, method="occlusion", target=Target(index)).result(120)
    np.testing.assert_array_equal(made.attribution, again.attribution)
    assert made.model_hash == card["hash"]
    assert made.geometry == said["geometry"]
    handle.close()

    if entry.framework == "torch":
        # The same functions, called here: the wall changes nothing.
        from workers import tasks

        model, _ = tasks.load(entry.path, entry.options, name=name)
        direct = tasks.explain(
            model, PHOTO, method="occlusion", values={}, engine="", target=Target(index)
        )
        np.testing.assert_allclose(made.attribution, direct.attribution, atol=1e-4)
        assert direct.image_hash == made.image_hash


def test_a_photo_is_decoded_behind_the_wall(wall):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    made = wall.session("s").decode(file.getvalue()).result(30)
    np.testing.assert_array_equal(made["pixels"], PHOTO)
    assert made["format"] == "PNG"


def test_the_client_imports_no_framework():
    names = "torch torchvision tensorflow keras tf_keras xplique h5py streamlit"
    code = (
        "import sys, workers.client, xai_core.explainer as e; e.explainers();"
        f"print([n for n in '{names}'.split() if n in sys.modules])"
    )
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
