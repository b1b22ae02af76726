"""Teachable Machine's files, rebuilt layer by layer, against the network itself."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tf_keras
from PIL import Image

from loaders import formats
from loaders.keras import teachable
from loaders.load import load
from loaders.options import Options
from xai_core.errors import LoadError

NAMES = "0 Mon chat\n1 dogs\n2 3 mice\n"
PHOTO = np.random.default_rng(3).integers(0, 256, (260, 300, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> Any:
    """A Sequential of two, the second without bias at its end."""
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(4)
    base = tf_keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    body = tf_keras.Model(base.input, base.output, name="model1")
    dense = layers.Dense(100, "relu", input_shape=(1280,))
    end = layers.Dense(3, "softmax", use_bias=False)
    made = tf_keras.Sequential(
        [
            tf_keras.Sequential([body, layers.GlobalAveragePooling2D()], name="sequential_1"),
            tf_keras.Sequential([dense, end], name="sequential_3"),
        ]
    )
    draw = np.random.default_rng(0)
    # of which no two are alike, and that keep the scores apart
    made.set_weights([draw.normal(1, 0.1, w.shape) * (w + 0.01) for w in made.get_weights()])
    end.set_weights([draw.normal(0, 2, (100, 3))])
    return made


@pytest.fixture(scope="module")
def file(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teachable") / "keras_model.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.save(path, include_optimizer=False)
    with h5py.File(path, "a") as held:
        # as older ones were written
        text = held.attrs["model_config"].replace('"Functional"', '"Model"')
        held.attrs["model_config"] = text
        held.attrs["keras_version"] = "2.2.4-tf"
    return path


def zipped(path: Path, **members: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_h5", ".h5"), content)
    return path


def expected(network: Any) -> Any:
    """What the page's own snippet does: a square out of the middle, of 224 pixels, -1..1."""
    short = Image.fromarray(PHOTO).resize((258, 224), Image.Resampling.LANCZOS)
    pixels = np.asarray(short.crop((17, 0, 241, 224)), np.float32)
    return network.predict(pixels[None] / 127.5 - 1, verbose=0)[0]


def test_the_file_alone_is_known_by_its_layers(network: Any, file: Path) -> None:
    model = load(file, Options(), name="upload")
    assert model.framework == "tf_keras"
    how = model.preprocessing
    assert (how.name, how.size, how.fit, how.resize) == ("symmetric", (224, 224), "crop", 224)
    assert "Teachable Machine" in how.why
    found = model.head.probabilities(model.logits(how.view(PHOTO)[0][None]))[0]
    true = expected(network)
    assert np.ptp(true) > 0.05
    np.testing.assert_allclose(found, true, atol=1e-3)


@pytest.mark.parametrize("folder", ["", "converted__"])
def test_its_zip_opens_as_it_is(network: Any, file: Path, tmp_path: Path, folder: str) -> None:
    members = {f"{folder}keras_model_h5": file.read_bytes(), f"{folder}labels.txt": NAMES}
    path = zipped(tmp_path / "download", **members)
    assert formats.sniff(path) is formats.TEACHABLE
    model = load(path, Options(), name="upload")
    assert model.labels == ("Mon chat", "dogs", "3 mice")
    assert model.kind == "Teachable Machine archive"
    found = model.head.probabilities(model.logits(model.preprocessing.view(PHOTO)[0][None]))[0]
    np.testing.assert_allclose(found, expected(network), atol=1e-3)
    asked = load(path, Options(classes=("a", "b", "c")), name="upload")
    assert asked.labels == ("a", "b", "c")


def test_a_network_of_two_parts_is_not_theirs_for_that(tmp_path: Path) -> None:
    layers = tf_keras.layers
    body = tf_keras.Sequential([layers.Conv2D(4, 3, input_shape=(32, 32, 3)), layers.Flatten()])
    head = tf_keras.Sequential([layers.Dense(100), layers.Dense(3, use_bias=False)])
    model = tf_keras.Sequential([body, head])
    model.build((None, 32, 32, 3))
    assert teachable.preprocessing(model) is None


def test_labels_are_numbered_from_0_or_are_none() -> None:
    assert teachable.labels("0 a b\r\n\r\n1 c\n") == ["a b", "c"]
    assert teachable.labels("\ufeff0\ta\n1\tb") == ["a", "b"]
    for text in ("", "a\nb", "1 a\n2 b", "0 a\nb", "0 a\n0 b", "0 " + "a" * 2_000_000):
        assert teachable.labels(text) is None


def test_its_zip_is_bounded(file: Path, tmp_path: Path) -> None:
    away = zipped(tmp_path / "a", **{"..__..__keras_model_h5": b"x", "labels.txt": NAMES})
    assert formats.sniff(away) is not formats.TEACHABLE
    with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keras_model.h5", bytes(64 << 20))
    with pytest.raises(LoadError, match="would unpack to 67,108,864 bytes"):
        load(tmp_path / "b", Options(), name="upload")
    two = zipped(tmp_path / "c", keras_model_h5=b"x", a__keras_model_h5=b"y")
    assert formats.sniff(two) is not formats.TEACHABLE
    whole = zipped(tmp_path / "d", keras_model_h5=file.read_bytes(), **{"labels.txt": NAMES})
    data = bytearray(whole.read_bytes())
    data[2000:2400] = bytes(400)
    whole.write_bytes(bytes(data))
    with pytest.raises(LoadError, match="damaged"):
        load(whole, Options(), name="upload")
