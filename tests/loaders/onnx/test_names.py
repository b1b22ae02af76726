"""Class names inside the file, in the many forms that exporters write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.loaders.onnx.graphs import model, opened, said, tail

NAMES = ("mole", "newt", "owl", "pig's")
NUMBERED = {str(index): name for index, name in enumerate(NAMES)}

WRITTEN = {
    "names": "{0: 'mole', 1: 'newt', 2: 'owl', 3: \"pig's\"}",
    "id2label": json.dumps(NUMBERED),
    "labels": json.dumps(NAMES),
    "classes": "mole, newt, owl, pig's",
    "class_names": "mole\nnewt\nowl\npig's",
    "class_to_idx": "{'mole': 0, 'owl': 2, 'newt': 1, \"pig's\": 3}",
    "config": json.dumps({"model_type": "vit", "id2label": NUMBERED}),
    "Categories": "mole;newt;owl;pig's",
}


@pytest.mark.parametrize("key", WRITTEN)
def test_names_in_the_metadata(tmp_path: Path, key: str) -> None:
    made = model(tail(), metadata={"author": "somebody", key: WRITTEN[key]})
    loaded = opened(tmp_path / "m", made)
    assert loaded.labels == NAMES
    assert f"the file's metadata '{key if key == 'config' else key.lower()}'" in said(
        loaded, "labels"
    )


@pytest.mark.parametrize("text", ["[" * 100_000, "{0: " * 5_000, "mole, newt", "__import__('os')"])
def test_what_is_no_list_of_names_is_left(tmp_path: Path, text: str) -> None:
    loaded = opened(tmp_path / "m", model(tail(), metadata={"names": text}))
    assert loaded.labels == tuple(f"class {index}" for index in range(4))


def test_ultralytics_classifier_says_its_size_and_its_crop(tmp_path: Path) -> None:
    metadata = {"author": "Ultralytics", "task": "classify", "imgsz": "[64, 48]"}
    loaded = opened(
        tmp_path / "m", model(tail(), shape=("n", 3, "h", "w"), metadata=metadata)
    )  # fmt: skip
    assert loaded.input_size == (64, 48)
    assert (loaded.preprocessing.name, loaded.preprocessing.fit) == ("unit", "crop")


def test_the_standards_own_metadata_of_images(tmp_path: Path) -> None:
    metadata = {
        "Image.BitmapPixelFormat": "Bgr8",
        "Image.NominalPixelRange": "NominalRange_0_255",
    }
    loaded = opened(tmp_path / "m", model(tail(), metadata=metadata))
    assert (loaded.preprocessing.name, loaded.preprocessing.channels) == ("raw", "bgr")
