import dataclasses
import re

import numpy as np
import pytest

from loaders.options import Options
from loaders.resolve import resolve
from tests.fakes.explained import explanation
from xai_core import report
from xai_core.card import Service
from xai_core.grain import Cells, Patches, Superpixels
from xai_core.model import Finding, Geometry
from xai_core.report.facts import SPREAD
from xai_core.target import ClassTarget

RNG = np.random.default_rng(9)
LABELS = ["heart", "star", "ring"]
SURE = np.array([0.08, 0.9, 0.02], np.float32)


def explained(values, **more):
    return explanation(values, **more)


def slow_half_area(values):
    """Take pixels from the strongest on until half of the positive sum is reached."""
    wanted = sum(max(float(value), 0) for value in values.ravel()) / 2
    summed = count = 0
    for value in sorted((float(value) for value in values.ravel()), reverse=True):
        if summed >= wanted - 1e-9:
            break
        summed += max(value, 0)
        count += 1
    return count / values.size


def numbers(text):
    return [float(found) for found in re.findall(r"(\d+(?:\.\d+)?)\u00a0%", text)]


@pytest.mark.parametrize("shift", [0, -0.8, 2])
def test_half_of_the_evidence_equals_the_slow_count(shift):
    values = RNG.normal(size=(20, 30)) + shift
    assert report.facts(explained(values))["half_area"] == pytest.approx(
        slow_half_area(values.astype(np.float32)), abs=1 / 600
    )


def test_one_bright_pixel_is_a_hundredth_of_a_hundred():
    values = np.zeros((10, 10))
    values[0, 0] = 1
    found = report.facts(explained(values))
    assert found["half_area"] == 0.01
    assert found["place"] == "at the top left"
    assert found["place_share"] == 1
    assert found["peak"] == 1


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [
        (1, 7, "at the top right"),
        (4, 4, "in the middle"),
        (7, 4, "low in the middle"),
        (7, 7, "at the bottom right"),
        (4, 1, "on the left, halfway up"),
    ],
)
def test_the_place_is_where_the_evidence_is(row, column, place):
    values = np.zeros((9, 9))
    values[row, column] = 1
    assert report.facts(explained(values))["place"] == place


def test_evidence_in_two_corners_of_one_side_lies_in_that_half():
    values = np.zeros((9, 9))
    values[0, 0] = values[8, 0] = 1
    assert report.facts(explained(values))["place"] == "in the left half"
    values[0, 0] = values[8, 0] = values[0, 8] = values[8, 8] = 1
    values += 0.2
    assert report.facts(explained(values))["place"] == SPREAD


def test_what_speaks_against_is_a_share_of_the_weight():
    found = report.facts(explained([[3.0, -1.0]], signed=True))
    assert found["against"] == pytest.approx(0.25)
    assert "25\u00a0% of all that the map holds speaks against it" in " ".join(
        report.sentences(explained([[3.0, -1.0]], signed=True), SURE, LABELS)
    )


def test_a_crop_says_what_the_model_never_saw():
    geometry = Geometry(photo=(100, 200), box=(0, 50, 100, 150), view=(8, 8))
    made = explained(RNG.random((8, 8)), geometry=geometry)
    assert report.facts(made)["seen"] == 0.5
    assert "what the model sees of the photo" in report.sentences(made, SURE, LABELS)[0]
    assert any("never saw 50\u00a0% of this photo" in s for s in report.doubts(made, SURE, LABELS))


@pytest.mark.parametrize("target", [ClassTarget(1), ClassTarget(0), ClassTarget(2, against=1)])
@pytest.mark.parametrize("seed", range(4))
def test_every_number_in_the_sentences_can_be_recomputed(target, seed):
    values = np.random.default_rng(seed).normal(size=(16, 16)) + 0.5
    made = explained(values, target=target, signed=True)
    text = " ".join(report.sentences(made, SURE, LABELS))
    negative = -values[values < 0].sum() / np.abs(values).sum()
    expected = [slow_half_area(values.astype(np.float32)) * 100]
    expected += [negative * 100] if negative >= 0.05 else []
    expected += [90.0] if target.index == 1 else [90.0, SURE[target.index] * 100]
    assert numbers(text) == pytest.approx(expected, abs=0.51)
    assert f"\u201c{LABELS[target.index]}\u201d" in text


def test_a_blank_map_holds_no_evidence():
    assert report.sentences(explained(np.zeros((4, 4))), SURE, LABELS)[0] == (
        "The map holds no evidence for \u201cstar\u201d."
    )


