"""`counter-test`, `augment` and `edit`: what the page shows, as JSON, pictures and a report."""

import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

import cli
from commands import _opened, augment
from loaders import catalogue
from tests.lasting import Lent
from xai_core.errors import ParamError
from xai_core.probes._augmented import Change
from xai_core.probes.augmentations import AUGMENTATIONS
from xai_core.probes.edits import Drawn, edited
from xai_core.region import Region

MODEL = ["shapes_shortcut", "heart_marked", "--method", "grad-cam"]


@pytest.fixture(autouse=True)
def _lent(monkeypatch):
    monkeypatch.setattr(_opened, "Wall", Lent)


def test_counter_test_writes_the_curve_the_photos_and_the_report(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["counter-test", *MODEL, "--draws", "2", "--report", "--out", str(out)]
    assert cli.main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["way"] == "hide"
    assert said["areas"][0] == 0
    assert said["areas"][-1] == 1
    assert said["at"]["flips"]["strongest"] < 0.1  # the mark
    firsts = {name: said["labels"][at] for name, at in said["at"]["firsts"].items()}
    assert firsts["whole"] == "star"  # the mark's word
    assert firsts["strongest"] == "heart"  # what the photo shows
    assert firsts["least"] == firsts["brightest"] == "star"
    assert said["curves"]["strongest"][0] == pytest.approx(said["at"]["values"]["whole"])
    assert json.loads((out / "counter-test.json").read_text())["sentences"] == said["sentences"]
    pictures = {
        name: np.asarray(Image.open(out / f"{name}.png"))
        for name in ("strongest", "least", "brightest", "random")
    }
    assert {each.shape for each in pictures.values()} == {(128, 128, 3)}
    report = (out / "report.html").read_text()
    for sentence in said["sentences"]:
        assert sentence.split("\u201c")[0] in report
    assert report.count("data:image/svg+xml;base64,") == 1
    assert "What the map marks, hidden" in report
    assert len(re.findall(r"<figure>(?=<img)", report.split('class="plates')[1])) == 4


def test_augment_writes_each_change_and_its_map_brought_back(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["augment", *MODEL, "--changes", "mirrored,shifted:0.2", "--strengths", "--report"]
    assert cli.main([*words, "--out", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["flips"]) for row in said["changes"]] == [
        ("shifted", True), ("mirrored", False),
    ]  # fmt: skip
    assert said["changes"][0]["strength"] == 0.2
    assert {row["name"]: row["flip"] is None for row in said["strengths"]} == {
        "mirrored": True, "shifted": False,
    }  # fmt: skip
    for name in ("mirrored", "shifted"):
        assert (out / f"{name}.png").is_file()
        assert (out / f"{name}-back.png").is_file()
    report = (out / "report.html").read_text()
    for sentence in (said["sentences"][0], said["strengths"][1]["sentence"]):
        assert sentence.split("\u201c")[0] in report
    plate = report.split('class="plates')[1]
    assert plate.count('<figure><div class="pair">') == 2
    assert "The photo changed in 2 ways: Grad-CAM for" in report


def test_augment_lists_sixteen_changes_with_labels_and_overlaps(tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["augment", *MODEL, "--out", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in said["changes"]}
    assert len(said["changes"]) == 16
    assert set(rows) == set(AUGMENTATIONS)
    star = said["labels"].index("star")
    assert said["asked"] == "\u201cstar\u201d"
    for row in rows.values():
        assert row["problem"] == ""
        assert 0 <= row["overlap"] <= 1
        assert row["flips"] == (row["first"] != star)
    # the mark is cut off or its colour is taken; a mirror keeps it
    assert said["labels"][rows["cropped"]["first"]] == "heart"
    assert said["labels"][rows["grey"]["first"]] == "heart"
    assert said["labels"][rows["mirrored"]["first"]] == "star"
    assert rows["mirrored"]["overlap"] > rows["zoomed-in"]["overlap"]
    assert len(list(out.glob("*-back.png"))) == 16


def test_edit_does_one_edit_after_another_and_asks_elsewhere(tmp_path, capsys):
    out = tmp_path / "out"
    done = [
        "hide:box:100,0/128,30:fill=grey",
        "move:polygon:20,20/20,60.5/70,40:by=-8,12",
        "paste:brush:110,5/120,20:width=9:by=-4,3:from=star_marked",
    ]
    words = ["edit", "shapes_shortcut", "heart_marked", "--draws", "2", "--report"]
    words += [word for each in done for word in ("--do", each)]
    assert cli.main([*words, "--out", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["do"] for row in said["edits"]] == done
    heart, star = (
        np.asarray(Image.open(each.path).convert("RGB"))
        for name in ("heart_marked", "star_marked")
        for each in catalogue.photos()
        if each.name == name
    )
    parts = [
        Drawn("box", ((100.0, 0.0), (128.0, 30.0))),
        Drawn("polygon", ((20.0, 20.0), (20.0, 60.5), (70.0, 40.0)), by=(-8, 12)),
        Drawn("brush", ((110.0, 5.0), (120.0, 20.0)), 9.0, (-4, 3)),
    ]
    now = edited(heart, parts[0], "hide", fill="grey")
    shots = [now, now := edited(now, parts[1], "move"), edited(star, parts[2], "paste", into=now)]
    for number, (row, wanted) in enumerate(zip(said["edits"], shots, strict=True), 1):
        made = np.asarray(Image.open(out / f"edited-{number}.png"))
        np.testing.assert_array_equal(made, wanted)
        elsewhere = np.asarray(Image.open(out / f"elsewhere-{number}.png"))
        assert (elsewhere != made).any()
        assert len(row["firsts"]) == row["draws"] == 2
    for before, after in itertools.pairwise(said["edits"]):  # each begins where the last one ended
        assert after["first"] == before["now"]
        assert after["classes"][0]["before"] == pytest.approx(before["classes"][-1]["after"])
    assert said["labels"][said["edits"][0]["first"]] == "star"  # the mark's word
    assert said["edits"][2]["words"].endswith("of star_marked pasted in")
    report = (out / "report.html").read_text()
    assert report.count("<figure>") == 9
    for row in said["edits"]:
        assert row["sentences"][-1] in report
    assert json.loads((out / "edit.json").read_text())["edits"] == said["edits"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit", *MODEL[:2], "--do", "melt:box:1,1/9,9"], "An edit must be ACT:KIND:"),
        (["edit", *MODEL[:2], "--do", "hide:box:1,1/900,9"], "lies inside the photo of 512 x 512"),
        (["edit", *MODEL[:2], "--do", "move:box:1,1/9,9"], "Say where to first"),
        (["counter-test", *MODEL, "--share", "2"], "--share must be over 0"),
        (["counter-test", *MODEL, "--fill", "pink"], "must be one of mean"),
        (["counter-test", *MODEL, "--frame", "upload"], "--frame is for maps alone"),
        (["augment", *MODEL, "--changes", "melted"], "--changes must be some of"),
        (["augment", *MODEL, "--changes", "jpeg,jpeg:3"], "--changes must be some of"),
        (["augment", *MODEL, "--changes", "jpeg:much"], "--changes must be some of"),
        (["augment", *MODEL, "--changes", "jpeg:100"], "must be over 0 and at most 99"),
    ],
)
def test_a_bad_call_is_refused(words, said, tmp_path, capsys):
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_a_shift_moves_the_object_in_the_box():
    assert augment._box("1,2,30,40", (50, 60)) == Region(1, 2, 30, 40)
    assert augment._box(None, (50, 60)) is None
    for wrong in ("1,2,3", "a,b,c,d", "1,2,300,40", "5,5,5,9"):
        with pytest.raises(ParamError, match="--object: "):
            augment._box(wrong, (50, 60))
    made = augment._changes("turned-left:24,mirrored")
    assert made == (Change("turned-left", 24), Change("mirrored", 1))
