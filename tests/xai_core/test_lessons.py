"""Lessons: every number that a formula is written out with comes from the run's own arrays."""

import dataclasses
import re

import numpy as np
import pytest

from loaders import catalogue
from tests.fakes import tiny
from tests.fakes.explained import card
from xai_core import augment, discovery
from xai_core.errors import ParamError
from xai_core.explainer import explainers, make
from xai_core.lesson import (
    aside_of,
    band,
    centre,
    histogram,
    lesson_of,
    places,
    preview_of,
    worked,
)
from xai_core.report import amount, percent
from xai_core.shapley_line import draw
from xai_core.stage import ACCENT, GROUND, INK, QUIET
from xai_core.target import ClassTarget

VIEW = tiny.view(3)
SMALL = {"samples": 100, "segmentation": "grid", "segments": 12, "masks": 100, "grid": 4}


def taught():
    discovery.lessons()
    return [name for name in explainers() if lesson_of(name)]


@pytest.fixture(scope="module", params=["torch", "keras"])
def model(request):
    return getattr(tiny, f"{request.param}_model")()


def run(model, name, target=ClassTarget(0), **values):  # noqa: B008 - frozen
    known = explainers()[name].declared()
    given = {key: value for key, value in SMALL.items() if key in known} | values
    return make(name, given, size=tiny.SIZE).explain(model, VIEW, target)


def number(text):
    """Return a number as a sentence has it."""
    return float(text.replace("\u2212", "-").replace(",", ""))


def near(text, value):
    """Whether a sentence's number is this one, to the digits that it has."""
    return text == amount(float(value))


@pytest.mark.parametrize("name", taught())
def test_a_lesson_names_every_symbol_and_part(model, name):
    lesson = lesson_of(name)
    explanation = run(model, name)
    made = worked(explanation, VIEW)
    used = {symbol for line in lesson.pieces() for _, symbol in line if symbol}
    assert used == set(lesson.symbols)
    parts = {part.key for part in made.parts}
    assert {each.part for each in lesson.symbols.values() if each.part} <= parts
    assert sum(part.pointed for part in made.parts) >= 1
    # a baseline may be of one colour
    assert all(np.ptp(part.picture) > 0 for part in made.parts if part.key != "baseline")
    assert len(set(made.lines)) > 1
    declared = explainers()[name].declared()
    for preset in lesson.presets:
        assert set(preset.values) <= set(declared)
        make(name, dict(preset.values), size=(299, 299))
    known = card(layers=model.layers(), default_layer=model.layers()[-1].name)
    for each in (*lesson.experiments, *lesson.traps):
        trials = each.made(known)
        assert trials
        assert set(each.variants) <= set(augment.CHANGES)
        assert all(catalogue.find(name) for names in each.networks for name in names)
        for trial in trials:
            cls = trial.method or explainers()[name]
            assert set(trial.values) <= set(cls.declared())


@pytest.mark.parametrize("name", taught())
def test_two_photos_give_two_lessons(model, name):
    one = worked(run(model, name), VIEW)
    values = {key: value for key, value in SMALL.items() if key in explainers()[name].declared()}
    other = make(name, values, size=tiny.SIZE).explain(model, tiny.view(8), ClassTarget(0))
    assert one.lines != worked(other, tiny.view(8)).lines


@pytest.mark.parametrize("name", taught())
def test_what_does_not_fit_gives_no_lesson(model, name):
    explanation = run(model, name)
    bare = dataclasses.replace(explanation, arrays={}, scalars={})
    assert worked(bare, VIEW) is None
    assert worked(explanation, VIEW[:-1]) is None


def test_a_cell_of_grad_cam_is_written_out_as_its_sum(model):
    explanation = run(model, "grad-cam")
    made = worked(explanation, VIEW)
    total, weights = explanation.arrays["sum"], explanation.arrays["weights"]
    channels, numbers = explanation.arrays["channels"], explanation.arrays["numbers"]
    assert (made.rows, made.columns) == total.shape
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        assert line.startswith(f"Row {row + 1}, column {column + 1}: ")
        first = re.search(r": (\S+)\u00b7(\S+)", line)
        assert near(first[1], weights[numbers[0]])
        assert near(first[2], channels[0, row, column])
        assert near(re.search(r" = ([^,]+), and after", line)[1], total[row, column])
        if total[row, column] > 0:
            assert line.endswith(f"after the ReLU {amount(float(total[row, column]))}")
        else:
            assert line.endswith("0, for the ReLU cuts it")
    off = worked(run(model, "grad-cam", relu=False), VIEW)
    assert "ReLU" not in off.lines[0]