def test_percent_is_whole_and_never_falsely_none_or_all():
    shown = [report.percent(share) for share in (0, 0.001, 0.124, 0.9991, 1)]
    assert [text.replace("\u00a0", " ") for text in shown] == [
        "0 %", "under 1 %", "12 %", "over 99 %", "100 %",
    ]  # fmt: skip


def test_doubts_are_only_the_true_ones():
    sharp = np.zeros((64, 64))
    sharp[:8, :8] = 1
    assert report.doubts(explained(sharp), SURE, LABELS) == []
    unlikely = report.doubts(explained(sharp, target=ClassTarget(2)), SURE, LABELS)
    assert len(unlikely) == 1
    assert "only 2\u00a0%" in unlikely[0]
    unsure = report.doubts(explained(sharp), np.array([0.3, 0.4, 0.3]), LABELS)
    assert "only 40\u00a0%" in unsure[0]
    assert "spread wide" in report.doubts(explained(np.ones((8, 8))), SURE, LABELS)[0]


@pytest.mark.parametrize(
    ("photo", "box", "said"),
    [
        ((100, 150), (0, 0, 100, 150), "everything 1.5 times as tall"),
        ((300, 100), (0, 0, 300, 100), "everything 3 times as wide"),
        ((100, 150), (0, 25, 100, 125), ""),  # cropped
        ((100, 150), (-25, 0, 125, 150), ""),  # fitted, with grey beside it
        ((100, 105), (0, 0, 100, 105), ""),  # too little to see
    ],
)
def test_a_stretched_photo_is_a_doubt(photo, box, said):
    made = explained(np.eye(64), geometry=Geometry(photo=photo, box=box, view=(64, 64)))
    found = [each for each in report.doubts(made, SURE, LABELS) if "stretched" in each]
    assert len(found) == bool(said)
    assert said in " ".join(found)


def test_assumed_preparation_is_a_doubt():
    _, assumed = resolve(Options(), None, size=(64, 64), channels=3)
    (said,) = report.doubts(explained(np.eye(64)), SURE, LABELS, findings=assumed)
    assert said.startswith("Nothing in the file says how its photos were prepared")
    _, known = resolve(Options(preprocessing="unit"), None, size=(64, 64), channels=3)
    assert report.doubts(explained(np.eye(64)), SURE, LABELS, findings=known) == []


def test_notes_and_warnings_come_first():
    found = [Finding("warning", "Guessed."), Finding("info", "Quiet.")]
    made = explained(np.eye(64), notes=("The map is odd.",))
    said = report.doubts(made, SURE, LABELS, findings=found)
    assert said[:2] == ["The map is odd.", "Guessed."]
    assert "Quiet." not in said


def test_a_coarse_layer_says_how_wide_a_cell_is():
    values = np.zeros((224, 224))
    values[0, 0] = 1
    late = explained(values, grain=Cells(rows=7, columns=7))
    assert "7 x 7: a cell is 32 pixels" in report.doubts(late, SURE, LABELS)[0]
    assert "nothing smaller is the model's own" in report.doubts(late, SURE, LABELS)[0]
    one = explained(values, grain=Cells(rows=1, columns=1))
    assert "one value for the whole photo" in report.doubts(one, SURE, LABELS)[0]
    drawn = explained(values, grain=Cells(rows=7, columns=7, smoothing="nearest"))
    assert "nothing smaller" in report.doubts(drawn, SURE, LABELS)[0]
    early = explained(values, grain=Cells(rows=224, columns=224))
    assert not report.doubts(early, SURE, LABELS)


def test_the_patch_bounds_what_can_show():
    made = explained(np.eye(64), grain=Patches(height=8, width=12))
    assert "12 pixels" in report.doubts(made, SURE, LABELS)[0]


def served(**methods):
    """Return a card's methods: the engines of each, with why they do not serve."""
    return {
        name.replace("_", "-"): Service(why_not=None, engines=engines)
        for name, engines in methods.items()
    }


def test_a_check_names_a_method_of_another_kind_that_serves():
    made, size = explained(np.ones((2, 2))), (64, 64)
    both = served(grad_cam={"ours": None}, occlusion={"ours": None}, lime={"ours": None})
    assert "run Occlusion" in report.check(made, both, size)  # the cheaper of two
    assert report.check(made, served(grad_cam={"ours": None}), size) == ""
    other = explained(np.ones((2, 2)), method="occlusion")
    assert "run Grad-CAM" in report.check(other, both, size)
    cannot = both | {"grad-cam": Service(why_not="It has no gradients.", engines={})}
    assert "run LIME" in report.check(other, cannot, size)
    unserved = served(occlusion={"ours": None}, lime={"ours": "No.", "lime": "No."})
    assert report.check(other, unserved, size) == ""


