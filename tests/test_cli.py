"""The command line as a contract: keys, files, exit statuses, one line of error."""

import dataclasses
import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import cli
from commands import _opened, _waiting
from loaders import catalogue
from tests.conftest import ROOT
from tests.fakes import exports
from tests.hostile.conftest import SOAK
from tests.hostile.sources import NETWORK
from tests.lasting import Lent
from tests.loaders.onnx.graphs import model as onnx_model
from tests.loaders.onnx.graphs import tail
from tests.loaders.torch.test_detectors import made, saved
from workers.client import Wall
from xai_core import device
from xai_core.explainer import explainers
from xai_core.stages import KINDS


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, Any, str]:
    """Return the exit status, the JSON on standard output and the text on standard error."""
    try:
        status = cli.main(argv)
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, json.loads(out) if out else None, err


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photo that is not square, so that frames and boxes show."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    source = Image.open(catalogue.photos()[0].path).convert("RGB").resize((300, 200))
    source.save(path)
    return path


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    status, models, _ = run(capsys, "models")
    assert status == 0
    built_in = {row["name"] for row in models if row["source"] == "built-in"}
    assert {"shapes", "shapes_keras", "shapes_shortcut"} <= built_in
    detectors = {entry.name for entry in catalogue.detectors()}
    boxes = [row for row in models if row["task"] == "detection"]
    assert {row["name"] for row in boxes if row["source"] == "built-in"} == detectors
    assert "torchvision/fasterrcnn_resnet50_fpn" in {row["name"] for row in boxes}
    rows = {row["name"]: row for row in models if row["source"] == "pretrained"}
    row = rows["torchvision/resnet50"]
    assert (row["framework"], row["parameters"], row["accuracy"]) == ("torch", 25557032, 0.80858)
    assert row["bytes"] == pytest.approx(102_540_000, rel=1e-4)
    assert row["downloaded"] is False
    assert rows["keras/MobileNetV3Small"]["bytes"] is None
    status, methods, _ = run(capsys, "methods")
    assert status == 0
    assert [row["name"] for row in methods] == list(explainers())
    row = next(row for row in methods if row["name"] == "occlusion")
    (patch,) = (p for p in row["parameters"] if p["name"] == "patch_height")
    assert patch["range"] == [1, 512]
    assert patch["default"] == 32
    assert patch["unit"] == "px"
    for row in methods:
        assert row["family"]
        assert row["shows"].endswith(".")
        assert list(row["honours"]) == row["engines"]
    row = next(row for row in methods if row["name"] == "grad-cam")
    assert row["honours"]["grad-cam"] == ["layer"]
    assert {"layer", "relu"} <= set(row["honours"]["ours"])