@pytest.mark.parametrize("overlap", ["mean", "sum"])
def test_a_place_of_occlusion_is_the_mean_of_its_falls(model, overlap):
    explanation = run(model, "occlusion", overlap=overlap)
    made = worked(explanation, VIEW)
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        pixel = centre(tiny.SIZE, (made.rows, made.columns), row, column)
        assert f"row {pixel[0]}, column {pixel[1]}" in line
        if "no patch" not in line:
            value = re.search(r"that is (\S+)$", line)[1]
            assert number(value) == pytest.approx(
                float(explanation.attribution[pixel]), rel=0.06, abs=1e-6
            )
    falls = explanation.scalars["score"] - explanation.arrays["scores"]
    assert amount(float(falls[0])) in made.lines[0]


def test_a_place_of_lime_has_its_superpixel_s_weight(model):
    explanation = run(model, "lime")
    made = worked(explanation, VIEW)
    labels, weights = explanation.grain.labels, explanation.grain.weights
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        index = labels[centre(tiny.SIZE, (made.rows, made.columns), row, column)]
        assert line.startswith(f"Superpixel {index}: w = {amount(float(weights[index]))}.")
        whole = explanation.scalars["prediction"]
        assert f"without this piece {amount(float(whole - weights[index]))}" in line


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_a_place_of_rise_has_its_mean_and_its_error(model, base):
    explanation = run(model, "rise", base=base)
    made = worked(explanation, VIEW)
    error, mean = explanation.arrays["standard_error"], explanation.scalars["mean_score"]
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        pixel = centre(tiny.SIZE, (made.rows, made.columns), row, column)
        value = float(explanation.attribution[pixel])
        assert f"give or take {amount(float(error[pixel]))} " in line
        assert amount(value) in line
        if base == "mean":
            said = (
                f"is {amount(value + mean)} over the masks that show it and {amount(mean)} over all"
            )
            assert said in line


def test_a_place_of_integrated_gradients_has_its_part(model):
    explanation = run(model, "integrated-gradients")
    made = worked(explanation, VIEW)
    total = explanation.scalars["sum"]
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        pixel = centre(tiny.SIZE, (made.rows, made.columns), row, column)
        value = float(explanation.attribution[pixel])
        away = float(VIEW[pixel].mean())  # the baseline is black
        assert f"it is {amount(away)} away" in line
        assert f"its part is {amount(value)}, {percent(abs(value / total))} of the " in line
    assert total == pytest.approx(explanation.attribution.sum(), rel=1e-4)


# what is written beside the pictures


def captions(explanation):
    return {part.key: part.caption for part in worked(explanation, VIEW).parts}


@pytest.mark.parametrize(
    ("target", "number"),
    [
        (ClassTarget(0), "score"),
        (ClassTarget(0, 1), "lead in score"),
        (ClassTarget(0, of="probability"), "probability"),
    ],
)
def test_numbers_beside_the_pictures_are_the_runs_and_are_named(model, target, number):
    made = {name: run(model, name, target=target) for name in taught()}
    said = {name: captions(each) for name, each in made.items()}
    for name in taught():
        lines = " ".join([*said[name].values(), *worked(made[name], VIEW).lines])
        assert name == "grad-cam" or f"the {number} " in lines.replace("mean ", ""), name

    arrays, scalars = made["occlusion"].arrays, made["occlusion"].scalars
    low = amount(float(arrays["scores"].min()))
    whole = amount(scalars["score"])
    assert said["occlusion"]["photo"] == f"The photo: the {number} is {whole}"
    assert said["occlusion"]["patch"].endswith(f"the {number} is lowest: {low}")

    arrays, scalars = made["rise"].arrays, made["rise"].scalars
    assert said["rise"]["masked"].endswith(f"the {number} is {amount(float(arrays['scores'][0]))}")
    assert said["rise"]["scores"] == (
        f"The {number} of all 100 masked photos, the highest first; the line is the mean, "
        f"{amount(float(arrays['scores'].mean(dtype=np.float64)))}"
    )

    found = made["integrated-gradients"]
    scalars, own = found.scalars, said["integrated-gradients"]
    assert own["photo"] == f"The photo: the {number} is {amount(scalars['score'])}"
    assert own["baseline"] == f"The baseline: the {number} is {amount(scalars['baseline_score'])}"
    assert own["mixture"] == "The mixture at step 26 of 50"
    assert own["path"].endswith(amount(scalars["score"] - scalars["baseline_score"]))

    arrays, own = made["lime"].arrays, said["lime"]
    assert own["photo"] == "The photo in 12 superpixels"
    assert own["masked"].endswith(f"the {number} is {amount(float(arrays['scores'][1]))}")
    assert "the 60 of 100 that count most" in own["kernel"]
    assert arrays["kernel"].max() == 1 == arrays["kernel"][0]

    found = made["grad-cam"]
    first = found.arrays["numbers"][0]
    parts = np.abs(found.arrays["channels"]).sum((1, 2)) * np.abs(
        found.arrays["weights"][found.arrays["numbers"]]
    )
    assert parts[0] == parts.max()
    assert said["grad-cam"]["channel"] == f"Channel {first}, which counts most"
    assert f"of the {len(parts)} channels" in said["grad-cam"]["weights"]


