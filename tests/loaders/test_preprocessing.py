"""Views to the pixel of torchvision's, geometry by planted squares, and what was asked."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image

from loaders import preprocessing as module
from loaders.preprocessing import (
    PRESETS,
    Options,
    Preprocessing,
    eight_sevenths,
    for_imagenet,
    preset,
)
from loaders.resolve import resolve
from xai_core.errors import ImageError, ParamError, UnsupportedModel

SIDES = [(300, 400), (401, 299), (224, 224), (37, 91), (1000, 333), (225, 223), (8, 8)]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# -- views ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize(
    ("size", "resize"), [(224, 256), (224, 232), (299, 342), (225, 256), (64, 64), (97, 100)]
)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_crop_is_torchvision_s_to_the_pixel(sides, size, resize, interpolation):
    transforms = pytest.importorskip("torchvision.transforms")
    photo = noise(*sides)
    steps = transforms.Compose(
        [
            transforms.Resize(resize, transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
        ]
    )
    expected = steps(Image.fromarray(photo)).numpy().transpose(1, 2, 0)
    ours = preset("imagenet", (size, size), fit="crop", resize=resize, interpolation=interpolation)
    view, _ = ours.view(photo)
    assert view.dtype == np.float32
    np.testing.assert_array_equal(view, expected)
    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = normalise(steps(Image.fromarray(photo))).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(ours.normalise(view[None])[0], expected, atol=1e-6)


@pytest.mark.parametrize("sides", SIDES)
def test_a_stretch_is_pillow_s(sides):
    photo = noise(*sides)
    view, geometry = preset("unit", (50, 70)).view(photo)
    expected = np.asarray(Image.fromarray(photo).resize((70, 50), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(view * np.float32(255), expected)
    assert geometry.box == (0, 0, *sides)
    assert (geometry.photo, geometry.view) == (sides, (50, 70))


def test_a_photo_of_the_right_size_is_left_alone():
    photo = noise(64, 64)
    for fit in ("stretch", "crop", "pad"):
        view, geometry = preset("unit", (64, 64), fit=fit).view(photo)
        np.testing.assert_array_equal(view, photo / np.float32(255))
        assert geometry.box == (0, 0, 64, 64)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(224, 224), (96, 160), (161, 97)])
@pytest.mark.parametrize("sides", [(300, 400), (401, 299), (223, 517), (90, 97), (640, 211)])
def test_a_planted_square_maps_back(sides, size, fit):
    height, width = sides
    side = min(sides) // 3
    # off the middle, so that a mirrored or swapped box is seen, and inside every crop
    top, left = height // 2 - side // 4, width // 2 - side + side // 3
    photo = np.zeros((height, width, 3), np.uint8)
    photo[top : top + side, left : left + side] = (255, 0, 0)
    view, geometry = preset("unit", size, fit=fit).view(photo)
    # padding is grey in all channels: the square alone is red and not blue
    red = view[..., 0] - view[..., 2]
    box = geometry.box
    down, across = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    # the middle of the square and its area, from the red that the view holds of it
    weight = red / red.sum()
    rows, columns = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    middle = (
        box[0] + down * float(weight.sum(1) @ rows),
        box[1] + across * float(weight.sum(0) @ columns),
    )
    assert middle == pytest.approx((top + side / 2, left + side / 2), abs=1)
    tall = down * float(red.sum(0).max())
    wide = across * float(red.sum(1).max())
    assert (tall, wide) == pytest.approx((side, side), abs=1)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_crop_and_pad_keep_the_aspect(fit):
    geometry = preset("unit", (96, 160), fit=fit).view(noise(401, 299))[1]
    top, left, bottom, right = geometry.box
    assert (bottom - top) / 96 == pytest.approx((right - left) / 160, rel=0.01)


def test_a_crop_stays_inside_and_touches_the_edges():
    top, left, bottom, right = preset("unit", (224, 224), fit="crop").view(noise(300, 401))[1].box
    assert (top, bottom) == (0, 300)
    assert left == pytest.approx(50.5, abs=1)
    assert right - left == pytest.approx(300, abs=1)


def test_padding_is_mid_grey_and_outside_the_photo():
    view, geometry = preset("unit", (100, 100), fit="pad").view(np.zeros((50, 200, 3), np.uint8))
    assert geometry.box == pytest.approx((-74, 0, 126, 200), abs=2)
    assert (view[:36] == 0.5).all()
    assert (view[64:] == 0.5).all()
    assert (view[38:62] == 0).all()


@pytest.mark.parametrize("size", [(100, 300), (300, 100), (224, 224)])
@pytest.mark.parametrize("sides", [(64, 64), (64, 640), (640, 64), (9, 700)])
def test_a_crop_always_covers_the_view(sides, size):
    photo = np.full((*sides, 3), 255, np.uint8)
    view, geometry = preset("unit", size, fit="crop").view(photo)
    assert (view == 1).all()
    top, left, bottom, right = geometry.box
    assert min(top, left) >= 0
    assert bottom <= sides[0] + 1e-9
    assert right <= sides[1] + 1e-9


def test_a_very_thin_photo_is_cropped_without_its_whole():
    columns = np.tile(np.linspace(0, 255, 40_000).astype(np.uint8)[None, :, None], (8, 1, 3))
    ours = preset("unit", (224, 224), fit="crop", resize=256)
    view, geometry = ours.view(columns)  # resized whole it were 256 x 1,280,000
    assert geometry.box[3] - geometry.box[1] == pytest.approx(7, abs=0.1)
    assert np.abs(view - 0.5).max() < 0.01


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_the_way_of_thin_photos_is_the_other_way(monkeypatch, interpolation):
    photo = np.asarray(
        Image.fromarray(noise(7, 9)).resize((203, 131), Image.Resampling.BICUBIC), np.uint8
    )
    ours = preset("unit", (64, 64), fit="crop", resize=73, interpolation=interpolation)
    whole, _ = ours.view(photo)
    monkeypatch.setattr(module, "MAX_WHOLE_RESIZE", 0)
    part, _ = ours.view(photo)
    assert np.abs(whole - part).max() * 255 <= 2.001


@pytest.mark.parametrize("sides", [(1, 1), (1, 5000), (5000, 7)])
def test_tiny_photos_are_refused(sides):
    with pytest.raises(ImageError, match="must be at least 8 px on each side"):
        preset("unit", (224, 224)).view(noise(*sides))


# -- normalising ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unit", (0.2, 0.4, 1.0)),
        ("imagenet", ((0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (1 - 0.406) / 0.225)),
        ("symmetric", (-0.6, -0.2, 1.0)),
        ("caffe", (255 - 103.939, 102 - 116.779, 51 - 123.68)),
        ("raw", (51, 102, 255)),
    ],
)
def test_presets(name, expected):
    views = np.empty((2, 5, 7, 3), np.float32)
    views[:] = (0.2, 0.4, 1.0)
    given = views.copy()
    ours = preset(name, (5, 7)).normalise(views)
    assert ours.dtype == np.float32
    assert ours.shape == (2, 5, 7, 3)
    np.testing.assert_allclose(ours, np.broadcast_to(expected, ours.shape), rtol=1e-5)
    np.testing.assert_array_equal(views, given)
    assert not np.shares_memory(ours, views)


def test_grey_is_pillow_s_luminance():
    photo = noise(30, 20)
    ours = preset("raw", (30, 20), channels=1)
    made = ours.normalise(ours.view(photo)[0][None])
    assert made.shape == (1, 30, 20, 1)
    expected = np.asarray(Image.fromarray(photo).convert("L"))
    assert np.abs(made[0, ..., 0] - expected).max() <= 0.51


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_matrix_says_what_normalise_does(name, channels):
    ours = preset(name, (6, 5), channels=channels)
    views = np.random.default_rng(1).random((3, 6, 5, 3), np.float32)
    expected = (views @ ours.matrix - np.array(ours.mean)) / np.array(ours.std)
    np.testing.assert_allclose(ours.normalise(views), expected, rtol=1e-4, atol=1e-4)


# -- resolve -------------------------------------------------------------------------------------

IMAGENET = for_imagenet("imagenet", (224, 224), why="a ResNet-18 of torchvision")


def test_auto_takes_what_is_recognised():
    done, findings = resolve(Options(), IMAGENET, size=(224, 224), channels=3)
    assert done == IMAGENET
    assert (done.fit, done.resize) == ("crop", 256)
    assert findings == ()


def test_auto_without_recognition_is_unit_and_says_so():
    done, findings = resolve(Options(), None, size=(32, 48), channels=3)
    assert (done.name, done.size, done.fit, done.resize) == ("unit", (32, 48), "stretch", None)
    assert [finding.level for finding in findings] == ["warning"]
    assert "'unit'" in findings[0].message


def test_asked_numbers_silence_the_warning():
    options = Options(mean=(0.1, 0.2, 0.3), std=(0.5,))
    done, findings = resolve(options, None, size=(32, 32), channels=3)
    assert findings == ()
    assert (done.name, done.mean, done.std) == ("custom", (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    assert done.why == "mean and deviation set by hand"  # as a badge has it, without flags


@pytest.mark.parametrize("asked", [{"mean": (0.1,)}, {"std": (0.2,)}, {"channels": "bgr"}])
def test_what_is_left_of_an_assumption_is_said_with_what_was_set(asked):
    done, (finding,) = resolve(Options(**asked), None, size=(32, 32), channels=3)
    word = {"mean": "mean", "std": "deviation", "channels": "channels"}[next(iter(asked))]
    assert f"But for the {word}, which was set by hand, the network gets" in finding.message
    assert done.why == f"{word} set by hand"


def test_a_preset_that_numbers_set_by_hand_replace_is_not_said_to_be_used():
    options = Options(preprocessing="raw", mean=(0.1,), std=(0.2,))
    done, findings = resolve(options, IMAGENET, size=(224, 224), channels=3)
    assert (done.name, findings) == ("custom", ())
    (finding,) = resolve(
        Options(preprocessing="raw", mean=(0.1,)), IMAGENET, size=(224, 224), channels=3
    )[1]
    assert finding.message.startswith("But for the mean, which was set by hand, the photo is")


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({"preprocessing": "symmetric"}, {"name": "symmetric", "mean": (0.5,) * 3}),
        ({"mean": (0.1, 0.2, 0.3)}, {"name": "custom", "mean": (0.1, 0.2, 0.3)}),
        ({"std": (0.3,)}, {"name": "custom", "std": (0.3,) * 3}),
        (
            {"channels": "bgr"},
            {"channels": "bgr", "mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)},
        ),
        ({"size": (299, 299)}, {"size": (299, 299), "resize": 342}),
        ({"resize": 232}, {"resize": 232, "fit": "crop"}),
        ({"interpolation": "bicubic"}, {"interpolation": "bicubic"}),
        ({"fit": "stretch"}, {"fit": "stretch", "resize": None}),
        ({"fit": "pad"}, {"fit": "pad", "resize": None}),
    ],
)
def test_each_asked_thing_wins(asked, changed):
    done, _ = resolve(Options(**asked), IMAGENET, size=(224, 224), channels=3)
    for name, value in changed.items():
        assert getattr(done, name) == value
    # a preset changes the numbers and leaves the frame; a frame's flag leaves the numbers
    if "preprocessing" in asked or "mean" in asked:
        assert (done.fit, done.resize, done.size) == ("crop", 256, (224, 224))
    if "fit" in asked or "size" in asked:
        assert (done.name, done.mean) == ("imagenet", IMAGENET.mean)


def test_a_preset_against_the_model_s_own_is_a_finding():
    _, findings = resolve(Options(preprocessing="unit"), IMAGENET, size=(224, 224), channels=3)
    assert "'imagenet' (a ResNet-18 of torchvision)" in findings[0].message
    _, findings = resolve(Options(preprocessing="imagenet"), IMAGENET, size=(224, 224), channels=3)
    assert findings == ()


def test_a_crop_that_is_asked_for_takes_all_it_can():
    done, _ = resolve(Options(fit="crop"), None, size=(64, 64), channels=3)
    assert (done.fit, done.resize) == ("crop", None)


def test_resize_asks_for_a_crop():
    done, _ = resolve(Options(resize=73), None, size=(64, 64), channels=3)
    assert (done.fit, done.resize) == ("crop", 73)


def test_one_channel():
    done, findings = resolve(Options(), None, size=(28, 28), channels=1)
    assert (done.channels, done.mean, done.std) == ("grey", (0.0,), (1.0,))
    done, findings = resolve(Options(preprocessing="imagenet"), None, size=(28, 28), channels=1)
    assert done.mean == pytest.approx((0.449,))
    assert done.std == pytest.approx((0.226,))
    assert "average" in findings[0].message


@pytest.mark.parametrize(
    ("asked", "channels", "words"),
    [
        ({"channels": "rgb"}, 1, "--channels must be grey for a network of 1 channel, got 'rgb'"),
        ({"channels": "grey"}, 3, "--channels must be rgb or bgr for 3 channels, got 'grey'"),
        ({"mean": (0.1, 0.2, 0.3)}, 1, "--mean must be one number for a network of 1 channel"),
        ({"resize": 20}, 3, "--resize must be at least the view's shorter side, 28 px, got 20"),
    ],
)
def test_what_cannot_serve_the_network(asked, channels, words):
    with pytest.raises(ParamError) as caught:
        resolve(Options(**asked), None, size=(28, 28), channels=channels)
    assert words in str(caught.value)


def test_a_network_of_four_channels():
    with pytest.raises(UnsupportedModel, match="takes 4 channels"):
        resolve(Options(), None, size=(28, 28), channels=4)


@pytest.mark.parametrize(("side", "resize"), [(224, 256), (299, 342), (384, 439), (28, 32)])
def test_eight_sevenths(side, resize):
    assert eight_sevenths((side, side)) == resize


ASKED = Options.declared()


def parse(name, text):
    return ASKED[name].parse("", text)


# -- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("224", (224, 224)), ("128x256", (128, 256)), (" 16 X 2048 ", (16, 2048))],
)
def test_sizes(text, size):
    assert parse("size", text) == size


@pytest.mark.parametrize(
    "text", ["foo", "", "15", "2049", "224x", "x224", "1e3", "-20", "224x224x3", "٢٢٤"]
)
def test_bad_sizes(text):
    with pytest.raises(ParamError) as caught:
        parse("size", text)
    rule = "--size must be HEIGHTxWIDTH in pixels from 16 to 2048, got "
    assert str(caught.value) == rule + repr(text)


def test_numbers():
    assert parse("mean", "0.1, 0.2,0.3") == (0.1, 0.2, 0.3)
    assert parse("mean", "-0.5") == (-0.5,)
    assert parse("std", "0.00392") == (0.00392,)
    assert parse("resize", " 256 ") == 256


@pytest.mark.parametrize(
    ("name", "text", "flag"),
    [
        ("mean", "0.1,0.2", "--mean"),
        ("mean", "123.7,116.8,103.9", "--mean"),
        ("mean", "nan", "--mean"),
        ("std", "0", "--std"),
        ("std", "-1", "--std"),
        ("std", "inf", "--std"),
        ("std", "a,b,c", "--std"),
        ("resize", "big", "--resize"),
        ("resize", "4097", "--resize"),
    ],
)
def test_bad_numbers(name, text, flag):
    with pytest.raises(ParamError) as caught:
        parse(name, text)
    assert str(caught.value).startswith(f"{flag} must be ")
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preprocessing", "custom"),
        ("preprocessing", None),
        ("mean", (0.1, 0.2)),
        ("mean", (math.nan,)),
        ("mean", (10**400,)),
        ("mean", [0.1]),
        ("std", (0.0,)),
        ("std", (True,)),
        ("channels", "rgba"),
        ("size", (8, 8)),
        ("size", (224.0, 224)),
        ("size", 224),
        ("resize", True),
        ("resize", 0),
        ("interpolation", "area"),
        ("fit", "fill"),
        ("classes", ("cat", "")),
        ("classes", ()),
        ("framework", "jax"),
        ("origin", "elsewhere"),
    ],
)
def test_options_name_the_flag(field, value):
    with pytest.raises(ParamError, match=f"^--{field} must "):
        Options(**{field: value})


def test_resize_goes_with_crop_alone():
    with pytest.raises(ParamError, match="--resize belongs to --fit crop"):
        Options(resize=256, fit="pad")


FULL = Options(
    preprocessing="caffe",
    mean=(0.1, 0.2, 0.3),
    std=(0.5,),
    channels="bgr",
    size=(64, 96),
    resize=80,
    interpolation="lanczos",
    fit="crop",
    classes=("cat", "dog"),
    framework="keras",
    origin="custom-head",
    source="class Net: ...",
    build="Net(5)",
    architecture="{}",
    head="sigmoid",
    output="logits",
    weights="ema",
    layout="channels-last",
    activation="gelu",
)


@pytest.mark.parametrize("options", [Options(), FULL])
def test_options_through_json(options):
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_options_from_text():
    flags = {
        "preprocessing": "caffe",
        "mean": "0.1,0.2,0.3",
        "std": "0.5",
        "channels": "bgr",
        "size": "64x96",
        "resize": "80",
        "interpolation": "lanczos",
        "fit": "crop",
        "classes": "cat\ndog\n",
        "framework": "keras",
        "origin": "custom-head",
        "source": "class Net: ...",
        "build": "Net(5)",
        "architecture": "{}",
        "head": "sigmoid",
        "output": "logits",
        "weights": "ema",
        "layout": "channels-last",
        "activation": "gelu",
    }
    assert set(flags) == {field.name for field in dataclasses.fields(Options)}
    assert Options.from_text(flags) == FULL
    assert Options.from_text(dict.fromkeys(flags)) == Options()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_preprocessing_through_json(name, channels):
    ours = preset(name, (33, 44), channels=channels, fit="crop", resize=50, why="a test")
    assert Preprocessing.from_json(json.loads(json.dumps(ours.to_json()))) == ours


@pytest.mark.parametrize(
    "change",
    [
        {"size": [0, 4]},
        {"size": "x"},
        {"std": [1, 1, 0]},
        {"mean": [0]},
        {"mean": [0, 0, None]},
        {"channels": "cmyk"},
        {"fit": []},
        {"resize": 10**9},
        {"name": "other"},
        {"why": 3},
        {"more": 1},
    ],
)
def test_a_worker_s_json_is_checked(change):
    with pytest.raises(ParamError, match="Preprocessing"):
        Preprocessing.from_json({**IMAGENET.to_json(), **change})


@pytest.mark.parametrize("data", [[], "text", None, {}])
def test_json_that_is_something_else(data):
    with pytest.raises(ParamError, match="Preprocessing"):
        Preprocessing.from_json(data)


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (IMAGENET, ["256 px on its shorter side", "middle 224 x 224", "ImageNet's mean"]),
        (preset("unit", (28, 30), fit="pad"), ["28 x 30", "mid-grey", "from 0 to 1"]),
        (preset("raw", (28, 30), channels=1), ["stretched", "0 to 255, in grey"]),
        (
            dataclasses.replace(IMAGENET, name="custom", why=""),
            ["red, green, blue less 0.485, 0.456, 0.406 and divided by 0.229"],
        ),
    ],
)
def test_sentences(ours, words):
    sentence = ours.sentence()
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence


@pytest.mark.parametrize("name", ASKED)
def test_each_option_is_declared_whole(name):
    param = ASKED[name]
    assert param.help.endswith(".")
    assert param.place
    if param.group:
        assert param.shape, "what a flag takes is shown in its help"
    else:
        assert name in ("framework", "origin"), "told by the file itself on the command line"


@pytest.mark.parametrize("name", [name for name in ASKED if ASKED[name].group])
def test_each_flag_reads_its_own_printed_form(name):
    param, value = ASKED[name], getattr(FULL, name)
    if param.file:
        assert param.word(value) == param.file
        assert "." in param.file
    else:
        assert param.parse("", param.word(value)) == value


def test_every_field_is_declared():
    assert list(ASKED) == [field.name for field in dataclasses.fields(Options)]
    assert FULL.asked == {name: getattr(FULL, name) for name in ASKED}
    assert Options().asked == {}
