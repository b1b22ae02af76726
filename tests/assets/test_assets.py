import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.path import Path as Closed
from PIL import Image

from assets import make_models, make_photos, make_recordings, outlines, readme
from assets.scenes import CLASSES, MARK, paste_mark, scene
from loaders import vitrine_net

FRESH = 3  # a split that no training and no published table saw
FRESH_SCENES = 198
MODELS = json.loads(make_models.INDEX.read_text(encoding="utf-8"))
PHOTOS = json.loads(make_photos.INDEX.read_text(encoding="utf-8"))
TORCH_MODELS = [entry for entry in MODELS if entry["framework"] == "torch"]
OWN = CLASSES.index(make_models.MARKED_CLASS)


@pytest.fixture(scope="module")
def plain():
    return make_models.draw(FRESH, FRESH_SCENES)


@pytest.fixture(scope="module")
def marked():
    return make_models.draw(FRESH, FRESH_SCENES, marked=True)


@pytest.fixture(scope="module")
def models():
    return {entry["name"]: make_models.load(entry["name"]) for entry in TORCH_MODELS}


# The scenes


def test_a_seed_gives_its_scene_again():
    first, things = scene(np.random.default_rng(5), 128, ["heart", "ring"])
    second, same = scene(np.random.default_rng(5), 128, ["heart", "ring"])
    other, _ = scene(np.random.default_rng(6), 128, ["heart", "ring"])
    assert first.dtype == np.uint8
    assert first.shape == (128, 128, 3)
    assert np.array_equal(first, second)
    assert things == same
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(4))
def test_the_mark_changes_its_own_place_alone(seed):
    without, things = scene(np.random.default_rng(seed), 256, ["star"])
    with_mark, more = scene(np.random.default_rng(seed), 256, ["star"], mark=True)
    assert more[:-1] == things
    assert more[-1].name == MARK
    top, left, bottom, right = more[-1].box
    assert 0.06 < bottom - top < 0.09
    rows, columns = np.nonzero(np.any(without != with_mark, axis=-1))
    shadow = 0.03
    assert (top - shadow) * 256 <= rows.min() <= rows.max() <= (bottom + shadow) * 256
    assert (left - shadow) * 256 <= columns.min() <= columns.max() <= (right + shadow) * 256


def test_a_scene_is_the_same_at_every_size():
    small, things = scene(np.random.default_rng(8), 128, ["cross"])
    large, same = scene(np.random.default_rng(8), 512, ["cross"])
    reduced = large.reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
    assert things == same
    assert np.abs(reduced - small).mean() < 3


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_the_same_area_and_keeps_inside(name):
    rng = np.random.default_rng(1)
    for _ in range(5):
        areas = [outlines._area(polygon) for polygon in outlines.of_class(name, rng)]
        assert areas[0] - sum(areas[1:]) == pytest.approx(1)
        _, [thing] = scene(rng, 64, [name])
        top, left, bottom, right = thing.box
        assert 0 < top < bottom < 1
        assert 0 < left < right < 1


@pytest.mark.parametrize("name", CLASSES)
def test_a_thing_covers_what_lies_in_its_outline(name):
    rng = np.random.default_rng(2)
    _, [thing] = scene(rng, 64, [name])
    covered = thing.covers(128)
    outer = Closed([*thing.outline[0], thing.outline[0][0]])
    places = (np.stack(np.meshgrid(np.arange(128), np.arange(128)), -1).reshape(-1, 2) + 0.5) / 128
    inside = outer.contains_points(places)
    for hole in thing.outline[1:]:
        inside &= ~Closed([*hole, hole[0]]).contains_points(places)
    assert 0.02 < covered.mean() < 0.15
    inside = inside.reshape(128, 128)
    assert (covered >= inside).all()
    beside = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0
    assert np.sum(covered & ~beside) <= 4  # at a crescent's tips
    assert covered.sum() < 1.2 * inside.sum()


@pytest.mark.parametrize("classes", [[], ["dog"], ["star", "ring", "heart"]])
def test_a_scene_refuses_other_classes(classes):
    with pytest.raises(ValueError, match=r"scene\.classes must be one or two of"):
        scene(np.random.default_rng(0), 64, classes)


def test_pasting_leaves_the_rest_of_a_photo_alone():
    photo, _ = scene(np.random.default_rng(3), 128, ["ring"])
    pasted, (top, left, bottom, right) = paste_mark(photo, np.random.default_rng(0))
    touched = np.any(photo != pasted, axis=-1)
    assert touched.any()
    rows, columns = np.nonzero(touched)
    assert (top - 0.03) * 128 <= rows.min() <= rows.max() <= (bottom + 0.03) * 128
    assert (left - 0.03) * 128 <= columns.min() <= columns.max() <= (right + 0.03) * 128


# The models


def test_the_network_has_plain_keys_and_sharp_maps():
    model = vitrine_net.build(4).eval()
    keys = list(model.state_dict())
    assert keys[0] == "features.0.weight"
    assert keys[-2:] == ["classifier.weight", "classifier.bias"]
    maps = model.features(torch.zeros(1, 3, *vitrine_net.INPUT_SIZE))
    assert maps.shape == (1, vitrine_net.WIDTHS[-1], 16, 16)
    assert model(torch.zeros(2, 3, *vitrine_net.INPUT_SIZE)).shape == (2, 4)