def test_the_line_of_lime_is_said_to_explain_what_it_does(model):
    explanation = run(model, "lime")
    share = percent(max(explanation.scalars["r2"], 0.0))
    begins = amount(explanation.scalars["intercept"])
    for line in worked(explanation, VIEW).lines:
        assert line.endswith(
            f"it begins at {begins} and explains {share} of how the score varies (R2)"
        )


@pytest.mark.parametrize(("pieces", "samples"), [(12, 100), (6, 100)])
def test_a_place_of_kernelshap_has_its_value_and_what_all_add_up_to(model, pieces, samples):
    explanation = run(model, "kernelshap", segments=pieces, samples=samples)
    made = worked(explanation, VIEW)
    labels, values = explanation.grain.labels, explanation.grain.weights
    none, whole = explanation.scalars["hidden_score"], explanation.scalars["score"]
    seen = set()
    for at, line in enumerate(made.lines):
        row, column = divmod(at, made.columns)
        own = labels[centre(tiny.SIZE, (made.rows, made.columns), row, column)]
        seen.add(own)
        told = re.fullmatch(
            r"Superpixel (\d+): \u03c6 = (\S+), (exactly|its standard error is (\S+))\. "
            r"All (\d+) add up to (\S+): the score of the photo, (\S+), less that with all "
            r"hidden, (\S+)", line,
        )  # fmt: skip
        assert [int(told[1]), int(told[5])] == [own, pieces]
        assert (told[3] == "exactly") is (2**pieces <= samples)
        if told[4]:
            error = explanation.arrays["standard_errors"][own]
            assert number(told[4]) == pytest.approx(error, abs=0.006)
        said = [number(told[each]) for each in (2, 6, 7, 8)]
        assert said == pytest.approx([values[own], whole - none, whole, none], abs=0.006)
    assert seen == set(range(pieces))
    parts = {part.key: part.caption for part in made.parts}
    assert parts["photo"].startswith(f"The photo in {pieces} superpixels")
    asked = draw(0, samples, pieces)
    at = min(asked.known, len(asked.bits) - 1)
    told = re.search(r"(\d+) of (\d+) shown: the score is (\S+)", parts["masked"])
    assert [int(told[1]), int(told[2])] == [asked.bits[at].sum(), pieces]
    assert number(told[3]) == pytest.approx(explanation.arrays["scores"][at], abs=0.006)
    assert f"1, 2, up to {pieces - 1} superpixels" in parts["kernel"]


def test_a_run_too_large_to_be_drawn_again_has_no_numbers(model):
    explanation = run(model, "kernelshap")
    values = dict(explanation.parameters) | {"samples": 20_000}
    many = np.zeros(501)
    made = dataclasses.replace(
        explanation,
        question=dataclasses.replace(explanation.question, values=values),
        grain=dataclasses.replace(explanation.grain, weights=many),
        arrays=dict(explanation.arrays) | {"standard_errors": many},
    )
    assert worked(made, VIEW) is None


def test_one_patch_hides_and_more_hide(model):
    values = {"patch_height": 8, "patch_width": 8, "stride_height": 4, "stride_width": 4}
    lines = worked(run(model, "occlusion", **values), VIEW).lines
    assert any(": 1 patch hides it" in line for line in lines)
    assert any(re.search(r": \d patches hide it", line) for line in lines)


def test_places_are_few_and_cover_the_view():
    assert places((224, 100)) == (32, 32)
    assert places((8, 100), 16) == (8, 16)
    assert centre((10, 10), (2, 5), 1, 4) == (7, 9)


# changes of a photo


