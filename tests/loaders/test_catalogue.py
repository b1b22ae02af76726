"""The table of published models against the libraries, and what a name finds."""

import hashlib
import json

import pytest
from torchvision import models

from assets import make_pretrained
from loaders import architectures, catalogue
from loaders.options import Options
from loaders.torch import networks, stem
from loaders.torch.detectors import SIZED, TABLE

CLASSIFIERS = [entry for entry in catalogue.pretrained() if entry.task == "classification"]
DETECTORS = [entry for entry in catalogue.pretrained() if entry.task == "detection"]
TORCHVISION = {entry.name: entry for entry in CLASSIFIERS if entry.library != "Keras"}
KERAS = {entry.title: entry for entry in catalogue.pretrained() if entry.library == "Keras"}


def test_all_of_torchvisions_classifiers_as_it_says_itself():
    rows = {row["name"]: row for row in json.loads(catalogue.PRETRAINED.read_text())}
    for row in make_pretrained.torchvision_rows():
        assert rows[row["name"]] == json.loads(json.dumps(row))
    assert len(TORCHVISION) == len(models.list_models(module=models)) == 80


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_v2_l", "vit_l_16", "inception_v3"])
def test_a_row_is_its_weights(name):
    weights, entry = models.get_model_weights(name).DEFAULT, catalogue.find(name)
    transforms = weights.transforms()
    assert entry.url == weights.url
    assert entry.url.endswith(entry.checksum.removeprefix("sha256:") + ".pth")
    assert entry.parameters == weights.meta["num_params"]
    assert entry.top1 == weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert entry.bytes == pytest.approx(weights.meta["_file_size"] * 2**20, abs=1)
    # torch's weights are four bytes each, and the file holds little besides
    assert entry.bytes == pytest.approx(4 * entry.parameters, rel=0.02)
    options = entry.options
    assert options.size == tuple(transforms.crop_size * (2 // len(transforms.crop_size)))
    assert options.resize == transforms.resize_size[0]
    assert options.interpolation == transforms.interpolation.value
    assert list(options.classes[:3]) == weights.meta["categories"][:3]
    assert list(transforms.mean) == architectures.table()[name]["mean"]


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_a_networks_photos_are_normalised_as_its_weights_say(name):
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    prepared, _ = networks._preprocessing(name, {}, Options(), stem.Stem())
    if name in networks.TRANSFORMS:  # the network would turn it into this one by itself
        assert prepared.mean == prepared.std == (0.5,) * 3
    else:
        assert (prepared.mean, prepared.std) == (tuple(transforms.mean), tuple(transforms.std))


def test_all_of_torchvisions_detectors_as_it_says_itself():
    rows = {row["name"]: row for row in json.loads(catalogue.PRETRAINED.read_text())}
    made = make_pretrained.detector_rows()
    assert [row["name"] for row in made] == [entry.name for entry in DETECTORS]
    for row in made:
        assert rows[row["name"]] == json.loads(json.dumps(row))
        entry = catalogue.find(row["name"])
        weights = models.get_model_weights(row["name"].rpartition("/")[2]).DEFAULT
        assert entry.url == weights.url
        assert entry.url.endswith(entry.checksum.removeprefix("sha256:") + ".pth")
        assert len(entry.checksum) == len("sha256:") + 8
        assert entry.bytes == pytest.approx(4 * entry.parameters, rel=0.03)
        names = weights.meta["categories"]
        assert [name for name in entry.classes if not name.startswith("unused ")] == [
            name for name in names[1:] if name != "N/A"
        ]
        assert entry.classes.index("toothbrush") + 1 == names.index("toothbrush")
    known = {SIZED.get(row.name, row.name) for row in TABLE} | {row.name for row in TABLE}
    assert {entry.name.rpartition("/")[2] for entry in DETECTORS} == known - {"vitrine_detector"}
    assert catalogue.find("ssd300_vgg16").about == (
        "COCO's 80 kinds of objects; 25.1\u00a0% box mAP by torchvision's own figure"
    )


def test_all_of_keras_applications():
    pytest.importorskip("tensorflow")
    assert set(KERAS) == set(make_pretrained.keras_names())
    for entry in KERAS.values():
        assert entry.url.startswith("https://storage.googleapis.com/")
        assert entry.checksum is None or len(entry.checksum.partition(":")[2]) in (32, 64)
    without = sorted(name for name, entry in KERAS.items() if entry.checksum is None)
    assert without == ["MobileNet", "MobileNetV2"]  # Keras itself checks nothing of theirs


def test_a_keras_row_is_what_keras_would_download():
    pytest.importorskip("tensorflow")
    row, _ = make_pretrained.keras_row("MobileNet")
    (listed,) = (
        row
        for row in json.loads(catalogue.PRETRAINED.read_text())
        if row["name"] == "keras/MobileNet"
    )
    assert listed == row
    assert row["url"].endswith("mobilenet_1_0_224_tf.h5")


def test_files_names_and_checksums_are_of_use():
    entries = catalogue.pretrained()
    assert len({entry.url.rsplit("/", 1)[-1] for entry in entries}) == len(entries) == 131
    for entry in entries:
        assert entry.url.startswith("https://")
        assert entry.options.origin == "pretrained"
        if entry.checksum:
            assert entry.checksum.partition(":")[0] in hashlib.algorithms_available


def test_a_name_finds_one_model():
    for entry in (*catalogue.models(), *catalogue.detectors(), *catalogue.pretrained()):
        assert catalogue.find(entry.name) is entry
        assert catalogue.find(entry.name.rpartition("/")[2]) is entry
    assert catalogue.find("resnet50").library == "torchvision"
    assert catalogue.find("ResNet50").library == "Keras"
    assert catalogue.find("resnet") is None


def test_what_is_asked_goes_before_what_is_published():
    entry = catalogue.find("resnet50")
    assert catalogue.asked_of(entry, Options()) == entry.options
    asked = catalogue.asked_of(entry, Options(interpolation="bicubic", preprocessing="unit"))
    assert (asked.interpolation, asked.preprocessing, asked.resize) == ("bicubic", "unit", 232)
    assert catalogue.asked_of(entry, Options(fit="stretch")).resize is None
    assert catalogue.asked_of(entry, Options(size=(320, 320))).size == (320, 320)