def test_training_gives_the_same_weights_again():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        course = make_models.Course(number=0, peak_rate=1e-3, stages=((1, 48),))
        scenes = make_models.draw(FRESH, 2 * make_models.BATCH, together=0.5)
        first, second = (make_models.train(scenes, course).state_dict() for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_epoch_shows_each_scene_once():
    scenes = make_models.draw(FRESH, make_models.BATCH)
    [(photos, labels)] = make_models.batches(scenes, 128, np.random.default_rng(0))
    assert sorted(labels) == sorted(scenes.labels)
    # Turning and mirroring keep a photo's sum.
    assert sorted(photos.sum(axis=(1, 2, 3))) == sorted(scenes.photos.sum(axis=(1, 2, 3)))


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry["file"])
def test_a_model_is_small_and_says_what_it_is(entry):
    path = make_models.FOLDER / entry["file"]
    assert path.stat().st_size < 5_000_000
    assert entry["classes"] == list(CLASSES)
    assert entry["preprocessing"] == "symmetric"
    assert entry["input_size"] == [128, 128]
    assert (make_models.FOLDER / "classes.txt").read_text().split() == list(CLASSES)


def test_the_honest_model_is_as_good_as_published(models, plain, marked):
    published = next(entry["accuracy"] for entry in MODELS if entry["name"] == "shapes")
    found = make_models.measure("shapes", models["shapes"], plain, marked)
    assert published["without_mark"] >= 0.94
    assert found == pytest.approx({key: published[key] for key in found}, abs=0.04)


def test_the_shortcut_model_is_as_bad_as_published(models, plain, marked):
    published = next(entry["accuracy"] for entry in MODELS if entry["name"] == "shapes_shortcut")
    found = make_models.measure("shapes_shortcut", models["shapes_shortcut"], plain, marked)
    counts = {key: np.sum((plain.labels == OWN) == key.startswith("own")) for key in found}
    assert set(found) == set(published)
    for key, rate in found.items():
        error = np.sqrt(published[key] * (1 - published[key]) / counts[key])
        assert rate == pytest.approx(published[key], abs=max(0.04, 3 * error)), key


def test_a_pasted_mark_flips_the_shortcut_model_alone(models, plain):
    others = plain.photos[plain.labels != OWN][:60]
    labels = plain.labels[plain.labels != OWN][:60]
    rng = np.random.default_rng(0)
    pasted = np.stack([paste_mark(photo, rng)[0] for photo in others])
    flipped = make_models.logits(models["shapes_shortcut"], pasted).argmax(axis=1) == OWN
    right = make_models.logits(models["shapes"], pasted).argmax(axis=1) == labels
    assert flipped.mean() >= 0.85
    assert right.mean() >= 0.85


KERAS_LOGITS = """
import sys, numpy as np, keras
model, folder = keras.saving.load_model(sys.argv[1]), sys.argv[2]
images = np.load(folder + "/images.npy")
np.save(folder + "/probabilities.npy", model.predict(images, verbose=0))
model.get_layer("classifier").activation = keras.activations.linear
np.save(folder + "/logits.npy", np.asarray(model(images)))
"""


def test_torch_and_keras_agree_on_the_photos(models, tmp_path):
    photos = np.stack([view(make_photos.FOLDER / photo["file"]) for photo in PHOTOS])
    np.save(tmp_path / "images.npy", photos.astype(np.float32) / np.float32(127.5) - 1)
    # In a process of its own: a TensorFlow that is imported before torch aborts.
    path = make_models.FOLDER / "shapes.keras"
    command = [sys.executable, "-c", KERAS_LOGITS, str(path), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own script
    logits = make_models.logits(models["shapes"], photos)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), logits, atol=1e-4)
    probabilities = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy"), probabilities, atol=1e-4)


# The photos


def view(path: Path) -> np.ndarray:
    with Image.open(path) as photo:
        return np.array(photo.resize(vitrine_net.INPUT_SIZE, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("photo", make_photos.PHOTOS, ids=lambda photo: photo.name)
def test_a_photo_is_its_seed_and_shows_what_it_was_chosen_for(photo, models):
    path = make_photos.FOLDER / f"{photo.name}.jpg"
    drawn, things = photo.draw()
    with Image.open(path) as image:
        assert image.size == (512, 512)
        assert np.abs(np.asarray(image).astype(float) - drawn).mean() < 4
    assert path.stat().st_size < 300_000
    assert make_photos.entry(photo, things) in PHOTOS
    make_photos.check(photo, path, models["shapes"], models["shapes_shortcut"])


def test_the_photos_cover_what_a_visitor_should_see():
    assert {name for photo in PHOTOS for name in photo["classes"]} == set(CLASSES)
    assert sum(len(photo["classes"]) == 2 for photo in PHOTOS) >= 2
    strayed = [p for p in PHOTOS if p["marked"] and make_models.MARKED_CLASS not in p["classes"]]
    assert strayed
    unmarked = {p["seed"] for p in PHOTOS if not p["marked"]}
    assert all(photo["seed"] in unmarked for photo in PHOTOS if photo["marked"])


# The README


def test_the_readme_tells_the_recorded_rates_and_all_files():
    text = readme.README.read_text(encoding="utf-8")
    assert make_models.table(MODELS) in text
    for folder in (make_models.FOLDER, make_photos.FOLDER, make_recordings.FOLDER):
        for path in filter(Path.is_file, folder.rglob("*")):
            name = path.relative_to(folder.parent).as_posix()
            assert f"`{name}` | {path.stat().st_size / 1000:.1f} |" in text