def test_changes_do_what_their_names_say():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(augment.flipped(photo)[:, 0], photo[:, -1])
    moved = augment.shifted(photo)
    np.testing.assert_array_equal(moved[4:, 3:], photo[:-4, :-3])
    assert np.ptp(moved[:4].reshape(-1, 3), axis=0).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(
        augment.brighter(photo), np.minimum(np.rint(photo * 1.4), 255).astype(np.uint8)
    )
    turned = augment.turned(photo)
    assert turned.shape == photo.shape
    middle = np.abs(turned[19:22, 14:17].astype(int).mean() - photo[19:22, 14:17].mean())
    assert middle < 40  # the middle stays where it is
    for change in augment.CHANGES.values():
        assert change(photo).dtype == np.uint8
        assert not np.array_equal(change(photo), photo)


# what is drawn before a run


class Watched:
    """Notes the masks and the views that a method asks a model about."""

    def __init__(self, model):
        self.model, self.masks, self.views = model, [], []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def masked_scores(self, image, masks, baseline, targets, batch=0):
        drawn = np.empty((len(masks), *masks.size), np.float32)
        masks.write(drawn, 0)
        self.masks = drawn
        self.views = np.empty((*drawn.shape, 3), np.float32)
        masks.apply(image, baseline, self.views, 0)
        return self.model.masked_scores(image, masks, baseline, targets, batch)


@pytest.mark.parametrize(
    "values",
    [{}, {"keep": 0.2, "seed": 5}, {"grid": 3, "fill": "noise"}, {"fill": "blur", "masks": 60}],
)
def test_the_mask_that_is_drawn_is_one_that_the_run_asks_about(values):
    method = make("rise", {"grid": 6, "masks": 300} | values, size=tiny.SIZE)
    model = Watched(tiny.torch_model())
    method.explain(model, VIEW, ClassTarget(0))
    for number in (0, 1, 49, 50, method.masks - 1, method.masks + 2):
        parts, said = preview_of(type(method)).draw(method, VIEW, number)
        at = number % method.masks
        mask, masked = (part.picture for part in parts)
        np.testing.assert_array_equal(mask[..., 1], np.rint(model.masks[at] * 255))
        np.testing.assert_allclose(masked, model.views[at] * 255, atol=1)
        assert said.startswith(f"Mask {at + 1} of the {method.masks} that seed {method.seed} ")
        assert f"{percent(float(model.masks[at].mean()))} of the photo comes through" in said
        shown = int(re.search(rf"here (\d+) of {method.grid**2} do", said)[1])
        assert shown == method.grids(model).cells[at].sum()


def test_settings_change_the_mask_and_an_engine_of_its_own_has_none():
    drawn = {}
    for values in ({}, {"grid": 3}, {"keep": 0.9}, {"seed": 1}):
        method = make("rise", {"grid": 6} | values, size=tiny.SIZE)
        drawn[str(values)] = preview_of(type(method)).draw(method, VIEW, 0)[0][0].picture
    pictures = list(drawn.values())
    assert all(not np.array_equal(pictures[0], other) for other in pictures[1:])
    assert pictures[2].mean() > pictures[0].mean()
    theirs = make("rise", {}, engine="xplique", size=tiny.SIZE)
    with pytest.raises(ParamError, match="draws its own masks"):
        preview_of(type(theirs)).draw(theirs, VIEW, 0)


def test_the_patch_that_is_drawn_is_one_that_the_run_asks_about():
    method = make("occlusion", {"patch_height": 9, "fill": "mean"}, size=tiny.SIZE)
    model = Watched(tiny.torch_model())
    method.explain(model, VIEW, ClassTarget(0))
    seen = set()
    for number in range(5):
        (part,), said = preview_of(type(method)).draw(method, VIEW, number)
        at = int(re.match(r"Patch ([\d,]+) of", said)[1].replace(",", "")) - 1
        np.testing.assert_allclose(part.picture, model.views[at] * 255, atol=1)
        assert f"of the {len(model.views):,} that" in said
        share = percent(9 * method.patch_width / (tiny.SIZE[0] * tiny.SIZE[1]))
        assert f"{tiny.SIZE[0]} x {tiny.SIZE[1]} pixels, {share} of it, and moves on by " in said
        if number == 0:  # it begins in the middle
            corner, sides = method.patches(model).corners[at], (9, method.patch_width)
            assert np.abs(2 * corner + sides - np.array(tiny.SIZE)).max() < 10
        seen.add(at)
    assert len(seen) > 3


# how a place of RISE steadies