@pytest.mark.parametrize("name", ["resnet50", "keras/ResNet50"])
def test_without_a_network_a_published_model_is_one_sentence(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    status, said, err = run(capsys, "inspect", name)
    assert (status, said) == (3, None)
    assert err.splitlines()[-1].startswith("error: ResNet50 could not be downloaded: ")
    assert err.endswith("The built-in models work without a network.\n")


def test_a_published_model_from_the_cache(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    import torch
    import torchvision

    monkeypatch.setenv("VITRINE_CACHE", str(tmp_path))
    torch.manual_seed(0)
    path = tmp_path / "tiny-0.pth"  # as an admin places it
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    given = {"url": f"https://download.invalid/{path.name}", "checksum": None}
    entry = dataclasses.replace(catalogue.find("squeezenet1_1"), **given)
    monkeypatch.setattr(catalogue, "pretrained", lambda: (entry,))
    status, seen, err = run(capsys, "predict", "torchvision/squeezenet1_1", str(photo))
    assert status == 0, err
    assert seen["preprocessing"]["resize"] == 256
    assert {row["label"] for row in seen["predictions"]} <= set(catalogue.imagenet_labels())
    status, models, _ = run(capsys, "models")
    assert models[-1]["downloaded"] is True


def test_a_published_detector_from_the_cache(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    import torch

    monkeypatch.setenv("VITRINE_CACHE", str(tmp_path))
    path = tmp_path / "ssdlite-0.pth"  # as an admin places it
    name = "ssdlite320_mobilenet_v3_large"
    state = made(name, 91).state_dict()
    for key, tensor in state.items():
        if "classification_head" in key and key.endswith(".1.bias") and len(tensor) == 6 * 91:
            tensor.view(-1, 91)[:, 1:4] += 4.0  # persons, bicycles, cars
    torch.save(state, path)
    given = {"url": f"https://download.invalid/{path.name}", "checksum": None}
    entry = dataclasses.replace(catalogue.find(name), **given)
    monkeypatch.setattr(catalogue, "pretrained", lambda: (entry,))
    status, said, err = run(capsys, "detect", name, str(photo), "--threshold", "0.02")
    assert status == 0, err
    assert said["detections"]
    assert {row["label"] for row in said["detections"]} <= set(catalogue.coco_labels())
    status, listed, _ = run(capsys, "models")
    row = listed[-1]
    assert (row["name"], row["task"], row["source"]) == (entry.name, "detection", "pretrained")
    assert (row["downloaded"], row["accuracy"], row["box_map"]) == (True, None, 0.213)
    status, _, err = run(capsys, "predict", name, str(photo))
    assert status == 3
    assert "holds an object detector" in err


@pytest.fixture(autouse=True)
def _lent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands use a wall whose mothers stay; `test_predict` makes its own."""
    monkeypatch.setattr(_opened, "Wall", Lent)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Send downloads to a port where nobody listens, whatever network the machine has."""
    monkeypatch.setenv("https_proxy", "")
    monkeypatch.setenv("VITRINE_CACHE", str(tmp_path / "cache"))
    entries = tuple(
        dataclasses.replace(entry, url=f"https://127.0.0.1:9/{entry.title}")
        for entry in catalogue.pretrained()
    )
    monkeypatch.setattr(catalogue, "pretrained", lambda: entries)


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    status, card, _ = run(capsys, "inspect", "shapes")
    assert status == 0
    assert card["framework"] == "torch"
    assert card["input_size"] == [128, 128]
    assert card["channels"] == 3
    assert card["classes"] == len(card["labels"])
    assert card["parameters"] > 100_000
    assert any(row["name"] == card["default_layer"] for row in card["layers"])
    assert card["sandbox"]["layers"]
    last = card["stages"][-1]
    assert (last["map_size"], last["channels"]) == ([1, 1], [6, 160])
    assert last["title"] == "No map, between 6 and 160 numbers"
    assert "dense layer" in last["layers"]
    sizes = [stage["map_size"] for stage in card["stages"]]
    assert sizes == sorted(sizes, reverse=True)
    assert [128, 128] in sizes
    assert card["words"]["dense layer"] == KINDS["dense layer"]
    kinds = " ".join(stage["layers"] for stage in card["stages"])
    assert all(kind in kinds for kind in card["words"])
    assert all(row["level"] in ("info", "warning") for row in card["findings"])


def test_detect(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    path = saved(made("ssdlite320_mobilenet_v3_large"), tmp_path)
    classes = tmp_path / "classes.txt"
    classes.write_text("cat\ndog\nbird\n")
    asked = (str(path), str(photo), "--size", "160x160", "--classes", str(classes))
    status, said, _ = run(capsys, "detect", *asked, "--threshold", "0.05")
    assert status == 0
    boxes = said["detections"]
    assert [row["index"] for row in boxes] == list(range(len(boxes)))
    assert boxes
    for row in boxes:
        left, top, right, bottom = row["box"]
        assert 0 <= left <= right <= 300
        assert 0 <= top <= bottom <= 200
        assert row["label"] in {"cat", "dog", "bird"}
        assert 0.05 <= row["score"] <= 1
    assert max(row["box"][2] for row in boxes) > 200  # in the photo's pixels, not the view's
    status, more, _ = run(capsys, "detect", *asked, "--threshold", "0.05", "--overlap", "1")
    assert len(more["detections"]) > len(boxes)
    status, said, _ = run(capsys, "inspect", str(path))
    assert (status, said["classes"]) == (0, 3)
    status, _, err = run(capsys, "predict", str(path), str(photo))
    assert (status, err.splitlines()[-1].startswith("error: ")) == (3, True)
    assert "object detector (ssdlite320_mobilenet_v3_large)" in err
    status, _, err = run(capsys, "detect", "shapes", str(photo))
    assert status == 3
    assert "finds no objects" in err
    status, _, err = run(capsys, "detect", *asked, "--threshold", "2")
    assert (status, "--threshold must be from 0 to 1, got 2.0" in err) == (2, True)


def test_several_boxes_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ("shapes_detector", "six_shapes", "--method", "d-rise", "--masks", "50")
    out = ("--out", str(tmp_path))
    status, said, err = run(capsys, "explain-detection", *asked, "--box", "0,3", *out)
    assert status == 0, err
    assert [row["index"] for row in said["boxes"]] == [0, 3]
    assert said["boxes"][0]["target"] != said["boxes"][1]["target"]
    assert len({row["image_hash"] for row in said["boxes"]}) == 1
    one, other = (np.load(tmp_path / f"box-{k}" / "attribution.npy") for k in (0, 3))
    assert not np.allclose(one, other)
    for bad in ("0,0", "one", ""):
        status, _, err = run(capsys, "explain-detection", *asked, "--box", bad, *out)
        assert (status, "must be the index of a box" in err) == (2, True)
    status, _, err = run(capsys, "explain-detection", *asked, "--box", "0,99", *out)
    assert (status, "--box must be from 0 to 5" in err) == (2, True)


@pytest.mark.parametrize(
    "form", ["onnx", pytest.param("pt", marks=pytest.mark.skipif(not SOAK, reason="20 s"))]
)
def test_an_export_of_a_detector(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"d.{form}"
    (exports.script if form == "pt" else exports.graph)(path)
    asked = (str(path), str(photo), "--size", "64x64")
    status, said, err = run(capsys, "detect", *asked, "--threshold", "0.1")
    assert status == 0, err
    assert said["detections"]
    out = ("--threshold", "0.1", "--out", str(tmp_path / "out"))
    whole = ("--method", "d-rise", "--masks", "50", *out)
    status, _, err = run(capsys, "explain-detection", *asked, *whole)
    assert status == 0, err
    assert np.ptp(np.load(tmp_path / "out" / "attribution.npy")) > 0
    status, _, err = run(capsys, "explain-detection", *asked, "--method", "odam", *out)
    assert status == 3
    assert "an export gives its boxes alone" in err
    status, _, err = run(capsys, "predict", str(path), str(photo))
    assert (status, "holds an object detector" in err) == (3, True)


def test_explain_detection(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ("shapes_detector", "six_shapes")
    status, said, _ = run(capsys, "detect", *asked)
    assert status == 0
    chosen = said["detections"][3]
    out = tmp_path / "one"
    whole = ("--method", "odam", "--box", "3", "--out", str(out))
    status, made, _ = run(capsys, "explain-detection", *asked, *whole)
    assert status == 0
    assert made["label"] == chosen["label"]
    assert (made["asked"]["kind"], made["probability"]) == ("box", None)
    assert made["sentences"][0].startswith("Half of the evidence for \u201c")
    attribution = np.load(out / "attribution.npy")
    assert attribution.shape == (224, 224)
    assert np.ptp(attribution) > 0
    with Image.open(out / "overlay.png") as picture:
        assert picture.size == (512, 512)
    # the printed command asks about the same box
    words = shlex.split(made["command"])[2:-2]
    again = tmp_path / "two"
    status, repeated, _ = run(capsys, *words, "--out", str(again))
    assert status == 0
    assert repeated["target"]["box"] == pytest.approx(made["target"]["box"], abs=1e-3)
    np.testing.assert_allclose(np.load(again / "attribution.npy"), attribution, rtol=0.1, atol=1e-9)
    for bad, why in (
        (("--box", "60"), "--box must be from 0 to 5"),
        (("--box", "1", "--at", "1,2,30,40"), "leave one of them out"),
        (("--at", "1,2,30,40"), "--at needs --target"),
        (("--box", "0", "--asks", "width", "--method", "d-rise"), "got 'width'"),
    ):
        given = (*asked, "--method", "odam", "--out", str(out), *bad)
        status, _, err = run(capsys, "explain-detection", *given)
        assert status == 2
        assert why in err


def test_predict(
    capsys: pytest.CaptureFixture[str], photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_opened, "Wall", Wall)
    status, seen, _ = run(capsys, "predict", "shapes", str(photo), "--top", "3")
    assert status == 0
    assert len(seen["predictions"]) == 3
    chances = [row["probability"] for row in seen["predictions"]]
    assert chances == sorted(chances, reverse=True)
    assert seen["preprocessing"]["name"] == "symmetric"


@pytest.mark.parametrize("frame", ["view", "upload"])
def test_explain(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, frame: str
) -> None:
    out = tmp_path / "out"
    status, said, err = run(
        capsys, "explain", "shapes", str(photo), "--method", "occlusion", "--target", "1",
        "--against", catalogue.models()[0].classes[0], "--patch-height", "32", "--patch-width=40",
        "--frame", frame, "--fit", "pad", "--out", str(out),
    )  # fmt: skip
    assert status == 0, err
    attribution = np.load(out / "attribution.npy", allow_pickle=False)
    assert attribution.dtype == np.float32
    assert attribution.shape == ((200, 300) if frame == "upload" else (128, 128))
    assert np.isfinite(attribution).all()
    assert np.ptp(attribution) > 0
    with Image.open(out / "overlay.png") as overlay:
        assert overlay.size == (300, 200)
    written = json.loads((out / "explanation.json").read_text())
    assert written["parameters"]["patch_height"] == 32
    assert written["parameters"]["patch_width"] == 40
    assert written["target"] == {"index": 1, "against": 0, "of": "logit"}
    # 300 x 200 px padded to a square, to within a pixel of the view: 300 / 128 px of the photo
    assert written["geometry"]["box"] == pytest.approx([-50, 0, 250, 300], abs=2.4)
    assert said["files"]
    assert re.search(r"^Occlusion: about \d+ s, stopped after 600 s$", err, re.MULTILINE)
    assert (written["frame"], written["shape"]) == (frame, list(attribution.shape))
    assert written["asked"]["words"].startswith("\u201c")
    assert written["grain"] == {"kind": "patches", "height": 32, "width": 40}
    assert written["versions"]["torch"] == torch.__version__.partition("+")[0]
    for name in ("label", "preprocessing", "sentences", "doubts", "facts", "model_hash"):
        assert written[name], name


def test_a_unit_of_a_layer_is_explained_and_the_parts_add_up(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    asked = ("explain", "shapes", str(photo), "--method", "integrated-gradients", "--unit",
             "features.20:3", "--steps", "100", "--out", str(tmp_path / "out"))  # fmt: skip
    status, said, err = run(capsys, *asked)
    assert status == 0, err
    assert said["target"] == {"layer": "features.20", "channel": 3, "at": None}
    assert said["label"] is None
    told = said["scalars"]
    change = told["score"] - told["baseline_score"]
    assert told["sum"] == pytest.approx(change, rel=0.02)
    made = np.load(tmp_path / "out" / "attribution.npy")
    assert made.sum() == pytest.approx(told["sum"], rel=1e-3)
    assert "channel 3 of \u201cfeatures.20\u201d" in said["sentences"][0]
    assert "same class" not in said["check"]
    assert "--unit features.20:3" in said["command"]
    status, _, err = run(capsys, *asked, "--target", "star")
    assert status == 2
    assert "--unit explains no class" in err
    status, _, err = run(capsys, *asked[:6], "features.20:999", *asked[7:])
    assert status == 2
    assert "from 0 to 159, the channels of features.20" in err


def test_the_command_in_the_json_makes_the_same_again(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, said, err = run(
        capsys, "explain", "shapes", str(photo), "--method", "grad-cam", "--fit", "crop",
        "--mean=0.4,0.5,0.6", "--of", "probability", "--out", str(out),
    )  # fmt: skip
    assert status == 0, err
    layer = said["parameters"]["layer"]
    assert layer == run(capsys, "inspect", "shapes")[1]["default_layer"]
    first = np.load(out / "attribution.npy")
    words = shlex.split(said["command"].replace("out/", str(tmp_path / "again")))
    status, again, err = run(capsys, *words[2:])
    assert status == 0, err
    np.testing.assert_array_equal(first, np.load(tmp_path / "again" / "attribution.npy"))
    differ = {"seconds", "files"}
    assert {name: said[name] for name in said if name not in differ} == {
        name: again[name] for name in again if name not in differ
    }


def test_engines_agree(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    maps = []
    for engine in ("ours", "grad-cam"):
        out = tmp_path / engine
        status, _, err = run(
            capsys, "explain", "shapes", str(photo), "--method", "grad-cam", "--engine", engine,
            "--out", str(out),
        )  # fmt: skip
        assert status == 0, err
        maps.append(np.load(out / "attribution.npy"))
    ours = (maps[0] - maps[0].min()) / (1e-7 + np.ptp(maps[0]))
    np.testing.assert_allclose(ours, maps[1], atol=1e-4)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a photo of half the view's side, which is worth a finding of its own."""
    path = tmp_path / "small.png"
    Image.open(catalogue.photos()[0].path).convert("RGB").resize((60, 48)).save(path)
    return path


def test_a_small_photo_is_said(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    status, seen, err = run(capsys, "predict", "shapes", str(small))
    assert status == 0, err
    (said,) = (row for row in seen["findings"] if row["about"] == "photo")
    assert said["message"].startswith("The photo is small (60 x 48 pixels)")
    out = tmp_path / "out"
    given = ["explain", "shapes", str(small), "--method", "grad-cam", "--out", str(out)]
    status, answer, err = run(capsys, *given)
    assert status == 0, err
    assert said in answer["findings"]
    written = json.loads((out / "explanation.json").read_text())
    assert {path.name for path in out.iterdir()} == {Path(file).name for file in answer["files"]}
    assert written == {key: value for key, value in answer.items() if key != "files"}


def test_what_was_changed_on_a_photo_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (200, 200), (90, 20, 20, 128)).save(path)
    status, seen, err = run(capsys, "predict", "shapes", str(path))
    assert status == 0, err
    assert {"level": "info", "message": "The transparent parts of the photo are shown on white.",
            "about": "photo"} in seen["findings"]  # fmt: skip


def test_the_report_lies_beside_the_other_files(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = ["explain", "shapes", str(small), "--method", "grad-cam", "--out", str(out)]
    status, said, err = run(capsys, *given, "--report")
    assert status == 0, err
    assert said["files"][-1] == str(out / "report.html")
    assert {path.name for path in out.iterdir()} == {Path(name).name for name in said["files"]}
    text = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    for name in ("model_hash", "image_hash", "command"):
        assert said[name] in text
    assert "1 pass through" in text
    status, said, _ = run(capsys, *given)
    assert [Path(name).name for name in said["files"]][-1] == "explanation.json"


def test_progress_counts_in_words() -> None:
    assert _waiting.passes(0, 1) == "0 of 1 pass"
    assert _waiting.passes(1000, 2000) == "1,000 of 2,000 passes"


PYTHONS = {
    "no packages": ("", "the package numpy is not installed for it"),
    "too old": ("sys.version_info = (3, 9);", "it is Python 3.9"),
}


@pytest.mark.parametrize("kind", PYTHONS)
@pytest.mark.parametrize("made", [True, False])
def test_another_python_says_which_one_to_take(tmp_path: Path, kind: str, made: bool) -> None:
    setting, why = PYTHONS[kind]
    own = tmp_path / ".venv" / "bin" / "python"
    if made:
        own.parent.mkdir(parents=True)
        own.touch()
    for name in ("cli.py", "commands", "loaders", "workers", "xai_core"):
        (tmp_path / name).symlink_to(ROOT / name)
    # -S -E: an interpreter without any installed package
    code = f"import sys; {setting} sys.path.insert(0, {str(tmp_path)!r}); import cli;"
    code += f"cli.__file__ = {str(tmp_path / 'cli.py')!r}; sys.exit(cli.main(['models']))"
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-S", "-E", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: this Python, {sys.executable}, cannot run Vitrine: {why}. ")
    assert line.endswith(
        f"Run it with {own} instead of python."
        if made
        else "Run `make setup` in Vitrine's folder, and then .venv/bin/python instead of python."
    )


@pytest.mark.parametrize(
    "broken", [".overlay.png.part", "attribution.npy", "overlay.png", "explanation.json"]
)
def test_all_three_files_are_written_or_none(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path, broken: str
) -> None:
    out = tmp_path / "out"
    (out / broken).mkdir(parents=True)  # so that this one cannot be written
    given = ["explain", "shapes", str(small), "--method", "grad-cam", "--out", str(out)]
    status, _, err = run(capsys, *given)
    assert status == 2
    assert "--out must be a folder that can be written" in err
    assert [path for path in out.iterdir() if path.is_file()] == []


BAD_CALLS = [
    ["explain", "shapes", "PHOTO", "--method", "magic", "--out", "OUT"],
    [
        "explain",
        "shapes",
        "PHOTO",
        "--method",
        "occlusion",
        "--patch-height",
        "600",
        "--out",
        "OUT",
    ],
    ["explain", "shapes", "PHOTO", "--method", "occlusion", "--nonsense", "1", "--out", "OUT"],
    ["explain", "shapes", "PHOTO", "--method", "grad-cam", "--target", "zebra", "--out", "OUT"],
    ["predict", "shapes", "PHOTO", "--size", "foo"],
    ["predict", "shapes", "PHOTO", "--top", "0"],
    ["predict", "shapes", "PHOTO", "--nonsense"],
    ["predict", "shapes", "PHOTO", "--device", "gpu"],
    *([] if device.files() else [["predict", "shapes", "PHOTO", "--device", "cuda"]]),
    ["nonsense"],
    [],
]


@pytest.mark.parametrize("call", BAD_CALLS, ids=" ".join)
def test_bad_calls(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, call: list[str]
) -> None:
    named = {"PHOTO": str(photo), "OUT": str(tmp_path)}
    status, out, err = run(capsys, *[named.get(word, word) for word in call])
    assert status == 2
    assert out is None
    assert err.strip().splitlines()[-1].startswith("error: ")


def test_refused_files(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    text = tmp_path / "model.pt"
    text.write_text("I am no model\n" * 20)
    for call, message in (
        (["inspect", str(text)], "This is a text file"),
        (["inspect", str(photo)], "This is a photo"),
        (["predict", "shapes", str(text)], "photo"),
        (["inspect", str(tmp_path / "nowhere.pt")], "no model of that name"),
        (["predict", "shapes", str(tmp_path / "nowhere.png")], "no built-in photo"),
        (["inspect", "shapes", "--classes", str(photo)], "--classes cannot be read"),
    ):
        status, out, err = run(capsys, *call)
        assert status == 3, call
        assert out is None
        last = err.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert message in last


def test_a_network_out_of_its_source(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    space: dict[str, Any] = {"__name__": "author"}
    exec(NETWORK, space)  # noqa: S102 - the tests' own
    weights, source, wrong = tmp_path / "weights.pth", tmp_path / "net.py", tmp_path / "wrong.py"
    torch.save(space["Net"]().state_dict(), weights)
    source.write_text(NETWORK)
    wrong.write_text(f"{NETWORK}\nopen({str(tmp_path / 'mark')!r}, 'w')\n")
    given = ["predict", str(weights), str(photo), "--size", "40x40"]
    status, seen, err = run(capsys, *given, "--source", str(source), "--build", "Net()")
    assert status == 0, err
    assert len(seen["predictions"]) == 3
    assert any("run in the sandbox" in each["message"] for each in seen["findings"])
    status, _, err = run(capsys, *given)
    assert status == 3
    last = err.strip().splitlines()[-1]
    assert "Its source goes to --source FILE. Where its class is defined, export" in last
    status, _, err = run(capsys, *given, "--source", str(wrong))
    assert status == 3
    assert "error: Line 15 of the source fails: PermissionError" in err
    assert not (tmp_path / "mark").exists()
    assert run(capsys, *given, "--build", "Net()")[0] == 2


@pytest.mark.parametrize(
    "data",
    [
        "".join(f"{at}\t{name}\n" for at, name in reversed([*enumerate("abcdef")])).encode(),
        "\n".join("abcdef").encode("utf-16"),
        repr(dict(enumerate("abcdef"))).encode(),
        "\n".join("abcde\u00fc").encode("cp1252"),
    ],
    ids=["numbered", "utf-16", "python", "cp1252"],
)
def test_class_names_of_any_layout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(data)
    status, card, err = run(capsys, "inspect", "shapes", "--classes", str(path))
    assert status == 0, err
    assert card["labels"][:5] == list("abcde")
    assert card["labels"][5] in ("f", "\u00fc")


def test_weights_beside_an_onnx_file_come_along(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    onnx.save_model(
        onnx_model(tail()),
        tmp_path / "net.onnx",
        save_as_external_data=True,
        location="net.onnx.data",
        size_threshold=0,
    )
    status, answer, _ = run(capsys, "predict", str(tmp_path / "net.onnx"), str(photo))
    assert status == 0
    assert len(answer["predictions"]) == 4
    (tmp_path / "net.onnx.data").rename(tmp_path / "elsewhere")
    status, _, err = run(capsys, "inspect", str(tmp_path / "net.onnx"))
    assert (status, "'net.onnx.data' did not come with it" in err) == (3, True)
    (tmp_path / "net.onnx.data").symlink_to(tmp_path / "elsewhere")
    status, _, err = run(capsys, "inspect", str(tmp_path / "net.onnx"))
    assert (status, "net.onnx.data is a link" in err) == (3, True)
    (tmp_path / "one").write_bytes(b"\x08")
    status, _, err = run(capsys, "inspect", str(tmp_path / "one"))
    assert status == 3
