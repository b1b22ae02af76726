"""One real model of each framework through the wall, and what a page's process must not import."""

import dataclasses
import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from loaders import catalogue
from loaders.preprocessing import Preprocessing
from tests.conftest import ROOT
from tests.fakes.publisher import publishing
from tests.workers.extension.tasks.keeping import Modules
from workers import kinds
from workers.client import Wall
from workers.fetch import Cache
from workers.tasks.explain import Explain
from workers.tasks.load import Load
from xai_core.errors import LoadError, ParamError
from xai_core.explainer import explainers
from xai_core.question import Question
from xai_core.target import ClassTarget
from xai_core.task import Bench, silent

MODELS = ROOT / "assets" / "models" / "models.json"
PHOTO = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)

# Smooth, so that a wrong resize is a small change and not noise.
SMOOTH = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (400, 300), Image.Resampling.BICUBIC
    )
)
PATCHES = np.random.default_rng(1).normal(size=(4, 7, 7, 3)).astype(np.float32)
PATCHES = PATCHES.repeat(32, 1).repeat(32, 2)  # [4, 224, 224, 3]


@pytest.fixture(scope="module")
def wall(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wall")
    made = Wall(cores=2, spool=folder / "spool", cache=Cache(folder / "cache", scheme="http"))
    yield made
    made.close()


@pytest.mark.skipif(not MODELS.exists(), reason="the built-in models are not made yet")
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_built_in_model_is_explained_as_without_the_wall(wall, framework):
    entry = next(entry for entry in catalogue.models() if entry.framework == framework)
    name = entry.name
    handle = wall.session("s").open(entry.path, entry.options, name=name, trusted_path=True)
    card = handle.loading.result(120)
    assert card.framework == entry.framework
    assert card.labels == entry.classes
    assert card.pace.forward > 0
    assert set(card.methods) == set(explainers())
    assert card.sandbox["files"]
    assert card.hash == hashlib.sha256(entry.path.read_bytes()).hexdigest()
    # what the table of kinds says, this worker has
    kind = kinds.KINDS[framework]
    assert {*kind.imports, *kind.adapters} <= set(
        handle.run(Modules(where="model")).result(60).words
    )
    assert handle.run(Modules(where=framework)).result(60).pid == 0
    with pytest.raises(ParamError, match="wants a worker of the kind 'plain'"):
        handle.run(Modules())

    said = handle.predict(PHOTO).result(60)
    assert said.probabilities.shape == (len(entry.classes),)
    assert said.geometry.photo == (80, 100)

    index = int(said.probabilities.argmax())
    question = Question(method="occlusion", target=ClassTarget(index))
    made = handle.explain(PHOTO, question).result(120)
    again = handle.explain(PHOTO, question).result(120)
    np.testing.assert_array_equal(made.attribution, again.attribution)
    assert made.model_hash == card.hash
    assert made.geometry == said.geometry
    handle.close()

    if entry.framework == "torch":
        # The same task, run here: the wall changes nothing.
        bench = Bench()
        Load(path=entry.path, options=entry.options, called=name).run(bench, silent)
        direct = Explain(pixels=PHOTO, question=question).run(bench, silent)
        np.testing.assert_allclose(made.attribution, direct.attribution, atol=1e-4)
        assert direct.image_hash == made.image_hash


# Published weights, from a publisher on this machine to the library's own answers


def fetched_and_seen(wall, name, data, checksum):
    """Publish `data` as a model's weights; return its card and what it says of the photo."""
    entry = catalogue.find(name)
    with publishing(data) as publisher:
        url = publisher.remote(entry.url.rsplit("/", 1)[-1]).url
        entry = dataclasses.replace(entry, url=url, checksum=checksum, bytes=len(data))
        session = wall.session("visitor")
        assert not session.holds(entry)
        path = session.fetch(entry).result(60)
        assert session.holds(entry)
    handle = session.open(path, entry.options, name=entry.name, trusted_path=True)
    card = handle.loading.result(180)
    seen = handle.predict(SMOOTH).result(60)
    handle.close()
    assert not [row for row in card.findings if row.level == "warning"]
    assert card.labels == catalogue.imagenet_labels()
    return card, seen


def test_torchvisions_weights_answer_as_in_torchvision(wall):
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = (
                1.0  # a fresh network whose statistics are a batch's tells photos apart
            )
    network.train()(torch.from_numpy(PATCHES.transpose(0, 3, 1, 2)))
    network.eval().classifier[1].weight.data *= 40  # sure of itself
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    data = file.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    card, seen = fetched_and_seen(wall, "torchvision/mobilenet_v2", data, f"sha256:{digest[:8]}")
    assert card.architecture == "mobilenet_v2"
    transforms = torchvision.models.get_model_weights("mobilenet_v2").DEFAULT.transforms()
    with torch.no_grad():
        expected = network(transforms(Image.fromarray(SMOOTH))[None])[0].numpy()
    assert card.preprocessing["resize"] == 232
    np.testing.assert_allclose(seen.logits, expected, atol=1e-3 * np.ptp(expected))


def test_keras_weights_answer_as_in_keras(wall, tmp_path):
    pytest.importorskip("tensorflow")
    import tf_keras

    # The published files are of the older Keras, weights alone, without a checksum.
    network = tf_keras.applications.MobileNet(weights=None)
    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(PATCHES, training=True)
    network.save_weights(tmp_path / "m.h5")
    card, seen = fetched_and_seen(wall, "keras/MobileNet", (tmp_path / "m.h5").read_bytes(), None)
    assert card.architecture == "MobileNet"
    assert (card.preprocessing["name"], card.preprocessing["resize"]) == ("symmetric", 256)
    view = Preprocessing.from_json(card.preprocessing).view(SMOOTH)[0][None] * 255
    prepared = tf_keras.applications.mobilenet.preprocess_input(view.copy())
    expected = network.predict(prepared, verbose=0)[0]
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(seen.probabilities, expected, atol=1e-4 * np.ptp(expected))


def test_what_no_worker_can_hold_is_not_begun(wall):
    with pytest.raises(
        LoadError, match=r"has 2\.5 GB of weights, and a worker here may hold 4 GiB"
    ):
        wall.session("visitor").fetch(catalogue.find("vit_h_14"))


def test_a_photo_is_decoded_behind_the_wall(wall):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    made = wall.session("s").decode(file.getvalue()).result(60)
    np.testing.assert_array_equal(made.pixels, PHOTO)
    assert made.format == "PNG"


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