@pytest.mark.parametrize("base", ["mean", "zero"])
def test_a_place_steadies_as_runs_with_fewer_masks_do(model, base):
    from xai_core.lessons.rise import steadied

    explanation = run(model, "rise", base=base, masks=300, seed=4)
    method = make("rise", {**explanation.parameters}, size=tiny.SIZE)
    scores, at = explanation.arrays["scores"], (11, 17)
    whole = explanation.scalars["score"]
    masks = method.grids(model)
    drawn = np.empty((300, *tiny.SIZE), np.float32)
    masks.write(drawn, 0)
    np.testing.assert_allclose(masks.at(*at), drawn[:, at[0], at[1]], atol=1e-6)
    counts, values, errors = steadied(method, masks, scores, whole, at)
    assert counts[-1] == 300
    assert values[-1] == pytest.approx(explanation.attribution[at], rel=1e-3, abs=1e-5)
    assert errors[-1] == pytest.approx(explanation.arrays["standard_error"][at], rel=1e-2)
    few = counts.index(100)
    shorter = run(model, "rise", base=base, masks=100, seed=4)
    assert values[few] == pytest.approx(shorter.attribution[at], rel=1e-3, abs=1e-5)
    assert errors[few] == pytest.approx(shorter.arrays["standard_error"][at], rel=1e-2)


def test_the_band_is_drawn_where_its_numbers_are():
    values, around = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.0])
    picture = band(values, around, (108, 200))
    line = np.all(picture == ACCENT, -1)
    dark = np.any(picture != GROUND, -1)

    def height(value):  # from -1 at the bottom to 2 at the top
        return 100 - 92 * (value + 1) / 3

    for column, value, spread in ((1, 0.0, 1.0), (100, 1.0, 0.5), (198, 2.0, 0.0)):
        assert abs(np.flatnonzero(line[:, column]).mean() - height(value)) < 3
        rows = np.flatnonzero(dark[:, column])
        assert abs(rows.min() - height(value + spread)) < 4
        assert abs(rows.max() - height(min(value - spread, 0))) < 4  # and the line at 0


def test_the_convergence_tells_this_run_s_numbers(model):
    explanation = run(model, "rise")
    (part,) = (each for each in worked(explanation, VIEW).parts if each.key == "steadies")
    peak = np.abs(explanation.attribution).max()
    at = tuple(np.argwhere(np.abs(explanation.attribution) == peak)[0])
    assert f"in row {at[0]}, column {at[1]}," in part.caption
    error = float(explanation.arrays["standard_error"][at])
    told = re.search(r" (\S+) give or take (\S+) after all 100$", part.caption)
    assert number(told[1]) == pytest.approx(float(explanation.attribution[at]), rel=0.02)
    assert number(told[2]) == pytest.approx(1.96 * error, rel=0.06)


# FEM's threshold


@pytest.mark.parametrize("values", [{"k": 1.0}, {"k": 0.5, "weighing": "share"}])
def test_the_threshold_of_fem_is_drawn_on_its_own_channel(model, values):
    explanation = run(model, "fem", **values)
    layer = explanation.parameters["layer"]
    maps = model.activations(VIEW[None], layer)[0]
    number = int(explanation.arrays["numbers"][0])
    channel = maps[..., number]
    np.testing.assert_allclose(explanation.arrays["values"][0], channel, atol=1e-5)
    shown, cells = aside_of(explanation, VIEW)
    level = channel.mean() + values["k"] * channel.std()
    assert shown.caption.startswith(f"Channel {number} of {layer}, ")
    assert shown.caption.endswith(f" is {amount(float(level))}")
    marked = channel >= level
    assert cells.caption.endswith(f" {marked.sum()} of {channel.size}")
    if explanation.parameters["weighing"] == "mean":
        assert explanation.arrays["channels"][0].sum() == marked.sum()
    lit = np.all(shown.picture == ACCENT, -1).any()
    assert lit == bool(marked.any())
    side = np.argwhere(cells.picture[..., 0] > 127).mean(0) / cells.picture.shape[:2]
    np.testing.assert_allclose(side, (np.argwhere(marked).mean(0) + 0.5) / channel.shape, atol=0.03)
    assert aside_of(dataclasses.replace(explanation, arrays={}), VIEW) == ()
    assert aside_of(run(model, "grad-cam"), VIEW) == ()


def test_a_histogram_is_lit_beyond_its_level():
    values = np.array([0.0] * 30 + [1.0] * 2)
    picture = histogram(values, (100, 200), 0.5)
    lit = np.argwhere(np.all(picture == ACCENT, -1))
    quiet = np.argwhere(np.all(picture == QUIET, -1))
    assert lit[:, 1].min() > 190
    assert quiet[:, 1].max() < 10
    assert np.all(picture[:, 100] == INK)
    tall = [np.ptp(found[:, 0]) + 1 for found in (lit, quiet)]
    assert tall[0] / tall[1] == pytest.approx((2 / 30) ** 0.5, abs=0.05)