def of_parts(weights, *, of="logit", against=None, r2=0.9):
    """Explain a 9x9 map whose columns 0..2, 3..5 and 6..8 fall into rows of equal parts."""
    labels = (np.arange(9)[:, None] // 3 * 3 + np.arange(9)[None] // 3).astype(np.int32)
    weights = np.asarray(weights, np.float64)
    return explanation(
        weights[labels % len(weights)],
        signed=True,
        method="lime",
        target=ClassTarget(1, against=against, of=of),
        scalars={"r2": r2},
        grain=Superpixels(labels=labels, weights=weights),
    )


def test_superpixels_are_counted_by_their_weights():
    weights = [0.1, 0.05, -0.2, 0, 0.3, 0.1, 0.41, 0.1, 0]
    made = of_parts(weights)
    found = report.facts(made)
    assert (found["parts"], found["half_parts"]) == (9, 2)
    assert found["half_area"] == pytest.approx(2 / 9)
    assert found["against"] == pytest.approx(0.2 / 1.26)
    assert (found["strongest"], found["strongest_place"]) == (0.41, "at the bottom left")
    assert (found["weakest"], found["weakest_place"]) == (-0.2, "at the top right")
    said = report.sentences(made, SURE, LABELS)
    assert said[0].replace("\u00a0", " ") == (
        "Two superpixels of 9 carry half of the evidence for \u201cstar\u201d, on 22 % of "
        "the photo; the strongest, at the bottom left, adds 0.41 to the score."
    )
    assert said[1].replace("\u00a0", " ") == (
        "16 % of all that the map holds speaks against it, most of all at the top right "
        "(\u22120.2)."
    )


def test_one_superpixel_may_carry_half():
    said = report.sentences(of_parts([0, 0, 0, 0, 3, 1, 0, 0, 0], of="probability"), SURE, LABELS)
    assert said[0] == (
        "One superpixel of 9 carries half of the evidence for \u201cstar\u201d (by probability): "
        "it lies in the middle and adds 3 to the probability."
    )
    lead = report.sentences(of_parts([0, 2.04, 0, 0, 0, 0, 0, 0, 0], against=0), SURE, LABELS)
    assert "adds 2 to the lead in score." in lead[0]
    none = report.sentences(of_parts([-1.0] * 9), SURE, LABELS)
    assert none[0] == "The map holds no evidence for \u201cstar\u201d."


@pytest.mark.parametrize("seed", range(4))
def test_every_number_about_superpixels_can_be_recomputed(seed):
    weights = np.random.default_rng(seed).normal(size=9) + 0.3
    text = " ".join(report.sentences(of_parts(weights), SURE, LABELS))
    ordered = sorted(weights, reverse=True)
    half, summed = 0, 0.0
    while summed < weights[weights > 0].sum() / 2:
        summed += ordered[half]
        half += 1
    assert report.facts(of_parts(weights))["half_parts"] == half
    expected = [half / 9 * 100] if half > 1 else []
    expected += [-weights[weights < 0].sum() / np.abs(weights).sum() * 100, 90.0]
    assert numbers(text) == pytest.approx(expected, abs=0.51)
    assert f"adds {weights.max():.2g}" in text
    assert f"(\u2212{-weights.min():.2g})" in text


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": np.zeros((3, 3), np.int32)},
        {"labels": np.full((9, 9), -1, np.int32)},
        {"labels": np.full((9, 9), 99, np.int32)},
        {"labels": np.zeros((9, 9), np.float32)},
        {"weights": np.full(9, np.nan)},
        {"weights": np.ones((9, 1))},
    ],
)
def test_superpixels_that_do_not_fit_are_refused(changed):
    made = of_parts([0.1] * 9)
    with pytest.raises(ValueError, match="superpixels that do not fit"):
        dataclasses.replace(made, grain=dataclasses.replace(made.grain, **changed))


def test_a_result_is_measured_once(monkeypatch):
    made = of_parts([0.1] * 9)
    first = report.facts(made)
    monkeypatch.setattr(np, "bincount", lambda *_, **__: pytest.fail("measured again"))
    assert report.facts(made) is first
